/**
 * The package has no types of its own. What it gives is whatever the XML holds.
 */
declare module "node-nvidia-smi" {
  function smi(callback: (error: unknown, data: unknown) => void): void;
  export = smi;
}
