/** What a text means in the database that its session has chosen: in one of the system, names without a schema are of the server. */

import { onPrimary } from './classifier/answer.js';
import type { Classification } from './classifier/classification.js';
import type { SessionPorts } from './session-ports.js';
import { changesDatabase, type SessionState } from './session-state.js';

/** Whose tables every server has for itself: all of them, or those that the classifier knows by name. */
const SYSTEM_SCHEMAS: ReadonlyMap<string, 'all' | 'some'> = new Map([
  ['sys', 'all'],
  ['performance_schema', 'all'],
  ['information_schema', 'some'],
  ['mysql', 'some'],
]);

/** What a text is in a session whose database is called `database`. */
export function inSchema(classification: Classification, database: string | undefined): Classification {
  const local = SYSTEM_SCHEMAS.get(database?.toLowerCase() ?? '');
  if (local === undefined || !mayBeLocal(classification)) return classification;
  if (local === 'some' && classification.namesLocal !== true) return classification;
  return onPrimary(
    classification,
    'it reads what every server has for itself, in the database that is chosen',
  );
}

/** What a text is in a session in `state`, which may have chosen a database (`USE`). */
export function inChosenSchema(
  ports: SessionPorts,
  { settings }: SessionState,
  classification: Classification,
): Classification {
  if (settings.length === 0 || !mayBeLocal(classification)) return classification;
  for (const { sql } of settings.toReversed()) {
    const setting = ports.classify(sql, undefined);
    if (changesDatabase(setting)) return inSchema(classification, setting.database);
  }
  return classification;
}

/** Whether a text would go to a replica. */
function mayBeLocal({ kind, route }: Classification): boolean {
  return kind === 'read' && route === 'replica';
}
