/** `SHOW …` and its relatives: some of it is about the data, some about one server, some about the statement before. */
import { answer, onPrimary } from './answer.js';
import type { Classification } from './classification.js';
import { Feature } from './features.js';
import { classifyQuery } from './query-rule.js';
import type { StatementContext } from './statement-context.js';

/** What is the same on every server, or is asked of a replica on purpose. */
const ON_REPLICA: ReadonlySet<string> = new Set(
  (
    'character charset collation columns create databases engines events fields function grants privileges procedure ' +
    'package replica schemas slave tables triggers table type'
  ).split(' '),
);
const ABOUT_THE_STATEMENT_BEFORE: ReadonlySet<string> = new Set([
  'warnings',
  'errors',
  'profile',
  'profiles',
]);

const ABOUT_THE_SERVER = 'it shows something that every server has for itself';

/** `SHOW …`. */
export function classifyShow(context: StatementContext): Classification {
  const at = context.cursor();
  at.take('show');
  while (at.takeOne('full', 'extended', 'storage', 'global', 'session', 'local') !== undefined);
  // Accounts look like user variables: `FOR 'name'@'host'`.
  const general = classifyQuery(context, context.scan.features & ~Feature.ACCOUNT);
  const subject = at.word;
  if (ABOUT_THE_STATEMENT_BEFORE.has(subject) || subject === 'count')
    return answer('read', 'same', 'it shows what the statement before on its connection left', {
      asksBefore: true,
      asksOutcome: true,
    });
  if (!ON_REPLICA.has(subject)) return onPrimary(general, ABOUT_THE_SERVER);
  at.advance();
  // SHOW REPLICA STATUS asks for the replica's own; SHOW REPLICA HOSTS asks the primary who its replicas are.
  const isReplication = subject === 'slave' || subject === 'replica';
  return isReplication && at.word !== 'status' ? onPrimary(general, ABOUT_THE_SERVER) : general;
}

/** `EXPLAIN`, `DESCRIBE`, `DESC`, and MariaDB's `ANALYZE` of a statement. */
export function classifyExplain(context: StatementContext): Classification | undefined {
  const { scan } = context;
  const at = context.cursor();
  const executes = at.word === 'analyze';
  at.advance();
  if (at.isAtEnd) return undefined;
  const alsoExecutes = at.word === 'analyze';
  if ((scan.features & Feature.WRITE_WORD) !== 0 && !executes && !alsoExecutes)
    return answer('read', 'primary', 'it explains a write, which servers that are read-only refuse');
  return classifyQuery(context);
}

/** `ANALYZE TABLE …` is maintenance, `ANALYZE SELECT …` runs a query. */
export function classifyAnalyze(context: StatementContext): Classification | undefined {
  const at = context.cursor();
  at.take('analyze');
  at.takeOne('local', 'no_write_to_binlog');
  if (at.word !== 'table' && at.word !== 'tables') return classifyExplain(context);
  return answer('write', 'primary', 'it writes statistics, and commits first', { implicitCommit: true });
}
