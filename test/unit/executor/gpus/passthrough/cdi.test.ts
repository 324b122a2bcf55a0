/** What is read of CDI specifications, in JSON and in the YAML that tools write, and that nothing is misread. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { cdiDevicesOf } from "../../../../../executor/gpus/passthrough/cdi.ts";
import { readSpecText } from "../../../../../executor/gpus/passthrough/spec-text.ts";
import { nvidiaSpec } from "../../../../support/gpus/giving.ts";

/** As Go's two usual libraries write it: lists deeper than their key, or as deep. */
function yamlOf(value: unknown, deeper: boolean, indent = ""): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return " []";
    return value.map((item: unknown) => `\n${indent}-${inItem(item, deeper, `${indent}  `)}`).join("");
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return " {}";
    return entries.map(([key, inner]) => `\n${indent}${key}:${inMapping(inner, deeper, indent)}`).join("");
  }
  return ` ${JSON.stringify(value)}`;
}

function inMapping(inner: unknown, deeper: boolean, indent: string): string {
  return yamlOf(inner, deeper, Array.isArray(inner) && !deeper ? indent : `${indent}    `);
}

function inItem(item: unknown, deeper: boolean, indent: string): string {
  const text = yamlOf(item, deeper, indent);
  return text.startsWith("\n") ? ` ${text.trimStart()}` : text;
}

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("block")),
  list: fc.array(tie("tree"), { maxLength: 3 }),
  block: fc.dictionary(fc.stringMatching(/^[a-z][a-zA-Z]{0,8}$/), tie("tree"), { maxKeys: 3, noNullPrototype: true }),
}));
const documents = fc.dictionary(fc.stringMatching(/^[a-z][a-zA-Z]{0,8}$/), tree, { minKeys: 1, noNullPrototype: true });

describe("a specification", () => {
  it("as NVIDIA's tool writes it gives its devices with their files", () => {
    const [first, second] = cdiDevicesOf(nvidiaSpec(2, { hooks: true }));

    expect(first).toEqual({
      id: "nvidia.com/gpu=GPU-0",
      kind: "nvidia.com/gpu",
      name: "GPU-0",
      nodes: [{ path: "/dev/nvidia0", hostPath: "/dev/nvidia0" }],
      sharedNodes: [
        { path: "/dev/nvidiactl", hostPath: "/dev/nvidiactl" },
        { path: "/dev/nvidia-uvm", hostPath: "/dev/nvidia-uvm" },
      ],
      runsHooks: true,
      driverVersion: "580.105.08",
    });
    expect(second?.nodes).toEqual([{ path: "/dev/nvidia1", hostPath: "/dev/nvidia1" }]);
  });

  it("with lists as far left as their key, single quotes, comments and colons in texts reads the same", () => {
    const text = `# made by a tool
cdiVersion: "0.6.0"
containerEdits: {}
devices:
- containerEdits:
    deviceNodes:
    - hostPath: /tmp/x # here
      path: /dev/nvidia7
    hooks:
    - args:
      - nvidia-cdi-hook
      - ../card1::/dev/dri/by-path/pci-0000:01:00.0-card
      hookName: createContainer
  name: 'GPU-it''s'
- name: 0
kind: nvidia.com/gpu
`;

    const [named, numbered] = cdiDevicesOf(text);

    expect(named).toMatchObject({
      id: "nvidia.com/gpu=GPU-it's",
      nodes: [{ path: "/dev/nvidia7", hostPath: "/tmp/x" }],
      runsHooks: true,
    });
    expect(numbered).toMatchObject({ id: "nvidia.com/gpu=0", nodes: [], runsHooks: false });
  });

  it("in JSON reads the same", () => {
    const node = { path: "/dev/x", hostPath: "/tmp/x" };
    const spec = { kind: "a.b/c", devices: [{ name: "d", containerEdits: { deviceNodes: [node] } }] };

    expect(cdiDevicesOf(JSON.stringify(spec))).toMatchObject([{ id: "a.b/c=d", nodes: [node], sharedNodes: [] }]);
  });

  it.each([
    ["an anchor", "kind: &a nvidia.com/gpu", /not the YAML/],
    ["a block of text", "kind: |\n  nvidia.com/gpu", /not the YAML/],
    ["a list on one line", "kind: [a]", /not the YAML/],
    ["a line that hangs in the air", "kind: a\n    b", /not the YAML/],
    ["no kind", "devices: []", /kind/],
    ["nothing", "", /expected object/],
  ])("with %s is refused and not guessed at", (_what, text, why) => {
    expect(() => cdiDevicesOf(text)).toThrow(why);
  });
});

describe("readSpecText", () => {
  it("reads what was written, however deep", () => {
    fc.assert(
      fc.property(documents, fc.boolean(), (document, deeper) => {
        expect(readSpecText(yamlOf(document, deeper))).toEqual(document);
      }),
      { numRuns: 500 },
    );
  });
});
