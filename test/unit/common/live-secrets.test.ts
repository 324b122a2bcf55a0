/** A live secret leaves in no spelling that a log line can have, and text that holds none is left alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createLiveSecrets } from "../../../common/live-secrets.ts";

describe("live secrets", () => {
  it.each([
    ["as they are", (secret: string) => `x ${secret} y`],
    ["in JSON", (secret: string) => JSON.stringify({ secret })],
    ["in JSON in JSON", (secret: string) => JSON.stringify({ body: JSON.stringify({ secret }) })],
    ["percent-encoded", (secret: string) => `https://host/?q=${encodeURIComponent(secret)}`],
    ["in base64", (secret: string) => Buffer.from(secret).toString("base64")],
    ["in base64 behind a user name", (secret: string) => Buffer.from(`user:${secret}`).toString("base64")],
    ["in base64 of JSON", (secret: string) => Buffer.from(JSON.stringify({ u: "a", p: secret })).toString("base64url")],
  ])("are scrubbed %s", (_where, spell) => {
    const secrets = createLiveSecrets();
    const [simple, odd] = ["sk-0123456789abcdef", 'p\u00e4ss/w0rd+\n\t"and" more'];
    secrets.add(simple);
    secrets.add(odd);

    const shown = secrets.scrub(`${spell(simple)} ${spell(odd)}`);

    expect(shown.split("[secret]").length - 1).toBe(2);
  });

  it("of any bytes at any place in base64 leave no six characters behind", () => {
    const texts = fc.string({ minLength: 8, maxLength: 40, unit: "grapheme-ascii" });

    fc.assert(
      fc.property(texts, fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), (secret, before, after) => {
        const secrets = createLiveSecrets();
        secrets.add(secret);
        const scrubbed = secrets.scrub(Buffer.from(before + secret + after).toString("base64"));
        const around = Buffer.byteLength(before) + Buffer.byteLength(after);

        expect(scrubbed).toContain("[secret]");
        expect(scrubbed.length).toBeLessThanOrEqual("[secret]".length + Math.ceil((around * 4) / 3) + 8);
      }),
    );
  });

  it("with several lines are scrubbed line by line", () => {
    const secrets = createLiveSecrets();
    secrets.add("-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----\n");

    expect(secrets.scrub("read BgkqhkiG9w0B from the file")).toBe("read [secret] from the file");
  });

  it("are scrubbed whole when one begins with another", () => {
    const secrets = createLiveSecrets();
    secrets.add("password");
    secrets.add("password-of-the-other");

    expect(secrets.scrub("<password-of-the-other>")).toBe("<[secret]>");
  });

  it("shorter than eight characters are left to redaction by name", () => {
    const secrets = createLiveSecrets();
    secrets.add("true");

    expect(secrets.scrub('{"ready":true}')).toBe('{"ready":true}');
  });

  it("held twice stay secret until they are released twice", () => {
    const secrets = createLiveSecrets();
    const first = secrets.add("a shared secret");
    const second = secrets.add("a shared secret");

    first();
    first();
    expect(secrets.scrub("a shared secret")).toBe("[secret]");

    second();
    expect(secrets.scrub("a shared secret")).toBe("a shared secret");
  });
});
