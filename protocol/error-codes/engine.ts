/**
 * Refusals about what the engine and the machine said. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const ENGINE_ERRORS = {
  "image-not-found": {
    status: 404,
    impact: "The pod was not started.",
    remedy: "Check the image's name, tag and registry credentials.",
  },
  "image-pull-failed": {
    status: 502,
    impact: "The pod was not started.",
    remedy: "The registry failed: see the details, and try again.",
  },
  "image-pull-stalled": {
    status: 504,
    impact: "The pod was not started.",
    remedy: "The registry sent nothing for too long: try again.",
  },
  "image-auth-failed": { status: 403, impact: "The pod was not started.", remedy: "Give the registry's credentials." },
  "image-rate-limited": { status: 503, impact: "The pod was not started.", remedy: "The registry asks to wait." },
  "image-digest-mismatch": { status: 502, impact: "The pod was not started.", remedy: "Do not trust that registry." },
  "disk-low": { status: 409, impact: "New pods are refused.", remedy: "Free disk: lium-executor images gc --dry-run" },
  "image-incompatible": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Use an image whose entry point and architecture fit this host.",
  },
  "gpu-not-reset": {
    status: 503,
    impact: "The GPU stays fenced; nobody gets it.",
    remedy: "See what the vendor's tool said; end the programs that use the GPU, or boot the machine.",
  },
  "gpu-not-cut": {
    status: 500,
    impact: "The GPU is not cut as wanted; what is cut of it can be rented.",
    remedy: "Run the command in the message by hand on the host, or change gpus.mig in executor.toml.",
  },
  "gpu-injection-failed": {
    status: 500,
    impact: "The pod was not started.",
    remedy: "The engine could not hand over the GPU: check the vendor's container toolkit on the host.",
  },
  "gpu-failed": {
    status: 503,
    impact: "The pod runs, a GPU of it does not work, and the time since then is not billed.",
    remedy: "Save what is to be kept and end the pod: the host repairs the GPU once nobody has it.",
  },
  "gpu-not-given": {
    status: 500,
    impact: "The pod does not run, because it has not got all of its GPUs and nothing of others' GPUs.",
    remedy: "The message says what is missing on the host; `lium-executor gpus list` shows its GPUs.",
  },
  "gpu-passthrough-missing": {
    status: 503,
    impact: "GPUs of this host cannot be given to pods, and are not offered.",
    remedy: "The message says what to install or set up on the host; it is looked at again every half minute.",
  },
  "engine-unavailable": {
    status: 503,
    impact: "The container engine does not answer; pods go on, their state is unknown.",
    remedy: "Check the Docker service on the host.",
  },
  "engine-error": {
    status: 500,
    impact: "The container engine refused a call.",
    remedy: "See the details and the Docker service's journal on the host.",
  },
  "port-busy": {
    status: 409,
    impact: "The pod was not started yet.",
    remedy: "None is needed: the executor publishes the pod on other ports.",
  },
  "name-taken": {
    status: 409,
    impact: "A container of that name exists.",
    remedy: "None is needed: the executor adopts or removes it.",
  },
  "pod-stuck": {
    status: 500,
    impact: "Something of the pod does not die; its GPUs and ports stay claimed until it does.",
    remedy:
      "See pid, state and ports in the details: the cause is in the kernel (a driver, a network disk); reboot if it lasts.",
  },
  "network-taken": {
    status: 409,
    impact: "The pod was not started yet.",
    remedy: "None is needed: the executor gives the pod another network.",
  },
  "isolation-unavailable": {
    status: 503,
    impact: "No pod is started on this host, because it could not be kept apart from others.",
    remedy:
      "The details name the protection that is missing: install nftables, or correct the engine or `isolation` in executor.toml.",
  },
  "ssh-not-ready": {
    status: 504,
    impact: "The pod runs, but nobody can log in.",
    remedy: "See the pod's logs; the image may lack what its command needs.",
  },
  "kit-unavailable": {
    status: 500,
    impact: "No pod can start on this host.",
    remedy: "Run `lium-executor kit build` on the host and read what it says.",
  },
} as const satisfies Record<string, ErrorEntry>;
