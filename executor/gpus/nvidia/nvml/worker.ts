/**
 * The process that holds NVIDIA's library. It is a program of its own: a crash of the driver is its end, not ours. Its first
 * thread never calls the library, so that it can always say who is late.
 */
import { systemClock } from "../../../../common/clock.ts";
import { serveRequests } from "../../children/serve.ts";
import { Callers } from "./callers.ts";
import { Turns } from "./turns.ts";
import { NvmlRequest } from "./words.ts";

const turns = new Turns<unknown>(systemClock());
let callers: Callers | undefined;

const tell = serveRequests(async (body) => {
  const request = NvmlRequest.parse(body);
  if (request.do === "open") {
    callers = new Callers(request.libraries, tell);
    return callers.open();
  }
  const open = callers;
  if (open === undefined) throw new Error("The library is not open.");
  if (request.do === "devices") return open.ask({ do: "devices" });
  return Promise.all(
    request.devices.map(async (device) => {
      const turn = await turns.take(device.index, () => open.ask({ do: "read", ...device }));
      return "done" in turn ? turn.done : { late: turn.lateMs };
    }),
  );
});
