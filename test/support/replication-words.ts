/** The words of replication that MariaDB kept, in those of the server that is asked. */
import type { LocalDatabaseNode } from '../../src/testing/index.js';

const STATEMENTS: readonly (readonly [RegExp, string])[] = [
  [/CHANGE MASTER TO/g, 'CHANGE REPLICATION SOURCE TO'],
  [/MASTER_(?=[A-Z])/g, 'SOURCE_'],
  [/\bSLAVE\b/g, 'REPLICA'],
  [/rpl_semi_sync_master_/g, 'rpl_semi_sync_source_'],
  [/SET GLOBAL replicate_ignore_db='(\w+)'/g, 'CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=($1)'],
];
const COLUMNS: readonly (readonly [RegExp, string])[] = [
  [/^Replica_/, 'Slave_'],
  [/^Source_/, 'Master_'],
];

/** Asks `node`, a server of `flavor`, what is written as for MariaDB; the answer has MariaDB's names, too. */
export async function askInOldWords(
  node: LocalDatabaseNode,
  flavor: 'mariadb' | 'mysql',
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  if (flavor === 'mariadb') return await node.query(sql);
  const rows = await node.query<Record<string, unknown>>(replaced(sql, STATEMENTS));
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [replaced(name, COLUMNS), value])),
  );
}

/** What `askInOldWords` would send. */
export function inWordsOf(flavor: 'mariadb' | 'mysql', sql: string): string {
  return flavor === 'mariadb' ? sql : replaced(sql, STATEMENTS);
}

function replaced(text: string, pairs: readonly (readonly [RegExp, string])[]): string {
  return pairs.reduce((done, [from, to]) => done.replace(from, to), text);
}
