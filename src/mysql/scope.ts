/** One request or job: what its reads may look like, and what they must see. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  invalidOption,
  readChoice,
  readMsOrInfinity,
  readNumber,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import type { GtidPosition } from '../topology/gtid-position.js';
import { type ReadPreference, readPreferences } from '../topology/read-preference.js';
import type { LagLimits } from '../topology/replica-freshness.js';
import { CausalState, readCausalToken } from './causal-state.js';

/** What `run(scope, fn)` says about the statements of `fn`. */
export interface MysqlScope {
  /** Replaces `reads.maxLagMs` within the scope, and `reads.maxLagWithoutPrimaryMs` unless that is given, too. */
  readonly maxLagMs?: number | undefined;
  /** Replaces `reads.maxLagWithoutPrimaryMs` within the scope. */
  readonly maxLagWithoutPrimaryMs?: number | undefined;
  /** Replaces `reads.preference` within the scope. */
  readonly preference?: ReadPreference | undefined;
  /**
   * `'session'`: once the scope has written, its reads see that write. `'eventual'`: they need not.
   * Defaults to `scope.consistency` of the cluster. A scope with a token in `after` is `'session'`.
   */
  readonly consistency?: Consistency | undefined;
  /** How long a read waits on a replica for the scope's writes before it goes to the primary. Default: that of the cluster. */
  readonly waitMs?: number | undefined;
  /** A token of an earlier request, job or process: the reads of the scope see what it saw and wrote. */
  readonly after?: string | undefined;
}

/** The names of {@link MysqlScope} that hold for many requests. */
export const SCOPE_LIMITS: readonly (keyof MysqlScope)[] = [
  'maxLagMs',
  'maxLagWithoutPrimaryMs',
  'preference',
  'consistency',
  'waitMs',
];

/** Whether a scope reads its own writes. */
export type Consistency = 'session' | 'eventual';

/** The values of {@link Consistency}. */
export const CONSISTENCIES: readonly Consistency[] = ['session', 'eventual'];

/** What scopes are like unless they say otherwise. */
export interface ScopeDefaults {
  /** See {@link MysqlScope.consistency}. */
  readonly consistency: Consistency;
  /** See {@link MysqlScope.waitMs}. */
  readonly waitMs: number;
}

/** What can be asked of the scope of the present call. */
export interface ScopeView {
  /**
   * What a later reader has to see, as a string for `after`: `''` when nothing was written. It begins with `*` while something
   * was written whose GTID is not known yet; `MysqlCluster.token()` asks the primary for it.
   */
  readonly token: string;
  /** Whether anything was written in the scope. */
  readonly wrote: boolean;
}

/** A scope that is running. */
export class ActiveScope implements ScopeView {
  /** See {@link MysqlScope.maxLagMs}. */
  readonly maxLagMs: number | undefined;
  /** See {@link MysqlScope.maxLagWithoutPrimaryMs}. */
  readonly maxLagWithoutPrimaryMs: number | undefined;
  /** See {@link MysqlScope.preference}. */
  readonly preference: ReadPreference | undefined;
  /** See {@link MysqlScope.waitMs}. */
  readonly waitMs: number;
  /** What the scope wrote; shared with the scopes within it: a write anywhere in a request is a write of the request. */
  readonly causal: CausalState;
  readonly #consistency: Consistency;

  /** Makes a scope, inside `outer` when there is one; `causal` is one of its own. */
  constructor(
    options: MysqlScope,
    outer: ActiveScope | undefined,
    defaults: ScopeDefaults,
    causal: CausalState = outer?.causal ?? new CausalState(),
  ) {
    this.maxLagMs = options.maxLagMs ?? outer?.maxLagMs;
    this.maxLagWithoutPrimaryMs =
      options.maxLagWithoutPrimaryMs ?? options.maxLagMs ?? outer?.maxLagWithoutPrimaryMs;
    this.preference = options.preference ?? outer?.preference;
    this.waitMs = options.waitMs ?? outer?.waitMs ?? defaults.waitMs;
    this.causal = causal;
    const asked = options.consistency ?? outer?.consistency ?? defaults.consistency;
    // Who hands over a token means it, wherever the scope runs.
    this.#consistency = (options.after ?? '') === '' ? asked : 'session';
    if (options.after === undefined) return;
    const token = typeof options.after === 'string' ? readCausalToken(options.after) : undefined;
    if (token === undefined) {
      throw invalidOption('after', 'a token as `token()` gives it: a list of GTIDs', options.after);
    }
    this.causal.include(token);
  }

  /** How far behind replicas may be for its reads, where `cluster` says what holds without it. */
  limitsOver(cluster: LagLimits): LagLimits {
    const { maxLagMs, maxLagWithoutPrimaryMs } = this;
    if (maxLagMs === undefined && maxLagWithoutPrimaryMs === undefined) return cluster;
    return {
      maxLagMs: maxLagMs ?? cluster.maxLagMs,
      maxLagWithoutPrimaryMs: maxLagWithoutPrimaryMs ?? cluster.maxLagWithoutPrimaryMs,
    };
  }

  /** Whether the scope reads its own writes. */
  get consistency(): Consistency {
    return this.#consistency;
  }

  /** Whether reads have to go to the primary: a write is under way, or it is not known where it is. */
  get readsFromPrimary(): boolean {
    return this.#consistency === 'session' && this.causal.needsPrimary;
  }

  /** Whether the position of the primary should be read with the next read there, because a write was not told. */
  get wantsPosition(): boolean {
    return this.#consistency === 'session' && this.causal.isUntold;
  }

  /** Whether reads must see anything in particular, with or without a known GTID. */
  get mustSee(): boolean {
    return this.readsFromPrimary || this.wanted !== undefined;
  }

  /** What a node must have applied to serve a read of the scope. */
  get wanted(): GtidPosition | undefined {
    return this.#consistency === 'session' ? this.causal.wanted : undefined;
  }

  get token(): string {
    return this.causal.token;
  }

  get wrote(): boolean {
    return this.causal.wrote;
  }
}

/** What one call may ask of its reads. */
type CallReads = Pick<MysqlScope, 'after' | LagLimitName | 'preference'>;

type LagLimitName = 'maxLagMs' | 'maxLagWithoutPrimaryMs';

/** The scopes of one cluster. */
export class Scopes {
  readonly #storage = new AsyncLocalStorage<ActiveScope>();
  readonly #defaults: ScopeDefaults;

  /** `defaults` hold for scopes that do not say otherwise. */
  constructor(defaults: ScopeDefaults) {
    this.#defaults = defaults;
  }

  /** The scope of the present call, if it runs in one. */
  get current(): ActiveScope | undefined {
    return this.#storage.getStore();
  }

  /**
   * The present scope, with what one call asks of its reads; what the call writes is the scope's. A call outside of a scope
   * that asks for nothing has none.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` when `after` is no token, or another limit is impossible.
   */
  ofCall({ after, maxLagMs, maxLagWithoutPrimaryMs, preference }: CallReads): ActiveScope | undefined {
    const { current } = this;
    const asksForLag = maxLagMs !== undefined || maxLagWithoutPrimaryMs !== undefined;
    if (after === undefined && !asksForLag && preference === undefined) return current;
    const reads: CallReads = { maxLagMs, maxLagWithoutPrimaryMs, preference };
    checkReads('sql', reads);
    if (after === undefined) {
      // A write of a call outside of a scope is nobody's: nothing later has to see it.
      const consistency = current === undefined ? 'eventual' : undefined;
      return new ActiveScope({ ...reads, consistency }, current, this.#defaults);
    }
    const state = new CausalState(current?.causal);
    return new ActiveScope({ ...reads, after }, current, this.#defaults, state);
  }

  /**
   * Runs `fn` in a scope; scopes may be nested.
   *
   * @throws StormlampError `ERR_INVALID_OPTION`.
   */
  run<T>(options: MysqlScope, fn: () => T): T {
    if (typeof fn !== 'function') throw invalidOption('fn', 'the function that is the scope', fn);
    rejectUnknownOptions('scope', options, [...SCOPE_LIMITS, 'after']);
    checkScopeLimits(options);
    return this.#storage.run(new ActiveScope(options, this.current, this.#defaults), fn);
  }
}

/**
 * Checks what a scope asks for, but for `after`.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkScopeLimits(options: Omit<MysqlScope, 'after'>): void {
  checkReads('scope', options);
  readNumber('scope.waitMs', options.waitMs, 0, { min: 0 });
  if (options.consistency !== undefined) {
    readChoice('scope.consistency', options.consistency, CONSISTENCIES, 'session');
  }
}

function checkReads(path: string, { maxLagMs, maxLagWithoutPrimaryMs, preference }: CallReads): void {
  readMsOrInfinity(`${path}.maxLagMs`, maxLagMs, 0);
  readMsOrInfinity(`${path}.maxLagWithoutPrimaryMs`, maxLagWithoutPrimaryMs, 0);
  if (preference !== undefined) readChoice(`${path}.preference`, preference, readPreferences, 'primary');
}
