/** The plan of an unplanned change: the primary is dead or out of reach, and what it will cost is said before. */
import type { NodeId } from '../../common/node-address.js';
import type { FailureKind } from '../failure-kind.js';
import { majorityOf } from '../protocol/majority.js';
import { fencedAfterMs } from '../self-fence/fence-event.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { acknowledges } from '../survey/semi-sync.js';
import {
  differenceOf,
  isWithin,
  NO_TRANSACTIONS,
  readTransactions,
  type TransactionSet,
  unionOf,
} from '../survey/transaction-set.js';
import { chooseCandidate } from './candidate-choice.js';
import { channelTrouble, leftWords } from './channel-trouble.js';
import { closeSteps } from './close-steps.js';
import { dialectOf } from './dialect.js';
import { eventHandover } from './event-handover.js';
import { expectedLoss, type LastSeen, withGivenUp } from './expected-loss.js';
import type { FailoverPlan, PlanStep } from './failover-plan.js';
import { freezeSteps } from './freeze-steps.js';
import { assertNamed, assertRead } from './known-standing.js';
import {
  assertVotesStep,
  completed,
  DRAIN_MS,
  hookSteps,
  isHead,
  lockStep,
  lockSteps,
  type PlanContext,
  promoteSteps,
  repointSteps,
  unguarded,
  witnessSteps,
} from './plan-context.js';
import { newPositionSteps } from './plan-switchover.js';
import { primaryBefore, witnessOf } from './primary-before.js';
import { refused } from './refused.js';
import { chooseSemiSync, isOwed } from './semi-sync-choice.js';
import { mayLackOf, neededOf, unsharedTransactions, unsharedWarnings } from './unshared-transactions.js';
import { followersBelow, follows, keptVote, silentWords, votesAfter, withoutWords } from './votes-after.js';

/** What a failover is planned from besides the nodes. */
export interface FailoverCause {
  /** The lost primary. */
  readonly from: NodeId;
  /** What is wrong with it. */
  readonly reason: FailureKind | null;
  /** What it was last seen to have. */
  readonly lastSeen: LastSeen | undefined;
  /** The node that is taken, if it can be. */
  readonly wanted?: NodeId | undefined;
  /** Whether the caller insists on it. */
  readonly insists?: boolean | undefined;
  /** Whether that node may lack what others have that answer. */
  readonly acceptsLoss?: boolean | undefined;
  /** Whether nobody here has seen `from` as the primary: that is only concluded from the votes. */
  readonly concluded?: boolean | undefined;
  /** Replicas of it that were only found, and are no voters. */
  readonly strangers?: readonly NodeId[] | undefined;
  /** Nodes that did not answer, and why. */
  readonly silent: ReadonlyMap<NodeId, string>;
}

/** How long the new primary may take to execute what it has received, milliseconds. */
const DRAIN_LIMIT_MS = 300_000;

/**
 * Plans to make the best replica the primary.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming every node and why it cannot become the primary.
 */
export function planFailover(given: PlanContext, cause: FailoverCause): FailoverPlan {
  const { from, reason, lastSeen, wanted, silent, insists, acceptsLoss } = cause;
  const context = completed(given, isHead(given.surveys.get(from)) ? from : witnessOf(lastSeen));
  const { surveys, opId, cluster, epoch, wishes, isolated } = context;
  const replicas = [...surveys.values()].filter(
    ({ node }) => node !== from && context.sources.get(node) === from,
  );
  const known = replicas.map(({ reached }) => reached).reduce(unionOf, lastSeenOf(lastSeen));
  const group = [...surveys.values()].filter((survey) => {
    if (survey.node === from) return false;
    return replicas.includes(survey) || isHalfPromoted(context, survey, known);
  });
  if (cause.concluded === true) assertNamed(context, from, group);
  const unshared = unsharedTransactions(group, primaryBefore(context, from, lastSeen));
  const choice = chooseCandidate({
    surveys: group,
    wishes,
    zones: context.zones,
    from,
    isolated,
    wanted,
    insists,
    acceptsLoss,
    unshared,
  });
  const { to, excluded, ways } = choice;
  const candidate = to === undefined ? undefined : surveys.get(to);
  if (to === undefined || candidate === undefined) {
    const said = new Map([...silent].map(([node, why]) => [node, `it cannot be reached (${why})`]));
    for (const { node, why } of excluded) said.set(node, why);
    const reasons = context.nodes
      .filter((node) => node !== from)
      .map((node) => `${node}: ${said.get(node) ?? `it does not replicate from ${from}`}`);
    const subject = wanted === undefined ? 'No node can' : `${wanted} cannot`;
    const remedy = ways.length === 0 ? '' : `. Look at these transactions; then ${ways.join(', and ')}`;
    throw refused(`${subject} become the primary in place of ${from}. ${reasons.join('; ')}${remedy}`);
  }
  assertRead(context, [to]);
  const below = followersBelow(context, group, candidate);
  if (cause.insists !== true) assertVotes(context, candidate, [...group, ...below], from);
  const receiving = group.filter(({ channels }) => channels.length > 0).map(({ node }) => node);
  const rest = group.filter(({ node }) => node !== to);
  const needed = rest.map((survey) => neededOf(survey, unshared)).reduce(unionOf, NO_TRANSACTIONS);
  const givenUp = differenceOf(needed, candidate.reached);
  // The servers themselves do not name it when they are compared.
  const inherited = differenceOf(candidate.reached, given.surveys.get(to)?.reached ?? candidate.reached);
  const others = rest.filter((survey) => channelTrouble(survey) === undefined).map(({ node }) => node);
  const old = surveys.get(from);
  // What the new one is set to as a replica says what the old one was where nobody saw that; else only others make it wait.
  const givers = lastSeen === undefined ? group : rest;
  const isWanted =
    lastSeen?.semiSync === true || givers.some(acknowledges) || isOwed(context, surveys.keys());
  const semiSync = chooseSemiSync(
    context,
    candidate,
    isWanted,
    [...group, ...below].filter((each) => each.node !== to),
  );
  const events = eventHandover(context, to, { from });
  const steps: readonly PlanStep[] = [
    ...hookSteps(context, 'beforeFailover', 'the application may refuse'),
    ...lockSteps('nobody else changes anything; no lease is granted'),
    // Before a primary that answers is closed for it.
    ...(cause.insists === true || old === undefined ? [] : [assertVotesStep('assert-votes-first')]),
    ...closeSteps(context, from, to),
    ...hookSteps(context, 'fence', 'the old primary certainly cannot write'),
    ...hookSteps(context, 'salvage', 'what only the old primary has may be copied from its disk'),
    ...receiving.flatMap((node) => freezeSteps(dialectOf(surveys.get(node) ?? candidate), node, node !== to)),
    lockStep('confirm', 'confirm', 'confirm', 'the primary is still down, in the eyes of its replicas, too'),
    {
      ...lockStep('assert-complete', 'assert-complete', 'assert-complete', 'no other node has more'),
      node: to,
      mayLack: mayLackOf(candidate, unshared, unionOf(givenUp, inherited)),
    },
    lockStep('wait-handover', 'wait-handover', 'wait-handover', 'every lease on the old primary is over'),
    ...(old === undefined ? selfFenceSteps(context) : []),
    {
      ...lockStep('drain', 'assert-applied', 'drain', 'everything it received is executed'),
      id: `drain@${to}`,
      node: to,
      timeoutMs: DRAIN_LIMIT_MS,
    },
    ...others.flatMap((node) => samePlaceSteps(surveys.get(node))),
    ...(cause.insists === true ? [] : [assertVotesStep()]),
    ...newPositionSteps(context, to),
    lockStep('confirm-again', 'confirm', 'confirm-again', 'the primary did not come back meanwhile'),
    ...promoteSteps(context, to, dialectOf(candidate), {
      hasSource: candidate.channels.length > 0,
      semiSync,
      begins: { kind: 'failover', from },
    }),
    ...events.after,
    ...others.flatMap((node) => repointSteps(context, node, to)),
    ...below.flatMap((survey) =>
      follows(context, survey, to) ? [keptVote(survey.node, to)] : repointSteps(context, survey.node, to),
    ),
    ...witnessSteps(context, to),
    lockStep('release', 'release', 'release', 'a majority votes for the new primary; writes flow again'),
    ...hookSteps(context, 'afterPromote', 'service discovery learns of it'),
  ];
  return {
    opId,
    kind: 'failover',
    cluster,
    epoch: epoch + 1,
    from,
    to,
    reason,
    evidence: context.evidence,
    steps,
    loss: withGivenUp(
      expectedLoss(lastSeen, unionOf(candidate.reached, givenUp), {
        compared: group.filter((survey) => isWitness(survey, lastSeen)).length,
        silent: [...silent.keys()].filter((node) => node !== from),
      }),
      lastSeen,
      candidate.reached,
      { flavor: candidate.version.flavor, givenUp },
    ),
    ...(lastSeen?.waits === undefined ? {} : { commitWaits: lastSeen.waits }),
    excluded,
    warnings: [
      ...unsharedWarnings(group, unshared, to),
      ...[...silent]
        .filter(([node]) => node !== from)
        .map(([node, why]) => `${node} cannot be reached (${why}); what it has is not known`),
      ...silentWords(context),
      ...rest.flatMap((survey) => leftWords(survey, from, true)),
      ...(cause.strangers ?? []).map(
        (node) =>
          `${node} replicates from ${from} and is none of the configured nodes: what it has is not looked at, and it is left on ${from}`,
      ),
      ...events.warnings,
      // Dead is worse than unguarded: this is no reason to leave the cluster without a primary.
      ...[...unguarded(context, [to])].map(([node, why]) => `${node}: ${why}`),
      ...semiSync.warnings,
    ],
  };
}

/**
 * That a majority can vote for `to` afterwards. Without one nobody could write there, and a primary that is merely started again
 * could. Where the old primary does not answer, others that do not are no matter of the plan: without the locks of a majority nothing
 * is done at all. One that answers is locked, and votes for nobody.
 */
function assertVotes(
  context: PlanContext,
  to: NodeSurvey,
  pointed: readonly NodeSurvey[],
  from: NodeId,
): void {
  const after = votesAfter(context, to, new Set(pointed.map(({ node }) => node)), from);
  const { voters } = context.rules;
  if (after.votes >= majorityOf(voters)) return;
  if (after.without.size === 0 && !context.surveys.has(from)) return;
  const what =
    after.without.size === 0
      ? `${from} answers and is not counted, and the others do not answer; start one of them`
      : `What cannot follow is ${withoutWords(after)}; mend that`;
  throw refused(
    `Only ${after.votes} of ${voters} voters could vote for ${to.node}, so that nobody could write there. ${what}, ` +
      `or call failover({ to: '${to.node}' }) if it shall be the primary all the same: nobody can write before a majority votes for it`,
  );
}

/**
 * Whether a node without a source is what an unfinished change has left: its epoch is the newest, or it has nothing that the
 * others and the dead primary do not have. A former primary with transactions of its own is neither, and is never taken.
 */
function isHalfPromoted(context: PlanContext, survey: NodeSurvey, known: TransactionSet): boolean {
  const { node, readOnly, channels, executed, numbering } = survey;
  if (channels.length > 0) return false;
  const others = [...context.epochs].filter(([other]) => other !== node).map(([, epoch]) => epoch);
  if ((context.epochs.get(node) ?? 0) > Math.max(0, ...others)) return true;
  // Whoever made it take writes wrote its epoch before. Without one, a node that takes writes is what an operator made of it. What
  // counts no transactions cannot be compared.
  return readOnly && numbering !== 'file-position' && isWithin(executed, known);
}

/** Whether a replica still has what it acknowledged while nobody saw the primary: one that was started again may have dropped it. */
function isWitness(survey: NodeSurvey, seen: LastSeen | undefined): boolean {
  return acknowledges(survey) && survey.uptimeS * 1_000 >= (seen?.agoMs ?? 0);
}

function lastSeenOf(seen: LastSeen | undefined): TransactionSet {
  return seen === undefined
    ? NO_TRANSACTIONS
    : (readTransactions(seen.flavor, seen.gtids) ?? NO_TRANSACTIONS);
}

/** Without GTIDs a replica that stands anywhere else than the candidate is left behind: it has to be made anew. */
function samePlaceSteps(survey: NodeSurvey | undefined): readonly PlanStep[] {
  if (survey?.numbering !== 'file-position' || survey.channels.length === 0) return [];
  const { node } = survey;
  return [
    {
      id: `assert-same@${node}`,
      phase: 'same-place',
      action: 'assert-same',
      node,
      why: 'where the new primary begins to write is where it begins to read',
      timeoutMs: DRAIN_MS,
      spares: true,
    },
  ];
}

/** Writers that obey no lease are stopped by the event on the old primary, unless the user's hook proves that they are. */
function selfFenceSteps({ selfFenceMs = 0, rules, hooks }: PlanContext): readonly PlanStep[] {
  if (selfFenceMs === 0 || hooks.has('fence')) return [];
  const why = 'the old primary, which is out of reach, has stopped taking writes by itself';
  const timeoutMs = fencedAfterMs(rules.leaseMs, selfFenceMs);
  return [{ ...lockStep('wait-fence', 'wait-fence', 'wait-fence', why), timeoutMs }];
}
