/**
 * The executor's end of the link, for tests: it says only what the test tells it to, and checks every frame it hears.
 */
import { on, once } from "node:events";
import { TLSSocket } from "node:tls";

import { WebSocket } from "ws";

import { hostIdOf } from "../../agent/link/identity.ts";
import { type Ed25519Key, generateEd25519 } from "../../common/ed25519.ts";
import type { HostFacts } from "../../protocol/host.ts";
import type { HostId } from "../../protocol/ids.ts";
import { decodeJoinToken, helloBytes, LINK_PATH, type ToAgent, ToExecutor, WORDS_HEADER } from "../../protocol/link.ts";
import type { PodEvent, PodStatus, WantedPod } from "../../protocol/pod.ts";
import { LINK_VERSION } from "../../protocol/version.ts";

type FrameOf<Type extends ToExecutor["type"]> = Extract<ToExecutor, { type: Type }>;
type Hello = Extract<ToAgent, { type: "hello" }>;

export interface Report {
  readonly status: PodStatus;
  readonly wanted?: WantedPod;
}

export interface DialOptions {
  readonly url: string;
  /** What the certificate must be. */
  readonly fingerprint: string;
  readonly secret?: string | undefined;
  readonly key?: Ed25519Key;
  readonly name?: string;
  /** Those that not every version knows, with spaces between them; none when left out. */
  readonly words?: string;
}

export function dialOptionsOf(token: string, key?: Ed25519Key): DialOptions {
  const decoded = decodeJoinToken(token);
  if (decoded === undefined) throw new Error("this is not a join token");
  return { ...decoded, ...(key === undefined ? {} : { key }) };
}

export class FakeExecutor {
  readonly key: Ed25519Key;
  readonly #options: DialOptions;
  readonly #socket: WebSocket;
  readonly #messages: AsyncIterator<unknown[]>;
  /** Heard and not asked for yet. */
  readonly #heard: ToExecutor[] = [];

  private constructor(options: DialOptions, socket: WebSocket) {
    this.key = options.key ?? generateEd25519();
    this.#options = options;
    this.#socket = socket;
    this.#messages = on(socket, "message", { close: ["close"] });
    socket.on("error", () => socket.terminate());
  }

  get hostId(): HostId {
    return hostIdOf(Buffer.from(this.key.publicKey, "base64"));
  }

  /** Connects, and checks the certificate before anything is sent. */
  static async dial(options: DialOptions): Promise<FakeExecutor> {
    const headers = options.words === undefined ? {} : { [WORDS_HEADER]: options.words };
    const socket = new WebSocket(new URL(LINK_PATH, options.url), { rejectUnauthorized: false, headers });
    const executor = new FakeExecutor(options, socket);
    const [response] = await once(socket, "upgrade");
    const seen = fingerprintOf(response.socket);
    if (seen === options.fingerprint) return executor;
    socket.terminate();
    throw new Error(`the agent's certificate is ${seen}, not the one in the token`);
  }

  /** Dials, says hello and waits to be let in. Throws the code that it was refused with. */
  static async join(options: DialOptions): Promise<FakeExecutor> {
    const executor = await FakeExecutor.dial(options);
    executor.send(executor.hello((await executor.next("challenge")).nonce));
    await executor.next("welcome");
    return executor;
  }

  /** Joins and tells what the host is and which pods are on it. */
  static async start(options: DialOptions, facts: HostFacts, pods: readonly Report[] = []): Promise<FakeExecutor> {
    const executor = await FakeExecutor.join(options);
    executor.send({ type: "facts", facts });
    executor.tell(pods, true);
    return executor;
  }

  hello(nonce: string, over: Partial<Hello> = {}): Hello {
    const { fingerprint, secret, name = "gpu-host" } = this.#options;
    return {
      type: "hello",
      version: LINK_VERSION,
      name,
      publicKey: this.key.publicKey,
      signature: Buffer.from(this.key.sign(helloBytes(nonce, fingerprint))).toString("base64"),
      ...(secret === undefined ? {} : { joinSecret: secret }),
      ...over,
    };
  }

  send(frame: ToAgent): void {
    this.#socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  tell(pods: readonly Report[], complete = false): void {
    this.send({ type: "statuses", complete, pods: [...pods] });
  }

  tellEvents(events: readonly PodEvent[]): void {
    this.send({ type: "events", events: [...events] });
  }

  /** The next frame of this type; others stay to be asked for. Throws when the link closes or refuses before. */
  async next<Type extends ToExecutor["type"]>(type: Type): Promise<FrameOf<Type>> {
    for (;;) {
      const index = this.#heard.findIndex((frame) => frame.type === type);
      if (index >= 0) return this.#heard.splice(index, 1)[0] as FrameOf<Type>;
      const { value, done } = await this.#messages.next();
      if (done === true) throw new Error(`the link closed before it said ${type}`);
      const frame = ToExecutor.parse(JSON.parse(String(value[0])));
      if (frame.type === "refused" && type !== "refused") throw new Error(frame.code);
      this.#heard.push(frame);
    }
  }

  /** What was heard on the way to the frames that were asked for. */
  get heard(): readonly ToExecutor["type"][] {
    return this.#heard.map(({ type }) => type);
  }

  /** The pod of the next `want`. */
  async nextWanted(): Promise<WantedPod> {
    const { pods } = await this.next("want");
    const [pod] = pods;
    if (pod === undefined || pods.length !== 1) throw new Error(`a want named ${pods.length} pods`);
    return pod;
  }

  /** Resolves with the reason when the agent closes the link. */
  async closed(): Promise<string> {
    if (this.#socket.readyState === WebSocket.CLOSED) return "";
    const [, reason] = await once(this.#socket, "close");
    return String(reason);
  }

  /** Hears nothing any more, as behind a network that swallows packets; the connection stays open. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Goes away without a word. */
  vanish(): void {
    this.#socket.terminate();
  }
}

function fingerprintOf(socket: unknown): string {
  if (!(socket instanceof TLSSocket)) throw new Error("this is no TLS connection");
  return socket.getPeerCertificate().fingerprint256.replaceAll(":", "").toLowerCase();
}
