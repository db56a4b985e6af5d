/** How fencing ended; what somebody's code answers is looked at before anything relies on it. */

/** How fencing ended; only `fenced` counts. */
export type FenceResult =
  | {
      /** The other machine cannot reach the device any more, or the old primary takes no writes any more. */
      readonly state: 'fenced';
      /** How that is known, like the power switch's answer; not ''. */
      readonly proof: string;
    }
  | {
      /** It may still write. */
      readonly state: 'failed' | 'unknown';
      /** What is known. */
      readonly detail: string;
    };

/** What a `fence` function has answered. Without a proof, or as anything else than a {@link FenceResult}, it proves nothing: `unknown`. */
export function fenceResultOf(answer: unknown): FenceResult {
  const { state, proof, detail } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (state === 'fenced') {
    if (typeof proof === 'string' && proof.trim() !== '') return { state, proof };
    return { state: 'unknown', detail: "it answered 'fenced' without a `proof`: how that is known" };
  }
  if (state === 'failed' || state === 'unknown')
    return { state, detail: typeof detail === 'string' && detail !== '' ? detail : 'it did not say why' };
  return {
    state: 'unknown',
    detail: "it answered neither { state: 'fenced', proof } nor { state: 'failed' or 'unknown', detail }",
  };
}
