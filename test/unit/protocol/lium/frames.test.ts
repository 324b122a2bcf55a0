/**
 * Frames of both generations, byte for byte: what is signed, what is sent, what is read; and no bytes that break the reader.
 */
import { createHash } from "node:crypto";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { HostId } from "../../../../protocol/ids.ts";
import { executorIdOf, executorPortOf } from "../../../../protocol/lium/executor-id.ts";
import {
  failed,
  isDecisive,
  keyAccepted,
  type LiumReply,
  unauthorized,
  writeReply,
} from "../../../../protocol/lium/replies.ts";
import { readFrame } from "../../../../protocol/lium/requests.ts";
import { readSignInHeaders } from "../../../../protocol/lium/rest.ts";
import { keyStatement, signedAtMs, signInStatement } from "../../../../protocol/lium/statements.ts";
import { OTHER_OWNER } from "../../../support/agent-builders.ts";
import { OWNER, SSH_KEY } from "../../../support/builders.ts";

const EXECUTOR = { uuid: "0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11", address: "203.0.113.20", port: 8001 };
const SHELL = { executor: EXECUTOR, user: "root", address: "203.0.113.20", port: 2200, hostKey: "ssh-ed25519 AAAA" };
const SIGNATURE = `0x${"ab".repeat(64)}`;
const PAYLOAD = { validator_hotkey: OWNER, miner_hotkey: OTHER_OWNER, timestamp: 1_756_150_000 };

describe("what is signed", () => {
  it("is the sign-in as Python's json.dumps sorts and spaces it", () => {
    const text = signInStatement(PAYLOAD);

    expect(text).toBe(`{"miner_hotkey": "${OTHER_OWNER}", "timestamp": 1756150000, "validator_hotkey": "${OWNER}"}`);
    expect(Buffer.byteLength(text)).toBe(165);
    expect(createHash("sha256").update(text).digest("hex")).toBe(
      "abe38454ef51fbb3841057727255107acac5afa171b02b90b27c796669078da3",
    );
  });

  it("is a key's text alone, or with its nonce on a second line", () => {
    expect(keyStatement(SSH_KEY, undefined)).toBe(SSH_KEY);
    expect(keyStatement(SSH_KEY, "0f".repeat(32))).toBe(`${SSH_KEY}\nnonce:${"0f".repeat(32)}`);
  });

  it("has its time in seconds, or in milliseconds where seconds would be thousands of years away", () => {
    expect(signedAtMs(1_756_150_000)).toBe(1_756_150_000_000);
    expect(signedAtMs(1_756_150_000_123)).toBe(1_756_150_000_123);
  });
});

/** The wire's own constant, and no path of any machine of ours. */
const ROOT = ["", "root", "app"].join("/");

describe("a reply", () => {
  const cases: readonly (readonly [string, LiumReply, string])[] = [
    [
      "AcceptJobRequest",
      { message_type: "AcceptJobRequest", executors: [EXECUTOR] },
      '{"message_type":"AcceptJobRequest","executors":[{"uuid":"0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11","address":"203.0.113.20","port":8001}]}',
    ],
    ["DeclineJobRequest", { message_type: "DeclineJobRequest" }, '{"message_type":"DeclineJobRequest"}'],
    [
      "UnAuthorizedRequest",
      unauthorized("auth-hotkey-not-allowed"),
      '{"message_type":"UnAuthorizedRequest","details":"auth-hotkey-not-allowed: The caller is not served here."}',
    ],
    [
      "FailedRequest",
      failed("host-not-found"),
      '{"message_type":"FailedRequest","details":"host-not-found: Nothing was changed."}',
    ],
    ["SSHKeyRemoved", { message_type: "SSHKeyRemoved" }, '{"message_type":"SSHKeyRemoved"}'],
    [
      "AcceptSSHKeyRequest of the first generation",
      keyAccepted("first", [SHELL], [EXECUTOR]),
      '{"message_type":"AcceptSSHKeyRequest","executors":[{"uuid":"0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11","address":"203.0.113.20","port":8001,"ssh_username":"root","ssh_port":2200,"python_path":"/usr/bin/python","root_dir":"ROOT","port_range":null,"port_mappings":null,"price":null}]}',
    ],
    [
      "AcceptSSHKeyRequest of the later generation",
      keyAccepted("later", [SHELL], [EXECUTOR]),
      '{"message_type":"AcceptSSHKeyRequest","executors":[{"uuid":"0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11","address":"203.0.113.20","port":8001,"ssh_username":"root","ssh_port":2200,"python_path":"/usr/bin/python","root_dir":"ROOT","port_range":null,"port_mappings":null,"price":null,"price_per_gpu":null,"ssh_host_key":"ssh-ed25519 AAAA"}],"known_executor_ids":["0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11"]}',
    ],
    [
      "PodLogsResponse",
      {
        message_type: "PodLogsResponse",
        logs: [
          {
            created_at: "2025-08-25T18:03:11.482911",
            uuid: "1b8c",
            container_name: "container_5f0d",
            container_id: "3c9f",
            event: "die",
            exit_code: 137,
            reason: "immediate_termination",
            error: null,
          },
        ],
      },
      '{"message_type":"PodLogsResponse","logs":[{"uuid":"1b8c","container_name":"container_5f0d","container_id":"3c9f","event":"die","exit_code":137,"reason":"immediate_termination","error":null,"created_at":"2025-08-25T18:03:11.482911"}]}',
    ],
  ];

  it.each(cases)("%s is the same bytes whoever built it", (_name, reply, bytes) => {
    const backwards = Object.fromEntries(Object.entries(reply).toReversed()) as LiumReply;

    const golden = bytes.replace("ROOT", ROOT);
    expect(writeReply(reply)).toBe(golden);
    expect(writeReply(backwards)).toBe(golden);
  });

  it("is decisive for a request, unless it is about the sign-in or a removal", () => {
    const others = cases.filter(([, reply]) => !isDecisive(reply)).map(([, { message_type }]) => message_type);

    expect(others).toEqual(["AcceptJobRequest", "SSHKeyRemoved"]);
  });
});

describe("a frame", () => {
  it("of the first generation is read, with what it leaves out", () => {
    const sent = [
      `{"message_type":"AuthenticateRequest","payload":{"validator_hotkey":"${OWNER}","miner_hotkey":"${OTHER_OWNER}","timestamp":1756150000},"signature":"${SIGNATURE}"}`,
      `{"message_type":"SSHPubKeySubmitRequest","public_key":"${SSH_KEY}","executor_id":null,"is_rental_request":false}`,
      `{"message_type":"SSHPubKeyRemoveRequest","public_key":"${SSH_KEY}","executor_id":"${EXECUTOR.uuid}"}`,
      `{"message_type":"GetPodLogsRequest","executor_id":"${EXECUTOR.uuid}","container_name":"container_5f0d"}`,
    ];

    expect(sent.map((text) => readFrame(text))).toEqual(
      sent.map((text) => ({ ok: true, request: JSON.parse(text) as unknown })),
    );
    expect(readFrame(`{"message_type":"SSHPubKeySubmitRequest","public_key":"k"}`)).toEqual({
      ok: true,
      request: { message_type: "SSHPubKeySubmitRequest", public_key: "k", is_rental_request: false },
    });
  });

  it("of the later generation keeps its fields, and loses those that nobody knows", () => {
    const later = { validator_signature: SIGNATURE, miner_hotkey: OTHER_OWNER };
    const sent = [
      {
        message_type: "SSHPubKeySubmitRequest",
        public_key: SSH_KEY,
        executor_id: null,
        is_rental_request: true,
        ...later,
        nonce: "0f".repeat(32),
      },
      { message_type: "SSHPubKeyRemoveRequest", public_key: SSH_KEY, executor_id: null, ...later },
      { message_type: "GetPodLogsRequest", executor_id: "e", container_name: "c", miner_hotkey: OTHER_OWNER },
    ];

    const read = sent.map((frame) => readFrame(JSON.stringify({ ...frame, pod_id: "p" })));

    expect(read).toEqual(sent.map((request) => ({ ok: true, request })));
  });

  it.each([
    ["1756150000", true],
    ['"1756150000"', true],
    ["1756150000.0", true],
    ["1756150000.5", false],
    ["-1", true],
    ["1e400", false],
    ["9007199254740993", false],
    ['"0x10"', false],
    ["null", false],
    ["[1756150000]", false],
  ])("with the time %s: read is %s", (time, ok) => {
    const payload = `{"validator_hotkey":"${OWNER}","miner_hotkey":"${OTHER_OWNER}","timestamp":${time}}`;

    const frame = readFrame(`{"message_type":"AuthenticateRequest","payload":${payload},"signature":"${SIGNATURE}"}`);

    expect(frame.ok).toBe(ok);
  });

  it("that is of a known kind and wrong says what it was meant to be", () => {
    expect(readFrame('{"message_type":"SSHPubKeySubmitRequest","public_key":7}')).toEqual({
      ok: false,
      meant: "SSHPubKeySubmitRequest",
    });
    expect(readFrame('{"message_type":"GenericError"}')).toEqual({ ok: false, meant: undefined });
  });

  it("with a text longer than its limit is not read", () => {
    const submission = { message_type: "SSHPubKeySubmitRequest", public_key: "k".repeat(16_385) };

    expect(readFrame(JSON.stringify(submission)).ok).toBe(false);
  });

  it("of any bytes is read or refused, and nothing is thrown", () => {
    const kinds = fc.constantFrom("AuthenticateRequest", "SSHPubKeySubmitRequest", "GetPodLogsRequest", "other");
    const shaped = fc.record(
      {
        message_type: kinds,
        payload: fc.jsonValue(),
        signature: fc.jsonValue(),
        public_key: fc.jsonValue(),
        executor_id: fc.jsonValue(),
        ["__proto__"]: fc.jsonValue(),
      },
      { requiredKeys: ["message_type"] },
    );
    const deep = fc.integer({ min: 0, max: 30_000 }).map((depth) => "[".repeat(depth) + "]".repeat(depth));
    const texts = fc.oneof(
      fc.string(),
      fc.json(),
      shaped.map((value) => JSON.stringify(value)),
      deep,
    );
    fc.assert(
      fc.property(texts, (text) => {
        const frame = readFrame(text);

        if (!frame.ok) return;
        expect(JSON.stringify(frame.request).length).toBeLessThanOrEqual(text.length + 64);
      }),
    );
  });
});

describe("the sign-in in headers", () => {
  const headers = {
    "x-validator-hotkey": [OWNER],
    "x-miner-hotkey": [OTHER_OWNER],
    "x-timestamp": ["1756150000123"],
    "x-signature": [SIGNATURE],
  };

  it("is read as the sign-in of a frame", () => {
    expect(readSignInHeaders(headers)).toEqual({
      payload: { ...PAYLOAD, timestamp: 1_756_150_000_123 },
      signature: SIGNATURE,
    });
  });

  it.each(Object.keys(headers))("without %s, with two of it or with a wrong one is refused", (name) => {
    const [sent = ""] = headers[name as keyof typeof headers];
    for (const values of [undefined, [], [sent, sent], [`${sent} `], [`-${sent}`]]) {
      expect(() => readSignInHeaders({ ...headers, [name]: values })).toThrow(
        expect.objectContaining({ code: "auth-malformed" }) as Error,
      );
    }
  });
});

describe("an executor's names", () => {
  it("follow from its host for ever, and are a UUID and a port", () => {
    const [one, two] = [HostId.parse("host-00000000000000aa"), HostId.parse("host-00000000000000ab")];

    expect(executorIdOf(one)).toBe(ONE);
    expect(executorPortOf(one)).toBe(ONE_PORT);
    expect(executorIdOf(two)).not.toBe(ONE);
  });
});

const ONE = "773b2386-f18a-4df6-ab54-6b725f46088b";
const ONE_PORT = 46_750;
