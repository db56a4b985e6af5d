/** Works on many things, some of them at a time. */

/**
 * Runs `work` on every item in their order, on at most `limit` of them at a time. After the first error none is begun any more;
 * it is thrown once those that are under way have ended.
 */
export async function inFlight<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (failure === undefined) {
      const next = iterator.next();
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
}
