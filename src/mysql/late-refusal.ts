/** A refusal of what somebody asked for too late, and perhaps without waiting for an answer. */

/**
 * Rejects; when nobody listens to it, a warning is printed. (Node would end the process, for a mistake that did no harm.)
 */
export class LateRefusal extends Promise<never> {
  #isHeard = false;

  /** What follows from it is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Refuses with `error`. */
  static of(error: Error): LateRefusal {
    const refusal = new LateRefusal((_resolve, reject) => reject(error));
    // Marks it as handled, and does not count as listening.
    Promise.prototype.then.call(refusal, undefined, () => undefined);
    setImmediate(() => {
      if (!refusal.#isHeard) process.emitWarning(error.message, { type: 'StormlampUnhandledError' });
    });
    return refusal;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise that notes whether somebody listens
  override then<A = never, B = never>(
    onFulfilled?: ((value: never) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isHeard = true;
    return super.then(onFulfilled, onRejected);
  }
}
