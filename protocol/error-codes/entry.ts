/**
 * What is said about one error code: `status` is its HTTP status, `impact` what it means for the caller, `remedy` what to
 * do next.
 */
export interface ErrorEntry {
  readonly status: number;
  readonly impact: string;
  readonly remedy: string;
}
