/** The tables in which the cluster remembers what was done to it; they replicate like all data. */

/** A server's default may have no room for the letters of a message. Every version knows this collation. */
const CHARSET = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/**
 * The place of a note about one server only: the table replicates, so that it is there when no table can be made any more, and what
 * is in it does not.
 */
export const CLOSED_TABLE: string =
  'CREATE TABLE IF NOT EXISTS ha_meta.closed (cluster VARCHAR(32) NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL, ' +
  'op_id CHAR(36) NOT NULL, to_node VARCHAR(128) NOT NULL, at DATETIME(6) NOT NULL) ' +
  CHARSET;

/** One row for each pause: whoever ends his leaves those of others alone. */
const PAUSES_TABLE: string =
  'CREATE TABLE IF NOT EXISTS ha_meta.pauses (id CHAR(36) NOT NULL PRIMARY KEY, cluster VARCHAR(32) NOT NULL, ' +
  'until DATETIME(6) NOT NULL, reason TEXT NOT NULL, actor VARCHAR(128) NOT NULL, KEY latest (cluster, until)) ' +
  CHARSET;

/** The tables that were there from the first version on. */
export const FIRST_TABLES: readonly string[] = Object.freeze(['topology', 'operation', 'journal', 'vote']);

/** Those that came later, by name. */
export const LATER_TABLES: ReadonlyMap<string, string> = new Map([
  ['closed', CLOSED_TABLE],
  ['pauses', PAUSES_TABLE],
]);

/** Makes the tables on the primary, or on a witness; nothing when they are there. */
export const META_TABLES: readonly string[] = Object.freeze([
  `CREATE DATABASE IF NOT EXISTS ha_meta ${CHARSET}`,
  'CREATE TABLE IF NOT EXISTS ha_meta.topology (cluster VARCHAR(32) NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL, ' +
    'primary_node VARCHAR(128) NOT NULL, op_id CHAR(36) NOT NULL, actor VARCHAR(128) NOT NULL, at DATETIME(6) NOT NULL) ' +
    CHARSET,
  'CREATE TABLE IF NOT EXISTS ha_meta.operation (op_id CHAR(36) NOT NULL PRIMARY KEY, cluster VARCHAR(32) NOT NULL, ' +
    'kind VARCHAR(16) NOT NULL, from_node VARCHAR(128) NOT NULL, to_node VARCHAR(128) NOT NULL, actor VARCHAR(128) NOT NULL, ' +
    'began_at DATETIME(6) NOT NULL, ended_at DATETIME(6) NULL, outcome VARCHAR(32) NULL, acknowledged_by VARCHAR(128) NULL, ' +
    'details MEDIUMTEXT NULL, KEY open_operations (cluster, ended_at)) ' +
    CHARSET,
  'CREATE TABLE IF NOT EXISTS ha_meta.journal (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, ' +
    'cluster VARCHAR(32) NOT NULL, op_id CHAR(36) NOT NULL, at DATETIME(6) NOT NULL, kind VARCHAR(32) NOT NULL, ' +
    'epoch BIGINT UNSIGNED NOT NULL, actor VARCHAR(128) NOT NULL, nodes TEXT NOT NULL, message TEXT NOT NULL, ' +
    'KEY newest (cluster, id)) ' +
    CHARSET,
  'CREATE TABLE IF NOT EXISTS ha_meta.vote (cluster VARCHAR(32) NOT NULL PRIMARY KEY, vote VARCHAR(128) NOT NULL, ' +
    'op_id CHAR(36) NOT NULL, at DATETIME(6) NOT NULL) ' +
    CHARSET,
  ...LATER_TABLES.values(),
]);
