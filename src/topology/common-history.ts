/** Whether two servers have anything in common that was written, as far as their transactions tell. */
import { loggedGtids } from './gtid-position.js';
import { mysqlGtidSet } from './mysql-gtid-set.js';
import type { ServerFacts } from './node-description.js';

/**
 * Whether both servers certainly have no transaction of one server in common: the data of neither came from the other. False where
 * positions do not tell.
 */
export function haveNothingInCommon(one: ServerFacts, other: ServerFacts): boolean {
  if (one.flavor !== other.flavor) return false;
  const [mine, theirs] = [writersOf(one), writersOf(other)];
  // An empty set is that of a server without GTIDs, or of one that nobody has written to yet.
  if (mine.length === 0 || theirs.length === 0) return false;
  return !mine.some((writer) => theirs.includes(writer));
}

/** The servers whose transactions a server has: uuids on MySQL, domains with a `server_id` on MariaDB. */
function writersOf(facts: ServerFacts): readonly string[] {
  if (facts.flavor === 'mariadb')
    return loggedGtids(facts).map(({ domain, server }) => `${domain}-${server}`);
  return [...(mysqlGtidSet(facts.gtid)?.keys() ?? [])].map((source) => source.slice(0, 36));
}
