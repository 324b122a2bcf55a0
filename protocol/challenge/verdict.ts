/**
 * What a validator learns from checking an answer: it is right, or the first thing that is wrong with it.
 */

/**
 * `wrong-shape`: not the amount of data that was asked for; `wrong-root`: a row that was not committed to; `wrong-row`: a row that
 * was committed to is not the product's; `wrong-product`: C r differs where nothing was shown; `wrong-walk`: a walk ends elsewhere.
 * The rest are about whose answer it is: `wrong-binding`, `wrong-signature`.
 */
export type FaultCode =
  | "wrong-shape"
  | "wrong-root"
  | "wrong-row"
  | "wrong-product"
  | "wrong-walk"
  | "wrong-binding"
  | "wrong-signature";

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly code: FaultCode; readonly detail: string };

export const RIGHT: Verdict = { ok: true };

export function wrong(code: FaultCode, detail: string): Verdict {
  return { ok: false, code, detail };
}
