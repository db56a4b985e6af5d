/** What the account of a ready rebuild hook must be allowed to do: on every node, for each may be made anew, or copied. */
import { quotedAccount } from '../../mysql/missing-privilege.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import { refused } from '../plan/refused.js';
import { GRANTS_SQL, grantsOf, lackingEverywhere } from '../survey/account-privileges.js';
import type { RebuildSession } from './rebuild-options.js';

/** To dump; to load, with the definers of others; and to read binary logs for what is saved. */
const DUMP_AND_LOAD = [
  'SELECT',
  'SHOW VIEW',
  // A view is looked at by whoever dumps it, and may call a function.
  'EXECUTE',
  'TRIGGER',
  'EVENT',
  'INSERT',
  'CREATE',
  'DROP',
  'ALTER',
  'LOCK TABLES',
  'CREATE VIEW',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'RELOAD',
  'REPLICATION SLAVE',
];
const MARIADB_ADMIN = [
  'SET USER',
  'BINLOG ADMIN',
  'BINLOG MONITOR',
  'READ_ONLY ADMIN',
  'REPLICATION SLAVE ADMIN',
];
const CLONE = [
  'SELECT',
  'BACKUP_ADMIN',
  'CLONE_ADMIN',
  'SYSTEM_VARIABLES_ADMIN',
  'CONNECTION_ADMIN',
  'REPLICATION_SLAVE_ADMIN',
  'REPLICATION CLIENT',
  'REPLICATION SLAVE',
];

/** What is missing, and the statements that grant it. */
export interface LackingRights {
  /** The privileges; none when nothing is missing. */
  readonly names: readonly string[];
  /** The statements. */
  readonly grants: readonly string[];
}

/** What is needed `ON *.*` of a server of this version. */
export function rightsToRebuild(version: ServerVersion): readonly string[] {
  if (version.flavor === 'mysql') return CLONE;
  const admin = isAtLeast(version, 10, 5, 2) ? MARIADB_ADMIN : ['SUPER', 'REPLICATION CLIENT'];
  return [...DUMP_AND_LOAD, ...admin];
}

/** What the account of `session` lacks there. */
export async function lackingRights(session: RebuildSession): Promise<LackingRights> {
  const rows = await session.ask(GRANTS_SQL);
  const { version } = session;
  const names = lackingEverywhere(version, grantsOf(rows), rightsToRebuild(version));
  const texts = rows.map((row) => String(Object.values(row)[0] ?? ''));
  const mayLoad = version.flavor !== 'mysql' || texts.some(insertsPlugins) || (await isCloneLoaded(session));
  const [row] = await session.ask('SELECT CURRENT_USER() AS account');
  const account = quotedAccount(String(row?.['account'] ?? ''));
  return {
    names: [...names, ...(mayLoad ? [] : ['INSERT on mysql.plugin'])],
    grants: [
      ...(names.length === 0 ? [] : [`GRANT ${names.join(', ')} ON *.* TO ${account}`]),
      ...(mayLoad ? [] : [`GRANT INSERT ON mysql.plugin TO ${account}`]),
    ],
  };
}

/** That nothing is missing on `node`. Rejects with `ERR_CHANGE_REFUSED` naming what is, and how it is granted. */
export async function assertRights(node: string, session: RebuildSession): Promise<void> {
  const { names, grants } = await lackingRights(session);
  if (names.length > 0)
    throw refused(`The account that rebuilds lacks ${names.join(', ')} on ${node}; ${grants.join('; ')}`);
}

/** Whether MySQL's clone plugin is there already. */
export async function isCloneLoaded(session: RebuildSession): Promise<boolean> {
  const [row] = await session.ask(
    "SELECT COUNT(*) AS active FROM information_schema.PLUGINS WHERE PLUGIN_NAME='clone' AND PLUGIN_STATUS='ACTIVE'",
  );
  return Number(row?.['active']) !== 0;
}

/** Whether a grant lets plugins be loaded. */
function insertsPlugins(grant: string): boolean {
  const [, names = ''] = /^GRANT (.*?) ON (?:\*|`mysql`)\.(?:\*|`plugin`) TO /i.exec(grant) ?? [];
  return names.split(',').some((name) => /^\s*(INSERT|ALL PRIVILEGES)\s*$/i.test(name));
}
