/** What has to be put right when no change is under way: former primaries that came back, and replicas that were left behind. One
 * thing at a time, so that writes go on meanwhile. */
import type { NodeId } from '../../common/node-address.js';
import type { StormlampError } from '../../common/stormlamp-error.js';
import { channelError } from '../../topology/apply-error.js';
import { withInherited } from '../survey/inherited-history.js';
import { type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { isWithin, missingOf, readTransactions } from '../survey/transaction-set.js';
import { channelTrouble } from './channel-trouble.js';
import { dialectOf } from './dialect.js';
import { eventLeave } from './event-handover.js';
import { type FailoverPlan, NO_LOSS, type PlanStep } from './failover-plan.js';
import {
  completed,
  lockStep,
  lockSteps,
  type PlanContext,
  repointSteps,
  witnessSteps,
} from './plan-context.js';
import { receiverTrouble } from './receiver-trouble.js';
import { refused } from './refused.js';
import { statementsOf } from './statement-steps.js';

/** What is to be done about one node. */
export type Repair =
  /** Nothing. */
  | { readonly kind: 'none' }
  /** A plan puts it right. */
  | { readonly kind: 'plan'; readonly plan: FailoverPlan }
  /** It has transactions that the primary lacks: an operator has to decide. */
  | { readonly kind: 'diverged'; readonly gtids: string; readonly transactions: number }
  /** The primary does not have the logs that it would need; `says`: what the server says of it, '' when nothing. */
  | { readonly kind: 'purged'; readonly says: string };

/** Why a node's data cannot go on from where it is; undefined when it can. Needs the primary surveyed after the node. */
export function obstacleOf(
  ofNode: NodeSurvey,
  ofPrimary: NodeSurvey,
): Exclude<Repair, { kind: 'none' | 'plan' }> | undefined {
  const [node = ofNode, primary = ofPrimary] = withInherited([ofNode, ofPrimary], ofPrimary.node);
  const { flavor } = node.version;
  // As far as transactions are numbered all the same: those that only this node has are saved before its data is made anew.
  if (!isWithin(node.executed, primary.executed)) {
    const { count, text } = missingOf(flavor, node.executed, primary.executed);
    return { kind: 'diverged', gtids: text, transactions: count };
  }
  // Without GTIDs nobody can tell where in another server's log it would go on: its data has to be made anew.
  if (node.numbering === 'file-position') return { kind: 'purged', says: '' };
  if (flavor !== 'mysql') return undefined;
  const purged = readTransactions(flavor, (variableOf(primary, 'gtid_purged') ?? '').replace(/\s/g, ''));
  return purged !== undefined && !isWithin(purged, node.executed) ? { kind: 'purged', says: '' } : undefined;
}

/** What is to be done about `node`, while `primary` is the primary. */
export function planRejoin(given: PlanContext, node: NodeId, primary: NodeId): Repair {
  const context = completed(given, primary);
  const survey = context.surveys.get(node);
  const source = context.surveys.get(primary);
  if (survey === undefined || source === undefined || node === primary || survey.channels.length > 1) {
    return { kind: 'none' };
  }
  const [channel] = survey.channels;
  const dialect = dialectOf(survey);
  const step = statementsOf('rejoin', node);
  const lock = lockSteps('nobody else changes this node');
  const release = lockStep('release', 'release', 'release', 'it votes again');
  const refuse = survey.readOnly ? [] : [refuseStep(node, dialect.refuseWrites)];
  if (channel !== undefined && context.sources.get(node) === primary) {
    const trouble = receiverTrouble(channel.reception?.errno ?? 0);
    if (channel.io === 'no' && trouble === 'logs-gone') {
      const obstacle = obstacleOf(survey, source);
      return obstacle?.kind === 'diverged' ? obstacle : { kind: 'purged', says: channelError(channel) };
    }
    // A receiver that was stopped keeps the error of its last attempt: that of a source that is dead since is no reason.
    const failed = trouble !== 'none' || String(survey.status?.['Last_SQL_Error'] ?? '') !== '';
    const stopped =
      !failed &&
      // While it receives, what it has received is kept when the other thread is started.
      (channel.io === 'no' ? channel.sql || !survey.hasUnapplied : channel.io === 'yes' && !channel.sql);
    if (!stopped && survey.readOnly) return { kind: 'none' };
    const start = channel.sql ? dialect.startReceiving : dialect.startReplication;
    const restart = stopped
      ? [step('start-receiving', start, 'a change that was given up has stopped it')]
      : [];
    return planned(context, node, primary, [...lock, ...refuse, ...restart, release]);
  }
  if (channelTrouble(survey) !== undefined) return { kind: 'none' };
  const obstacle = obstacleOf(survey, source);
  if (obstacle !== undefined) return obstacle;
  const events = eventLeave(context, node, primary);
  const steps = [
    ...lock,
    // Before it refuses the writes of everybody, and long before it replicates: what they write now is on no other node.
    ...events.steps,
    ...refuse,
    lockStep('wait-handover', 'wait-handover', 'wait-handover', 'no lease counts on its vote any more'),
    ...repointSteps(context, node, primary).map((each) => ({ ...each, phase: 'rejoin', spares: false })),
    release,
  ];
  return {
    kind: 'plan',
    plan: { ...rejoinOf(context, node, primary, steps), warnings: events.warnings },
  };
}

/**
 * Lets a replica receive again that a change has stopped and left, when there is no primary: until it tries to, it cannot say whether
 * its source is dead, and without that nobody fails over. undefined when no replica stands like that.
 */
export function planThaw(context: PlanContext): FailoverPlan | undefined {
  // The same one first, in whatever order they answered.
  for (const survey of [...context.surveys.values()].sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const { node, channels, status } = survey;
    const [channel, second] = channels;
    const source = context.sources.get(node);
    if (channel === undefined || second !== undefined || source === undefined) continue;
    const failed =
      receiverTrouble(channel.reception?.errno ?? 0) !== 'none' ||
      String(status?.['Last_SQL_Error'] ?? '') !== '';
    // What was received and not executed survives only while the other thread runs.
    if (channel.io !== 'no' || !channel.sql || failed) continue;
    return rejoinOf(context, node, source, [
      ...lockSteps('nobody is at work on this node'),
      {
        id: `start-receiving@${node}`,
        phase: 'rejoin',
        action: 'statement',
        node,
        sql: dialectOf(survey).startReceiving,
        why: 'a change that was given up has stopped it',
      },
      lockStep('release', 'release', 'release', 'it votes again'),
    ]);
  }
  return undefined;
}

/** Makes `node`, whose data cannot go on, refuse writes. */
export function planClose(context: PlanContext, node: NodeId, primary: NodeId): FailoverPlan {
  const survey = context.surveys.get(node);
  const refuse: readonly PlanStep[] =
    survey === undefined || survey.readOnly ? [] : [refuseStep(node, dialectOf(survey).refuseWrites)];
  return rejoinOf(context, node, primary, [
    ...lockSteps('nobody else changes this node'),
    ...refuse,
    lockStep('release', 'release', 'release', 'it is left as it is'),
  ]);
}

/** Why `node`, as it was found, is not made a replica, for whoever asked for it. */
export function refusalOfRejoin(
  node: NodeId,
  repair: Exclude<Repair, { kind: 'plan' }>,
  survey: NodeSurvey | undefined,
): StormlampError {
  const trouble = survey === undefined ? undefined : channelTrouble(survey);
  if (repair.kind === 'none' && trouble !== undefined)
    return refused(`${node} cannot be made a replica as it is: ${trouble}`);
  if (repair.kind === 'none')
    return refused(`${node} needs nothing: it is the primary, follows it, or cannot be reached`);
  const why =
    repair.kind === 'diverged'
      ? `it has ${repair.transactions} transactions that the primary lacks (${repair.gtids})`
      : 'the primary no longer has the logs that it needs';
  return refused(
    `${node} cannot be made a replica as it is: ${why}. Save what is worth it, then call rebuild('${node}')`,
  );
}

/** Makes a witness vote for `primary`: it could not be reached when the primary was changed. */
export function planVote(context: PlanContext, witness: NodeId, primary: NodeId): FailoverPlan {
  const votes = witnessSteps({ ...context, witnesses: [witness] }, primary);
  const steps = [
    ...lockSteps('nobody else changes its vote'),
    lockStep('wait-handover', 'wait-handover', 'wait-handover', 'no lease counts on its vote any more'),
    ...votes.map((each) => ({ ...each, phase: 'rejoin', spares: false })),
    lockStep('release', 'release', 'release', 'it votes again'),
  ];
  return rejoinOf(context, witness, primary, steps);
}

/** Makes `node` refuse writes. */
export function refuseStep(node: NodeId, sql: string): PlanStep {
  const id = `refuse-writes@${node}`;
  return { id, phase: 'rejoin', action: 'statement', node, sql, why: 'it is not the primary' };
}

function planned(context: PlanContext, node: NodeId, primary: NodeId, steps: readonly PlanStep[]): Repair {
  return { kind: 'plan', plan: rejoinOf(context, node, primary, steps) };
}

/** A change that concerns one node only. */
export function rejoinOf(
  { opId, cluster, epoch, evidence }: PlanContext,
  node: NodeId,
  primary: NodeId,
  steps: readonly PlanStep[],
): FailoverPlan {
  return {
    opId,
    kind: 'rejoin',
    cluster,
    epoch,
    from: primary,
    to: node,
    reason: null,
    evidence,
    steps,
    loss: NO_LOSS,
    excluded: [],
    warnings: [],
  };
}
