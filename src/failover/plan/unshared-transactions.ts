/**
 * What a replica has executed that neither the primary before was seen to have nor any other node has: transactions of its own are no
 * reason to prefer it. What the primary may have acknowledged after it was last seen is never taken for that; pure.
 */
import type { NodeId } from '../../common/node-address.js';
import { idOf, type NodeSurvey, receivedOf } from '../survey/node-survey.js';
import {
  differenceOf,
  lastNumberOf,
  NO_TRANSACTIONS,
  notationOf,
  readTransactions,
  type TransactionSet,
  textOf,
  unionOf,
} from '../survey/transaction-set.js';
import type { PrimaryBefore } from './primary-before.js';

/** Transactions that only one replica has. */
export interface UnsharedTransactions {
  /** Those that no primary ever wrote. */
  readonly errant: TransactionSet;
  /** Those of which nobody can tell whether the primary had them. */
  readonly doubtful: TransactionSet;
}

/** {@link UnsharedTransactions} of each replica. */
export type UnsharedByNode = ReadonlyMap<NodeId, UnsharedTransactions>;

/** `history`: the primary had it, or may have acknowledged it. */
type Judgement = 'history' | 'errant' | 'doubtful';

/** No server numbers as far. */
const LARGEST_NUMBER = 2n ** 63n - 2n;
const NONE: UnsharedTransactions = { errant: NO_TRANSACTIONS, doubtful: NO_TRANSACTIONS };
/** The length of a uuid; a tag may follow. */
const UUID_LENGTH = 36;

/** What each of `surveys` has alone; of one without a source nothing: a change may have made it the primary. */
export function unsharedTransactions(surveys: readonly NodeSurvey[], primary: PrimaryBefore): UnsharedByNode {
  return new Map(surveys.map((survey) => [survey.node, unsharedBy(survey, surveys, primary)]));
}

/** What of `survey` must not be lost. */
export function neededOf(survey: NodeSurvey, unshared: UnsharedByNode | undefined): TransactionSet {
  return differenceOf(survey.reached, unshared?.get(survey.node)?.errant ?? NO_TRANSACTIONS);
}

/**
 * What may stay missing on `to`, in its notation: what the others alone have that no primary wrote, and whatever more they may write
 * like that before they are compared; and `givenUp`.
 */
export function mayLackOf(
  { version: { flavor } }: NodeSurvey,
  unshared: UnsharedByNode,
  givenUp: TransactionSet = NO_TRANSACTIONS,
): string {
  const strays = [...unshared.values()].flatMap(({ errant }) => [...errant.keys()]);
  const all = new Map(strays.map((origin) => [origin, [[1n, LARGEST_NUMBER] as const]]));
  return notationOf(flavor, new Map([...givenUp, ...all]));
}

/** What a plan that makes `to` the primary says of them. */
export function unsharedWarnings(
  surveys: readonly NodeSurvey[],
  unshared: UnsharedByNode,
  to: NodeId,
): readonly string[] {
  return surveys.flatMap(({ node, version }) => {
    const { errant, doubtful } = unshared.get(node) ?? NONE;
    const end =
      node === to
        ? 'they are part of what the new primary has, and the other nodes may lack them'
        : 'the new primary does not have them';
    const said = (set: TransactionSet, what: string): readonly string[] =>
      set.size === 0 ? [] : [`${node} has transactions (${textOf(version.flavor, set)}) ${what}; ${end}`];
    return [...said(errant, 'of its own, which no primary wrote'), ...said(doubtful, OF_DOUBT)];
  });
}

/** What is said of transactions of which nobody knows. */
export const OF_DOUBT = 'of which nobody can tell whether the old primary had them';

function unsharedBy(
  survey: NodeSurvey,
  all: readonly NodeSurvey[],
  primary: PrimaryBefore,
): UnsharedTransactions {
  if (survey.channels.length === 0) return NONE;
  const { flavor } = survey.version;
  const others = all.filter((other) => other !== survey);
  const known = others.map(({ reached }) => reached).reduce(unionOf, primary.had);
  // What came from a source is that one's. MariaDB tells no more than where a receiver stands.
  const received = flavor === 'mysql' ? receivedBy(survey) : NO_TRANSACTIONS;
  const left = [...differenceOf(differenceOf(survey.executed, known), received)];
  const judged = left.map((member) => ({ member, judgement: judge(member[0], survey, all, primary) }));
  const those = (which: Judgement): TransactionSet =>
    new Map(judged.flatMap(({ member, judgement }) => (judgement === which ? [member] : [])));
  return { errant: those('errant'), doubtful: those('doubtful') };
}

function judge(
  origin: string,
  survey: NodeSurvey,
  all: readonly NodeSurvey[],
  primary: PrimaryBefore,
): Judgement {
  const writer = writerOf(origin);
  // It may have acknowledged them since it was seen.
  if (primary.ids.has(writer)) return 'history';
  const isMariadb = survey.version.flavor === 'mariadb';
  const isOwn = idOf(survey) === writer;
  const wasPrimary = primary.primaries.has(survey.node);
  const last = lastNumberOf(survey.executed, origin);
  // A server of MariaDB that was seeded has what others wrote before, and does not name it.
  const isProven =
    primary.isProof ||
    (!isMariadb && all.some((other) => other !== survey && primary.complete.has(other.node)));
  const mayBeInherited =
    isMariadb && !primary.had.has(origin) && last <= (primary.inherited.get(domainOf(origin)) ?? -1n);
  if (isOwn && !wasPrimary)
    return isProven && !(isMariadb && lastNumberOf(receivedBy(survey), origin) >= last)
      ? 'errant'
      : 'doubtful';
  // A former primary's transactions, and those that came from elsewhere, are rather history than not.
  if (!isProven || mayBeInherited || (!isOwn && primary.ids.size === 0)) return 'history';
  return !isOwn && !wasPrimary && isForeign(origin, survey, all, primary) ? 'errant' : 'doubtful';
}

/** Whether transactions of `origin` are of no node that ever was the primary, and did not come from one either. */
function isForeign(
  origin: string,
  survey: NodeSurvey,
  all: readonly NodeSurvey[],
  { had, agoMs, primaries, identified }: PrimaryBefore,
): boolean {
  // A primary of before may have written them.
  if ([...primaries].some((node) => !identified.has(node))) return false;
  const received = receivedBy(survey);
  if (survey.version.flavor === 'mysql') {
    // One that was started, or pointed at its source, anew does not tell what it has received before.
    const tellsAll = received.size > 0 && survey.uptimeS * 1_000 >= agoMs;
    return tellsAll && !all.some((other) => idOf(other) === writerOf(origin));
  }
  const domain = domainOf(origin);
  return ![...had.keys(), ...received.keys()].some((known) => domainOf(known) === domain);
}

function receivedBy({ version, status }: NodeSurvey): TransactionSet {
  return readTransactions(version.flavor, receivedOf(status)) ?? NO_TRANSACTIONS;
}

/** Who wrote transactions of `origin`: a `server_uuid`, or a `server_id`. */
function writerOf(origin: string): string {
  return /^\d+-(\d+)$/.exec(origin)?.[1] ?? origin.slice(0, UUID_LENGTH);
}

/** The replication domain of an origin of MariaDB. */
function domainOf(origin: string): string {
  return origin.slice(0, origin.indexOf('-'));
}
