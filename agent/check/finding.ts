/**
 * What a self-check says: each finding with a stable code, what it costs, and what to do. The texts are data, so that a code means
 * the same wherever it is found.
 */
import type { HostId } from "../../protocol/ids.ts";

/** `failure`: it costs score, rentals or collateral; `warning`: it may; `note`: it could not be found out, or is worth knowing. */
export type Level = "ok" | "note" | "warning" | "failure";

const SCORE_NOTHING = "Lium's validators give the whole host no score.";

export const FINDINGS = {
  "agent-cannot-sign": {
    impact: "Nothing that this agent says of its hosts can be proved; validators' challenges are refused.",
    remedy: "Set `hotkey.file` in agent.toml to the hotkey's file, and `hotkey.passwordFile` if it is encrypted.",
  },
  "agent-not-registered": {
    impact: "No validator knows of this agent, and nothing is earned.",
    remedy: "Register the hotkey on the subnet with btcli, then see `lium-agent chain status`.",
  },
  "agent-not-announced": {
    impact: "Validators may look for this agent at a wrong address, or not at all.",
    remedy: "See `lium-agent chain status`, and run `lium-agent chain announce`.",
  },
  "chain-off": {
    impact: "Only validators that agent.toml names can rent, and nothing is announced or earned on the subnet.",
    remedy: "Leave it so for development; else set `chain.enabled` in agent.toml.",
  },
  "no-validators": {
    impact: "Every request of a validator is refused.",
    remedy: "See `lium-agent chain validators`; name some under [[validator.allow]] where the chain is not used.",
  },
  "host-offline": {
    impact: "Nothing of the host can be rented; pods that run there are not billed while they cannot be reached.",
    remedy: "Look at `systemctl status lium-executor` on the host, and at the network between host and agent.",
  },
  "host-closed": {
    impact: "No new pod comes to the host.",
    remedy: "Read the problem: `lium-agent hosts show HOST` names it, with what to do.",
  },
  "gpu-none": {
    impact: SCORE_NOTHING,
    remedy: "Look at `lium-executor gpus list` on the host: it says what is missing.",
  },
  "gpu-too-many": {
    impact: SCORE_NOTHING,
    remedy: "Split the machine, or keep GPUs from the executor: 14 are counted.",
  },
  "gpu-model-unknown": {
    impact: SCORE_NOTHING,
    remedy: "Only models of Lium's table earn; rent the host out to validators of your own instead.",
  },
  "gpu-models-differ": {
    impact: "Lium's validators take the first GPU's model for all of them.",
    remedy: "Put GPUs of one model into each host.",
  },
  "gpu-memory-odd": {
    impact: "Validators compare memory with the model's; a difference looks like another model.",
    remedy: "Look for MIG, ECC or failed rows: `lium-executor gpus show UUID`.",
  },
  "gpu-simulated": {
    impact: "It is for development: outside of that nobody is shown it and nothing is earned.",
    remedy: "Remove `gpus.simulate` from executor.toml on the host.",
  },
  "gpu-busy": {
    impact: "A GPU that is used while nobody rents it scores nothing.",
    remedy: "Find the program with `lium-executor gpus show UUID` and stop it.",
  },
  "driver-unlisted": {
    impact: "Earlier versions of Lium's validators score nothing for a driver that is not in their table.",
    remedy: "Install a driver of their table, such as 570.158.01 or 575.64.03, unless you know that theirs is newer.",
  },
  "driver-altered": {
    impact: SCORE_NOTHING,
    remedy: "Install the driver anew from NVIDIA's packages: its library is not the one of that version.",
  },
  "driver-old": {
    impact: "Later versions of Lium's validators pay nothing for a host that nobody rents with such a driver.",
    remedy: "Install 580.65.06 or newer, once no pod is on the host.",
  },
  "driver-unreadable": {
    impact: "Validators read the library's digest; without it a host scores nothing.",
    remedy: "Install NVIDIA's user-space libraries beside the kernel module: libnvidia-ml.so.1 was not found.",
  },
  "ports-too-few": {
    impact: SCORE_NOTHING,
    remedy: "Open more ports of the host's range in firewall and router; `network.ports` in executor.toml names them.",
  },
  "ports-few": {
    impact: "Validators try three at random: each port that does not answer costs a third of a try.",
    remedy: "Open at least ten ports, and publish none that is not reached.",
  },
  "tun-missing": {
    impact: "Lium's pods are started with /dev/net/tun and fail without it.",
    remedy: "Run `modprobe tun` on the host, and add tun to /etc/modules.",
  },
  "sysbox-missing": {
    impact:
      "No sysbox bonus of a fifth; later versions of Lium's validators ask for sysbox on hosts that nobody rents.",
    remedy: "Install sysbox and let the engine know of it as `sysbox-runc`.",
  },
  "disk-small": {
    impact: "Later versions of Lium's validators want 100 GB free, and large images do not fit.",
    remedy: "Give the engine's folder a larger disk, or let `lium-executor images` remove what nobody uses.",
  },
  "facts-disagree": {
    impact: "A validator that asks both sources finds the same, and takes the host for altered.",
    remedy: "Read which two differ; a driver that is half upgraded is the most common cause.",
  },
  "proof-failed": {
    impact: "Validators give no score to a host that cannot prove what it is.",
    remedy: "Read the message; docs/challenges.md lists what each failure means.",
  },
  "not-tried": { impact: "It is not known.", remedy: "Run the check again when nobody rents the host." },
} as const satisfies Record<string, { readonly impact: string; readonly remedy: string }>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  /** What was looked at, such as `ports` or `driver`. */
  readonly check: string;
  readonly level: Level;
  readonly message: string;
  /** Left out where all is well. */
  readonly code?: FindingCode;
  readonly impact?: string;
  readonly remedy?: string;
  /** Left out for what concerns the agent itself. */
  readonly hostId?: HostId;
}

export function fine(check: string, message: string): Finding {
  return { check, level: "ok", message };
}

export function found(check: string, level: Exclude<Level, "ok">, code: FindingCode, message: string): Finding {
  return { check, level, code, message, ...FINDINGS[code] };
}
