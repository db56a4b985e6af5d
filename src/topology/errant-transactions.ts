/** Transactions that a replica did not get from its primary: it may go on following, and its data is not the primary's any more. */
import { appliedPosition, loggedGtids } from './gtid-position.js';
import { type MariadbGtid, mariadbGtidText } from './mariadb-gtid-list.js';
import { differenceOf, mysqlGtidText } from './mysql-gtid-set.js';
import type { ServerFacts } from './node-description.js';

/** What was found, with the look at the primary that it was found with. */
interface Finding {
  readonly primary: ServerFacts;
  readonly text: string;
}

/** By the look at the replica: of many nodes only one is new after a look. */
const KNOWN = new WeakMap<ServerFacts, Finding>();

/**
 * The transactions that `replica` has and `primary`, which has no source, can never have got, in the notation of the flavor; ''
 * when there are none, or when their positions do not tell. The looks need not be of the same moment: what the primary itself
 * wrote is left out, and it gets nothing else. On MariaDB only what the replica wrote under its own `server_id` is told, and
 * only where the primary's log names what it got as a replica: without `log_slave_updates`, or from a dump, it does not.
 */
export function errantTransactions(replica: ServerFacts, primary: ServerFacts): string {
  const known = KNOWN.get(replica);
  if (known?.primary === primary) return known.text;
  const text = replica.flavor === primary.flavor ? found(replica, primary) : '';
  KNOWN.set(replica, { primary, text });
  return text;
}

function found(replica: ServerFacts, primary: ServerFacts): string {
  if (replica.flavor === 'mariadb') return foundInLog(replica, primary);
  const [mine, theirs] = [appliedPosition(replica), appliedPosition(primary)];
  if (mine?.flavor !== 'mysql' || theirs?.flavor !== 'mysql' || theirs.text === '') return '';
  const missing = differenceOf(mine.set, theirs.set);
  return mysqlGtidText(
    new Map([...missing].filter(([source]) => source.slice(0, 36) !== primary.serverUuid)),
  );
}

function foundInLog(replica: ServerFacts, primary: ServerFacts): string {
  const have = loggedGtids(primary);
  const isLogged = ({ domain, server, sequence }: MariadbGtid): boolean =>
    have.some((h) => h.domain === domain && h.server === server && h.sequence >= sequence);
  const applied = appliedPosition(primary);
  const isComplete = applied?.flavor !== 'mariadb' || applied.gtids.every(isLogged);
  const own = String(replica.serverId);
  if (have.length === 0 || !isComplete || own === String(primary.serverId)) return '';
  return mariadbGtidText(loggedGtids(replica).filter((gtid) => gtid.server === own && !isLogged(gtid)));
}
