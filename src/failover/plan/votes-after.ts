/** Who votes for a new primary when a change is over, and why others do not: without a majority nobody could write there; pure. */
import type { NodeId } from '../../common/node-address.js';
import { describeApplyError } from '../../topology/apply-error.js';
import { majorityOf } from '../protocol/majority.js';
import { logPlaceOf } from '../survey/log-place.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { isWithin } from '../survey/transaction-set.js';
import { lackingWords } from './candidate-choice.js';
import { channelTrouble } from './channel-trouble.js';
import type { PlanStep } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';
import { obstacleOf } from './plan-repair.js';

/** The votes that a change gives. */
export interface VotesAfter {
  /** How many. */
  readonly votes: number;
  /** The data nodes that answer and do not vote for the new primary, and why. */
  readonly without: ReadonlyMap<NodeId, string>;
}

/** What keeps a node, of what was made to follow. */
const TO_FOLLOW = /^(SUPER|REPLICATION[ _](SLAVE|REPLICA)[ _]ADMIN)$/;

/** MariaDB: what it shall execute is numbered below what it has logged (`ER_GTID_STRICT_OUT_OF_ORDER`). */
const OUT_OF_ORDER = 1950;
/**
 * To point it at another source all the same would throw away what it has received. It goes on where it is when the server lets it pass
 * its own transactions, which it has in both ways.
 */
const STRICT_WORDS =
  ': it has written something itself, and gtid_strict_mode lets it execute nothing that is numbered below; ' +
  'run `SET GLOBAL gtid_strict_mode=0` and `START SLAVE SQL_THREAD` there, so that it follows and votes until it is rebuilt';

/**
 * The votes for `to` once the nodes of `pointed` were made to follow it; that of the old primary `from` is not counted on.
 * `catchUp`: those read on until all stand at one place.
 */
export function votesAfter(
  context: PlanContext,
  to: NodeSurvey,
  pointed: ReadonlySet<NodeId>,
  from?: NodeId,
  catchUp = false,
): VotesAfter {
  const without = new Map<NodeId, string>();
  let votes = 1 + answeringWitnesses(context);
  for (const survey of context.surveys.values()) {
    const { node } = survey;
    if (node === to.node) continue;
    const why = follows(context, survey, to.node)
      ? undefined
      : pointed.has(node)
        ? hindranceOf(survey, catchUp ? undefined : to)
        : strayWords(context, survey, to);
    if (why === undefined) votes += 1;
    else if (node !== from) without.set(node, why);
  }
  return { votes, without };
}

/** How many witnesses answer: nobody counts on the others. */
export function answeringWitnesses({ witnesses, silentWitnesses }: PlanContext): number {
  return witnesses.filter((witness) => silentWitnesses?.has(witness) !== true).length;
}

/** What is to be said of witnesses that do not answer. */
export function silentWords(context: PlanContext): readonly string[] {
  const { surveys, silentWitnesses = new Map(), rules } = context;
  const answering = surveys.size + answeringWitnesses(context);
  const needed = majorityOf(rules.voters);
  const price =
    answering > needed
      ? ''
      : `; ${answering} of ${rules.voters} voters answer, and ${needed} are needed to write, and for a change: start it`;
  return [...silentWitnesses].map(
    ([node, why]) => `${node}, which only votes, does not answer (${why}); nobody counts on its vote${price}`,
  );
}

/** What cannot follow, for an error. */
export function withoutWords({ without }: VotesAfter): string {
  return [...without].map(([node, why]) => `${node} (${why})`).join(', ');
}

/** Whether `survey` is a replica of `node`, and of no other one: its vote is there. */
export function follows({ sources }: PlanContext, survey: NodeSurvey, node: NodeId): boolean {
  return survey.channels.length === 1 && sources.get(survey.node) === node;
}

/** Why `survey` cannot be made to follow `to`, or whoever waits until it has caught up, now; undefined when it can. */
export function hindranceOf(survey: NodeSurvey, to: NodeSurvey | undefined): string | undefined {
  const { status, channels, hasUnapplied, lacking, numbering } = survey;
  const [channel] = channels;
  const trouble = channelTrouble(survey);
  if (trouble !== undefined) return trouble;
  const errno = Number(status?.['Last_SQL_Errno'] ?? 0);
  if (errno !== 0) {
    const error = describeApplyError(errno, String(status?.['Last_SQL_Error'] ?? ''));
    return `its SQL thread stopped with ${error}${errno === OUT_OF_ORDER ? STRICT_WORDS : ''}`;
  }
  const needed = lacking.filter((name) => TO_FOLLOW.test(name));
  if (needed.length > 0) return lackingWords(needed);
  if (channel === undefined) return undefined;
  const unapplied = 'it has received what it has not executed';
  if (hasUnapplied && channel.delayMs > 0)
    return `its replication is delayed by ${channel.delayMs} ms, and ${unapplied}`;
  if (hasUnapplied && !channel.sql) return `its SQL thread is stopped, and ${unapplied}; start it`;
  if (to !== undefined && numbering === 'file-position' && !isAtSamePlace(survey, to))
    return `it stands at another place than ${to.node}, and without GTIDs it cannot follow; its data has to be made anew`;
  return undefined;
}

/**
 * Replicas of the members of `group`, and theirs: they have nothing that these have not, and can follow the same primary. Without
 * GTIDs nobody can tell where they would go on, and `to` is not left by its own.
 */
export function followersBelow(
  context: PlanContext,
  group: readonly NodeSurvey[],
  to: NodeSurvey,
): readonly NodeSurvey[] {
  const known = new Set(group.map(({ node }) => node));
  const found: NodeSurvey[] = [];
  for (let before = -1; before < found.length; ) {
    before = found.length;
    for (const survey of context.surveys.values()) {
      const source = context.sources.get(survey.node);
      if (known.has(survey.node) || survey.channels.length !== 1 || source === undefined) continue;
      if (!known.has(source)) continue;
      known.add(survey.node);
      found.push(survey);
    }
  }
  return found.filter(
    (survey) =>
      follows(context, survey, to.node) ||
      (survey.numbering !== 'file-position' &&
        channelTrouble(survey) === undefined &&
        isWithin(survey.reached, to.reached)),
  );
}

/** A node that follows the new primary already: nothing is done there, and its vote counts. */
export function keptVote(node: NodeId, to: NodeId): PlanStep {
  return {
    id: `keeps-vote@${node}`,
    phase: 'repoint',
    action: 'assert-held',
    node,
    why: `it follows, and votes for, ${to} already`,
    spares: true,
  };
}

/** Whether two have read the same log to the same place; how much of it each has executed is asked when the one that owes is done. */
function isAtSamePlace(survey: NodeSurvey, to: NodeSurvey): boolean {
  const owes = survey.hasUnapplied || to.hasUnapplied;
  const [mine, other] = [survey, to].map((each) =>
    owes ? logPlaceOf(each.channels[0], each.status) : each.reached,
  );
  return mine !== undefined && other !== undefined && isWithin(mine, other) && isWithin(other, mine);
}

/** Why a node that the change does not touch does not vote for its primary. */
function strayWords({ sources }: PlanContext, survey: NodeSurvey, to: NodeSurvey): string {
  const { node, channels, readOnly } = survey;
  const [channel, second] = channels;
  if (second !== undefined) return 'it replicates from several sources';
  if (channel !== undefined)
    return `it follows ${sources.get(node) ?? `${channel.sourceHost}:${channel.sourcePort}`}`;
  const obstacle = obstacleOf(survey, to);
  if (obstacle?.kind === 'diverged')
    return `it follows nobody, and has ${obstacle.transactions} transactions that ${to.node} lacks (${obstacle.gtids})`;
  if (obstacle !== undefined) return 'it follows nobody, and its data has to be made anew';
  return readOnly ? 'it follows nobody' : 'it takes writes itself';
}
