/**
 * The caller's `typeCast` on its way to the driver. Where it throws, the driver would end the statement at once, with the rest of
 * the answer unread on a connection that it then has to close: what was written could not be told from what was lost. So the answer
 * is read to its end, and the caller gets his own error then.
 */

/** mysql2's `typeCast`: makes a value of a field. */
export type TypeCast = (field: unknown, next: () => unknown) => unknown;

/** What a caller's function threw. */
export interface CastFailure {
  /** It, whatever it is. */
  readonly error: unknown;
}

const FAILURES = new WeakMap<TypeCast, CastFailure>();

/** The same function for the driver: once it threw, it makes nothing of the fields that follow. */
export function guardCast(cast: TypeCast): TypeCast {
  const guarded: TypeCast = (field, next) => {
    if (FAILURES.has(guarded)) return undefined;
    try {
      return cast(field, next);
    } catch (error) {
      FAILURES.set(guarded, { error });
      return undefined;
    }
  };
  return guarded;
}

/** Whether `guarded` threw since the last {@link takeFailure}. */
export function hasFailed(guarded: TypeCast): boolean {
  return FAILURES.has(guarded);
}

/** What `guarded` threw since this was asked last. */
export function takeFailure(guarded: TypeCast): CastFailure | undefined {
  const failure = FAILURES.get(guarded);
  if (failure !== undefined) FAILURES.delete(guarded);
  return failure;
}
