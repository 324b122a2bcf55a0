/**
 * Reads what stands behind an option. What does not fit is wrong usage, with the form that would.
 */
import { InvalidArgumentError, Option } from "commander";

import type { PodSpecInput } from "../../protocol/pod.ts";
import { formatDuration, parseDuration, parseSize } from "./quantities.ts";

type Port = NonNullable<PodSpecInput["ports"]>[number];

/** Bytes. */
export function size(text: string): number {
  return parseSize(text) ?? refuse("a size such as 512MiB, 4GiB or 10GB");
}

/** Milliseconds. */
export function duration(text: string): number {
  return parseDuration(text) ?? refuse("a duration such as 90s, 5m, 1h30m or 2d");
}

/** An option that takes a duration and has one without being given. */
export function durationOption(flags: string, description: string, usualMs: number): Option {
  return new Option(flags, description).argParser(duration).default(usualMs, formatDuration(usualMs));
}

export function count(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : refuse("a whole number");
}

export function amount(text: string): number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : refuse("a number such as 2 or 0.5");
}

/** An instant, or how long ago it was. */
export function since(nowMs: () => number): (text: string) => string {
  return (text) => {
    const ago = parseDuration(text);
    const atMs = ago === undefined ? Date.parse(text) : nowMs() - ago;
    return Number.isNaN(atMs)
      ? refuse("an instant such as 2026-01-31T12:00:00Z, or a duration such as 10m")
      : new Date(atMs).toISOString();
  };
}

/** `8080` or `8080/udp`, once for each use of the option. */
export function port(text: string, before: readonly Port[] = []): Port[] {
  const [, digits, protocol = "tcp"] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (digits === undefined) return refuse("a port such as 8080/tcp or 53/udp");
  return [...before, { containerPort: Number(digits), protocol: protocol === "udp" ? "udp" : "tcp" }];
}

export interface Assignment {
  readonly name: string;
  /** Undefined when only the name was given. */
  readonly value: string | undefined;
}

/** `NAME=VALUE` or `NAME`, once for each use of the option. */
export function assignment(text: string, before: readonly Assignment[] = []): Assignment[] {
  const [, name, , value] = /^([A-Za-z_][A-Za-z0-9_]*)(=([\s\S]*))?$/.exec(text) ?? [];
  return name === undefined ? refuse("NAME=VALUE") : [...before, { name, value }];
}

/** `NAME:/path`. */
export function volume(text: string): { name: string; mountPath: string } {
  const [, name, mountPath] = /^([^:]+):(\/.+)$/.exec(text) ?? [];
  return name === undefined || mountPath === undefined ? refuse("NAME:/path") : { name, mountPath };
}

export function repeated(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

function refuse(form: string): never {
  throw new InvalidArgumentError(`Give ${form}.`);
}
