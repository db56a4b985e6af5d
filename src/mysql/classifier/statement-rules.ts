/** Which rule decides about a statement: the table from first words to rules. */
import { answer, onPrimary } from './answer.js';
import type { Classification } from './classification.js';
import { classifyCreate, classifyDefinition, classifyDrop } from './definition-rule.js';
import { Feature } from './features.js';
import { classifyQuery, pinnedBy } from './query-rule.js';
import {
  classifyBackup,
  classifyDeallocate,
  classifyExecute,
  classifyFlush,
  classifyGet,
  classifyHandler,
  classifyLock,
  classifyPrepare,
  classifyUnlock,
  classifyUse,
} from './session-rule.js';
import { classifySet } from './set-rule.js';
import { classifyAnalyze, classifyExplain, classifyShow } from './show-rule.js';
import type { StatementContext, StatementRule } from './statement-context.js';
import {
  classifyBegin,
  classifyCommit,
  classifyRelease,
  classifyRollback,
  classifySavepoint,
  classifyStart,
  classifyXa,
} from './transaction-rule.js';

const FILLS_CACHE = answer('write', 'primary', 'it fills a cache of the server');
const WRITE = answer('write', 'primary', 'it writes');
const CALLING_WRITE = answer('write', 'primary', 'it writes', { calls: true });

function classifyWrite({ scan, cursor }: StatementContext): Classification {
  // LAST_INSERT_ID(…) in a write is what an insert leaves anyway.
  const pinned = pinnedBy(scan.features & ~Feature.SETS_INSERT_ID, cursor);
  const calls = (scan.features & Feature.UNKNOWN_FUNCTION) !== 0;
  if (pinned.length === 0) return calls ? CALLING_WRITE : WRITE;
  return answer('write', 'primary', 'it writes', { pinned, calls });
}

function classifyLoad(context: StatementContext): Classification {
  const at = context.cursor();
  at.take('load');
  if (at.word !== 'index') return classifyWrite(context);
  return FILLS_CACHE;
}

function classifyCall({ scan, cursor }: StatementContext): Classification {
  return answer('unknown', 'primary', 'a procedure may do anything', {
    pinned: pinnedBy(scan.features & ~Feature.SETS_INSERT_ID, cursor),
    several: true,
  });
}

function classifyDo(context: StatementContext): Classification {
  const given = classifyQuery(context);
  return given.route === 'same' ? given : onPrimary(given, 'it evaluates expressions for what they do');
}

/** MySQL's `CHANGE REPLICATION …` commits, MariaDB's `CHANGE MASTER …` does not. */
function classifyChange({ cursor }: StatementContext): Classification {
  const at = cursor();
  at.take('change');
  return answer('write', 'primary', 'it controls replication', { implicitCommit: at.word === 'replication' });
}

const maintenance = fixed('it maintains tables, and commits first', true);
/** What `KILL` is sent to the primary for, where nothing says that another server is meant. */
export const KILLS = 'it ends a session of the server, or what that is doing';

const administration = fixed('it administers the server', false);
const committingAdministration = fixed('it administers the server, and commits first', true);

function fixed(because: string, implicitCommit: boolean): StatementRule {
  const given = answer('write', 'primary', because, { implicitCommit, administers: true });
  return () => given;
}

/** The rules for first words that no read starts with. */
const RULES: ReadonlyMap<string, StatementRule> = new Map<string, StatementRule>([
  ['insert', classifyWrite],
  ['update', classifyWrite],
  ['delete', classifyWrite],
  ['replace', classifyWrite],
  ['load', classifyLoad],
  ['call', classifyCall],
  ['do', classifyDo],
  ['help', classifyQuery],
  ['checksum', classifyQuery],
  ['show', classifyShow],
  ['explain', classifyExplain],
  ['describe', classifyExplain],
  ['desc', classifyExplain],
  ['analyze', classifyAnalyze],
  ['set', classifySet],
  ['begin', classifyBegin],
  ['start', classifyStart],
  ['commit', classifyCommit],
  ['rollback', classifyRollback],
  ['savepoint', classifySavepoint],
  ['release', classifyRelease],
  ['xa', classifyXa],
  ['lock', classifyLock],
  ['unlock', classifyUnlock],
  ['flush', classifyFlush],
  ['backup', classifyBackup],
  ['handler', classifyHandler],
  ['prepare', classifyPrepare],
  ['execute', classifyExecute],
  ['deallocate', classifyDeallocate],
  ['use', classifyUse],
  ['get', classifyGet],
  ['create', classifyCreate],
  ['drop', classifyDrop],
  ['alter', classifyDefinition],
  ['rename', classifyDefinition],
  ['truncate', classifyDefinition],
  ['grant', classifyDefinition],
  ['revoke', classifyDefinition],
  ['check', maintenance],
  ['optimize', maintenance],
  ['repair', maintenance],
  ['cache', administration],
  ['install', committingAdministration],
  ['uninstall', committingAdministration],
  ['change', classifyChange],
  ['stop', administration],
  ['reset', administration],
  ['purge', administration],
  ['binlog', administration],
  ['clone', committingAdministration],
  ['import', committingAdministration],
  ['kill', fixed(KILLS, false)],
  ['restart', administration],
  ['shutdown', administration],
]);

/** The rule for a first word in lower case. */
export function ruleFor(word: string): StatementRule | undefined {
  return RULES.get(word);
}
