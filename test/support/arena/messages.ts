/**
 * What a test and the stage that it started say to each other, over Node's channel between processes.
 */
export interface ToStage {
  readonly run: string;
  readonly seed: string;
  readonly limitMs: number;
}

/** `failure` holds what broke, with the newest lines of the daemons' logs. */
export type FromStage = { readonly ready: true } | { readonly done: string; readonly failure?: string };
