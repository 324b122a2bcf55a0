/**
 * Image references against Docker's grammar: what each is in full, how docker prints it, and what is refused.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { ImageReference, parseImageRef } from "../../../protocol/image-ref.ts";

const SHA256 = `sha256:${"0123456789abcdef".repeat(4)}`;
const SHA512 = `sha512:${"0123456789abcdef".repeat(8)}`;
const HUB = "docker.io/library/";

/** As written, in full, as docker prints it. */
const ACCEPTED: [string, string, string][] = [
  ["debian", `${HUB}debian:latest`, "debian:latest"],
  ["debian:12", `${HUB}debian:12`, "debian:12"],
  ["debian:12-slim", `${HUB}debian:12-slim`, "debian:12-slim"],
  [`debian@${SHA256}`, `${HUB}debian@${SHA256}`, `debian@${SHA256}`],
  [`debian:12@${SHA256}`, `${HUB}debian:12@${SHA256}`, `debian:12@${SHA256}`],
  [`debian@${SHA512}`, `${HUB}debian@${SHA512}`, `debian@${SHA512}`],
  ["library/debian", `${HUB}debian:latest`, "debian:latest"],
  ["docker.io/debian", `${HUB}debian:latest`, "debian:latest"],
  ["docker.io/library/debian:12", `${HUB}debian:12`, "debian:12"],
  ["index.docker.io/debian", `${HUB}debian:latest`, "debian:latest"],
  ["index.docker.io/library/debian", `${HUB}debian:latest`, "debian:latest"],
  ["index.docker.io/someone/thing", "docker.io/someone/thing:latest", "someone/thing:latest"],
  [
    "nvidia/cuda:12.8.0-base-ubuntu24.04",
    "docker.io/nvidia/cuda:12.8.0-base-ubuntu24.04",
    "nvidia/cuda:12.8.0-base-ubuntu24.04",
  ],
  ["someone/a/b/c", "docker.io/someone/a/b/c:latest", "someone/a/b/c:latest"],
  ["library/a/b", `${HUB}a/b:latest`, "library/a/b:latest"],
  ["docker.io/library/a/b", `${HUB}a/b:latest`, "library/a/b:latest"],
  ["localhost", `${HUB}localhost:latest`, "localhost:latest"],
  ["localhost/thing", "localhost/thing:latest", "localhost/thing:latest"],
  ["localhost:5000/thing", "localhost:5000/thing:latest", "localhost:5000/thing:latest"],
  ["localhost:5000", `${HUB}localhost:5000`, "localhost:5000"],
  ["localhost/library/thing", "localhost/library/thing:latest", "localhost/library/thing:latest"],
  ["localhosts/thing", "docker.io/localhosts/thing:latest", "localhosts/thing:latest"],
  ["127.0.0.1:5000/thing:v1", "127.0.0.1:5000/thing:v1", "127.0.0.1:5000/thing:v1"],
  ["127.0.0.1/thing", "127.0.0.1/thing:latest", "127.0.0.1/thing:latest"],
  ["[::1]/thing", "[::1]/thing:latest", "[::1]/thing:latest"],
  ["[2001:db8::1]:5000/a/b:t", "[2001:db8::1]:5000/a/b:t", "[2001:db8::1]:5000/a/b:t"],
  [`[FE80::1]:443/a@${SHA256}`, `[FE80::1]:443/a@${SHA256}`, `[FE80::1]:443/a@${SHA256}`],
  ["ghcr.io/owner/repo", "ghcr.io/owner/repo:latest", "ghcr.io/owner/repo:latest"],
  ["ghcr.io/repo", "ghcr.io/repo:latest", "ghcr.io/repo:latest"],
  ["nvcr.io/nvidia/pytorch:24.10-py3", "nvcr.io/nvidia/pytorch:24.10-py3", "nvcr.io/nvidia/pytorch:24.10-py3"],
  ["quay.io/a/b", "quay.io/a/b:latest", "quay.io/a/b:latest"],
  ["index.docker.io/a.a/a", "docker.io/a.a/a:latest", "a.a/a:latest"],
  ["docker.io/localhost/a", "docker.io/localhost/a:latest", "localhost/a:latest"],
  ["ghcr.io/library/a", "ghcr.io/library/a:latest", "ghcr.io/library/a:latest"],
  ["a.b/c", "a.b/c:latest", "a.b/c:latest"],
  ["registry:5000/thing", "registry:5000/thing:latest", "registry:5000/thing:latest"],
  ["registry/thing", "docker.io/registry/thing:latest", "registry/thing:latest"],
  ["Registry/thing", "Registry/thing:latest", "Registry/thing:latest"],
  ["LOCALHOST/thing", "LOCALHOST/thing:latest", "LOCALHOST/thing:latest"],
  ["Docker.io/thing", "Docker.io/thing:latest", "Docker.io/thing:latest"],
  ["xn--n3h.com/thing", "xn--n3h.com/thing:latest", "xn--n3h.com/thing:latest"],
  ["a-b.example.com:8443/thing", "a-b.example.com:8443/thing:latest", "a-b.example.com:8443/thing:latest"],
  ["a:5000", `${HUB}a:5000`, "a:5000"],
  ["a:5000/b", "a:5000/b:latest", "a:5000/b:latest"],
  ["a:5000/b:c", "a:5000/b:c", "a:5000/b:c"],
  ["debian:12/foo", "debian:12/foo:latest", "debian:12/foo:latest"],
  ["x", `${HUB}x:latest`, "x:latest"],
  ["0", `${HUB}0:latest`, "0:latest"],
  ["a.b", `${HUB}a.b:latest`, "a.b:latest"],
  ["a_b", `${HUB}a_b:latest`, "a_b:latest"],
  ["a__b", `${HUB}a__b:latest`, "a__b:latest"],
  ["a-b", `${HUB}a-b:latest`, "a-b:latest"],
  ["a---b", `${HUB}a---b:latest`, "a---b:latest"],
  ["a.b_c__d-e", `${HUB}a.b_c__d-e:latest`, "a.b_c__d-e:latest"],
  ["a:_", `${HUB}a:_`, "a:_"],
  ["a:V1.0_RC-2", `${HUB}a:V1.0_RC-2`, "a:V1.0_RC-2"],
  [`a:${"t".repeat(128)}`, `${HUB}a:${"t".repeat(128)}`, `a:${"t".repeat(128)}`],
  ["f".repeat(63), `${HUB}${"f".repeat(63)}:latest`, `${"f".repeat(63)}:latest`],
  ["f".repeat(65), `${HUB}${"f".repeat(65)}:latest`, `${"f".repeat(65)}:latest`],
  [`${"f".repeat(64)}:tag`, `${HUB}${"f".repeat(64)}:tag`, `${"f".repeat(64)}:tag`],
  [`a/${"f".repeat(64)}`, `docker.io/a/${"f".repeat(64)}:latest`, `a/${"f".repeat(64)}:latest`],
  [`q.io/${"a".repeat(250)}`, `q.io/${"a".repeat(250)}:latest`, `q.io/${"a".repeat(250)}:latest`],
];

const REFUSED: [string, string, RegExp][] = [
  ["nothing", "", /separator/],
  ["a blank", " ", /separator/],
  ["a blank before it", " debian", /separator/],
  ["a line break after it", "debian\n", /separator/],
  ["a line break in the tag", "debian:1\n2", /tag/],
  ["an upper-case repository", "Debian", /lower case/],
  ["an upper-case repository on a registry", "ghcr.io/Owner/repo", /lower case/],
  ["an image id", "0123456789abcdef".repeat(4), /image id/],
  ["a scheme", "https://ghcr.io/owner/repo", /registry/],
  ["an option", "--privileged", /separator/],
  ["a dot before it", ".a", /separator/],
  ["a separator after it", "a-", /separator/],
  ["two dots", "a..b", /separator/],
  ["three underscores", "a___b", /separator/],
  ["mixed separators", "a._b", /separator/],
  ["two slashes", "a//b", /separator/],
  ["a slash before it", "/a", /separator/],
  ["a slash after it", "a/", /separator/],
  ["a path upwards", "../a", /registry/],
  ["a path upwards in the middle", "ghcr.io/a/../b", /separator/],
  ["an empty tag", "a:", /tag/],
  ["a tag that begins with a dot", "a:.b", /tag/],
  ["a tag that begins with a dash", "a:-b", /tag/],
  ["a tag of 129 characters", `a:${"t".repeat(129)}`, /tag/],
  ["two tags", "a:b:c", /tag/],
  ["a tag beyond ASCII", "a:ä", /tag/],
  ["an empty digest", "a@", /digest/],
  ["a digest without algorithm", `a@${"0".repeat(64)}`, /digest/],
  ["a digest cut short", "a@sha256:0123", /digest/],
  ["a digest of 65 digits", `a@${SHA256}0`, /digest/],
  ["an upper-case digest", `a@sha256:${"A".repeat(64)}`, /digest/],
  ["an unknown algorithm", `a@md5:${"0".repeat(32)}`, /digest/],
  ["sha512 of 64 digits", `a@sha512:${"0".repeat(64)}`, /digest/],
  ["two digests", `a@${SHA256}@${SHA256}`, /digest/],
  ["a tag after the digest", `a@${SHA256}:b`, /digest/],
  ["a name that is only a digest", `@${SHA256}`, /separator/],
  ["a shell's words", "a;reboot", /separator/],
  ["a registry with a user", "user@ghcr.io/a", /digest/],
  ["a registry that ends with a dash", "a-.io/b", /registry/],
  ["a registry with two dots", "a..io/b", /registry/],
  ["a registry with an empty port", "ghcr.io:/a", /registry/],
  ["a registry with a port in words", "ghcr.io:http/a", /registry/],
  ["an IPv6 address without brackets", "2001:db8::1/a", /registry/],
  ["an IPv6 address with a zone", "[fe80::1%eth0]/a", /registry/],
  ["an empty IPv6 address", "[]:5000/a", /registry/],
  ["a name of 256 characters", `q.io/${"a".repeat(251)}`, /longer/],
  ["more than 1024 characters", "a/".repeat(600), /longer/],
];

describe("what Docker accepts", () => {
  test.each(ACCEPTED)("%s", (text, canonical, familiar) => {
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

test.each(REFUSED)("%s is refused", (_, text, reason) => {
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
