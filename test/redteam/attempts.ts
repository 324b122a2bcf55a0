/**
 * Every attempt of the red team, what it would mean for others if it succeeded, and how it has to end.
 * The program and this list must name the same attempts: a test fails otherwise.
 */
export type Outcome = "refused" | "limited" | "succeeded" | "unclear";

interface Attempt {
  readonly means: string;
  /** `refused` when left out. */
  readonly mustBe?: Outcome;
}

const NETWORK: Record<string, Attempt> = {
  "control-public-address": { means: "the public internet is there: it must work", mustBe: "succeeded" },
  "metadata-v4": { means: "credentials of the provider's cloud account" },
  "metadata-v6": { means: "the same over IPv6" },
  "private-ranges": { means: "machines in the provider's own network" },
  "bridge-link-local": { means: "services of the host over IPv6" },
  "neighbours-direct": { means: "services in other pods, by their addresses" },
  "neighbours-published": { means: "services in other pods, around the internet" },
  "neighbours-scan": { means: "pods that nobody told it of" },
  "host-docker-api": { means: "root on the host" },
  "host-ssh": { means: "guessing passwords of the host" },
  "host-agent-ports": { means: "acting as a validator or an executor" },
  "host-canary-tcp": { means: "any service of the host over TCP" },
  "host-canary-udp": { means: "any service of the host over UDP" },
  "raw-socket": { means: "packets with forged addresses" },
  "packet-socket": { means: "forged ARP answers, and others' traffic" },
  vsock: { means: "talking to the hypervisor" },
  "netlink-link": { means: "changing its own interfaces" },
  "netlink-route": { means: "changing its own routes" },
  firewall: { means: "changing the firewall" },
  "abstract-sockets": { means: "the engine's own sockets" },
};

const HOST: Record<string, Attempt> = {
  "docker-socket": { means: "root on the host" },
  "block-device": { means: "the host's disks" },
  "character-device": { means: "the host's memory, GPUs of others" },
  "device-nodes": { means: "devices that it did not rent" },
  "proc-and-sys": { means: "settings of the host's kernel" },
  "sysrq-trigger": { means: "restarting the host" },
  "kernel-memory": { means: "secrets in the kernel's memory" },
  "terminal-injection": { means: "typing into an operator's terminal" },
};

const KERNEL: Record<string, Attempt> = {
  "load-module": { means: "code in the kernel" },
  "load-kernel": { means: "another kernel" },
  keys: { means: "keys of other processes" },
  bpf: { means: "code in the kernel" },
  "perf-event": { means: "watching other pods' work" },
  userfaultfd: { means: "making kernel bugs easy to use" },
  "io-uring": { means: "a part of the kernel with many bugs" },
  "restart-host": { means: "everybody's pods end" },
  "set-time": { means: "leases and bills of others" },
  swap: { means: "the host's memory on a disk of its choice" },
  accounting: { means: "writing files on the host" },
  "kernel-log": { means: "addresses in the kernel, events of others" },
  priority: { means: "others wait for it" },
  "raise-limits": { means: "more than its share" },
  "setuid-gain": { means: "root from any user of the image" },
  "host-processes": { means: "seeing or ending processes of the host" },
  "trace-host": { means: "reading processes of the host" },
};

const ESCAPE: Record<string, Attempt> = {
  "mount-bind": { means: "hidden folders" },
  "mount-kernel": { means: "/proc and /sys without masks" },
  "mount-overlay": { means: "code of the kernel with many bugs" },
  "mount-tmpfs": { means: "mounts of its own" },
  "mount-devices": { means: "the host's disks" },
  unmask: { means: "/proc and /sys without masks" },
  "user-namespace": { means: "all rights in a namespace of its own" },
  "user-namespace-mount": { means: "mounts in a namespace of its own" },
  "other-namespaces": { means: "namespaces of its own" },
  "join-namespaces": { means: "the host's own view of everything" },
  "chroot-escape": { means: "the host's files" },
  "pivot-root": { means: "another root" },
  "process-root": { means: "the host's files" },
  "file-by-number": { means: "the host's files" },
  "cgroup-release-agent": { means: "a program run as root on the host" },
  "own-limits": { means: "no limits" },
};

const RESOURCES: Record<string, Attempt> = {
  "fork-bomb": { means: "no processes for others", mustBe: "limited" },
  "memory-bomb": { means: "no memory for others", mustBe: "limited" },
  "shared-memory": { means: "no memory for others", mustBe: "limited" },
  "memory-folders": { means: "memory beyond its own" },
  "disk-filling": { means: "no disk for others", mustBe: "limited" },
  "engine-files": { means: "the host's disk, beyond every quota" },
  "inotify-instances": { means: "programs of others cannot watch files", mustBe: "limited" },
  "inotify-watches": { means: "programs of others cannot watch files", mustBe: "limited" },
  "aio-contexts": { means: "databases of others do not start", mustBe: "limited" },
  terminals: { means: "nobody else can log in with a terminal", mustBe: "limited" },
  connections: { means: "no connections for others", mustBe: "limited" },
  processor: { means: "others wait", mustBe: "limited" },
  "log-flooding": { means: "the host's disk and the engine's time", mustBe: "limited" },
};

const POD: Record<string, Attempt> = {
  "kit-write": { means: "code in every pod of the host" },
  "kit-remount": { means: "the same, by a mount" },
  "pod-files": { means: "the executor writes where the renter says" },
  "others-secrets": { means: "a neighbour's secret" },
  "init-overwrite": { means: "code in every later container" },
  "runtime-overwrite": { means: "root on the host (CVE-2019-5736)" },
};

export const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  ...NETWORK,
  ...HOST,
  ...KERNEL,
  ...ESCAPE,
  ...RESOURCES,
  ...POD,
};
