/**
 * A process that sends what it is told to, and nothing else, so that whoever answers has a core of its own. It is told once, and
 * reports once.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { devHotkey, initHotkeys } from "../../../common/hotkey.ts";
import { Connection, type Place } from "./connection.ts";
import { type Kind, Requests } from "./requests.ts";

export interface SenderOrder extends Place {
  readonly receiver: string;
  /** A URI such as `//Alice`, of a hotkey that is served. */
  readonly known: string;
  readonly kinds: readonly Kind[];
  readonly connections: number;
  readonly seconds: number;
  /** As fast as answers come when left out. */
  readonly perSecond?: number;
}

export interface SenderReport {
  readonly sent: number;
  /** How many of each status came back. */
  readonly answers: Readonly<Record<string, number>>;
  readonly tookMs: number;
}

/** Signatures cost 0.15 ms each, and nonces are good for ten seconds. */
const PREPARED_PER_SECOND = 4_000;
const TICK_MS = 4;
const LAST_ANSWERS_MS = 500;

process.once("message", (order: SenderOrder) => {
  void carryOut(order).then((report) => process.send?.(report, () => process.disconnect()));
});

async function carryOut(order: SenderOrder): Promise<SenderReport> {
  await initHotkeys();
  const [known, unknown] = [devHotkey(order.known), devHotkey("//Mallory")];
  const requests = new Requests({ receiver: order.receiver, known, unknown });
  process.send?.("ready");
  return order.perSecond === undefined ? answerByAnswer(order, requests) : steadily(order, order.perSecond, requests);
}

/** Each connection sends its next when the one before was answered. */
async function answerByAnswer(order: SenderOrder, requests: Requests): Promise<SenderReport> {
  const { kinds, connections, seconds } = order;
  const count = seconds * PREPARED_PER_SECOND;
  const prepared = Array.from({ length: count }, (_, n) => requests.make(kinds[n % kinds.length] ?? "valid"));
  const answers = new Counter();
  let next = 0;
  const open = await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await Connection.open(order, (status) => {
        answers.add(status);
        sendOn(connection);
      });
      return connection;
    }),
  );
  const began = performance.now();
  const sendOn = (connection: Connection): void => {
    const request = prepared[next];
    if (request === undefined || performance.now() - began >= seconds * 1000) return;
    next += 1;
    connection.send(request);
  };
  for (const connection of open) sendOn(connection);
  await sleep(seconds * 1000);
  const tookMs = performance.now() - began;
  const report = { sent: next, answers: answers.counts(), tookMs };
  for (const connection of open) connection.close();
  return report;
}

/** So many a second, whether they are answered or not. */
async function steadily(order: SenderOrder, perSecond: number, requests: Requests): Promise<SenderReport> {
  const { kinds, connections, seconds } = order;
  const answers = new Counter();
  const open = await Promise.all(
    Array.from({ length: connections }, () => Connection.open(order, (status) => answers.add(status))),
  );
  const began = performance.now();
  let sent = 0;
  for (let elapsed = 0; elapsed < seconds * 1000; elapsed = performance.now() - began) {
    for (const due = (elapsed / 1000) * perSecond; sent < due; sent += 1) {
      const at = sent % connections;
      if (open[at]?.isOpen !== true) open[at] = await Connection.open(order, (status) => answers.add(status));
      open[at].send(requests.make(kinds[sent % kinds.length] ?? "forged"));
    }
    await sleep(TICK_MS);
  }
  const tookMs = performance.now() - began;
  await sleep(LAST_ANSWERS_MS);
  for (const connection of open) connection.close();
  return { sent, answers: answers.counts(), tookMs };
}

class Counter {
  readonly #counts = new Map<number, number>();

  add(status: number): void {
    this.#counts.set(status, (this.#counts.get(status) ?? 0) + 1);
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
