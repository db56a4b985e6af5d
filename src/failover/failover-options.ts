/** What the failover manager can be told. */
import { invalidOption, readChoice, readNumber, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { ACTING_NAMES, type ActingOptions, resolveActingOptions } from './acting-options.js';
import { type DetectorPolicy, readDetectorPolicy } from './detector/detector-policy.js';
import type { FailoverHooks } from './failover-hooks.js';

/** What the manager may do: `follow` never changes a server, `approve` asks a hook before a failover, `auto` does not. */
export type FailoverMode = 'follow' | 'approve' | 'auto';

/** How hooks are limited. */
export interface HookPolicy {
  /** Longest time that a hook may take, by name, milliseconds. Default 30 000 each, for `rebuild` six hours. */
  readonly timeoutMs?: Partial<Readonly<Record<keyof FailoverHooks, number>>> | undefined;
  /** What it means when a hook that may veto is late. Default `'veto'`. */
  readonly onTimeout?: Partial<Readonly<Record<keyof FailoverHooks, 'veto' | 'continue'>>> | undefined;
}

/** Options of the failover manager. */
export interface FailoverOptions extends ActingOptions {
  /** What the manager may do to servers. Default `'follow'`. */
  readonly mode?: FailoverMode | undefined;
  /** Called when something happens; see {@link FailoverHooks}. */
  readonly hooks?: FailoverHooks | undefined;
  /** Limits of the hooks. */
  readonly hookPolicy?: HookPolicy | undefined;
  /** When a node counts as down, and as up again; see {@link DetectorPolicy}. */
  readonly detector?: Partial<DetectorPolicy> | undefined;
}

/** The defaults of {@link FailoverOptions}. */
export const failoverDefaults: {
  readonly mode: FailoverMode;
  readonly hookTimeoutMs: number;
  readonly rebuildTimeoutMs: number;
} = Object.freeze({ mode: 'follow', hookTimeoutMs: 30_000, rebuildTimeoutMs: 21_600_000 });

const MODES: readonly FailoverMode[] = ['follow', 'approve', 'auto'];
const HOOKS: readonly (keyof FailoverHooks)[] = [
  'onDetected',
  'approve',
  'beforeFailover',
  'beforeSwitchover',
  'fence',
  'salvage',
  'afterPromote',
  'afterFailover',
  'onAborted',
  'rebuild',
];

/**
 * Checks the options.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkFailoverOptions(path: string, options: FailoverOptions): void {
  rejectUnknownOptions(path, options, ['mode', 'hooks', 'hookPolicy', 'detector', ...ACTING_NAMES]);
  const mode = readChoice(`${path}.mode`, options.mode, MODES, failoverDefaults.mode);
  if (mode !== 'follow') resolveActingOptions(path, options);
  if (mode === 'approve' && typeof options.hooks?.approve !== 'function') {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `\`${path}.mode\` 'approve' needs the hook \`${path}.hooks.approve\`, which says whether a failover may be made`,
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
    rejectUnknownOptions(`${path}.hookPolicy`, options.hookPolicy, ['timeoutMs', 'onTimeout']);
    const { timeoutMs: limits = {} } = options.hookPolicy;
    rejectUnknownOptions(`${path}.hookPolicy.timeoutMs`, limits, HOOKS);
    for (const name of HOOKS) {
      readNumber(`${path}.hookPolicy.timeoutMs.${name}`, limits[name], failoverDefaults.hookTimeoutMs, {
        min: 1,
        max: 2_147_483_647,
      });
    }
    const silences = options.hookPolicy.onTimeout ?? {};
    rejectUnknownOptions(`${path}.hookPolicy.onTimeout`, silences, HOOKS);
    for (const name of HOOKS) {
      readChoice(`${path}.hookPolicy.onTimeout.${name}`, silences[name], ['veto', 'continue'], 'veto');
    }
  }
}
