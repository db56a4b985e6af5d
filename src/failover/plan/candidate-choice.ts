/** Which node becomes the primary: only one that has everything the others have, then the operator's wishes; pure. */
import type { NodeId } from '../../common/node-address.js';
import { describeApplyError } from '../../topology/apply-error.js';
import { aheadWords } from '../survey/log-place.js';
import { isOn, type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { differenceOf, isWithin, missingOf, textOf } from '../survey/transaction-set.js';
import { channelTrouble } from './channel-trouble.js';
import type { ExcludedNode } from './failover-plan.js';
import { neededOf, OF_DOUBT, type UnsharedByNode } from './unshared-transactions.js';

/** What an operator wishes, of nodes by their id (`host:port`) or the `host:port` at which the other servers reach them. */
export interface CandidateWishes {
  /** Nodes (`host:port`) that are taken first, the first one first. */
  readonly prefer: readonly NodeId[];
  /** Nodes (`host:port`) that are taken when nothing else is left. */
  readonly avoid: readonly NodeId[];
  /** Nodes (`host:port`) that are never taken. */
  readonly never: readonly NodeId[];
}

/** The choice. */
export interface CandidateChoice {
  /** The node; undefined when none can be taken. */
  readonly to: NodeId | undefined;
  /** The others and why not. */
  readonly excluded: readonly ExcludedNode[];
  /** What somebody may call who has looked at the transactions for which nodes are not taken. */
  readonly ways: readonly string[];
}

/** What is chosen from. */
export interface CandidateQuestion {
  /** The nodes that were reached, without the old primary. */
  readonly surveys: readonly NodeSurvey[];
  /** What an operator wishes. */
  readonly wishes: CandidateWishes;
  /** Nodes that an operator has taken out. */
  readonly isolated: ReadonlySet<NodeId>;
  /** The node that is taken, if it can be. */
  readonly wanted?: NodeId | undefined;
  /** Whether a person has named it, and it may have transactions that nobody else has. */
  readonly insists?: boolean | undefined;
  /** Whether it may lack what others have. */
  readonly acceptsLoss?: boolean | undefined;
  /** Nodes that would not fence themselves as the primary, and why. */
  readonly unguarded?: ReadonlyMap<NodeId, string> | undefined;
  /** The zones of nodes; of equals one in the zone of `from`, the primary that is replaced, is taken first. */
  readonly zones?: ReadonlyMap<NodeId, string> | undefined;
  /** See {@link CandidateQuestion.zones}. */
  readonly from?: NodeId | undefined;
  /** The living primary, which the others will catch up with; undefined when what they have now is all there is. */
  readonly primary?: NodeSurvey | undefined;
  /** What each node has alone, while there is no living primary. */
  readonly unshared?: UnsharedByNode | undefined;
}

/** Chooses a node. */
export function chooseCandidate(question: CandidateQuestion): CandidateChoice {
  const { surveys, wishes, isolated, wanted, insists, acceptsLoss, primary, unshared } = question;
  const ways: string[] = [];
  const excluded: ExcludedNode[] = [];
  const fit = surveys.filter((survey) => {
    const why = unfitness(survey, surveys, wishes, isolated) ?? question.unguarded?.get(survey.node);
    if (why === undefined) return true;
    excluded.push({ node: survey.node, why });
    return false;
  });
  const complete = fit.filter((survey) => {
    if (primary !== undefined) {
      if (isWithin(survey.executed, primary.executed)) return true;
      const { text } = missingOf(survey.version.flavor, survey.executed, primary.executed);
      excluded.push({ node: survey.node, why: `it has transactions that the primary lacks (${text})` });
      return false;
    }
    if (insists === true && acceptsLoss === true && survey.node === wanted) return true;
    // What an excluded node has, too, must not be lost: its relay log may be the only copy.
    const more = surveys.find(
      (other) => other !== survey && !isWithin(neededOf(other, unshared), survey.reached),
    );
    if (more === undefined) return true;
    excluded.push({ node: survey.node, why: moreWords(more, survey, unshared) });
    ways.push(
      `failover({ to: '${survey.node}', acceptLoss: true }) makes ${survey.node} the primary without what it lacks`,
    );
    return false;
  });
  const clean = complete.filter(({ node }) => unsharedWords(node, question) === undefined);
  const able = complete.filter((survey) => {
    const why = unsharedWords(survey.node, question);
    if (why === undefined) return true;
    // What nobody else has becomes everybody's: by a person's word, and where nobody else could be taken.
    if (clean.length === 0 && insists === true && survey.node === wanted) return true;
    excluded.push({ node: survey.node, why });
    if (clean.length === 0)
      ways.push(`failover({ to: '${survey.node}' }) makes ${survey.node} the primary with what only it has`);
    return false;
  });
  // Without a primary writes wait until the new one has executed what it has received.
  const owes = ({ hasUnapplied }: NodeSurvey): number => Number(primary === undefined && hasUnapplied);
  const ranked = [...able].sort(
    (a, b) =>
      rankOf(a, wishes) - rankOf(b, wishes) ||
      farness(a, question) - farness(b, question) ||
      owes(a) - owes(b) ||
      byId(a.node, b.node),
  );
  const chosen = wanted === undefined ? ranked[0] : ranked.find(({ node }) => node === wanted);
  for (const { node } of ranked) {
    const other = chosen === undefined ? 'asked for' : 'chosen';
    if (node !== chosen?.node) excluded.push({ node, why: `fit, but another one was ${other}` });
  }
  return { to: chosen?.node, excluded, ways: chosen === undefined ? ways : [] };
}

/** Why a node that has everything is not taken by itself: for what it has alone. */
function unsharedWords(node: NodeId, { surveys, unshared }: CandidateQuestion): string | undefined {
  const flavor = surveys.find((survey) => survey.node === node)?.version.flavor ?? 'mysql';
  const { errant, doubtful } = unshared?.get(node) ?? {};
  if (errant !== undefined && errant.size > 0)
    return `it has transactions of its own (${textOf(flavor, errant)}), which no primary wrote`;
  if (doubtful !== undefined && doubtful.size > 0)
    return `only it has transactions (${textOf(flavor, doubtful)}) ${OF_DOUBT}`;
  return undefined;
}

function moreWords(more: NodeSurvey, survey: NodeSurvey, unshared: UnsharedByNode | undefined): string {
  const needed = neededOf(more, unshared);
  const words = aheadWords({ ...more, reached: needed }, survey);
  const doubtful = unshared?.get(more.node)?.doubtful;
  const isInDoubt = doubtful !== undefined && isWithin(differenceOf(needed, doubtful), survey.reached);
  return isInDoubt ? `${words}, ${OF_DOUBT}` : words;
}

function unfitness(
  survey: NodeSurvey,
  all: readonly NodeSurvey[],
  { never }: CandidateWishes,
  isolated: ReadonlySet<NodeId>,
): string | undefined {
  const { node, channels, status, version, lacking } = survey;
  if (never.includes(node)) return 'the configuration says never';
  if (isolated.has(node)) return 'an operator has isolated it';
  const trouble = channelTrouble(survey);
  if (trouble !== undefined) return trouble;
  if (lacking.length > 0) return lackingWords(lacking);
  if (!isOn(variableOf(survey, 'log_bin'))) return 'it writes no binary log (log_bin)';
  if (!isOn(variableOf(survey, 'log_replica_updates', 'log_slave_updates'))) {
    return 'it does not log what it replicates (log_slave_updates)';
  }
  if (survey.logFilters !== undefined) return `it does not log all writes (${survey.logFilters})`;
  const filters = filtersOf(status);
  if (filters !== undefined) return `it replicates only a part (${filters})`;
  const skipped = variableOf(survey, 'replica_skip_errors', 'slave_skip_errors') ?? 'OFF';
  if (isOn(skipped)) return `it may lack rows: it passes over errors of replication (${skipped})`;
  const [channel] = channels;
  if (channel !== undefined && channel.delayMs > 0)
    return `its replication is delayed by ${channel.delayMs} ms`;
  const sqlErrno = Number(status?.['Last_SQL_Errno'] ?? 0);
  if (sqlErrno !== 0) {
    const error = describeApplyError(sqlErrno, String(status?.['Last_SQL_Error'] ?? ''));
    return `its SQL thread stopped with ${error} (its status, and \`stormlamp doctor\`, tell more); what it received is left alone`;
  }
  if (channel?.sql === false && survey.hasUnapplied)
    return 'its SQL thread is stopped, and it has received what it has not executed; start it';
  const newest = all.find((other) => isNewerMajor(version.numbers, other.version.numbers));
  if (newest !== undefined)
    return `it is newer (${version.text}) than ${newest.node} (${newest.version.text})`;
  const id = variableOf(survey, 'server_id');
  const twin = all.find((other) => other !== survey && variableOf(other, 'server_id') === id);
  if (twin !== undefined) return `it has the same server_id as ${twin.node}`;
  return undefined;
}

/** What keeps a change from being finished, whoever is to become the primary. */
export function lackingWords(lacking: readonly string[]): string {
  return `the account of \`failover.credentials\` lacks ${lacking.join(', ')} there, so that a change would stop in the middle; \`preflight()\` has the GRANT`;
}

function filtersOf(status: NodeSurvey['status']): string | undefined {
  if (status === undefined) return undefined;
  for (const [name, value] of Object.entries(status)) {
    if (/^Replicate_(Do|Ignore|Wild|Rewrite)/i.test(name) && String(value ?? '') !== '')
      return `${name}: ${value}`;
  }
  return undefined;
}

/** A newer primary may write what older replicas cannot read. */
function isNewerMajor(mine: readonly number[], other: readonly number[]): boolean {
  const [a = 0, b = 0] = mine;
  const [c = 0, d = 0] = other;
  return a > c || (a === c && b > d);
}

function rankOf({ node }: NodeSurvey, { prefer, avoid }: CandidateWishes): number {
  const wish = prefer.indexOf(node);
  if (wish >= 0) return wish - prefer.length;
  return avoid.includes(node) ? 1 : 0;
}

/** 1 for a node that stands in another zone than the primary that it would replace: its applications are there. */
function farness({ node }: NodeSurvey, { zones, from }: CandidateQuestion): number {
  const home = from === undefined ? undefined : zones?.get(from);
  return Number(home !== undefined && zones?.get(node) !== home);
}

function byId(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
