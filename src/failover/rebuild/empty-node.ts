/** Throws away the data of a MariaDB server. */
import type { RebuildRequest } from '../failover-hooks.js';
import { refused } from '../plan/refused.js';
import { OWN_DATABASES, quotedName } from './copied-tables.js';
import { literal, type RebuildSession } from './rebuild-options.js';

/** How a server names a folder of its data that is no database of its own making, as `lost+found`. */
const FOLDER = '#mysql50#';
/** `DROP DATABASE` has dropped the tables, and could not remove the folder. */
const FOLDER_STAYS = 1010;

/** A database that the node has. */
interface Database {
  readonly name: string;
  readonly charset: string;
  readonly collation: string;
  readonly tables: number;
}

/** That every database of the node can be dropped, as far as that can be known. Rejects with `ERR_CHANGE_REFUSED`. */
export async function assertDroppable(node: string, session: RebuildSession): Promise<void> {
  const strange = (await databasesOf(session)).filter(
    ({ name, tables }) => name.startsWith(FOLDER) && tables > 0,
  );
  if (strange.length === 0) return;
  throw refused(
    `${node} has tables in ${strange.map(({ name }) => quotedName(name)).join(', ')}, which is no name of a database and cannot be dropped; ` +
      'move that folder out of its data directory, or name it in `ignore_db_dirs`',
  );
}

/** Stops replication and drops all data; a transaction of its own says until the end that it must not follow anybody. */
export async function empty({ log }: RebuildRequest, session: RebuildSession): Promise<void> {
  await session.ask('STOP ALL SLAVES');
  await session.ask('RESET SLAVE ALL');
  await session.ask('CREATE DATABASE IF NOT EXISTS stormlamp_rebuild');
  await session.ask('SET SESSION sql_log_bin=0, SESSION foreign_key_checks=0');
  for (const database of await databasesOf(session)) {
    // A folder such as `lost+found` holds no data.
    if (!database.name.startsWith(FOLDER)) await drop(database, session, log);
  }
}

async function drop(
  { name, charset, collation }: Database,
  session: RebuildSession,
  log: RebuildRequest['log'],
): Promise<void> {
  try {
    await session.ask(`DROP DATABASE ${quotedName(name)}`);
  } catch (error) {
    const [left] = (await databasesOf(session)).filter((each) => each.name === name);
    if ((error as { errno?: unknown }).errno !== FOLDER_STAYS || (left?.tables ?? 0) > 0) throw error;
    // With files of others in it the folder stays, and is the database still, which has forgotten its character set.
    await session.ask(`ALTER DATABASE ${quotedName(name)} CHARACTER SET ${charset} COLLATE ${collation}`);
    log(
      `The folder of ${quotedName(name)} has files in it that belong to no table; it stays, without tables`,
    );
  }
}

async function databasesOf({ ask }: RebuildSession): Promise<readonly Database[]> {
  const rows = await ask(
    'SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation, ' +
      'COALESCE(counted, 0) AS counted FROM information_schema.SCHEMATA LEFT JOIN ' +
      '(SELECT TABLE_SCHEMA, COUNT(*) AS counted FROM information_schema.TABLES GROUP BY TABLE_SCHEMA) AS full_ones ' +
      `ON TABLE_SCHEMA=SCHEMA_NAME WHERE SCHEMA_NAME NOT IN (${OWN_DATABASES.map(literal).join(', ')})`,
  );
  return rows.map((row) => ({
    name: String(row['name']),
    charset: String(row['charset']),
    collation: String(row['collation']),
    tables: Number(row['counted']),
  }));
}
