/**
 * Which of a session's copies counts, as they are looked at in the order of the mounts: that of the first mount that did not miss a
 * write of it. Where one did, and was written since by somebody who knew nothing of that, it is both in one.
 */
import type { MissedWrite } from '../files/missed-writes.js';
import { standingOf } from './copy-standing.js';
import type { FileCopy } from './file-copy.js';

/** What a choice needs to know of sessions. */
export interface CopyChoiceOptions {
  /** Whether bytes are a session. */
  readonly sound: (bytes: Buffer) => boolean;
  /** Makes one session of the copy of a mount that missed a write and was written since, and of another's. */
  readonly reconcile: (own: FileCopy, others: FileCopy, missed: MissedWrite) => FileCopy;
}

/** See the head of this file. */
export class CopyChoice<T extends { readonly copy: FileCopy }> {
  readonly #options: CopyChoiceOptions;
  readonly #several: boolean;
  #unexplained: { readonly one: T; readonly missed: MissedWrite } | undefined;
  // Whoever had no room for all of it left something that is no session; that gives way to one, but not to nothing.
  #broken: T | undefined;
  #lagging: T | undefined;
  #stale: T | undefined;

  /** @param several whether there is more than one copy to choose from */
  constructor(options: CopyChoiceOptions, several: boolean) {
    this.#options = options;
    this.#several = several;
  }

  /** The next copy, and what its mount missed; what counts, once that is certain. */
  offer(one: T, missed: MissedWrite | undefined, isFirst: boolean): T | undefined {
    const standing = missed === undefined ? 'counts' : standingOf(one.copy, missed, isFirst);
    if (standing !== 'counts') {
      this.#stale ??= one;
      if (standing === 'lags') this.#lagging ??= one;
      return undefined;
    }
    if (this.#several && !this.#isSound(one)) this.#broken ??= one;
    else if (this.#unexplained !== undefined) return this.#with(one);
    else if (missed === undefined) return this.#answer(one);
    else this.#unexplained = { one, missed };
    return undefined;
  }

  /** What counts when no copy is left to look at; undefined when there was none. */
  last(): T | undefined {
    // Each missed what the other one took: machines that had lost one mount each wrote them.
    if (this.#lagging !== undefined && this.#isSound(this.#lagging)) {
      const both = this.#with(this.#lagging);
      if (both !== undefined) return both;
    }
    const left = this.#unexplained?.one ?? this.#broken ?? this.#stale;
    return left && this.#answer(left);
  }

  #with({ copy }: T): T | undefined {
    if (this.#unexplained === undefined) return undefined;
    const { one, missed } = this.#unexplained;
    return { ...one, copy: this.#options.reconcile(one.copy, copy, missed) };
  }

  #answer(one: T): T {
    return one.copy.bytes === null ? (this.#broken ?? one) : one;
  }

  #isSound({ copy: { bytes } }: T): boolean {
    return bytes === null || this.#options.sound(bytes);
  }
}
