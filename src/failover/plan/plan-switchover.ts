/** The plan of a planned change of the primary: nothing that was acknowledged is lost, or nothing is changed. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from '../protocol/majority.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { isSemiSync } from '../survey/semi-sync.js';
import { beginSql } from './begin-sql.js';
import { chooseCandidate, lackingWords } from './candidate-choice.js';
import { channelTrouble, leftWords } from './channel-trouble.js';
import { ENDING, endWritersSteps } from './close-steps.js';
import { dialectOf } from './dialect.js';
import { endWaitsSql } from './ending-sql.js';
import { eventHandover } from './event-handover.js';
import { type FailoverPlan, NO_LOSS, type PlanStep } from './failover-plan.js';
import { holdSteps, letSteps } from './hold-steps.js';
import { assertRead } from './known-standing.js';
import {
  assertVotesStep,
  completed,
  DRAIN_MS,
  drainSteps,
  hookSteps,
  lockStep,
  lockSteps,
  type PlanContext,
  promoteSteps,
  repointSteps,
  stopSteps,
  unguarded,
  witnessSteps,
} from './plan-context.js';
import { obstacleOf } from './plan-repair.js';
import { refused } from './refused.js';
import { unseenFiles, unseenWords } from './replication-tls.js';
import { chooseSemiSync, isOwed } from './semi-sync-choice.js';
import { statementsOf } from './statement-steps.js';
import { answeringWitnesses, silentWords, votesAfter, withoutWords } from './votes-after.js';

/**
 * Plans to make another node, or `wanted`, the primary in place of `from`, which is alive.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming every node and why it cannot become the primary.
 */
export function planSwitchover(given: PlanContext, from: NodeId, wanted?: NodeId): FailoverPlan {
  const context = completed(given, from);
  const { surveys, opId, cluster, epoch, wishes, isolated } = context;
  const old = surveys.get(from);
  if (old === undefined)
    throw refused(`The primary ${from} cannot be reached; a planned switchover needs it. Use failover()`);
  if (wanted === from) throw refused(`${from} is the primary already`);
  if (old.lacking.length > 0) throw refused(`${from}: ${lackingWords(old.lacking)}`);
  if (old.logFilters !== undefined && wanted === undefined)
    throw refused(`${unloggedWords(old)}. ${ALL_THE_SAME}`);
  const others = [...surveys.values()].filter(({ node }) => node !== from);
  const replicas = others.filter(({ node }) => context.sources.get(node) === from);
  const choice = chooseCandidate({
    surveys: replicas,
    wishes,
    zones: context.zones,
    from,
    isolated,
    wanted,
    primary: old,
    // The old primary is well: there is time to mend that first.
    unguarded: unguarded(context, context.nodes),
  });
  const { to, excluded } = choice;
  if (to === undefined) throw refused(noCandidate(context, from, choice.excluded, wanted));
  const candidate = surveys.get(to);
  if (candidate === undefined) throw refused(`${to} was not looked at`);
  assertRead(context, [from, to]);
  // The words of the old primary, in the numbers that the candidate counts by.
  const dialect = dialectOf({ version: old.version, numbering: candidate.numbering });
  const rest = others
    .filter((survey) => survey.node !== to && channelTrouble(survey) === undefined)
    .map(({ node }) => node);
  assertVotes(context, old, candidate);
  // Else the votes of the two suffice, whenever the rest has caught up.
  const needed = 2 + answeringWitnesses(context) < majorityOf(context.rules.voters) ? rest : [];
  const events = eventHandover(context, to, { from, ceases: true });
  const unseen = unseenFiles(old, context.sourceAt(to).tls);
  const at = (
    id: string,
    phase: string,
    sql: string,
    why: string,
    more: Partial<PlanStep> = {},
  ): PlanStep => ({
    id: `${id}@${from}`,
    phase,
    action: 'statement',
    node: from,
    sql,
    why,
    ...more,
  });
  const semiSync = chooseSemiSync(
    context,
    candidate,
    isSemiSync(old) || isOwed(context, [from]),
    [...surveys.values()].filter(({ node }) => node !== to),
    true,
  );
  const begin = at(
    'begin',
    'begin',
    beginSql(context, 'switchover', from, to),
    'another process can finish or undo it',
  );
  const steps: readonly PlanStep[] = [
    ...hookSteps(context, 'beforeSwitchover', 'the application may refuse'),
    ...lockSteps('nobody else changes anything; leases are short from now on'),
    begin,
    at('position', 'catch-up', dialect.position.sql, 'what the candidate must have before writes are held', {
      keep: dialect.position.keep,
    }),
    ...drainSteps(context, to, { phase: 'catch-up-candidate', spares: false, timeoutMs: DRAIN_MS }),
    ...needed.flatMap((node) =>
      drainSteps(context, node, { phase: 'catch-up-candidate', spares: true, timeoutMs: DRAIN_MS }),
    ),
    assertVotesStep(),
    lockStep(
      'wait-leases',
      'wait-leases',
      'wait-leases',
      'every long lease is over then; writes still go on',
    ),
    ...events.before,
    lockStep(
      'lock-promote',
      'lock-promote',
      'lock-promote',
      'processes hold new writes and finish what is under way',
    ),
    lockStep(
      'wait-writers',
      'wait-writers',
      'wait-writers',
      'what is under way ends; what does not is refused next',
    ),
    at(
      'refuse-writes',
      'freeze',
      dialect.refuseWrites,
      `nothing is committed after this, by nobody; ${ENDING}`,
      { undo: dialect.takeWrites.join('; '), inTheWay: dialect.waiters, endsWaits: endWaitsSql(old) },
    ),
    ...endWritersSteps(dialect, from, 'freeze'),
    ...holdSteps(dialect, from),
    at('final-position', 'final-position', dialect.position.sql, 'everything that was ever acknowledged', {
      keep: dialect.position.keep,
    }),
    ...drainSteps(context, to, { phase: 'drain', spares: false, timeoutMs: DRAIN_MS }),
    at(
      'same-position',
      'verify',
      dialect.position.sql,
      'no administrator has written past read_only meanwhile',
      {
        expect: dialect.position.keep
          .split(' ')
          .map((name) => `{${name}}`)
          .join(' '),
      },
    ),
    ...newPositionSteps(context, to),
    // While leases still end: what is done then is no part of the gap.
    ...stopSteps(dialectOf(candidate), to, 'stop-candidate', false),
    ...emptySteps(candidate),
    lockStep(
      'wait-handover',
      'wait-handover',
      'wait-handover',
      'no lease lives any more: votes may be changed',
    ),
    assertVotesStep('assert-votes-again'),
    ...promoteSteps(context, to, dialectOf(candidate), {
      hasSource: true,
      semiSync,
      isStopped: true,
    }),
    ...events.after,
    ...letSteps(dialect, from),
    ...repointSteps(context, from, to),
    ...rest.flatMap((node) => [
      ...drainSteps(context, node, { phase: 'repoint', spares: true, timeoutMs: DRAIN_MS }),
      ...repointSteps(context, node, to),
    ]),
    ...witnessSteps(context, to),
    lockStep('release', 'release', 'release', 'a majority votes for the new primary; writes flow again'),
    ...hookSteps(context, 'afterPromote', 'service discovery learns of it'),
  ];
  return {
    opId,
    kind: 'switchover',
    cluster,
    epoch: epoch + 1,
    from,
    to,
    reason: null,
    evidence: context.evidence,
    steps,
    loss: NO_LOSS,
    excluded,
    warnings: [
      ...warningsOf(context),
      ...silentWords(context),
      ...replicas.flatMap((survey) => leftWords(survey, from)),
      ...(unseen.length === 0 ? [] : [unseenWords(from, unseen)]),
      ...events.warnings,
      ...(old.logFilters === undefined ? [] : [unloggedWords(old)]),
      ...semiSync.warnings,
    ],
  };
}

/** What forgetting the source would take long for, once nobody writes and before anybody may. */
function emptySteps(candidate: NodeSurvey): readonly PlanStep[] {
  const { emptyRelayLog } = dialectOf(candidate);
  if (emptyRelayLog === undefined) return [];
  const why = 'it has executed all of it; the source is kept, so that it can go on where it is';
  return [
    statementsOf('stop-candidate', candidate.node, { optional: true })('empty-relay-log', emptyRelayLog, why),
  ];
}

/** That a majority can vote for `to` afterwards, the old primary with it: without one nobody could write there. */
function assertVotes(context: PlanContext, old: NodeSurvey, to: NodeSurvey): void {
  const pointed = [...context.surveys.values()].filter(
    (survey) => survey === old || survey.channels.length > 0 || obstacleOf(survey, old) === undefined,
  );
  const after = votesAfter(context, to, new Set(pointed.map(({ node }) => node)), undefined, true);
  const { voters } = context.rules;
  if (after.without.size === 0 || after.votes >= majorityOf(voters)) return;
  throw refused(
    `Only ${after.votes} of ${voters} voters could vote for ${to.node}, so that nobody could write there. ` +
      `What cannot follow is ${withoutWords(after)}; mend that, or start a voter that does not answer`,
  );
}

/** What a primary does not log is on no other node. */
function unloggedWords({ node, logFilters }: NodeSurvey): string {
  return `${node} does not log all writes (${logFilters}): what it did not log is on no other node, and is lost with the change`;
}

const ALL_THE_SAME =
  'Take the filter out of its configuration, or name the new primary (`to`) if that shall be lost';

/** Where others begin to read, when that is a place in the new primary's own log. */
export function newPositionSteps(context: PlanContext, to: NodeId): readonly PlanStep[] {
  const survey = context.surveys.get(to);
  if (survey?.numbering !== 'file-position') return [];
  return [
    {
      id: `new-position@${to}`,
      phase: 'verify',
      action: 'statement',
      node: to,
      sql: dialectOf(survey).position.sql,
      why: 'where the others begin to read the new primary',
      keep: 'newFile newOffset',
    },
  ];
}

function noCandidate(
  context: PlanContext,
  from: NodeId,
  excluded: readonly { readonly node: NodeId; readonly why: string }[],
  wanted: NodeId | undefined,
): string {
  const said = new Map(excluded.map(({ node, why }) => [node, why]));
  const reasons = context.nodes
    .filter((node) => node !== from)
    .map((node) => {
      if (!context.surveys.has(node)) return `${node}: it cannot be reached`;
      return `${node}: ${said.get(node) ?? `it does not replicate from ${from}`}`;
    });
  const subject = wanted === undefined ? 'No node can' : `${wanted} cannot`;
  return `${subject} become the primary. ${reasons.join('; ')}`;
}

function warningsOf(context: PlanContext): readonly string[] {
  const missing = context.nodes.filter((node) => !context.surveys.has(node));
  return missing.map(
    (node) => `${node} cannot be reached; it is made a replica of the new primary when it is back`,
  );
}
