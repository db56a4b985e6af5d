/** What every plan is made from, and the steps that several kinds of plans have in common. */
import type { NodeId } from '../../common/node-address.js';
import type { Evidence } from '../detector/evidence.js';
import type { ClosedNote } from '../meta/closed-note.js';
import { META_TABLES } from '../meta/meta-tables.js';
import type { LeaseRules } from '../protocol/client-lease.js';
import { type FenceState, whyNoFence } from '../self-fence/fence-state.js';
import { type HistoryWitness, withInherited } from '../survey/inherited-history.js';
import { isOn, type NodeSurvey } from '../survey/node-survey.js';
import type { ScheduledEvent } from '../survey/scheduled-events.js';
import { beginSql } from './begin-sql.js';
import type { CandidateWishes } from './candidate-choice.js';
import { channelTrouble } from './channel-trouble.js';
import { type Dialect, dialectOf, type ReplicationSource } from './dialect.js';
import { escaped } from './escaped.js';
import type { PlanKind, PlanStep } from './failover-plan.js';
import { STOP_MS } from './freeze-steps.js';
import { FROZEN } from './frozen-replicas.js';
import type { SemiSyncChoice } from './semi-sync-choice.js';
import { oweSteps, semiSyncSteps } from './semi-sync-steps.js';
import { statementsOf } from './statement-steps.js';

/** What a plan is made from. */
export interface PlanContext {
  /** Names the change. */
  readonly opId: string;
  /** The cluster. */
  readonly cluster: string;
  /** Who makes the plan. */
  readonly actor: string;
  /** The largest epoch that was seen. */
  readonly epoch: number;
  /** The primary of that epoch, as its row says; undefined or absent before the first change. */
  readonly named?: NodeId | undefined;
  /** The primaries that the nodes of that epoch name, which are several after a change by hand; absent: `named` alone. */
  readonly names?: ReadonlySet<NodeId> | undefined;
  /** The nodes that answer, but of which this could not be read, and why; absent: none. */
  readonly unread?: ReadonlyMap<NodeId, string> | undefined;
  /** The nodes that are or were the primary, or were about to be, as far as is remembered; absent: none. */
  readonly primaries?: ReadonlySet<NodeId> | undefined;
  /** The epoch that each node knows. */
  readonly epochs: ReadonlyMap<NodeId, number>;
  /** How the self-fence event stands on each node, where that could be read. */
  readonly fences?: ReadonlyMap<NodeId, FenceState> | undefined;
  /** Why automatic changes are forbidden now; absent when they are not. */
  readonly paused?: string | undefined;
  /** What a failover has noted on each old primary that it has closed. */
  readonly closed?: ReadonlyMap<NodeId, ClosedNote> | undefined;
  /** The nodes that are known to have no place for such a note. */
  readonly noteless?: ReadonlySet<NodeId> | undefined;
  /** The nodes that know that a change has left semi-synchronous replication off, to be switched on again. */
  readonly owesSemiSync?: ReadonlySet<NodeId> | undefined;
  /** The scheduled events that each primary had when this process last looked. */
  readonly ran?: ReadonlyMap<NodeId, readonly ScheduledEvent[]> | undefined;
  /** So long after the last sign of a manager a primary stops taking writes by itself, milliseconds; 0 or absent: never. */
  readonly selfFenceMs?: number | undefined;
  /** The data nodes that could be reached, as they were found. */
  readonly surveys: ReadonlyMap<NodeId, NodeSurvey>;
  /** All data nodes. */
  readonly nodes: readonly NodeId[];
  /** The witnesses. */
  readonly witnesses: readonly NodeId[];
  /** Those of them that do not answer, and why. */
  readonly silentWitnesses?: ReadonlyMap<NodeId, string> | undefined;
  /** The node that each replica's channel points at. */
  readonly sources: ReadonlyMap<NodeId, NodeId>;
  /** Where replicas find each node. */
  readonly sourceAt: (node: NodeId) => ReplicationSource;
  /** What an operator wishes. */
  readonly wishes: CandidateWishes;
  /** The zone that each node stands in, where that is known. */
  readonly zones?: ReadonlyMap<NodeId, string> | undefined;
  /** Nodes that an operator has taken out. */
  readonly isolated: ReadonlySet<NodeId>;
  /** The protocol's numbers. */
  readonly rules: LeaseRules;
  /** Hooks that the user has given, by name. */
  readonly hooks: ReadonlySet<string>;
  /** What was seen of the nodes. */
  readonly evidence: readonly Evidence[];
}

/** Whether a server follows nobody, so that all that it has is what a primary has. */
export function isHead(survey: NodeSurvey | undefined): boolean {
  return survey?.channels.length === 0;
}

/** `context` in which every node of MariaDB has what it has inherited; `primary`: the one that the others follow, see {@link withInherited}. */
export function completed(context: PlanContext, primary: NodeId | HistoryWitness | undefined): PlanContext {
  const surveys = withInherited([...context.surveys.values()], primary);
  return { ...context, surveys: new Map(surveys.map((survey) => [survey.node, survey])) };
}

/** Seconds of one wait on a server: the locks of a process that died are freed only when its statement has ended. */
export const WAIT_SLICE_S = 0.5;

/** How long a node may take to execute what it has received, milliseconds. */
export const DRAIN_MS = 10_000;

/** Those of `nodes` that would not fence themselves as the primary, and why; nobody where that is not wished. */
export function unguarded(
  { selfFenceMs = 0, fences, surveys }: PlanContext,
  nodes: readonly NodeId[],
): ReadonlyMap<NodeId, string> {
  const found = new Map<NodeId, string>();
  for (const node of selfFenceMs === 0 ? [] : nodes) {
    const isShut = isOn(surveys.get(node)?.variables.get('super_read_only'));
    const why = whyNoFence(fences?.get(node), isShut);
    if (why !== undefined) found.set(node, why);
  }
  return found;
}

/** A step about all voters. */
export function lockStep(
  id: PlanStep['id'],
  action: PlanStep['action'],
  phase: string,
  why: string,
): PlanStep {
  return { id, phase, action, node: null, why };
}

/** What everything begins with: the locks, and a look that is younger than they are. */
export function lockSteps(why: string): readonly PlanStep[] {
  return [
    lockStep('lock-change', 'lock-change', 'lock-change', why),
    lockStep('look-again', 'look-again', 'look-again', 'nobody has changed anything since this was planned'),
  ];
}

/** What comes before a node is made the primary: of nodes that are only left behind a majority may be needed. */
export function assertVotesStep(id = 'assert-votes'): PlanStep {
  const why = 'of the nodes that are held, a majority can vote for the new primary';
  return lockStep(id, 'assert-votes', id, why);
}

/** The user's hook, where there is one. */
export function hookSteps(context: PlanContext, name: string, why: string): readonly PlanStep[] {
  if (!context.hooks.has(name)) return [];
  return [{ id: name, phase: `hook-${name}`, action: 'hook', node: null, why }];
}

/** Statements that make `node` the primary. What is done there before can be undone, these cannot. */
export function promoteSteps(
  context: PlanContext,
  node: NodeId,
  dialect: Dialect,
  options: {
    readonly hasSource: boolean;
    readonly semiSync: SemiSyncChoice;
    /** Whether earlier steps have stopped its replication; see {@link stopSteps}. */
    readonly isStopped?: boolean;
    /** What the change is, when nobody could write before that it began. */
    readonly begins?: { readonly kind: PlanKind; readonly from: NodeId };
  },
): readonly PlanStep[] {
  const { hasSource, semiSync, isStopped = false, begins } = options;
  const step = statementsOf('promote', node);
  const steps: PlanStep[] = [
    { ...lockStep('renew', 'renew', 'renew', 'the majority is still held, the candidate first'), node },
  ];
  if (hasSource) {
    steps.push(
      ...(isStopped ? [] : stopSteps(dialect, node, 'promote', false)),
      step('forget-source', dialect.forgetSource, 'from here on it votes for itself', {
        pointOfNoReturn: true,
      }),
    );
  }
  dialect.takeOwnWrites.forEach((sql, index) => {
    steps.push(step(`take-own-writes-${index}`, sql, 'the epoch is written before anybody else can write'));
  });
  // Nobody made them where no process ever changed anything, as in the mode `follow`.
  const tables = (context.epochs.get(node) ?? 0) === 0 ? META_TABLES : [];
  tables.forEach((sql, index) => {
    steps.push(step(`make-tables-${index}`, sql, 'what is written next needs a place'));
  });
  steps.push(
    // Before the first write, which would wait.
    ...(semiSync.on ? [] : semiSyncSteps(context, node, 'promote', false)),
    step('epoch', epochSql(context, node), 'says who is the primary since when', { pointOfNoReturn: true }),
    // After the epoch, by which others know what the node is.
    ...(begins === undefined
      ? []
      : [
          step(
            'begin',
            beginSql(context, begins.kind, begins.from, node, `{${FROZEN}}`),
            'others know what to end, and of the block',
          ),
        ]),
    ...(semiSync.owed ? oweSteps(context, node) : []),
    ...(semiSync.on ? semiSyncSteps(context, node, 'promote', true) : []),
    step('take-writes', dialect.takeWritesInTime, 'it takes writes, unless the locks may be gone meanwhile'),
    step('verify-writes', 'SELECT @@GLOBAL.read_only AS read_only', 'it was done in time', { expect: '0' }),
  );
  return steps;
}

/** Stops replication without throwing away what was received: first the receiver, and the rest when nothing is left. */
export function stopSteps(
  dialect: Dialect,
  node: NodeId,
  phase: string,
  spares: boolean,
): readonly PlanStep[] {
  const common = { phase, node, spares };
  return [
    {
      ...common,
      id: `stop-receiving@${node}`,
      action: 'statement',
      sql: dialect.stopReceiving,
      why: 'what it has does not grow any more, and is kept',
      undo: dialect.startReceiving,
      timeoutMs: STOP_MS,
    },
    {
      ...common,
      id: `assert-applied@${node}`,
      action: 'assert-applied',
      why: 'its relay log is thrown away next',
      timeoutMs: DRAIN_MS,
    },
    {
      ...common,
      id: `stop-replication@${node}`,
      action: 'statement',
      sql: dialect.stopReplication,
      why: 'everything it received is executed',
      undo: dialect.startReplication,
    },
  ];
}

/** Writes the epoch row; the largest wins. */
function epochSql({ cluster, epoch, opId, actor }: PlanContext, node: NodeId): string {
  const values = [
    `'${cluster}'`,
    String(epoch + 1),
    `'${escaped(node)}'`,
    `'${opId}'`,
    `'${escaped(actor)}'`,
  ].join(', ');
  return `REPLACE INTO ha_meta.topology (cluster, epoch, primary_node, op_id, actor, at) VALUES (${values}, SYSDATE(6))`;
}

/** Makes a replica of the old primary follow the new one, once everything that it received is executed; nothing for one that cannot. */
export function repointSteps(context: PlanContext, node: NodeId, to: NodeId): readonly PlanStep[] {
  const survey = context.surveys.get(node);
  if (survey === undefined || channelTrouble(survey) !== undefined) return [];
  const dialect = dialectOf(survey);
  const statements =
    survey.channels.length > 0 ? dialect.repoint(context.sourceAt(to)) : dialect.demote(context.sourceAt(to));
  const step = statementsOf('repoint', node, { spares: true });
  return [
    ...(survey.channels.length > 0 ? stopSteps(dialect, node, 'repoint', true) : []),
    ...semiSyncSteps(context, node, 'repoint', false).map((each) => ({ ...each, spares: true })),
    ...statements.map((sql, index) => step(`follow-${index}`, sql, `it follows, and votes for, ${to}`)),
    step('start-replication', dialect.startReplication, 'it receives from the new primary'),
  ];
}

/** Stops receiving on a replica and waits until it has executed what it received, or what was kept as the final position. */
export function drainSteps(
  context: PlanContext,
  node: NodeId,
  options: { readonly phase: string; readonly spares: boolean; readonly timeoutMs: number },
): readonly PlanStep[] {
  const survey = context.surveys.get(node);
  if (survey === undefined) return [];
  const dialect = dialectOf(survey);
  return [
    {
      id: `drain@${node}`,
      phase: options.phase,
      action: 'statement',
      node,
      sql: dialect.waitFor(WAIT_SLICE_S),
      why: 'it executes everything up to the final position',
      until: '0',
      timeoutMs: options.timeoutMs,
      spares: options.spares,
    },
  ];
}

/** A witness votes for the new primary. */
export function witnessSteps(context: PlanContext, to: NodeId): readonly PlanStep[] {
  return context.witnesses.map((node) => ({
    id: `vote@${node}`,
    phase: 'repoint',
    action: 'statement' as const,
    node,
    sql: `REPLACE INTO ha_meta.vote (cluster, vote, op_id, at) VALUES ('${context.cluster}', '${escaped(to)}', '${context.opId}', SYSDATE(6))`,
    why: `it votes for ${to}`,
    spares: true,
  }));
}
