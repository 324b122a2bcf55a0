/**
 * The fields that version 1 of our state files knew, as trees of names (see common/known-fields.ts). Programs of that version
 * refuse any other field, so a step back to it leaves the others out. Never to be changed; to go once nobody runs version 1.
 */
const REASON = { code: true, message: true, details: true } as const;
const RESOURCES = { cpus: true, memoryBytes: true, diskBytes: true } as const;

export const WANTED_POD_V1 = {
  podId: true,
  owner: true,
  revision: true,
  goal: true,
  runs: true,
  endReason: true,
  gpus: true,
  spec: {
    image: true,
    registryAuth: { username: true, password: { to: true, box: true } },
    entrypoint: true,
    command: true,
    env: true,
    sealedEnv: { to: true, box: true },
    gpus: { count: true, model: true, uuids: true },
    cpus: true,
    memoryBytes: true,
    shmBytes: true,
    pidsLimit: true,
    diskBytes: true,
    readOnlyRoot: true,
    ports: { containerPort: true, protocol: true },
    volume: { name: true, mountPath: true },
    sshKeys: true,
    lease: { expiresAt: true, graceSeconds: true },
    labels: true,
  },
} as const;

export const POD_STATUS_V1 = {
  podId: true,
  revision: true,
  phase: true,
  since: true,
  reason: REASON,
  endReason: true,
  gpus: true,
  ports: { containerPort: true, protocol: true, hostPort: true, publicPort: true },
  ssh: { host: true, port: true, user: true, hostKey: true },
  pull: { doneBytes: true, totalBytes: true },
  exit: { code: true, oomKilled: true, at: true },
  timelineMs: true,
} as const;

export const POD_EVENT_V1 = {
  cursor: true,
  podId: true,
  at: true,
  code: true,
  message: true,
  fault: true,
  details: true,
} as const;

/** The executor's record of a pod. */
export const POD_RECORD_V1 = {
  wanted: WANTED_POD_V1,
  acceptedAtMs: true,
  lastStart: { run: true, startedAtMs: true },
  ports: { containerPort: true, protocol: true, hostPort: true },
  failure: REASON,
  timeline: true,
  overAt: true,
} as const;

export const HOST_FACTS_V1 = {
  hostname: true,
  os: true,
  kernel: true,
  arch: true,
  cpuModel: true,
  engineVersion: true,
  executorVersion: true,
  publicAddress: true,
  sealingKey: true,
  total: RESOURCES,
  rentable: RESOURCES,
  gpus: { uuid: true, vendor: true, model: true, memoryBytes: true, simulated: true },
} as const;
