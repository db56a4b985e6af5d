/** Every row of the classifier's tables. */
import * as reads from './reads.js';
import type { Row } from './row.js';
import * as session from './session.js';
import * as texts from './texts.js';
import * as writes from './writes.js';

/** The tables by name. */
export const TABLES: readonly (readonly [name: string, rows: readonly Row[]])[] = [
  reads,
  writes,
  session,
  texts,
].flatMap((module) => Object.entries(module));

/** All rows in one list. */
export const ALL_ROWS: readonly Row[] = TABLES.flatMap(([, rows]) => rows);
