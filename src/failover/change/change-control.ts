/** Plans and makes changes of the primary in this process, one at a time, and tells everybody what happened. */
import { randomUUID } from 'node:crypto';
import { pause } from '../../common/backoff.js';
import type { Clock } from '../../common/clock.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { Evidence } from '../detector/evidence.js';
import type { FailoverEvents } from '../failover-events.js';
import type { FailoverHooks } from '../failover-hooks.js';
import type { JournalKind } from '../failover-journal.js';
import type { HookPolicy } from '../failover-options.js';
import type { SentStatement } from '../locks/statement-log.js';
import { type MetaStore, PROMOTED } from '../meta/meta-store.js';
import type { NodeStanding } from '../meta/node-standing.js';
import { standingsOf } from '../meta/node-standings.js';
import { notedTls } from '../meta/noted-tls.js';
import type { ToldRights } from '../meta/told-rights.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import { FROZEN } from '../plan/frozen-replicas.js';
import type { PlanContext } from '../plan/plan-context.js';
import { type ReplicationTls, tlsAmong, tlsOffered } from '../plan/replication-tls.js';
import type { LeaseRules } from '../protocol/client-lease.js';
import { waitTimeoutOf } from '../protocol/wait-timeout.js';
import type { ScheduledEvent } from '../survey/scheduled-events.js';
import { silentWitnesses } from '../survey/silent-witnesses.js';
import { type ClusterSurvey, lookAt, surveyCluster } from '../survey/survey-cluster.js';
import { lockTargetOf, sourceFinder, type Voter } from '../voters.js';
import { assertUnchanged } from './assert-unchanged.js';
import { ChangeHooks } from './change-hooks.js';
import { unheardPause, whyPaused } from './change-rights.js';
import { summaryOf } from './change-summary.js';
import { rejoinWords } from './done-words.js';
import type { ExecutionOutcome, ExecutorOptions } from './executor-options.js';
import { LastWord } from './last-word.js';
import { withLockNamed } from './name-lock.js';
import { PlanExecutor } from './plan-executor.js';

/** How a change ended. */
export type ChangeResult =
  | {
      readonly ok: true;
      /** What was done. */
      readonly plan: FailoverPlan;
      /** From the moment when writers were stopped until a majority voted for the new primary, milliseconds. */
      readonly writeGapMs: number;
      /** Nodes that do not follow yet; they are made to. */
      readonly left: readonly NodeId[];
    }
  | {
      readonly ok: false;
      /** What was meant. */
      readonly plan: FailoverPlan;
      /** The step that failed. */
      readonly at: string;
      /** Why. */
      readonly error: Error;
      /** `unchanged`: nothing was done. `undone`: all was taken back. `unfinished`: the elected process repairs it. */
      readonly clusterState: 'unchanged' | 'undone' | 'unfinished';
    };

/** What a control works with. */
export interface ChangeControlParts {
  /** The options. */
  readonly options: ResolvedActingOptions;
  /** The user's hooks. */
  readonly hooks: FailoverHooks;
  /** Their limits. */
  readonly policy: HookPolicy;
  /** All voters. */
  readonly voters: readonly Voter[];
  /** The protocol's numbers. */
  readonly rules: LeaseRules;
  /** The cluster's memory. */
  readonly meta: MetaStore;
  /** Who this process is. */
  readonly actor: string;
  /** Source of time. */
  readonly clock: Clock;
  /** What was seen of the nodes. */
  readonly evidence: () => readonly Evidence[];
  /** Nodes that an operator has taken out. */
  readonly isolated: () => ReadonlySet<NodeId>;
  /** Why the primary is not, or no longer, objectively down; undefined while it is. */
  readonly doubt: () => string | undefined;
  /** The primary by the lease; undefined while there is none. */
  readonly primary: () => NodeId | undefined;
  /** Whether a voter has answered within a lease. */
  readonly hasAnswered: (voter: NodeId) => boolean;
  /** Since when no writer is known, monotonic milliseconds; undefined while one is. */
  readonly writerlessSince: () => number | undefined;
  /** Whether this process does not trust its own eyes now. */
  readonly tilted: () => boolean;
  /** Writes into the journal. */
  readonly record: (kind: JournalKind, opId: string, nodes: readonly NodeId[], message: string) => void;
  /** Tells listeners. */
  readonly publish: <K extends keyof FailoverEvents>(event: K, payload: FailoverEvents[K]) => void;
  /** Told about every statement that is sent on a lock session. */
  readonly onStatement: (statement: SentStatement) => void;
  /** Makes the watcher and the lease look at the servers now. */
  readonly hurry: () => void;
}

/** How a plan is carried out. */
export interface MakeOptions {
  /** Looks again and plans the same again: called under the locks, because what the plan was made from is older than they are. */
  readonly again: () => FailoverPlan | Promise<FailoverPlan>;
  /** Gives the plan up before its point of no return. */
  readonly signal?: AbortSignal | undefined;
  /** Whether it is carried out although the primary is not objectively down. */
  readonly force?: boolean | undefined;
  /** Whether it may still be made, by what the new primary knows once it has executed what it had received; rejects when not. */
  readonly mayStill?: (() => Promise<void>) | undefined;
  /** Told why a step has failed that the plan goes on without. */
  readonly onLeftOut?: ((error: Error) => void) | undefined;
}

/** How long a change waits for this process to trust itself again, milliseconds. */
const TILT_PATIENCE_MS = 10_000;
const CONFIRM_POLL_MS = 50;

/** Makes changes. */
export class ChangeControl {
  readonly #parts: ChangeControlParts;
  readonly #closed = new AbortController();
  #failsOver = false;
  /** How replicas were last seen to encrypt what they receive: the last one of them may have become the primary. */
  #seenTls: ReplicationTls | undefined;
  readonly #lastWord = new LastWord();
  readonly #ran = new Map<NodeId, readonly ScheduledEvent[]>();
  /** The user's hooks. */
  readonly hooks: ChangeHooks;
  #running: Promise<ChangeResult> | undefined;

  /** Makes a control that has nothing to do. */
  constructor(parts: ChangeControlParts) {
    this.#parts = parts;
    this.hooks = new ChangeHooks(parts, this.#closed.signal);
  }

  /** Whether a change is under way in this process. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Whether a failover is under way in this process: what is written on the old primary now is on no other node in the end. */
  get failsOver(): boolean {
    return this.#failsOver;
  }

  /** The data node called `id`. */
  voter(id: NodeId): Voter {
    const voter = this.#parts.voters.find((each) => each.id === id);
    if (voter !== undefined) return voter;
    const known = this.#parts.voters.map((each) => each.id).join(', ');
    throw new StormlampError(ErrorCode.INVALID_OPTION, `No node is called ${id}; known are: ${known}`);
  }

  /**
   * Looks at all data nodes, and at a living primary last: what it lacks then, it never had. Those that are `down` already are not
   * waited for as long as others.
   */
  async survey(primary?: NodeId, down?: ReadonlySet<NodeId>): Promise<ClusterSurvey> {
    const survey = await surveyCluster(this.#parts.voters, sourceFinder(this.#parts.voters), down);
    if (primary === undefined || !survey.nodes.has(primary)) return survey;
    const again = await lookAt(this.voter(primary), 2_000).catch(() => survey.nodes.get(primary));
    if (again === undefined) return survey;
    return { ...survey, nodes: new Map([...survey.nodes, [primary, again]]) };
  }

  /** {@link survey} for a failover from `primary`: one that answers is to be closed, whatever part of it waits. */
  async surveyFrom(primary: NodeId, down: ReadonlySet<NodeId>): Promise<ClusterSurvey> {
    const survey = await this.survey(undefined, down);
    if (!survey.silent.has(primary) || down.has(primary)) return survey;
    const old = await lookAt(this.voter(primary), 1_000, false).catch(() => undefined);
    if (old === undefined) return survey;
    const silent = new Map([...survey.silent].filter(([node]) => node !== primary));
    return { ...survey, nodes: new Map([...survey.nodes, [primary, old]]), silent };
  }

  /** What plans are made from. */
  async context(survey: ClusterSurvey): Promise<PlanContext> {
    const { options, voters, rules, actor, meta, hooks, evidence, isolated } = this.#parts;
    const silence = silentWitnesses(voters, this.#parts.hasAnswered);
    const data = voters.filter(({ kind }) => kind === 'data');
    const answering = data.filter(({ id }) => survey.nodes.has(id));
    const { told, ...standings } = await standingsOf(meta, answering);
    const present = this.#parts.primary() ?? '';
    const word = told.get(present);
    const seen = survey.nodes.get(present);
    if (word !== undefined) this.#lastWord.heard(present, word.rights, this.#parts.clock.now());
    if (seen?.readOnly === false && seen.events !== undefined) this.#ran.set(present, seen.events);
    const { user } = options.replication;
    const primary = answering.find(({ id }) => id === standings.named);
    const tls =
      options.replication.tls ??
      tlsAmong(survey.nodes.values()) ??
      this.#seenTls ??
      (primary === undefined ? undefined : await notedTls(options.cluster, primary));
    this.#seenTls = tls;
    return {
      opId: randomUUID(),
      cluster: options.cluster,
      actor,
      ...standings,
      paused: word === undefined ? this.#whyPaused(told) : whyPaused([word]),
      selfFenceMs: options.selfFenceMs,
      ran: this.#ran,
      surveys: survey.nodes,
      nodes: data.map(({ id }) => id),
      witnesses: voters.filter(({ kind }) => kind === 'witness').map(({ id }) => id),
      silentWitnesses: await silence,
      sources: survey.sources,
      sourceAt: (node) => {
        const { address } = this.voter(node);
        return { ...address, user, tls: tls ?? tlsOffered(survey.nodes.get(node)) };
      },
      wishes: options.wishes,
      zones: options.zones,
      isolated: isolated(),
      rules,
      hooks: new Set(Object.entries(hooks).flatMap(([name, hook]) => (hook === undefined ? [] : [name]))),
      evidence: evidence(),
    };
  }

  /** What the lost primary `from`, null: whichever it was, has said of the right to change anything, and no node in `told` knows of. */
  unheard(from: NodeId | null, told: readonly ToldRights[]): ToldRights | undefined {
    const { clock, writerlessSince } = this.#parts;
    return this.#lastWord.beyond(from, told, { now: clock.now(), goneSince: writerlessSince() });
  }

  /** A pause is written on the primary, and a replica that receives nothing knows of no end; without a primary all count, and its last word. */
  #whyPaused(told: ReadonlyMap<NodeId, NodeStanding>): string | undefined {
    const all = [...told.values()];
    const why = whyPaused(all);
    // Whoever said it, and answers, says now what counts.
    if (why !== undefined || told.has(this.#lastWord.node ?? '')) return why;
    const rights = all.map((each) => each.rights);
    return unheardPause(this.unheard(null, rights));
  }

  /**
   * Carries `plan` out.
   *
   * Rejects with `ERR_CHANGE_REFUSED` when another change is under way in this process, or `ERR_CLOSED`.
   */
  async make(plan: FailoverPlan, options: MakeOptions): Promise<ChangeResult> {
    if (this.#closed.signal.aborted) {
      throw new StormlampError(ErrorCode.CLOSED, 'The failover manager was closed');
    }
    if (this.#running !== undefined) {
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        'Another change is under way in this process; wait for its end',
      );
    }
    this.#failsOver = plan.kind === 'failover';
    this.#running = this.#make(plan, options);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
      this.#failsOver = false;
    }
  }

  /** Gives up what is under way, as far as it can be, and waits for its end. */
  async close(): Promise<void> {
    this.#closed.abort(new StormlampError(ErrorCode.CLOSED, 'The failover manager was closed'));
    await this.#running?.catch(() => undefined);
  }

  async #make(plan: FailoverPlan, made: MakeOptions): Promise<ChangeResult> {
    const { again, signal, onLeftOut } = made;
    const { voters, rules, options, record, publish, onStatement } = this.#parts;
    const nodes = plan.from === null ? [plan.to] : [plan.from, plan.to];
    record('change-planned', plan.opId, nodes, `${plan.kind} from ${plan.from ?? 'nobody'} to ${plan.to}`);
    publish('change-started', { plan });
    const writerlessSince = this.#parts.writerlessSince();
    const now = (): number => this.#parts.clock.now();
    let stoppedAt: number | undefined;
    let flowsAt: number | undefined;
    const onStep: ExecutorOptions['onStep'] = (step, phase, detail, error) => {
      const stops =
        step.action === 'lock-promote' || (plan.kind !== 'switchover' && step.action === 'lock-change');
      if (stops && phase === 'started') stoppedAt = now();
      if (phase === 'failed') record('change-step', plan.opId, nodes, `${step.id} failed: ${detail}`);
      if (phase === 'finished' && detail !== '')
        record('change-step', plan.opId, nodes, `${step.id}: ${detail}`);
      if (step.optional !== undefined && error instanceof Error) onLeftOut?.(error);
      publish('change-step', { opId: plan.opId, step, phase, detail });
    };
    const executor = new PlanExecutor(plan, {
      targets: voters.map(lockTargetOf),
      rules,
      waitTimeoutS: waitTimeoutOf(rules),
      values: { replicationPassword: options.replication.password },
      runHook: (name) => this.hooks.runStep(name, plan, signal),
      lookAgain: async () => assertUnchanged(plan, await again()),
      confirm: (step) => this.#confirm(made, step),
      onStep,
      onMajority: () => {
        flowsAt ??= now();
      },
      onStatement,
      signal: signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]),
    });
    const ended = await executor.run();
    this.#parts.hurry();
    const writeGapMs = stoppedAt === undefined ? 0 : (flowsAt ?? now()) - stoppedAt;
    const beforeMs = Math.max(0, (stoppedAt ?? now()) - (writerlessSince ?? Number.POSITIVE_INFINITY));
    const outcome = await withLockNamed(ended, plan, (node) => this.voter(node).act);
    return await this.#ended(plan, outcome, writeGapMs, beforeMs);
  }

  async #ended(
    plan: FailoverPlan,
    outcome: ExecutionOutcome,
    writeGapMs: number,
    beforeMs: number,
  ): Promise<ChangeResult> {
    const { record, publish, meta } = this.#parts;
    const { opId, from, to } = plan;
    const nodes = from === null ? [to] : [from, to];
    if (outcome.ok && plan.kind === 'rejoin') {
      record('change-done', opId, [to], rejoinWords(plan, this.voter(to).kind === 'witness'));
      publish('change-done', { plan, writeGapMs: 0 });
      return { ok: true, plan, writeGapMs: 0, left: outcome.left };
    }
    if (outcome.ok) {
      record(
        'change-done',
        opId,
        nodes,
        `${to} is the primary, epoch ${plan.epoch}; writes waited ${Math.round(writeGapMs)} ms`,
      );
      const owes = this.hooks.tellsFollowed;
      const begun = { opId, kind: plan.kind, from: from ?? '', to, actor: this.#parts.actor };
      const details = summaryOf(plan, this.#seenTls, outcome.values.get(FROZEN));
      const written = meta
        .begin(this.voter(to), begun)
        // Whoever finds it so calls the hooks: this process may die before it has.
        .then(() => meta.end(this.voter(to), opId, owes ? PROMOTED : 'done', details));
      await written.catch((error: unknown) =>
        record('change-step', opId, [to], `The end could not be written on ${to}: ${describeError(error)}`),
      );
      publish('change-done', { plan, writeGapMs });
      await this.#tellFollowed(plan, writeGapMs + beforeMs);
      return { ok: true, plan, writeGapMs, left: outcome.left };
    }
    const { step, error, clusterState } = outcome;
    const kinds = {
      unchanged: 'change-refused',
      undone: 'change-undone',
      unfinished: 'change-unfinished',
    } as const;
    record(kinds[clusterState], opId, nodes, `${plan.kind} to ${to} ended at ${step}: ${error.message}`);
    if (clusterState !== 'unfinished' && from !== null && plan.kind === 'switchover') {
      await meta.end(this.voter(from), opId, clusterState, error.message).catch(() => undefined);
    }
    publish('change-aborted', { plan, at: step, error, clusterState });
    await this.hooks.tellAborted(plan, step, clusterState !== 'unfinished', error);
    return { ok: false, plan, at: step, error, clusterState };
  }

  /** Calls the hooks, and notes that it was done: before that another process may call them, too. */
  async #tellFollowed(plan: FailoverPlan, outageMs: number): Promise<void> {
    const { opId, continues, cluster, from, to, epoch, reason } = plan;
    const { meta } = this.#parts;
    await this.hooks.tellFollowed({ opId: continues ?? opId, cluster, from, to, epoch, reason, outageMs });
    const voter = this.voter(to);
    const noted = async (): Promise<void> => {
      if (this.hooks.tellsFollowed) await meta.told(voter, opId);
      if (continues !== undefined) await meta.endOther(voter, continues, to === from ? 'undone' : 'done');
    };
    // Else it is found by whoever is elected, who tells it once more.
    await noted().catch(() => undefined);
  }

  async #confirm({ force = false, mayStill }: MakeOptions, step: string): Promise<void> {
    if (!force) await this.#confirmDoubtless();
    if (step === 'confirm-again') await mayStill?.();
  }

  /** A stall of this process is waited out while its locks are renewed: what it sees after that is as good as ever. */
  async #confirmDoubtless(): Promise<void> {
    const until = performance.now() + TILT_PATIENCE_MS;
    while (this.#parts.tilted() && performance.now() < until && !this.#closed.signal.aborted) {
      await pause(CONFIRM_POLL_MS, this.#closed.signal);
    }
    const doubt = this.#parts.doubt();
    if (doubt !== undefined) throw new StormlampError(ErrorCode.CHANGE_REFUSED, doubt);
  }
}
