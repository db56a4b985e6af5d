/** Tells the answer of a statement without rows from rows. */
import type { ResultSetHeader } from 'mysql2';

/**
 * Whether an answer is that of a statement without rows. The driver does not show its class, and a column of a row may have any
 * name, `constructor` as well; so it is told by the prototype, which no row can choose.
 */
export function isHeader(value: unknown): value is ResultSetHeader {
  if (typeof value !== 'object' || value === null) return false;
  return Object.getPrototypeOf(value)?.constructor?.name === 'ResultSetHeader';
}
