/** That a change has left semi-synchronous replication off: it is switched on as soon as replicas that acknowledge follow. */

/** The place of the note, made where it is needed; it replicates, for whoever is the primary next. */
export const OWED_TABLE: string =
  'CREATE TABLE IF NOT EXISTS ha_meta.semi_sync (cluster VARCHAR(32) NOT NULL PRIMARY KEY, op_id CHAR(36) NOT NULL, ' +
  'at DATETIME(6) NOT NULL) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/** Writes the note. */
export function owedSemiSyncSql(cluster: string, opId: string): string {
  return `REPLACE INTO ha_meta.semi_sync (cluster, op_id, at) VALUES ('${cluster}', '${opId}', SYSDATE(6))`;
}

/** Asks for it: one row where there is one; an error where the table was never made. */
export function owesSemiSyncSql(cluster: string): string {
  return `SELECT op_id FROM ha_meta.semi_sync WHERE cluster='${cluster}'`;
}

/** Takes it away. */
export function paidSemiSyncSql(cluster: string): string {
  return `DELETE FROM ha_meta.semi_sync WHERE cluster='${cluster}'`;
}
