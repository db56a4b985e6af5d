/**
 * Which texts make InnoDB take the snapshot of the transaction that they run in: those that read a table. Where the text leaves
 * that open, the answer is no.
 */
import type { ClassifyOptions } from './classification.js';
import { Feature } from './features.js';
import { HEADS, namesTable } from './named-tables.js';
import { Doubt, likeliestReading, otherReading } from './reading.js';
import { knownFunctions } from './statement-classifier.js';
import { StatementCursor } from './statement-cursor.js';
import { StatementScanner } from './statement-scan.js';

/**
 * Whether `sql` reads a table, or calls a function that is not built in and may do so. Tables of the system's schemas do not
 * count, nor reads that lock rows (they show what is there now), `SHOW`, and `EXPLAIN`.
 */
export function takesSnapshot(sql: string, options: ClassifyOptions): boolean {
  const reading = otherReading(likeliestReading(options), Doubt.COMMENT);
  const scan = new StatementScanner(sql, reading, knownFunctions(options));
  while (scan.next()) {
    if ((scan.doubts & ~Doubt.COMMENT) !== 0 || scan.isCompound || scan.isStored) return false;
    if (scan.headStart < 0 || (scan.features & Feature.LOCKING) !== 0) continue;
    const at = new StatementCursor(sql, reading, scan.headStart, scan.end, scan.headInComment);
    if (!HEADS.has(at.word)) continue;
    if ((scan.features & Feature.UNKNOWN_FUNCTION) !== 0 || namesTable(at)) return true;
  }
  return false;
}
