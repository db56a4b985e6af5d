/** The `sql_mode` of sessions, as servers tell it with the answer of the statement that set it. */

/** So many different modes are told apart by identity; who has more of them is read with more care. */
const KNOWN_LIMIT = 64;

const known = new Map<string, string>();

/** The mode that the answer of a statement tells: the same string for equal modes; undefined when it tells none. */
export function sqlModeTold(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { stateChanges } = answer as { readonly stateChanges?: unknown };
  if (typeof stateChanges !== 'object' || stateChanges === null) return undefined;
  const { systemVariables } = stateChanges as { readonly systemVariables?: unknown };
  if (typeof systemVariables !== 'object' || systemVariables === null) return undefined;
  const mode = (systemVariables as Readonly<Record<string, unknown>>)['sql_mode'];
  return typeof mode === 'string' ? sameString(mode) : undefined;
}

function sameString(mode: string): string | undefined {
  const same = known.get(mode);
  if (same !== undefined) return same;
  if (known.size >= KNOWN_LIMIT) return undefined;
  known.set(mode, mode);
  return mode;
}
