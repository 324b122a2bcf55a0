/**
 * Where NVIDIA's management library may be.
 */

/** Where a driver's packages put it, after the loader's own search. */
export const NVML_LIBRARIES: readonly string[] = [
  "libnvidia-ml.so.1",
  "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib64/libnvidia-ml.so.1",
  "/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
  "/run/nvidia/driver/usr/lib64/libnvidia-ml.so.1",
];
