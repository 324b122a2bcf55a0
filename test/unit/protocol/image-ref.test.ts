/**
 * Image references against Docker's grammar: what each is in full, how docker prints it, and what is refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ImageReference, parseImageRef } from "../../../protocol/image-ref.ts";
import { ACCEPTED_REFERENCES, REFUSED_REFERENCES, SHA256, SHA512 } from "../../support/image-references.ts";

describe("demand 11: what Docker accepts", () => {
  test.each(ACCEPTED_REFERENCES)("demand 11: %s is taken", (text, canonical, familiar) => {
    expect(parseImageRef(text)).toMatchObject({ canonical, familiar });
  });

  test("a reference is taken apart", () => {
    expect(parseImageRef(`q.io:80/a/b:c@${SHA256}`)).toEqual({
      registry: "q.io:80",
      repository: "a/b",
      tag: "c",
      digest: SHA256,
      canonical: `q.io:80/a/b:c@${SHA256}`,
      familiar: `q.io:80/a/b:c@${SHA256}`,
    });
  });

  test("a digest alone brings no tag", () => {
    expect(parseImageRef(`debian@${SHA256}`)).not.toHaveProperty("tag");
  });
});

test.each(REFUSED_REFERENCES)("demand 11: %s is refused", (_, text, reason) => {
  const details = { reason: expect.stringMatching(reason) };

  expect(() => parseImageRef(text)).toThrow(expect.objectContaining({ code: "image-reference-invalid", details }));
});

describe("as a field of a request", () => {
  test("a reference comes out as written, without the blanks around it", () => {
    expect(ImageReference.parse("  debian:12 \n")).toBe("debian:12");
  });

  test("a bad reference is an issue with its reason, not an exception", () => {
    const result = ImageReference.safeParse("Debian");

    expect(result.error?.issues.map((issue) => issue.message)).toEqual([
      "The image reference was refused: the repository must be in lower case.",
    ]);
  });
});

test("a reference in full, or as docker prints it, means the same again", () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,8}([_-][a-z0-9]{1,8}){0,2}$/);
  const host = fc.constantFrom(
    "",
    "docker.io/",
    "index.docker.io/",
    "ghcr.io/",
    "localhost:5000/",
    "[::1]:80/",
    "Host/",
  );
  const tag = fc.constantFrom("", ":1", ":v1.2_3-x", `:${"t".repeat(128)}`);
  const digest = fc.constantFrom("", `@${SHA256}`, `@${SHA512}`);
  const reference = fc
    .tuple(host, fc.array(label, { minLength: 1, maxLength: 4 }), tag, digest)
    .map(([registry, path, version, hash]) => registry + path.join("/") + version + hash);

  fc.assert(
    fc.property(reference, (text) => {
      const parsed = parseImageRef(text);

      expect(parseImageRef(parsed.canonical)).toEqual(parsed);
      expect(parseImageRef(parsed.familiar)).toEqual(parsed);
    }),
  );
});

test("arbitrary text is parsed into harmless characters, or refused with the code", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      const result = ImageReference.safeParse(text);
      return !result.success || /^[\w.:/@[\]-]+$/.test(parseImageRef(result.data).canonical);
    }),
    { numRuns: 5000 },
  );
});
