/**
 * A bare HTTP connection that costs its process little: it writes bytes as they are, and of the answers it reads only their
 * status and where they end.
 */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";

const END_OF_HEAD = "\r\n\r\n";

export interface Place {
  readonly port: number;
  readonly localAddress: string;
}

export class Connection {
  readonly #socket: Socket;
  readonly #onAnswer: (status: number) => void;
  #unread: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket, onAnswer: (status: number) => void) {
    this.#socket = socket;
    this.#onAnswer = onAnswer;
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => this.#read(chunk));
  }

  static async open({ port, localAddress }: Place, onAnswer: (status: number) => void): Promise<Connection> {
    const socket = createConnection({ host: "127.0.0.1", port, localAddress });
    await once(socket, "connect");
    return new Connection(socket, onAnswer);
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  send(request: Buffer): void {
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    for (;;) {
      const headEnd = this.#unread.indexOf(END_OF_HEAD);
      if (headEnd < 0) return;
      const head = this.#unread.toString("latin1", 0, headEnd);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const end = headEnd + END_OF_HEAD.length + length;
      if (this.#unread.length < end) return;
      this.#unread = this.#unread.subarray(end);
      this.#onAnswer(Number(head.slice(9, 12)));
    }
  }
}
