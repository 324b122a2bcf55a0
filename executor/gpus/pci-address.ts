/**
 * PCI addresses as every source writes them, in the one form that the kernel uses: `0000:53:00.0`. Pure.
 */
import { PciAddress } from "../../protocol/accelerator.ts";

const WRITTEN =
  /^(?:PCI:)?(?:(?<domain>[0-9a-f]{1,8}):)?(?<bus>[0-9a-f]{1,2}):(?<device>[0-9a-f]{1,2})(?:\.(?<fn>[0-7]))?$/i;

/** From `00000000:53:00.0`, `0000:53:00.0`, `53:00.0` or `PCI:0000:53:00`; undefined for anything else. */
export function pciAddress(text: string): string | undefined {
  const { domain, bus, device, fn } = WRITTEN.exec(text.trim())?.groups ?? {};
  if (bus === undefined || device === undefined) return undefined;
  const parsed = PciAddress.safeParse(
    formatPciAddress({
      domain: Number.parseInt(domain ?? "0", 16),
      bus: Number.parseInt(bus, 16),
      device: Number.parseInt(device, 16),
      fn: Number(fn ?? "0"),
    }),
  );
  return parsed.success ? parsed.data : undefined;
}

export interface PciNumbers {
  readonly domain: number;
  readonly bus: number;
  readonly device: number;
  readonly fn: number;
}

export function formatPciAddress({ domain, bus, device, fn }: PciNumbers): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${fn}`;
}

/** The address of the card that a function belongs to. */
export function firstFunction(address: string): string {
  return address.replace(/\.[0-7]$/, ".0");
}
