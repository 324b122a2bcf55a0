/**
 * JSON-RPC over a WebSocket, as nodes of the chain serve it: methods, and subscriptions that go on telling.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type WebSocket, WebSocketServer } from "ws";

export type Methods = Readonly<Record<string, (params: unknown[], tell: Tell) => unknown>>;
/** Tells a subscriber, after the answer with its id was sent. */
export type Tell = (subscription: string, event: string, result: unknown) => void;

export class RpcError extends Error {
  readonly code: number;
  readonly data: string | undefined;

  constructor(code: number, message: string, data?: string) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export interface RpcServerOptions {
  readonly methods: () => Methods;
  /** What a client meets instead of answers. */
  readonly fault: () => "none" | "hangs" | "429";
}

export async function startRpcServer({ methods, fault }: RpcServerOptions) {
  const asked: string[] = [];
  let connections = 0;
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    connections += 1;
    if (fault() === "429") return void socket.end("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on("message", (text: Buffer) => {
        const { id, method, params } = JSON.parse(text.toString()) as { id: number; method: string; params: unknown[] };
        asked.push(method);
        if (fault() !== "hangs") answer(client, id, () => callOf(methods(), method, params, client));
      });
    });
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => void http.close(resolve));
    },
  };
}

function callOf(methods: Methods, method: string, params: unknown[], client: WebSocket): unknown {
  const call = methods[method];
  if (call === undefined) throw new RpcError(-32_601, `Method not found: ${method}`);
  const tell: Tell = (subscription, event, result) =>
    setImmediate(() => send(client, { method: event, params: { subscription, result } }));
  return call(params, tell);
}

function answer(client: WebSocket, id: number, call: () => unknown): void {
  try {
    send(client, { id, result: call() });
  } catch (error) {
    const { code, message, data } = error instanceof RpcError ? error : new RpcError(-32_603, String(error));
    send(client, { id, error: { code, message, data } });
  }
}

function send(client: WebSocket, body: Readonly<Record<string, unknown>>): void {
  client.send(JSON.stringify({ jsonrpc: "2.0", ...body }));
}
