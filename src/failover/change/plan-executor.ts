/**
 * Carries a plan out: every statement on the session that holds its node's locks, undone in reverse when something fails before
 * the point of no return, finished as far as possible after it.
 */
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { LockSession } from '../locks/lock-session.js';
import { MajorityLock } from '../locks/majority-lock.js';
import type { FailoverPlan, PlanStep } from '../plan/failover-plan.js';
import { FROZEN, frozenText } from '../plan/frozen-replicas.js';
import { isEventPlan } from '../plan/plan-events.js';
import { type HeldVoter, mayPromote, votesMayChangeFrom } from '../protocol/change-permit.js';
import { lockName } from '../protocol/lock-name.js';
import { assertMajority, votersAmong } from './assert-majority.js';
import { assertClosed, assertComplete, assertSame, frozenAmong, lookThrough } from './compare-nodes.js';
import type { ExecutionOutcome, ExecutorOptions } from './executor-options.js';
import { phasesOf } from './phases-of.js';
import { PlanValues } from './plan-values.js';
import { sendStep } from './send-step.js';
import { undoSteps } from './undo-steps.js';
import { VotesGiven } from './votes-given.js';

/** After the point of no return a step is tried so often. */
const ATTEMPTS = 5;
const RETRY_MS = 200;
const POLL_MS = 20;
/** The candidate's locks end before the others do: a promotion that executes proves that the majority was still held. */
const CANDIDATE_WAIT_TIMEOUT_S = 2;
/** A statement may take as long as its waits on the server, and some more. */
const STATEMENT_MS = 3_000;
/** Where one that may fail has waited for so long, milliseconds, the others of its kind would, too. */
const LONG_MS = 1_000;

/** Carries out one plan, once. */
export class PlanExecutor {
  readonly #plan: FailoverPlan;
  readonly #options: ExecutorOptions;
  readonly #values: PlanValues;
  readonly #done: PlanStep[] = [];
  readonly #left = new Set<NodeId>();
  readonly #said = new Map<PlanStep, readonly string[]>();
  readonly #votes: VotesGiven;
  #lock: MajorityLock | undefined;
  #touched = false;
  #passed = false;

  /** Makes an executor that has done nothing yet. */
  constructor(plan: FailoverPlan, options: ExecutorOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#values = new PlanValues({ ...options.values, [FROZEN]: frozenText(plan) });
    this.#votes = new VotesGiven(plan.to, options.rules.voters);
  }

  /** Carries the plan out. Never rejects; the locks are free when it resolves. */
  async run(): Promise<ExecutionOutcome> {
    let current = '';
    try {
      for (const steps of phasesOf(this.#plan.steps)) {
        await this.#phase(steps, (step) => {
          current = step.id;
        });
      }
      return { ok: true, left: [...this.#left], values: this.#values };
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (!this.#touched) return { ok: false, step: current, error, clusterState: 'unchanged' };
      const undone = !this.#passed && (await this.#undo());
      return { ok: false, step: current, error, clusterState: undone ? 'undone' : 'unfinished' };
    } finally {
      await this.#lock?.release();
    }
  }

  async #phase(steps: readonly PlanStep[], on: (step: PlanStep) => void): Promise<void> {
    if (!this.#passed) this.#options.signal?.throwIfAborted();
    const byNode = new Map<NodeId | null, PlanStep[]>();
    for (const step of steps) byNode.set(step.node, [...(byNode.get(step.node) ?? []), step]);
    this.#votes.busy = new Set(byNode.keys());
    const results = await Promise.allSettled([...byNode].map(([node, own]) => this.#sequence(node, own, on)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #sequence(
    node: NodeId | null,
    steps: readonly PlanStep[],
    on: (step: PlanStep) => void,
  ): Promise<void> {
    // What could not be done before must not be built upon.
    if (node !== null && this.#left.has(node)) return;
    let leavesOut = false;
    for (const step of steps) {
      if (leavesOut && step.optional !== undefined) continue;
      on(step);
      const begunAt = performance.now();
      if (node !== null && step.id === `start-replication@${node}`) await this.#voteGiven(node);
      this.#options.onStep(step, 'started', '');
      try {
        await this.#attempts(step);
        this.#options.onStep(step, 'finished', (this.#said.get(step) ?? []).join('; '));
      } catch (error) {
        const details = [describeError(error), ...(this.#said.get(step) ?? [])];
        this.#options.onStep(step, 'failed', details.join('; '), error);
        if (step.optional !== undefined) {
          leavesOut ||= step.optional === true || performance.now() - begunAt > LONG_MS;
          continue;
        }
        if (step.spares !== true || node === null) throw error;
        this.#left.add(node);
        return;
      }
    }
    this.#votes.busy.delete(node);
    if (node !== null && steps[0]?.phase === 'repoint') await this.#partDone(node);
  }

  async #attempts(step: PlanStep): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#step(step);
        return;
      } catch (error) {
        const isFinal = this.#passed || step.pointOfNoReturn === true;
        const isLast = step.spares === true || step.optional === 'alone' || step.action === 'release';
        if (!isFinal || isLast || attempt === ATTEMPTS) throw error;
        if (this.#lock?.sessions.has(this.#plan.to) !== true) throw error;
        await pause(RETRY_MS);
        if (step.phase === 'promote') await this.#renew();
        // The permission to take writes is for a moment; when it ran out, it is given again.
        if (step.expect !== undefined) await this.#repeat(step);
      }
    }
  }

  async #step(step: PlanStep): Promise<void> {
    switch (step.action) {
      case 'hook':
        await this.#options.runHook(step.id);
        return;
      case 'lock-change':
        await this.#take();
        return;
      case 'lock-promote':
        await this.#takePromote();
        return;
      case 'wait-leases':
        await this.#waitUntil(() => this.#longLeasesEnd());
        return;
      case 'wait-writers':
        await this.#waitUntil(() => this.#promoteSince() + this.#options.rules.handoverMs / 2);
        return;
      case 'wait-handover':
        await this.#waitUntil(() => votesMayChangeFrom(this.#held(), this.#options.rules));
        return;
      case 'wait-fence':
        await this.#waitUntil(() => this.#promoteSince() + (step.timeoutMs ?? 0));
        return;
      case 'renew':
        await this.#renew();
        return;
      case 'assert-applied':
        await this.#assertApplied(step);
        return;
      case 'assert-complete':
        await this.#assertComplete(step);
        return;
      case 'assert-closed':
        await assertClosed(this.#lock?.sessions.get(step.node ?? ''), STATEMENT_MS);
        return;
      case 'assert-same':
        await this.#assertApplied(step);
        await assertSame(this.#session(this.#plan.to), this.#session(step.node), STATEMENT_MS);
        return;
      case 'assert-votes':
        this.#assertMajority('could vote');
        return;
      case 'assert-held':
        this.#session(step.node);
        return;
      case 'wait-votes':
        if (await this.#votes.wait(this.#left)) await this.#freePromote([this.#plan.to]);
        return;
      case 'look-again':
      case 'confirm':
        await this.#options[step.action === 'confirm' ? 'confirm' : 'lookAgain'](step.id);
        await this.#lock?.ensure();
        return;
      case 'release':
        await this.#lock?.release();
        if (this.#passed) this.#assertMajority('votes');
        return;
      case 'statement':
        await this.#statement(step);
    }
  }

  async #take(): Promise<void> {
    const { targets, waitTimeoutS, onStatement } = this.#options;
    const { cluster, kind, to } = this.#plan;
    // Also what changes no vote, and may wait for a lock, lets writes go on.
    const writesGoOn = kind === 'switchover' || isEventPlan(this.#plan);
    // A replica that is put right concerns nobody's right to write but by its own vote.
    const concerned = kind === 'rejoin' ? targets.filter(({ voter }) => voter === to) : targets;
    const locks = [lockName(cluster, 'change'), ...(writesGoOn ? [] : [lockName(cluster, 'promote')])];
    this.#lock = await MajorityLock.take({
      targets: concerned,
      locks,
      waitTimeoutS,
      waitTimeoutsS: new Map([[to, Math.min(CANDIDATE_WAIT_TIMEOUT_S, waitTimeoutS)]]),
      timeoutMs: 1_500,
      onStatement,
    });
    if (!this.#lock.sessions.has(to)) {
      const why = this.#lock.missing.find(({ voter }) => voter === to)?.why ?? 'unknown';
      throw new StormlampError(ErrorCode.NO_MAJORITY, `${to} could not be locked: ${why}`, { node: to });
    }
  }

  async #takePromote(): Promise<void> {
    // From here on writers wait: the end has to be seen by them whatever happens.
    this.#touched = true;
    await this.#lock?.takeMore(lockName(this.#plan.cluster, 'promote'));
  }

  async #waitUntil(end: () => number): Promise<void> {
    for (;;) {
      await this.#lock?.ensure();
      if (!this.#passed) this.#options.signal?.throwIfAborted();
      const left = end() - performance.now();
      if (left <= 0) return;
      if (left === Number.POSITIVE_INFINITY) {
        throw new StormlampError(
          ErrorCode.NO_MAJORITY,
          'The second lock is not held on all voters that are relied on',
        );
      }
      await pause(Math.min(left, 250));
    }
  }

  #longLeasesEnd(): number {
    return Math.max(...this.#held().map(({ changeSince }) => changeSince + this.#options.rules.leaseMs));
  }

  #promoteSince(): number {
    return Math.max(...this.#held().map(({ promoteSince }) => promoteSince ?? Number.POSITIVE_INFINITY));
  }

  #held(): readonly HeldVoter[] {
    const { cluster } = this.#plan;
    return [...(this.#lock?.sessions ?? [])].map(([voter, session]) => ({
      voter,
      changeSince: session.since(lockName(cluster, 'change')) ?? Number.POSITIVE_INFINITY,
      promoteSince: session.since(lockName(cluster, 'promote')),
      aliveUntil: session.aliveUntil,
    }));
  }

  /** The candidate first, and a server-side limit for what comes next: whoever stalls here must not promote later. */
  async #renew(): Promise<void> {
    const { to } = this.#plan;
    const { rules } = this.#options;
    const session = this.#session(to);
    await session.ask('SET @ha_until=SYSDATE(6)+INTERVAL 1500000 MICROSECOND');
    await this.#lock?.renew([to]);
    await this.#lock?.renew([...(this.#lock?.sessions.keys() ?? [])].filter((voter) => voter !== to));
    this.#lock?.check();
    if (mayPromote(this.#held(), to, rules, performance.now())) return;
    throw new StormlampError(
      ErrorCode.NO_MAJORITY,
      'The locks are not held for long enough to change the primary',
    );
  }

  async #assertApplied({ node, timeoutMs = 0 }: PlanStep): Promise<void> {
    const session = this.#session(node);
    const until = performance.now() + timeoutMs;
    for (;;) {
      const survey = await lookThrough(session, STATEMENT_MS);
      if (!survey.hasUnapplied) return;
      await this.#lock?.ensure();
      if (!this.#passed) this.#options.signal?.throwIfAborted();
      if (performance.now() > until) {
        throw new StormlampError(
          ErrorCode.CHANGE_REFUSED,
          `${session.voter} has received transactions that it has not executed; its relay log is left alone`,
          { node: session.voter },
        );
      }
      await pause(POLL_MS);
    }
  }

  /** Positions were read before anything was locked; now they do not move any more. */
  async #assertComplete({ mayLack }: PlanStep): Promise<void> {
    const others = frozenAmong(this.#plan, this.#lock?.sessions ?? new Map());
    const found = await assertComplete(this.#session(this.#plan.to), others, STATEMENT_MS, mayLack);
    this.#values.set(FROZEN, frozenText(this.#plan, found));
  }

  /** Before the promotion those that could vote: who was left out, or is not held, is not made to. After it those that do. */
  #assertMajority(when: 'could vote' | 'votes'): void {
    const { to, steps } = this.#plan;
    const held = [...(this.#lock?.sessions.keys() ?? [])].filter((node) => !this.#left.has(node));
    const given = when === 'votes' ? this.#votes.all : votersAmong(steps, held);
    assertMajority(to, new Set([to, ...given]).size, this.#options.rules, when);
  }

  async #statement(step: PlanStep): Promise<void> {
    const session = this.#session(step.node);
    if (step.undo !== undefined || step.pointOfNoReturn === true || step.phase === 'repoint')
      this.#touched = true;
    if (step.undo !== undefined) this.#done.push(step);
    const limitMs = step.timeoutMs ?? 0;
    const until = performance.now() + limitMs;
    const wanted = step.until ?? step.expect;
    // A statement that is asked again has its limit for all of it, another one for itself.
    const answerMs = step.until === undefined ? Math.max(STATEMENT_MS, limitMs) : STATEMENT_MS;
    for (;;) {
      const rows = await this.#ask(session, step, answerMs);
      const first = Object.values(rows[0] ?? {});
      if (step.keep !== undefined) this.#values.keep(step.keep, first);
      const got = first
        .slice(0, wanted?.split(' ').length ?? 1)
        .map((value) => String(value ?? ''))
        .join(' ');
      if (wanted === undefined || got === this.#values.fill(wanted)) return;
      if (step.until === undefined || performance.now() > until) {
        throw new StormlampError(
          ErrorCode.CHANGE_REFUSED,
          `${step.node}: '${step.why}' did not come true: ${step.sql} gave '${got}', not '${this.#values.fill(wanted)}'`,
          { node: step.node ?? undefined },
        );
      }
      if (!this.#passed) this.#options.signal?.throwIfAborted();
    }
  }

  /** There is a way back from a statement that the server has refused; from one without an answer there is none. */
  async #ask(session: LockSession, step: PlanStep, timeoutMs: number): Promise<readonly StatusRow[]> {
    const sql = this.#values.fill(step.sql ?? '');
    const wasPassed = this.#passed;
    if (step.pointOfNoReturn === true) this.#passed = true;
    try {
      return await sendStep(session, step, sql, timeoutMs, (said) => this.#said.set(step, said));
    } catch (error) {
      if (session.lost === undefined) {
        this.#passed = wasPassed;
        if (step.optional !== undefined && this.#done.at(-1) === step) this.#done.pop();
      }
      throw error;
    }
  }

  async #repeat({ node }: PlanStep): Promise<void> {
    const step = this.#plan.steps.find((each) => each.node === node && each.id.startsWith('take-writes@'));
    if (step !== undefined) await this.#statement(step);
  }

  #session(node: NodeId | null): LockSession {
    const session = node === null ? undefined : this.#lock?.sessions.get(node);
    if (session !== undefined) return session;
    const why = this.#lock?.missing.find(({ voter }) => voter === node)?.why ?? 'it was not locked';
    throw new StormlampError(ErrorCode.NODE_UNREACHABLE, `${node} is not held any more: ${why}`, {
      node: node ?? undefined,
    });
  }

  /** As soon as a majority votes for the new primary, writers wait for nothing else. */
  async #voteGiven(node: NodeId): Promise<void> {
    const voted = this.#votes.given(node);
    if (voted.length === 0) return;
    this.#options.onMajority();
    await this.#freePromote(voted);
  }

  async #freePromote(voters: readonly NodeId[]): Promise<void> {
    await this.#lock?.free(lockName(this.#plan.cluster, 'promote'), voters);
  }

  /** Leases are long again as soon as a majority has done its part. */
  async #partDone(node: NodeId): Promise<void> {
    const changed = this.#votes.done(node);
    if (changed.length === 0) return;
    this.#options.onMajority();
    await this.#lock?.releaseVoters(changed.filter((each) => !this.#votes.busy.has(each)));
  }

  #undo(): Promise<boolean> {
    return undoSteps(this.#done, {
      session: (node) => this.#session(node),
      fill: (sql) => this.#values.fill(sql),
      onStep: this.#options.onStep,
      timeoutMs: STATEMENT_MS,
    });
  }
}
