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
  const { kind, route, namesLocal } = classification;
  if (database === undefined || kind !== 'read' || route !== 'replica') return classification;
  const local = SYSTEM_SCHEMAS.get(database.toLowerCase());
  if (local === undefined || (local === 'some' && namesLocal !== true)) return classification;
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
  if (settings.length === 0) return classification;
  const chosen = settings
    .map(({ sql }) => ports.classify(sql, undefined))
    .findLast((setting) => changesDatabase(setting));
  return inSchema(classification, chosen?.database);
}
