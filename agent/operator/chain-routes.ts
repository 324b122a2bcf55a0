/**
 * The operator API's routes about the chain, each as a question to its desk.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { chainApi } from "../../protocol/operator-chain.ts";
import type { ChainDesk } from "../chain/desk.ts";

export function chainHandlers(chain: ChainDesk): Handlers<typeof chainApi, unknown> {
  return {
    chainStatus: () => chain.status(),
    chainValidators: () => ({ validators: chain.validators() }),
    announce: () => chain.announce(),
  };
}
