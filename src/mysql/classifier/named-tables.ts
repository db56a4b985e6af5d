/** Whether a statement that evaluates queries names a table, so that it shows data. */
import type { StatementCursor } from './statement-cursor.js';

/** The first words of what evaluates queries and functions. */
export const HEADS: ReadonlySet<string> = new Set(['select', 'with', 'values', 'table', 'set', 'do']);

/** Schemas whose tables say something about the server. */
const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set([
  'information_schema',
  'performance_schema',
  'mysql',
  'sys',
]);

/** Behind these words stand no more tables. */
const ENDS_LIST: ReadonlySet<string> = new Set([
  ...['where', 'group', 'having', 'order', 'limit', 'offset', 'fetch', 'window', 'procedure'],
  ...['union', 'except', 'intersect', 'minus', 'into', 'for', 'lock', 'values', 'with'],
]);

/** What stands behind these is not run, or is no query: `SET STATEMENT … FOR EXPLAIN …`. */
const NOT_RUN: ReadonlySet<string> = new Set(['explain', 'describe', 'desc', 'analyze', 'show']);

/** What is between two parentheses, or outside of all. */
interface Level {
  readonly outer: Level | undefined;
  /** The name before its parenthesis. */
  readonly before: string | undefined;
  /** The name of the common table expression that it is the query of. */
  readonly expression: string | undefined;
  /** Whether it is a query, in which `FROM` stands before tables. */
  isQuery: boolean;
  /** Whether this is a list of tables. */
  isList: boolean;
  /** Whether a table comes next. */
  isNext: boolean;
}

/** Whether the statement reads a table that is no common table expression, `DUAL`, or one of the system's schemas. */
export function namesTable(at: StatementCursor): boolean {
  const expressions = new Set<string>();
  let level = levelIn(undefined, undefined, undefined);
  let isRecursive = false;
  let isPart = false;
  let name: string | undefined;
  let named: string | undefined;
  while (!at.isAtEnd) {
    const word = isPart ? '' : at.word;
    isPart = at.sign === '.';
    if (NOT_RUN.has(word)) return false;
    if (level.isNext && at.name !== undefined && !HEADS.has(word) && word !== 'lateral') {
      const table = at.takeName();
      level.isNext = false;
      if (table !== undefined && at.sign !== '(' && isOfInterest(table, expressions)) return true;
      continue;
    }
    if (at.sign === '(') {
      level = levelIn(level, name, named);
      if (isRecursive && named !== undefined) expressions.add(named);
      name = undefined;
    } else if (at.sign === ')') {
      const { outer, before, expression } = level;
      if (expression !== undefined) expressions.add(expression);
      level = outer ?? levelIn(undefined, undefined, undefined);
      level.isNext = false;
      name = before;
    } else if (at.sign === ',') level.isNext = level.isList;
    else stepTo(level, word);
    if (word === 'recursive') isRecursive = true;
    named = word === 'as' ? name : undefined;
    if (at.sign === '') name = at.name?.toLowerCase();
    at.advance();
  }
  return false;
}

function stepTo(level: Level, word: string): void {
  if (word === 'select') {
    level.isQuery = true;
    level.isList = level.isNext = false;
  } else if (word === 'table' || (word === 'from' && level.isQuery)) level.isList = level.isNext = true;
  else if (word === 'join' || word === 'straight_join') level.isNext = level.isList;
  else if (ENDS_LIST.has(word)) level.isList = level.isNext = false;
}

function levelIn(
  outer: Level | undefined,
  before: string | undefined,
  expression: string | undefined,
): Level {
  const isNext = outer?.isNext ?? false;
  return { outer, before, expression, isQuery: false, isList: isNext, isNext };
}

function isOfInterest(table: string, expressions: ReadonlySet<string>): boolean {
  const point = table.indexOf('.');
  if (point >= 0) return !SYSTEM_SCHEMAS.has(table.slice(0, point));
  return table !== 'dual' && !expressions.has(table);
}
