/** The privileges without which a change would stop in the middle, and those that the answer to `SHOW GRANTS` tells; pure. */
import type { StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';

/** Lists what the account may do, by the roles that are active, too. */
export const GRANTS_SQL = 'SHOW GRANTS';

/** What was granted. */
export interface Grants {
  /** `ON *.*`. */
  readonly everywhere: ReadonlySet<string>;
  /** `ON ha_meta.*`. */
  readonly meta: ReadonlySet<string>;
  /** `ON mysql.*`, where that is asked for. */
  readonly system?: ReadonlySet<string> | undefined;
}

/**
 * What an account may be used for: to change which data node is the primary; for that and what is not logged there, which a forced
 * failover leaves on an old primary (`act`); to make the self-fence event besides; or to vote on a witness.
 */
export type AccountUse = 'change' | 'act' | 'act-and-fence' | 'vote';

/** What is noted on an old primary, and the self-fence event, are not logged. MySQL has no privilege of its own for that. */
const UNLOGGED = 'BINLOG ADMIN';

/** Names that servers have given one privilege over time. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  'READ_ONLY ADMIN': ['READ ONLY ADMIN'],
  'REPLICA MONITOR': ['SLAVE MONITOR'],
  'BINLOG MONITOR': ['REPLICATION CLIENT'],
  'REPLICATION SLAVE ADMIN': ['REPLICATION REPLICA ADMIN'],
  SET_ANY_DEFINER: ['SET_USER_ID'],
};

/** The answer to {@link GRANTS_SQL}. */
export function grantsOf(rows: readonly StatusRow[]): Grants {
  const everywhere = new Set<string>();
  const granted: { readonly to: string; readonly database: string; readonly names: readonly string[] }[] = [];
  for (const row of rows) {
    const text = String(Object.values(row)[0] ?? '');
    const match = /^GRANT (.*?) ON (?:\*|`([^`]+)`)\.\* TO (\S+)/i.exec(text);
    const [, list = '', database, to = ''] = match ?? [];
    const names = list.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim().toUpperCase()]));
    if (database !== undefined) granted.push({ to, database, names });
    else for (const name of names) everywhere.add(name);
  }
  const named = (database: string): ReadonlySet<string> =>
    new Set(nearest(granted, database).flatMap(({ names }) => names));
  return { everywhere, meta: named('ha_meta'), system: named('mysql') };
}

/** Of the grants for databases whose pattern fits `wanted`, those that the server goes by: of each account, or role, the most exact. */
function nearest<T extends { readonly to: string; readonly database: string }>(
  granted: readonly T[],
  wanted: string,
): readonly T[] {
  const fitting = granted.filter(({ database }) => patternOf(database).test(wanted));
  return fitting.filter(({ to, database }) =>
    fitting.every((other) => other.to !== to || exactness(other.database) <= exactness(database)),
  );
}

/** How many characters stand before the first wildcard. */
function exactness(database: string): number {
  const plain = database.replaceAll(/\\./g, '.');
  const wildcard = plain.search(/[%_]/);
  return wildcard < 0 ? Number.POSITIVE_INFINITY : wildcard;
}

/** A database as `GRANT` names it: `%` stands for any text, `_` for any character, `\_` for itself. */
function patternOf(database: string): RegExp {
  const source = database.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return part.replace(/^\\(?=.)/, '').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'i');
}

/** What an account with `grants` lacks on a server of this version: where it must be granted, and what. */
export function lackingPrivileges(version: ServerVersion, grants: Grants, use: AccountUse): Grants {
  const { everywhere, meta } = neededFor(version, use);
  return {
    everywhere: new Set(everywhere.filter((name) => !holds(grants.everywhere, name, version))),
    meta: new Set(
      meta.filter((name) => !holds(grants.everywhere, name, version) && !holds(grants.meta, name, version)),
    ),
  };
}

/**
 * What an account with `grants` lacks to end the sessions that keep a server from being closed, or write on it past `read_only`:
 * to see those of others, to end them, and on MariaDB to see what their accounts may do (on MySQL nobody writes past it).
 */
export function lackingToEnd(version: ServerVersion, grants: Grants): Grants {
  const meta: ReadonlySet<string> = new Set();
  const isMysql = version.flavor === 'mysql';
  const isSplit = isMysql ? isAtLeast(version, 8, 0, 0) : isAtLeast(version, 10, 5, 2);
  const ending = isMysql ? 'CONNECTION_ADMIN' : 'CONNECTION ADMIN';
  const needed = ['PROCESS', isSplit ? ending : 'SUPER'];
  const sees =
    isMysql || [grants.everywhere, grants.system ?? meta].some((names) => holds(names, 'SELECT', version));
  return {
    everywhere: new Set(needed.filter((name) => !holds(grants.everywhere, name, version))),
    meta,
    system: new Set(sees ? [] : ['SELECT']),
  };
}

/** Which of `names` an account that has `grants` lacks `ON *.*` on a server of this version. */
export function lackingEverywhere(
  version: ServerVersion,
  { everywhere }: Grants,
  names: readonly string[],
): readonly string[] {
  return names.filter((name) => !holds(everywhere, name, version));
}

/** What an account with `grants` lacks `ON *.*` to have scheduled events move with the primary. */
export function lackingForEvents(version: ServerVersion, grants: Grants): readonly string[] {
  return neededForEvents(version).filter((name) => !holds(grants.everywhere, name, version));
}

/** All that is named, in the order in which it is needed. */
export function namesOf({ everywhere, meta }: Grants): readonly string[] {
  return [...everywhere, ...meta];
}

/** The statements that grant it to `account`, which is quoted. */
export function grantStatements({ everywhere, meta, system }: Grants, account: string): readonly string[] {
  const scopes = [
    ['*.*', everywhere],
    ['ha_meta.*', meta],
    ['mysql.*', system],
  ] as const;
  return scopes.flatMap(([scope, names]) =>
    names === undefined || names.size === 0
      ? []
      : [`GRANT ${[...names].join(', ')} ON ${scope} TO ${account}`],
  );
}

function neededFor(
  version: ServerVersion,
  use: AccountUse,
): { readonly everywhere: readonly string[]; readonly meta: readonly string[] } {
  // REPLACE takes INSERT and DELETE.
  if (use === 'vote') return { everywhere: [], meta: ['CREATE', 'SELECT', 'INSERT', 'DELETE'] };
  const fences = use === 'act-and-fence';
  return {
    everywhere: toAct(version).filter((name) => use !== 'change' || name !== UNLOGGED),
    meta: ['CREATE', 'SELECT', 'INSERT', 'UPDATE', 'DELETE', ...(fences ? ['EVENT'] : [])],
  };
}

/** An event is altered in the name of its definer. */
function neededForEvents(version: ServerVersion): readonly string[] {
  if (version.flavor === 'mysql') {
    if (!isAtLeast(version, 8, 0, 0)) return ['EVENT', 'SUPER'];
    return ['EVENT', isAtLeast(version, 8, 2, 0) ? 'SET_ANY_DEFINER' : 'SET_USER_ID'];
  }
  return isAtLeast(version, 10, 5, 2) ? ['EVENT', 'SET USER', UNLOGGED] : ['EVENT', 'SUPER'];
}

function toAct(version: ServerVersion): readonly string[] {
  const old = ['SUPER', 'REPLICATION CLIENT', 'RELOAD'];
  if (version.flavor === 'mysql') {
    const split = ['SYSTEM_VARIABLES_ADMIN', 'REPLICATION_SLAVE_ADMIN', 'CONNECTION_ADMIN'];
    return isAtLeast(version, 8, 0, 0) ? [...split, 'REPLICATION CLIENT', 'RELOAD'] : old;
  }
  if (!isAtLeast(version, 10, 5, 2)) return old;
  return [
    'READ_ONLY ADMIN',
    'REPLICATION SLAVE ADMIN',
    // Semi-synchronous replication moves with the primary, and may be switched on at any time.
    'REPLICATION MASTER ADMIN',
    'REPLICA MONITOR',
    'BINLOG MONITOR',
    UNLOGGED,
    'RELOAD',
  ];
}

function holds(granted: ReadonlySet<string>, privilege: string, version: ServerVersion): boolean {
  if (['ALL PRIVILEGES', privilege, ...(ALIASES[privilege] ?? [])].some((name) => granted.has(name)))
    return true;
  return granted.has('SUPER') && isPartOfSuper(privilege, version);
}

/** SUPER stands for what was taken out of it: on MySQL always, on MariaDB until 11.0.1, and for writing past `read_only` until 10.11.0. */
function isPartOfSuper(privilege: string, version: ServerVersion): boolean {
  // These two never were part of it.
  if (privilege === 'BACKUP_ADMIN' || privilege === 'CLONE_ADMIN') return false;
  if (version.flavor === 'mysql') return /_ADMIN$|^SET_/.test(privilege);
  if (privilege === 'READ_ONLY ADMIN') return !isAtLeast(version, 10, 11, 0);
  return !isAtLeast(version, 11, 0, 1) && / (ADMIN|MONITOR)$|^SET USER$/.test(privilege);
}
