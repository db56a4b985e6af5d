/** What the failover manager can be told. */
import { invalidOption, readChoice, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type DetectorPolicy, readDetectorPolicy } from './detector/detector-policy.js';
import type { FailoverHooks } from './failover-hooks.js';

/** What the manager may do: `follow` never changes a server. `approve` and `auto` are not available yet. */
export type FailoverMode = 'follow' | 'approve' | 'auto';

/** How hooks are limited. */
export interface HookPolicy {
  /** Longest time that a hook may take, by name, milliseconds. Default 30 000 each. */
  readonly timeoutMs?: Partial<Readonly<Record<keyof FailoverHooks, number>>> | undefined;
}

/** Options of the failover manager. */
export interface FailoverOptions {
  /** Default `follow`. */
  readonly mode?: FailoverMode | undefined;
  /** Called when something happens; see {@link FailoverHooks}. */
  readonly hooks?: FailoverHooks | undefined;
  /** Limits of the hooks. */
  readonly hookPolicy?: HookPolicy | undefined;
  /** When a node counts as down, and as up again; see {@link DetectorPolicy}. */
  readonly detector?: Partial<DetectorPolicy> | undefined;
}

/** The defaults of {@link FailoverOptions}. */
export const failoverDefaults: { readonly mode: FailoverMode; readonly hookTimeoutMs: number } =
  Object.freeze({ mode: 'follow', hookTimeoutMs: 30_000 });

const MODES: readonly FailoverMode[] = ['follow', 'approve', 'auto'];
const HOOKS: readonly (keyof FailoverHooks)[] = ['onDetected', 'afterPromote', 'afterFailover'];

/**
 * Checks the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`, or `ERR_UNSUPPORTED` for a mode that is not available.
 */
export function checkFailoverOptions(path: string, options: FailoverOptions): void {
  rejectUnknownOptions(path, options, ['mode', 'hooks', 'hookPolicy', 'detector']);
  const mode = readChoice(`${path}.mode`, options.mode, MODES, failoverDefaults.mode);
  if (mode !== 'follow') {
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      `\`${path}.mode\` '${mode}' is not available: this version never changes a server. ` +
        "Use 'follow' and let an operator or a failover tool promote; writes follow the new primary.",
    );
  }
  readDetectorPolicy(`${path}.detector`, options.detector);
  if (options.hooks !== undefined) {
    rejectUnknownOptions(`${path}.hooks`, options.hooks, HOOKS);
    for (const name of HOOKS) {
      const hook: unknown = options.hooks[name];
      if (hook !== undefined && typeof hook !== 'function')
        throw invalidOption(`${path}.hooks.${name}`, 'a function', hook);
    }
  }
  if (options.hookPolicy !== undefined) {
    rejectUnknownOptions(`${path}.hookPolicy`, options.hookPolicy, ['timeoutMs']);
    const { timeoutMs: limits = {} } = options.hookPolicy;
    rejectUnknownOptions(`${path}.hookPolicy.timeoutMs`, limits, HOOKS);
    for (const name of HOOKS) {
      readNumber(`${path}.hookPolicy.timeoutMs.${name}`, limits[name], failoverDefaults.hookTimeoutMs, {
        min: 1,
        max: 2_147_483_647,
      });
    }
  }
}
