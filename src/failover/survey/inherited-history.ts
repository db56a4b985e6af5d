/**
 * What a MariaDB server has although its binary log does not name who wrote it: a copy by mariadb-backup, or a dump with a position,
 * begins with an empty log, and that names nobody who was the primary before. Pure.
 */
import type { NodeId } from '../../common/node-address.js';
import { idOf, type NodeSurvey } from './node-survey.js';
import { lastNumberOf, type TransactionSet, unionOf } from './transaction-set.js';

/** A server whose log tells in which order transactions came. */
export interface HistoryWitness {
  /** Its `server_id`; undefined when it is not known. */
  readonly id: string | undefined;
  /** What it has. */
  readonly set: TransactionSet;
  /** Whether all replicas get their transactions from it: then what it got itself came in that order, too. */
  readonly isPrimary: boolean;
}

/**
 * What has to be there where `mine` is, the transactions of the server called `id`: a server numbers what it writes higher than all that
 * it has in that domain. So whoever has number 120 of a server has what that one had with lower numbers, whoever wrote it.
 *
 * `named`: what of it the server itself names. All of that came after the copy was made, so that nothing else is inherited than what has
 * a lower number: where a log goes further back, it names all that came since, also that something did not.
 */
export function inheritedBy(
  mine: TransactionSet,
  id: string | undefined,
  witnesses: readonly HistoryWitness[],
  named: TransactionSet = mine,
): TransactionSet {
  const begins = firstByDomain(named);
  const found = new Map<string, readonly (readonly [bigint, bigint])[]>();
  for (const { id: writer, set, isPrimary } of witnesses)
    for (const [origin, intervals] of mine) {
      const [domain, server] = partsOf(origin);
      const last = intervals.at(-1)?.[1] ?? 0n;
      const isKnown = lastNumberOf(set, origin) >= last;
      // Who lacks what it wrote itself has lost it. The primary may have written more since it was seen.
      const isInOrder = server === writer ? isKnown || isPrimary : isPrimary && isKnown && server !== id;
      if (domain === undefined || !isInOrder) continue;
      const end = least(last, begins.get(domain) ?? last);
      for (const other of set.keys()) {
        const [itsDomain, author] = partsOf(other);
        const number = lastNumberOf(set, other);
        // What it wrote itself while it was a replica is in its own log only.
        const isThere = [mine, found].some((each) => lastNumberOf(each, other) >= number);
        if (itsDomain === domain && author !== writer && number < end && !isThere)
          found.set(other, [[1n, number]]);
      }
    }
  return found;
}

/** The servers of MariaDB among `surveys`. */
export function witnessesAmong(
  surveys: Iterable<NodeSurvey>,
  primary?: NodeId | HistoryWitness | undefined,
): readonly HistoryWitness[] {
  return [...surveys]
    .filter(({ version }) => version.flavor === 'mariadb')
    .map((each) => ({ id: idOf(each), set: each.executed, isPrimary: each.node === primary }));
}

/** `surveys` with what each has inherited; `primary`: the one that the others follow, also when it does not answer. */
export function withInherited(
  surveys: readonly NodeSurvey[],
  primary?: NodeId | HistoryWitness | undefined,
): readonly NodeSurvey[] {
  let known = surveys;
  for (;;) {
    const witnesses = [...witnessesAmong(known, primary), ...(typeof primary === 'object' ? [primary] : [])];
    let isMore = false;
    known = known.map((survey, index) => {
      if (survey.version.flavor !== 'mariadb') return survey;
      const { executed: logged, reached: received } = surveys[index] ?? survey;
      const id = idOf(survey);
      const executed = inheritedBy(survey.executed, id, witnesses, logged);
      const reached = inheritedBy(survey.reached, id, witnesses, received);
      if (executed.size + reached.size === 0) return survey;
      isMore = true;
      return {
        ...survey,
        executed: unionOf(survey.executed, executed),
        reached: unionOf(survey.reached, unionOf(executed, reached)),
      };
    });
    // One that has inherited is a witness of it for others.
    if (!isMore) return known;
  }
}

/** By domain the lowest of the last numbers of all who wrote there. */
function firstByDomain(set: TransactionSet): ReadonlyMap<string, bigint> {
  const first = new Map<string, bigint>();
  for (const origin of set.keys()) {
    const [domain] = partsOf(origin);
    const last = lastNumberOf(set, origin);
    if (domain !== undefined) first.set(domain, least(last, first.get(domain) ?? last));
  }
  return first;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function partsOf(origin: string): readonly [domain: string | undefined, server: string | undefined] {
  const [, domain, server] = /^(\d+)-(\d+)$/.exec(origin) ?? [];
  return [domain, server];
}
