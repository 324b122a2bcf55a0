/** A machine is named by an address that others can reach, never by a bridge between its own containers. */
import { describe, expect, it } from "vitest";

import { guessOwnAddress } from "../../../common/own-address.ts";

const loopback = { address: "127.0.0.1", family: "IPv4", internal: true } as const;
const bridge = { address: "172.18.0.1", family: "IPv4", internal: false } as const;
const card = { address: "203.0.113.7", family: "IPv4", internal: false } as const;
const v6 = { address: "2001:db8::7", family: "IPv6", internal: false } as const;

describe("guessOwnAddress", () => {
  it("passes over loopback, container bridges and IPv6", () => {
    expect(
      guessOwnAddress({
        lo: [loopback],
        docker0: [bridge],
        "br-1f2e": [bridge],
        lium0ad50000: [bridge],
        eth0: [v6, card],
      }),
    ).toBe("203.0.113.7");
  });

  it("is loopback where there is nothing else", () => {
    expect(guessOwnAddress({ lo: [loopback], docker0: [bridge], eth1: undefined })).toBe("127.0.0.1");
  });
});
