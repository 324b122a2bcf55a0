/**
 * What a login may carry besides a shell: forwarded ports in all three directions, and a forwarded agent.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

import { runClient, type SshPod } from "./ssh-pod.ts";

export interface Forwards {
  /** Sends bytes through -L, or -D, to a server inside the pod that sends them back; resolves with what came. */
  readonly local: (bytes: Buffer) => Promise<Buffer>;
  readonly socks: (bytes: Buffer) => Promise<Buffer>;
  /** A port inside the pod that -R leads to a server here that sends everything back. */
  readonly remotePort: number;
}

const ECHO_PORT = 9_000;
const REMOTE_PORT = 9_001;
const POD_ECHO = `exec /.lium/k/bin/busybox nc -ll -p ${ECHO_PORT} -e /.lium/k/bin/busybox cat`;
const SOCKS_HELLO = Buffer.from([5, 1, 0]);
const SOCKS_CONNECT = Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, ECHO_PORT >> 8, ECHO_PORT & 255]);

/** Opens one login with all three forwards and closes it after `use`. */
export async function withForwards<T>(pod: SshPod, use: (forwards: Forwards) => Promise<T>): Promise<T> {
  const sendBack = (socket: Socket): void => void socket.on("error", () => socket.destroy()).pipe(socket);
  const echo = await listening(createServer({ allowHalfOpen: true }, sendBack));
  const { login, localPort, socksPort } = await forwarding(pod, portOf(echo));
  try {
    return await use({
      local: (bytes) => persistently(async () => roundTrip(await connected(localPort), bytes)),
      socks: (bytes) => persistently(async () => roundTrip(await throughSocks(socksPort), bytes)),
      remotePort: REMOTE_PORT,
    });
  } finally {
    login.kill();
    await once(login, "exit");
    echo.close();
  }
}

/** A login that forwards. Between the choice of a port and its use somebody may take it: then with others. */
async function forwarding(pod: SshPod, echoPort: number) {
  for (let tries = 0; tries < 5; tries += 1) {
    const [localPort, socksPort] = [await freePort(), await freePort()];
    const forwards = [
      ["-L", `127.0.0.1:${localPort}:127.0.0.1:${ECHO_PORT}`],
      ["-D", `127.0.0.1:${socksPort}`],
      ["-R", `127.0.0.1:${REMOTE_PORT}:127.0.0.1:${echoPort}`],
    ].flat();
    const args = [...pod.options("ssh"), "-o", "ExitOnForwardFailure=yes", ...forwards, "root@127.0.0.1", POD_ECHO];
    const login = spawn("ssh", args, { stdio: "ignore" });
    if (await listensOn(login, localPort)) return { login, localPort, socksPort };
  }
  throw new Error("no login could forward");
}

/** False when the login ended instead. */
function listensOn(login: ChildProcess, port: number): Promise<boolean> {
  return persistently(async () => {
    if (login.exitCode === null) (await connected(port)).destroy();
    return login.exitCode === null;
  });
}

export interface SshAgent {
  readonly socket: string;
  readonly fingerprint: string;
  stop(): Promise<void>;
}

/** An agent that holds the pod's first key. */
export async function startAgent(pod: SshPod): Promise<SshAgent> {
  const socket = pod.path("agent.sock");
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
  await once(agent.stdout, "data");
  await runClient("ssh-add", ["-q", pod.path("key0")], {
    env: { SSH_AUTH_SOCK: socket, PATH: process.env["PATH"] ?? "" },
  });
  const { stdout } = await runClient("ssh-keygen", ["-lf", pod.path("key0")]);
  return {
    socket,
    fingerprint: stdout.split(" ")[1] ?? "",
    stop: async () => {
      agent.kill();
      await once(agent, "exit");
    },
  };
}

/** Tries again until the login is up and the server in the pod listens. */
async function persistently<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (deadline.aborted) throw error;
    }
  }
}

async function roundTrip(socket: Socket, bytes: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let received = 0;
  socket.write(bytes);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    received += chunk.length;
    if (received >= bytes.length) break;
  }
  socket.destroy();
  if (received < bytes.length) throw new Error(`${received} of ${bytes.length} bytes came back`);
  return Buffer.concat(chunks);
}

async function throughSocks(port: number): Promise<Socket> {
  const socket = await connected(port);
  for (const request of [SOCKS_HELLO, SOCKS_CONNECT]) {
    socket.write(request);
    const [answer] = (await once(socket, "data")) as [Buffer];
    if (answer[1] !== 0) throw new Error("the SOCKS proxy refused");
  }
  return socket;
}

async function connected(port: number): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

async function listening(server: Server): Promise<Server> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function freePort(): Promise<number> {
  const server = await listening(createServer());
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
