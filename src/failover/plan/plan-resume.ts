/** Finishes or undoes a change that nobody goes on with, while nobody can write. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from '../protocol/majority.js';
import { DROP_FENCE } from '../self-fence/fence-event.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { acknowledges, isSemiSync } from '../survey/semi-sync.js';
import { differenceOf } from '../survey/transaction-set.js';
import { chooseCandidate } from './candidate-choice.js';
import { channelTrouble } from './channel-trouble.js';
import { isReplaced, promotedPrimary } from './closed-primary.js';
import { dialectOf } from './dialect.js';
import { eventHandover } from './event-handover.js';
import { type LastSeen, resumeLoss } from './expected-loss.js';
import type { FailoverPlan, PlanStep } from './failover-plan.js';
import { freezeSteps } from './freeze-steps.js';
import {
  assertVotesStep,
  completed,
  DRAIN_MS,
  isHead,
  lockStep,
  lockSteps,
  type PlanContext,
  promoteSteps,
  repointSteps,
  witnessSteps,
} from './plan-context.js';
import { obstacleOf, refuseStep } from './plan-repair.js';
import { primaryBefore } from './primary-before.js';
import { refused } from './refused.js';
import { chooseSemiSync, isOwed } from './semi-sync-choice.js';
import { statementsOf } from './statement-steps.js';
import { mayLackOf, unsharedTransactions, unsharedWarnings } from './unshared-transactions.js';
import { silentWords, type VotesAfter, votesAfter, withoutWords } from './votes-after.js';

/** A change that was begun and not ended. */
export interface Unfinished {
  /** Names it. */
  readonly opId: string;
  /** What it was; absent where nobody has begun anything. */
  readonly kind?: string | undefined;
  /** The primary before. */
  readonly from: NodeId;
  /** The primary after. */
  readonly to: NodeId;
  /** Whether the point of no return was passed: the primary before may have what nobody shall have. */
  readonly isPassed?: boolean | undefined;
  /** Why no other node than the primary before may be taken, where that is so. */
  readonly onlyBack?: string | undefined;
}

/**
 * Finishes or undoes what another process has left, when no majority has a primary: the node that has everything becomes it,
 * rather the old one than the new one. But the one that the newest epoch names and that takes writes stays it, where a majority can
 * vote for it. Any other node that takes writes is closed before, and compared. `seen`: what the present primary was last seen to have.
 * `mayJoin`: whether a node that follows nobody may be made to; it is where it takes writes, or where its vote is needed.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` when no node has everything, or when no majority could vote for the one that has.
 */
export function planResume(
  given: PlanContext,
  unfinished: Unfinished,
  seen?: LastSeen | undefined,
  mayJoin: (node: NodeId) => boolean = () => true,
): FailoverPlan {
  const { from, to: meant } = unfinished;
  const head = given.named ?? from;
  const context = completed(given, isHead(given.surveys.get(head)) ? head : undefined);
  const plan = (prefer: readonly NodeId[]): FailoverPlan =>
    planWay(context, unfinished, seen, { prefer, mayJoin, given: given.surveys });
  const made = promotedPrimary(context);
  if (made === undefined || made === from) return plan([from, meant]);
  try {
    return plan([made, from, meant]);
  } catch (error) {
    // Voters that cannot follow it may follow the old one still.
    try {
      return plan([from, meant]);
    } catch {
      throw error;
    }
  }
}

/** The plan that takes the first one of `prefer` that has everything, and makes those follow that `mayJoin` tells of. */
function planWay(
  context: PlanContext,
  unfinished: Unfinished,
  seen: LastSeen | undefined,
  {
    prefer,
    mayJoin,
    given,
  }: {
    readonly prefer: readonly NodeId[];
    readonly mayJoin: (node: NodeId) => boolean;
    readonly given: PlanContext['surveys'];
  },
): FailoverPlan {
  const { from, to: meant, isPassed = false } = unfinished;
  const made = promotedPrimary(context);
  // A former primary that an earlier change has left behind may have transactions that nobody shall have.
  const known = [...context.surveys.values()].filter(
    ({ node, channels }) => channels.length > 0 || node === meant || (node === from && !isPassed),
  );
  const byPlace = known.some(({ numbering }) => numbering === 'file-position');
  const surveys = byPlace ? wayBack(context, known, unfinished) : known;
  const wishes = { prefer, avoid: [], never: context.wishes.never };
  const fit = byPlace ? surveys.filter(({ node }) => node === from) : surveys;
  const before = primaryBefore(context, context.named ?? from, seen, from);
  const unshared = unsharedTransactions(surveys, before);
  const { to, excluded } = chooseCandidate({
    surveys: fit.map((survey) =>
      survey.node === from || survey.node === made ? openedOnly(survey) : survey,
    ),
    wishes,
    zones: context.zones,
    from,
    isolated: context.isolated,
    unshared,
  });
  const candidate = to === undefined ? undefined : context.surveys.get(to);
  if (to === undefined || candidate === undefined) {
    const reasons = excluded.map(({ node, why }) => `${node}: ${why}`).join('; ');
    throw refused(
      `A change from ${from} to ${meant} was left unfinished, and no node has everything. ${reasons}`,
    );
  }
  const inherited = differenceOf(candidate.reached, given.get(to)?.reached ?? candidate.reached);
  // Who has no source votes for nobody, and may follow when it has nothing of its own.
  const following = surveys.filter(({ node }) => node !== to);
  const lacksVotes = votesOf(context, candidate, following).votes < majorityOf(context.rules.voters);
  const joining = [...context.surveys.values()].filter(
    (survey) =>
      !byPlace &&
      !surveys.includes(survey) &&
      (lacksVotes || !survey.readOnly) &&
      mayJoin(survey.node) &&
      canJoin(context, survey, candidate),
  );
  const others = [...following, ...joining];
  assertVotes(context, unfinished, candidate, others);
  assertNoSecond(context, candidate, others);
  // The dead primary of a failover cannot be asked.
  const isFailover = unfinished.kind !== undefined && unfinished.kind !== 'switchover';
  const isWanted =
    surveys.some(isSemiSync) ||
    (isFailover && acknowledges(candidate)) ||
    isOwed(context, context.surveys.keys());
  const semiSync =
    to === from
      ? // As it was there.
        { on: surveys.some(isSemiSync), owed: false, warnings: [] }
      : chooseSemiSync(context, candidate, isWanted, others);
  const events = eventHandover(context, to, { from, unfinished: unfinished.kind !== undefined });
  const steps: readonly PlanStep[] = [
    ...lockSteps('nobody else changes anything; no lease is granted'),
    // Who was taken for dead may have ended his change meanwhile, and its primary may have acknowledged writes.
    ...[...surveys, ...joining]
      .filter(({ readOnly }) => readOnly)
      .map(
        ({ node }): PlanStep => ({
          id: `assert-closed@${node}`,
          phase: 'still-closed',
          action: 'assert-closed',
          node,
          why: 'nobody has made it take writes since the plan was made',
        }),
      ),
    ...others.filter((survey) => !survey.readOnly && !joining.includes(survey)).map(closeStep),
    ...others
      .filter(({ channels }) => channels.length > 0)
      .flatMap((survey) => freezeSteps(dialectOf(survey), survey.node, true)),
    ...joining
      .filter(({ readOnly }) => !readOnly)
      .map((survey) => ({ ...refuseStep(survey.node, dialectOf(survey).refuseWrites), phase: 'freeze' })),
    ...(byPlace
      ? []
      : [
          {
            ...lockStep('assert-complete', 'assert-complete', 'assert-complete', 'no other node has more'),
            node: to,
            mayLack: mayLackOf(candidate, unshared, inherited),
          },
        ]),
    lockStep('wait-handover', 'wait-handover', 'wait-handover', 'every lease is over'),
    {
      ...lockStep('drain', 'assert-applied', 'drain', 'everything it received is executed'),
      id: `drain@${to}`,
      node: to,
      timeoutMs: 60_000,
    },
    ...others
      .filter(
        (survey) =>
          survey.channels.length > 0 &&
          context.sources.get(survey.node) !== to &&
          channelTrouble(survey) === undefined,
      )
      .map(
        ({ node }): PlanStep => ({
          id: `drain@${node}`,
          phase: 'drain',
          action: 'assert-applied',
          node,
          why: 'it can be made to follow, and vote, then',
          timeoutMs: DRAIN_MS,
          spares: true,
        }),
      ),
    assertVotesStep(),
    ...promoteSteps(context, to, dialectOf(candidate), {
      hasSource: candidate.channels.length > 0,
      semiSync,
      begins: { kind: 'resume', from },
    }),
    ...unwantedFenceSteps(context, to),
    ...events.after,
    ...others.flatMap((survey) =>
      context.sources.get(survey.node) === to
        ? [
            statementsOf('repoint', survey.node, { spares: true })(
              'start-receiving',
              dialectOf(survey).startReceiving,
              'it follows the primary already',
            ),
          ]
        : repointSteps(context, survey.node, to),
    ),
    ...witnessSteps(context, to),
    lockStep('release', 'release', 'release', 'a majority votes for the primary; writes flow again'),
  ];
  return {
    opId: context.opId,
    kind: 'resume',
    ...(unfinished.kind === undefined ? {} : { continues: unfinished.opId }),
    cluster: context.cluster,
    epoch: context.epoch + 1,
    from,
    to,
    reason: null,
    evidence: context.evidence,
    steps,
    loss: resumeLoss(seen, candidate.reached),
    excluded,
    warnings: [
      ...unsharedWarnings(surveys, unshared, to),
      ...silentWords(context),
      ...semiSync.warnings,
      ...events.warnings,
    ],
  };
}

/**
 * That a majority votes for `to` then: else nobody could write there, and the same would be done again and again.
 */
function assertVotes(
  context: PlanContext,
  { from, to: meant }: Unfinished,
  to: NodeSurvey,
  pointed: readonly NodeSurvey[],
): void {
  const after = votesOf(context, to, pointed);
  const { voters } = context.rules;
  if (after.without.size === 0 || after.votes >= majorityOf(voters)) return;
  const what =
    from === meant ? `${to.node} is the primary` : `A change from ${from} to ${meant} was left unfinished`;
  throw refused(
    `${what}, and only ${after.votes} of ${voters} voters could vote for ${to.node}, so that nobody can write there. ` +
      `What cannot follow is ${withoutWords(after)}; mend that, or start a voter that does not answer`,
  );
}

function votesOf(context: PlanContext, to: NodeSurvey, pointed: readonly NodeSurvey[]): VotesAfter {
  return votesAfter(context, to, new Set(pointed.map(({ node }) => node)));
}

/** That no node which is not closed before takes writes when `to`, which takes none yet, does. */
function assertNoSecond(
  { surveys }: PlanContext,
  { node: to, readOnly }: NodeSurvey,
  others: readonly NodeSurvey[],
): void {
  const second = [...surveys.values()].find(
    (survey) =>
      survey.node !== to && !survey.readOnly && survey.channels.length === 0 && !others.includes(survey),
  );
  if (!readOnly || second === undefined) return;
  throw refused(
    `${second.node} takes writes, and ${to} would take them beside it; close ${second.node} first`,
  );
}

/** Makes a node that takes writes and shall not be the primary refuse them; of one that follows another one nothing depends on it. */
function closeStep(survey: NodeSurvey): PlanStep {
  const { refuseWrites, takeWrites } = dialectOf(survey);
  return {
    ...refuseStep(survey.node, refuseWrites),
    phase: 'freeze',
    undo: takeWrites.join('; '),
    ...(survey.channels.length > 0 ? { optional: true } : {}),
  };
}

/** Whether a node without a source can be made to follow `to`: it takes no writes, or none that counts, and has nothing of its own. */
function canJoin(context: PlanContext, survey: NodeSurvey, to: NodeSurvey): boolean {
  const { channels, readOnly } = survey;
  if (channels.length > 0 || survey.node === to.node || !(readOnly || isReplaced(context, survey)))
    return false;
  return obstacleOf(survey, to) === undefined;
}

/**
 * Without GTIDs nobody can compare what a primary has with what its replicas have read, nor tell where in another log a replica
 * would go on: there is only the way back to the primary before, which everybody still follows. That one, and those.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` where that way is closed.
 */
function wayBack(
  context: PlanContext,
  surveys: readonly NodeSurvey[],
  { from, to, isPassed: wasPassed = false }: Unfinished,
): readonly NodeSurvey[] {
  const { sources } = context;
  const isPassed = wasPassed || (promotedPrimary(context) ?? from) !== from;
  const back = surveys.find(
    ({ node, channels, readOnly }) => node === from && channels.length === 0 && readOnly,
  );
  if (isPassed || back === undefined)
    throw refused(
      `A change from ${from} to ${to} was left unfinished. Without GTIDs it can only be undone, and ` +
        (isPassed || from === to
          ? `${to} was made the primary already: make the others anew from it (rebuild), then they vote for it`
          : `${from} does not answer, or is no closed primary; start it, or call failover({ force: true })`),
    );
  return surveys.filter(({ node }) => node === from || sources.get(node) === from);
}

/** To open a primary that has no source takes less than to make one. */
function openedOnly(survey: NodeSurvey): NodeSurvey {
  return survey.channels.length === 0 ? { ...survey, lacking: [] } : survey;
}

/** Takes the self-fence event away where nobody wishes it any more: nobody guards the primary, and it would close it again. */
function unwantedFenceSteps({ selfFenceMs = 0, fences }: PlanContext, node: NodeId): readonly PlanStep[] {
  if (selfFenceMs !== 0 || fences?.get(node)?.exists !== true) return [];
  const step = statementsOf('promote', node, { spares: true });
  return [
    step('unlogged', 'SET SESSION sql_log_bin=0', 'every node has an event of its own'),
    step('drop-self-fence', DROP_FENCE, 'nobody guards the primary any more'),
  ];
}
