/** A session in which the memory of a cluster is read, or written, on one node. */
import { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import type { Voter } from '../voters.js';
import { isAboutValues, type Literal, plainText, text } from './meta-text.js';

const TIMEOUT_MS = 3_000;
const NO_TABLE: ReadonlySet<number> = new Set([1146, 1049]);

/** Whether an error says that the table, or its database, was never made. */
function isNoTable(error: unknown): boolean {
  return NO_TABLE.has(Number((error as { errno?: unknown }).errno));
}

/** No rows where the table was never made, as before the first change. Throws what is another error. */
export function noTable(error: unknown): readonly StatusRow[] {
  if (isNoTable(error)) return [];
  throw error;
}

/** Writes; a table of an older version that has no room for the letters gets them as far as it has. */
export async function write(voter: Voter, statement: (literal: Literal) => string): Promise<void> {
  await onConnection(voter, async (ask) => {
    try {
      await ask(statement(text));
    } catch (error) {
      if (!isAboutValues(error)) throw error;
      await ask(statement(plainText));
    }
  });
}

/** Connects, works, and closes, whatever happens. */
export async function onConnection<T>(
  voter: Voter,
  work: (ask: (sql: string) => Promise<readonly StatusRow[]>) => Promise<T>,
): Promise<T> {
  const deadline = Deadline.of({ timeoutMs: TIMEOUT_MS });
  const connection: PhysicalConnection = await voter.act.connect(deadline);
  try {
    return await work((sql) => connection.ask(sql, deadline));
  } finally {
    connection.destroy();
  }
}
