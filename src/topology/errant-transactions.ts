/** Transactions that a replica did not get from its primary: it may go on following, and its data is not the primary's any more. */
import { appliedPosition, loggedGtids, readGtidPosition } from './gtid-position.js';
import { type MariadbGtid, mariadbGtids, mariadbGtidText } from './mariadb-gtid-list.js';
import { differenceOf, type MysqlGtidSet, mysqlGtidText } from './mysql-gtid-set.js';
import type { ServerFacts } from './node-description.js';

const NOTHING: MysqlGtidSet = new Map();

/** What was found, with the look at the primary that it was found with. */
interface Finding {
  readonly primary: ServerFacts;
  readonly writers: string;
  readonly text: string;
}

/** By the look at the replica: of many nodes only one is new after a look. */
const KNOWN = new WeakMap<ServerFacts, Finding>();

/**
 * The transactions that `replica` has and `primary`, which has no source, can never have got, in the notation of the flavor; ''
 * when there are none, or when their positions do not tell. The looks need not be of the same moment: what the primary itself
 * wrote is left out, and it gets nothing else. On MariaDB only what the replica wrote under its own `server_id`, or a replica
 * `between` it and the primary under its own, is told, and only where the primary's log names what it got as a replica: without
 * `log_slave_updates`, or from a dump, it does not.
 */
export function errantTransactions(
  replica: ServerFacts,
  primary: ServerFacts,
  between: readonly ServerFacts[] = [],
): string {
  const writers = [replica, ...between].map(({ serverId }) => String(serverId));
  const known = KNOWN.get(replica);
  if (known?.primary === primary && known.writers === writers.join()) return known.text;
  const text = replica.flavor === primary.flavor ? found(replica, primary, writers) : '';
  KNOWN.set(replica, { primary, writers: writers.join(), text });
  return text;
}

/** What of `gtids` a replica still has, and `primary`, where it is given, still lacks. */
export function stillErrant(gtids: string, replica: ServerFacts, primary?: ServerFacts): string {
  const errant = readGtidPosition(replica.flavor, gtids);
  if (errant?.flavor === 'mysql') {
    const have = setOf(replica);
    const gone = differenceOf(errant.set, have);
    const left = differenceOf(errant.set, gone);
    return mysqlGtidText(primary === undefined ? left : differenceOf(left, setOf(primary)));
  }
  // One per server, and not per domain.
  const left = mariadbGtids(gtids)?.filter(
    (gtid) => isLogged(gtid, replica) && !(primary !== undefined && isLogged(gtid, primary)),
  );
  return mariadbGtidText(left ?? []);
}

/**
 * Whether `gtids`, which `replica` has and `primary` lacks, may be older than replication between them, and the data the same all the
 * same: one that follows by file and position may have been loaded with them. A primary of MariaDB that got its own data from a
 * backup while another one was the primary does not name those before it; what is numbered after all that it got was written since.
 */
export function isOlderThanReplication(gtids: string, replica: ServerFacts, primary: ServerFacts): boolean {
  if (replica.channels.some(({ byPosition }) => byPosition === true)) return true;
  if (replica.flavor === 'mysql') return false;
  const got = appliedPosition(primary);
  if (got?.flavor !== 'mariadb') return true;
  return (mariadbGtids(gtids) ?? []).every(({ domain, sequence }) =>
    got.gtids.some((gtid) => gtid.domain === domain && gtid.sequence >= sequence),
  );
}

function found(replica: ServerFacts, primary: ServerFacts, writers: readonly string[]): string {
  if (replica.flavor === 'mariadb') return foundInLog(replica, primary, writers);
  const [mine, theirs] = [setOf(replica), setOf(primary)];
  if (theirs.size === 0) return '';
  const missing = differenceOf(mine, theirs);
  return mysqlGtidText(
    new Map([...missing].filter(([source]) => source.slice(0, 36) !== primary.serverUuid)),
  );
}

function foundInLog(replica: ServerFacts, primary: ServerFacts, writers: readonly string[]): string {
  const applied = appliedPosition(primary);
  const isComplete = applied?.flavor !== 'mariadb' || applied.gtids.every((gtid) => isLogged(gtid, primary));
  if (loggedGtids(primary).length === 0 || !isComplete) return '';
  const suspects = writers.filter((writer) => writer !== String(primary.serverId));
  return mariadbGtidText(
    loggedGtids(replica).filter((gtid) => suspects.includes(gtid.server) && !isLogged(gtid, primary)),
  );
}

function isLogged({ domain, server, sequence }: MariadbGtid, by: ServerFacts): boolean {
  return loggedGtids(by).some((h) => h.domain === domain && h.server === server && h.sequence >= sequence);
}

function setOf(facts: ServerFacts): MysqlGtidSet {
  const position = appliedPosition(facts);
  return position?.flavor === 'mysql' ? position.set : NOTHING;
}
