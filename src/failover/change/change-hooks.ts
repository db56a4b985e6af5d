/** Calls the user's hooks for the changes of this process. */
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { FailoverHooks, FollowedChange, HookContext } from '../failover-hooks.js';
import { failoverDefaults } from '../failover-options.js';
import { fenceResultOf } from '../fence-result.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import { readinessOf } from '../rebuild/ready-hook.js';
import { holdRebuild } from '../rebuild/rebuild-lock.js';
import { askHook, type Verdict } from './ask-hook.js';
import type { ChangeControlParts } from './change-control.js';
import { whilePrimary } from './while-primary.js';

/** How long a hook may delay one plan, milliseconds. */
const DELAY_LIMIT_MS = 300_000;

/** What hooks are called with. */
type HookParts = Pick<
  ChangeControlParts,
  'hooks' | 'policy' | 'clock' | 'record' | 'publish' | 'primary' | 'voters' | 'options'
>;

/** What became of a node whose data was to be made anew. */
export type RebuildResult =
  | 'rebuilt'
  | 'skipped'
  /** Why it is not; `passing`: nothing was begun, because somebody else is at work, and it may be asked again. */
  | { readonly veto: string; readonly passing?: true };

/** Calls them. */
export class ChangeHooks {
  readonly #parts: HookParts;
  readonly #closed: AbortSignal;

  /** `closed` fires when the manager closes: no hook is waited for any more. */
  constructor(parts: HookParts, closed: AbortSignal) {
    this.#parts = parts;
    this.#closed = closed;
  }

  /**
   * Calls a hook that may veto. One that wants a delay is asked again after it, until it has wanted five minutes: what the plan was
   * made from is old by then.
   *
   * Rejects with the reason of `signal` when that fires.
   */
  async ask(
    name: 'approve' | 'beforeFailover' | 'beforeSwitchover',
    plan: FailoverPlan,
    signal?: AbortSignal,
  ): Promise<Exclude<Verdict, { delayMs: number }>> {
    const hook = this.#parts.hooks[name];
    if (hook === undefined) return 'allow';
    const given = signal === undefined ? this.#closed : AbortSignal.any([this.#closed, signal]);
    let leftMs = DELAY_LIMIT_MS;
    for (let attempt = 1; ; attempt += 1) {
      const verdict = await this.#call(name, (context) => hook({ ...context, plan, attempt }), given);
      signal?.throwIfAborted();
      if (verdict === 'allow' || 'veto' in verdict) return verdict;
      if (leftMs <= 0)
        return { veto: `hook '${name}' has delayed it for ${DELAY_LIMIT_MS} ms, and wants more` };
      const delayMs = Math.min(verdict.delayMs, leftMs);
      leftMs -= Math.max(delayMs, 1);
      await pause(delayMs, given);
      signal?.throwIfAborted();
      if (this.#closed.aborted) return { veto: 'the manager closes' };
    }
  }

  /** Has a node's data made anew by the user's hook. Never rejects. */
  async rebuild(node: NodeId, from: NodeId, why: 'errant' | 'purged', gtids: string): Promise<RebuildResult> {
    const { hooks, record, primary, voters, options } = this.#parts;
    const { rebuild } = hooks;
    if (rebuild === undefined) return { veto: 'there is no hook `rebuild`' };
    const source = voters.find(({ id }) => id === from);
    if (source === undefined) return { veto: `${from} is no voter` };
    let result: unknown;
    const call = async (context: HookContext): Promise<void> => {
      result = await whilePrimary(from, primary, (moved) => {
        const signal = AbortSignal.any([context.signal, moved]);
        return rebuild({ ...context, signal, node, from, why, gtids });
      });
    };
    const others = voters.filter(({ kind }) => kind === 'data').map(({ id }) => id);
    // The lock of a server that is made anew may die with it.
    const held = await holdRebuild({ source, cluster: options.cluster, node, others }, () =>
      this.#call('rebuild', call),
    ).catch((error: unknown) => ({
      busy: `${from} cannot be asked who else does it: ${describeError(error)}`,
    }));
    if ('busy' in held) return { veto: held.busy, passing: true };
    const verdict = held.result;
    if (verdict !== 'allow' && 'veto' in verdict) return verdict;
    // One that was given up with its source may go on for a while; a ready hook sees its lock on the node.
    if (result === 'skipped' && readinessOf(rebuild) !== undefined)
      return { veto: 'another process still makes its data anew', passing: true };
    if (result !== 'rebuilt') return 'skipped';
    record('node-rebuilt', 'rebuild', [node, from], `${node} has the data of ${from} now`);
    return 'rebuilt';
  }

  /** The hook that a step of `plan` names. Rejects with `ERR_CHANGE_REFUSED` when it vetoes. */
  async runStep(name: string, plan: FailoverPlan, signal?: AbortSignal): Promise<void> {
    // Told when the locks are free: nobody shall wait for service discovery.
    if (name === 'afterPromote') return;
    if (name === 'fence') {
      await this.#fence(plan);
      return;
    }
    if (name === 'salvage') {
      await this.#salvage(plan, signal);
      return;
    }
    if (name !== 'approve' && name !== 'beforeFailover' && name !== 'beforeSwitchover') return;
    const verdict = await this.ask(name, plan, signal);
    if (verdict === 'allow') return;
    throw new StormlampError(ErrorCode.CHANGE_REFUSED, `The hook '${name}' said no: ${verdict.veto}`);
  }

  async #fence(plan: FailoverPlan): Promise<void> {
    const { hooks, record } = this.#parts;
    const { fence } = hooks;
    const node = plan.from;
    if (fence === undefined || node === null) return;
    let said = 'it did not answer';
    let fenced = false;
    const verdict = await this.#call('fence', async (context) => {
      const result = fenceResultOf(await fence({ ...context, plan, attempt: 1, node }));
      fenced = result.state === 'fenced';
      said = result.state === 'fenced' ? result.proof : result.detail;
    });
    if (!fenced && verdict !== 'allow' && 'veto' in verdict) said = verdict.veto;
    record('change-step', plan.opId, [node], `${node} ${fenced ? 'is fenced' : 'is not fenced'}: ${said}`);
    if (fenced) return;
    throw new StormlampError(ErrorCode.CHANGE_REFUSED, `${node} could not be fenced: ${said}`, { node });
  }

  async #salvage(plan: FailoverPlan, signal?: AbortSignal): Promise<void> {
    const { salvage } = this.#parts.hooks;
    const node = plan.from;
    if (salvage === undefined || node === null) return;
    const given = signal === undefined ? this.#closed : AbortSignal.any([this.#closed, signal]);
    await this.#call('salvage', (context) => salvage({ ...context, plan, attempt: 1, node }), given);
    signal?.throwIfAborted();
  }

  /** Tells that a change was given up. */
  async tellAborted(plan: FailoverPlan, at: string, undone: boolean, error: Error): Promise<void> {
    const hook = this.#parts.hooks.onAborted;
    if (hook === undefined) return;
    await this.#call('onAborted', (context) => hook({ ...context, plan, attempt: 1, at, undone, error }));
  }

  /** Whether somebody wants to be told that another node is the primary. */
  get tellsFollowed(): boolean {
    const { afterPromote, afterFailover } = this.#parts.hooks;
    return afterPromote !== undefined || afterFailover !== undefined;
  }

  /** Tells that another node is the primary. */
  async tellFollowed(change: FollowedChange): Promise<void> {
    for (const name of ['afterPromote', 'afterFailover'] as const) {
      const hook = this.#parts.hooks[name];
      if (hook !== undefined) await this.#call(name, (context) => hook({ ...change, ...context }));
    }
  }

  /** Calls a hook; one that is only told something is reported when it fails, and stops nothing. */
  async #call(
    name: keyof FailoverHooks,
    hook: (context: HookContext) => unknown,
    signal: AbortSignal = this.#closed,
  ): Promise<Verdict> {
    const { policy, clock, record, publish } = this.#parts;
    const { hookTimeoutMs, rebuildTimeoutMs } = failoverDefaults;
    const log = (message: string): void => record('hook-logged', 'hooks', [], `${name}: ${message}`);
    const limits = {
      timeoutMs: policy.timeoutMs?.[name] ?? (name === 'rebuild' ? rebuildTimeoutMs : hookTimeoutMs),
      onTimeout: policy.onTimeout?.[name] ?? 'veto',
      signal,
    };
    const verdict = await askHook(name, (frame) => hook({ ...frame, log }), limits, clock);
    // Whoever gave the change up is not told that a hook of it failed.
    const isGivenUp = signal.aborted && !this.#closed.aborted;
    if (!isGivenUp && verdict !== 'allow' && 'veto' in verdict && /^hook /.test(verdict.veto)) {
      record('hook-failed', 'hooks', [], verdict.veto);
      publish('hook-failed', { hook: name, error: new Error(verdict.veto) });
    }
    return verdict;
  }
}
