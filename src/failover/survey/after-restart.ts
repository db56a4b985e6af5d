/** Whether a server refuses writes once it is started again, as far as it tells where its `read_only` comes from. */
import type { StatusRow } from '../../mysql/replica-status.js';
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import { type Ask, isOn } from './node-survey.js';

/** `unknown`: a statement has set it, and hides what the configuration says. */
export type AfterRestart = 'closed' | 'open' | 'unknown';

const NAMES = "('read_only', 'super_read_only')";

/** The statements that ask for it; none where the server does not tell (MySQL before 8.0). */
export function afterRestartSql(version: ServerVersion): readonly string[] {
  if (version.flavor === 'mariadb')
    return [
      "SELECT 'read_only' AS name, GLOBAL_VALUE AS value, GLOBAL_VALUE_ORIGIN AS origin " +
        "FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME='READ_ONLY'",
    ];
  if (!isAtLeast(version, 8)) return [];
  return [
    'SELECT i.VARIABLE_NAME AS name, g.VARIABLE_VALUE AS value, i.VARIABLE_SOURCE AS origin ' +
      'FROM performance_schema.variables_info i JOIN performance_schema.global_variables g USING (VARIABLE_NAME) ' +
      `WHERE i.VARIABLE_NAME IN ${NAMES}`,
    // What is written there is used by the next start, whatever the server runs with now.
    `SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables WHERE VARIABLE_NAME IN ${NAMES}`,
  ];
}

/** Asks the server; undefined where it does not tell. Rejects with its error. */
export async function afterRestart(version: ServerVersion, ask: Ask): Promise<AfterRestart | undefined> {
  const [own, persisted] = afterRestartSql(version);
  if (own === undefined) return undefined;
  return readAfterRestart(await ask(own), persisted === undefined ? [] : await ask(persisted));
}

/** Reads the answers; pure. */
export function readAfterRestart(own: readonly StatusRow[], persisted: readonly StatusRow[]): AfterRestart {
  // One of MySQL's two sets the other, without a word about where that one's value comes from.
  const isSet = isSetByStatement(own);
  const kept = new Map(persisted.map(({ name, value }) => [String(name), String(value)]));
  const values = own.map(({ name, value }) => kept.get(String(name)) ?? (isSet ? undefined : String(value)));
  if (values.some(isOn)) return 'closed';
  return values.length === 0 || values.includes(undefined) ? 'unknown' : 'open';
}

/** Whether a statement has set it since the server was started. */
export function isSetByStatement(own: readonly StatusRow[]): boolean {
  return own.some(({ origin }) => ['SQL', 'DYNAMIC'].includes(String(origin)));
}
