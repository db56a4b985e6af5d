/** Tables that are not copied as they are at one moment, and values that are too long to be loaded. */
import { refused } from '../plan/refused.js';
import { literal, type RebuildSession } from './rebuild-options.js';

/** Databases that every server has for itself. */
export const OWN_DATABASES: readonly string[] = ['mysql', 'information_schema', 'performance_schema', 'sys'];
const NOT_OWN = `TABLE_SCHEMA NOT IN (${OWN_DATABASES.map(literal).join(', ')})`;
/** Engines that keep nothing on the server, or not beyond its restart. */
const KEEP_NOTHING = "'BLACKHOLE', 'MRG_MyISAM', 'MRG_MYISAM', 'FEDERATED', 'CONNECT', 'SPIDER'";
const NAMED_LIMIT = 10;

/** The largest that a server lets `max_allowed_packet` be. */
export const PACKET_LIMIT = 1_073_741_824;
/** What the dump program puts into one statement, however short its rows are, and what a long row has besides its long values. */
const STATEMENT_BYTES = 1_048_576;
/** Whether `CHARACTER_OCTET_LENGTH` tells nothing of it, and it may be as long as any value. */
const SHAPES =
  "'geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection'";

/**
 * Tables of the server that a copy does not have as they are at one moment, as `shop.log (MyISAM)`: on MariaDB those without
 * transactions, which a dump reads at any time; on MySQL those of which the clone plugin copies the name only.
 */
export async function tablesBeside({ version, ask }: RebuildSession): Promise<readonly string[]> {
  const within =
    version.flavor === 'mysql'
      ? "ENGINE NOT IN ('InnoDB', 'MEMORY')"
      : "ENGINE NOT IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS='YES')";
  const rows = await ask(
    "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')') AS name FROM information_schema.TABLES " +
      `WHERE ${NOT_OWN} AND TABLE_TYPE<>'VIEW' AND ENGINE NOT IN (${KEEP_NOTHING}) AND ${within} ORDER BY 1`,
  );
  return rows.map((row) => String(row['name']));
}

/** The first of many names. */
export function someOf(names: readonly string[]): string {
  const more = names.length - NAMED_LIMIT;
  return `${names.slice(0, NAMED_LIMIT).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** A column whose values may be long. */
interface LongColumn {
  readonly name: string;
  /** Bytes of a dump for one byte of a value, at most. */
  readonly factor: number;
  /** The longest value, bytes. */
  readonly bytes: number;
}

/**
 * That `node` takes the longest row of `source` as a statement of a dump, in which a byte may be two characters. Tables whose rows
 * may be too long are read as a whole, unless the node takes any. Rejects with `ERR_CHANGE_REFUSED` naming the table.
 */
export async function assertRowsFit(
  node: string,
  session: RebuildSession,
  source: RebuildSession,
  log: (message: string) => void,
): Promise<void> {
  const limit = await packetLimitOf(session);
  if (limit >= PACKET_LIMIT) return;
  const fix = `SET GLOBAL max_allowed_packet=${PACKET_LIMIT} there, and in its configuration file`;
  if (limit < STATEMENT_BYTES)
    throw refused(`${node} takes statements of ${limit} bytes only (max_allowed_packet); ${fix}`);
  const room = limit - Math.min(STATEMENT_BYTES / 2, limit / 2);
  const tables = await longTables(source, room);
  if (tables.length > 0)
    log(
      `Looking whether ${node} takes the longest rows of ${tables.length} tables (its max_allowed_packet is ${limit}; with ${PACKET_LIMIT} nobody looks)`,
    );
  for (const { table, columns } of tables) {
    const length = columns
      .map(({ name, factor }) => `${factor}*COALESCE(OCTET_LENGTH(${quotedName(name)}), 0)`)
      .join(' + ');
    const [row] = await source.ask(
      `SELECT ${length} AS bytes FROM ${table} WHERE ${length} > ${room} LIMIT 1`,
    );
    if (row === undefined) continue;
    throw refused(
      `A row of ${table} may take ${Number(row['bytes'])} bytes in a dump, and ${node} takes statements of ${limit} (max_allowed_packet); ${fix}`,
    );
  }
}

/** Tables of which a row may take more than `room` bytes in a dump. */
async function longTables(
  source: RebuildSession,
  room: number,
): Promise<readonly { readonly table: string; readonly columns: readonly LongColumn[] }[]> {
  const valueLimit = await packetLimitOf(source);
  const rows = await source.ask(
    'SELECT TABLE_SCHEMA AS base, TABLE_NAME AS name, COLUMN_NAME AS col, CHARACTER_SET_NAME AS charset, ' +
      `IF(DATA_TYPE IN (${SHAPES}), ${PACKET_LIMIT}, CHARACTER_OCTET_LENGTH) AS bytes ` +
      'FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME) ' +
      `WHERE ${NOT_OWN} AND TABLE_TYPE<>'VIEW' AND IS_GENERATED='NEVER' ` +
      `AND (CHARACTER_OCTET_LENGTH > 255 OR DATA_TYPE IN (${SHAPES}))`,
  );
  const tables = new Map<string, LongColumn[]>();
  for (const row of rows) {
    const table = `${quotedName(String(row['base']))}.${quotedName(String(row['name']))}`;
    const columns = tables.get(table) ?? [];
    tables.set(table, columns);
    columns.push({
      name: String(row['col']),
      factor: factorOf(row['charset']),
      // No statement can have brought a longer one.
      bytes: Math.min(Number(row['bytes']), valueLimit),
    });
  }
  return [...tables]
    .filter(([, columns]) => columns.reduce((sum, { factor, bytes }) => sum + factor * bytes, 0) > room)
    .map(([table, columns]) => ({ table, columns }));
}

/** Bytes are written as hexadecimal digits, a quote with a backslash; text of one byte a character may grow in UTF-8. */
function factorOf(charset: unknown): number {
  return charset === null || /^utf8|^ascii/.test(String(charset)) ? 2 : 4;
}

async function packetLimitOf({ ask }: RebuildSession): Promise<number> {
  const [row] = await ask('SELECT @@GLOBAL.max_allowed_packet AS bytes');
  return Number(row?.['bytes']);
}

/** A name between backticks. */
export function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
