/** One request or job: what its reads may look like, and whether it wrote. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readChoice, rejectUnknownOptions } from '../common/option-reader.js';
import { type ReadPreference, readPreferences } from '../topology/read-preference.js';
import { readMaxLagMs } from './read-options.js';

/** What `run(scope, fn)` says about the statements of `fn`. */
export interface MysqlScope {
  /** Replaces `reads.maxLagMs` within the scope. */
  readonly maxLagMs?: number | undefined;
  /** Replaces `reads.preference` within the scope. */
  readonly preference?: ReadPreference | undefined;
  /**
   * `'session'`: once the scope has written, its reads see that write. `'eventual'`: they need not.
   * Defaults to `scope.consistency` of the cluster.
   */
  readonly consistency?: Consistency | undefined;
}

/** Whether a scope reads its own writes. */
export type Consistency = 'session' | 'eventual';

/** The values of {@link Consistency}. */
export const CONSISTENCIES: readonly Consistency[] = ['session', 'eventual'];

/** Shared by a scope and the scopes within it: a write anywhere in a request is a write of the request. */
interface WriteMark {
  wrote: boolean;
}

/** A scope that is running. */
export class ActiveScope {
  /** See {@link MysqlScope.maxLagMs}. */
  readonly maxLagMs: number | undefined;
  /** See {@link MysqlScope.preference}. */
  readonly preference: ReadPreference | undefined;
  readonly #consistency: Consistency;
  readonly #mark: WriteMark;

  /** Makes a scope, inside `outer` when there is one. */
  constructor(options: MysqlScope, outer: ActiveScope | undefined, fallback: Consistency) {
    this.maxLagMs = options.maxLagMs ?? outer?.maxLagMs;
    this.preference = options.preference ?? outer?.preference;
    this.#consistency = options.consistency ?? outer?.consistency ?? fallback;
    this.#mark = outer === undefined ? { wrote: false } : outer.#mark;
  }

  /** Whether the scope reads its own writes. */
  get consistency(): Consistency {
    return this.#consistency;
  }

  /** Whether reads have to go to the primary, because the scope wrote. */
  get readsFromPrimary(): boolean {
    return this.#mark.wrote && this.#consistency === 'session';
  }

  /** Notes that the scope is about to write. */
  markWritten(): void {
    this.#mark.wrote = true;
  }
}

/** The scopes of one cluster. */
export class Scopes {
  readonly #storage = new AsyncLocalStorage<ActiveScope>();
  readonly #fallback: Consistency;

  /** `fallback` holds for scopes that do not say how consistent they want to be. */
  constructor(fallback: Consistency) {
    this.#fallback = fallback;
  }

  /** The scope of the present call, if it runs in one. */
  get current(): ActiveScope | undefined {
    return this.#storage.getStore();
  }

  /**
   * Runs `fn` in a scope; scopes may be nested.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`.
   */
  run<T>(options: MysqlScope, fn: () => T): T {
    rejectUnknownOptions('scope', options, ['maxLagMs', 'preference', 'consistency']);
    readMaxLagMs('scope.maxLagMs', options.maxLagMs, 0);
    if (options.preference !== undefined) {
      readChoice('scope.preference', options.preference, readPreferences, 'primary');
    }
    if (options.consistency !== undefined) {
      readChoice('scope.consistency', options.consistency, CONSISTENCIES, 'session');
    }
    return this.#storage.run(new ActiveScope(options, this.current, this.#fallback), fn);
  }
}
