/** Both of apt's source formats are read alike, so that a newer release can be derived from either. */
import { describe, expect, it } from "vitest";

import { parseSources } from "../../../installer/apt.ts";

describe("parseSources", () => {
  it("reads stanzas and passes over comments", () => {
    const text = `# main
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
`;
    expect(parseSources(text)).toEqual([
      {
        uris: "http://mirror.example/debian",
        suites: ["bookworm", "bookworm-updates"],
        components: "main contrib",
        signedBy: "/usr/share/keyrings/debian.gpg",
      },
      {
        uris: "http://mirror.example/security",
        suites: ["bookworm-security"],
        components: "main",
        signedBy: undefined,
      },
    ]);
  });

  it("reads lines, with and without options, and leaves sources of source code out", () => {
    const text = `deb http://mirror.example/debian bookworm main
# deb http://old.example/debian bullseye main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-updates main contrib`;

    expect(parseSources(text)).toEqual([
      { uris: "http://mirror.example/debian", suites: ["bookworm"], components: "main", signedBy: undefined },
      {
        uris: "http://mirror.example/debian",
        suites: ["bookworm-updates"],
        components: "main contrib",
        signedBy: "/k.gpg",
      },
    ]);
  });
});
