/** Statements about the state of their own connection: locks, cursors, prepared statements, the current database. */
import { answer, target } from './answer.js';
import type { Classification } from './classification.js';
import type { StatementContext } from './statement-context.js';
import { Token } from './statement-lexer.js';

/** `LOCK TABLES …`, `LOCK INSTANCE FOR BACKUP`. */
export function classifyLock({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('lock');
  if (at.takeOne('table', 'tables') !== undefined)
    return answer('session', 'primary', 'it locks tables', {
      implicitCommit: true,
      pinned: [target('table-lock', 'tables')],
    });
  if (!at.take('instance')) return undefined;
  return answer('session', 'primary', 'it locks the server for a backup', {
    pinned: [target('table-lock', 'instance')],
  });
}

/** `UNLOCK TABLES`, `UNLOCK INSTANCE`. It commits only when tables were locked, so that is not claimed. */
export function classifyUnlock({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('unlock');
  const what = at.takeOne('table', 'tables', 'instance');
  if (what === undefined || !at.isAtEnd) return undefined;
  const name = what === 'instance' ? 'instance' : 'tables';
  return answer('session', 'primary', 'it unlocks tables', { unpinned: [target('table-lock', name)] });
}

/** `FLUSH …`, which may leave a lock behind. */
export function classifyFlush({ cursor }: StatementContext): Classification {
  const at = cursor();
  at.take('flush');
  at.takeOne('local', 'no_write_to_binlog');
  const isTables = at.takeOne('table', 'tables') !== undefined;
  let locks = false;
  let previous = '';
  while (isTables && !at.isAtEnd) {
    const { word } = at;
    if ((previous === 'read' && word === 'lock') || (previous === 'for' && word === 'export')) locks = true;
    previous = word;
    at.advance();
  }
  if (!locks)
    return answer('write', 'primary', 'it empties caches or logs of the server', { implicitCommit: true });
  return answer('session', 'primary', 'it locks tables', {
    implicitCommit: true,
    pinned: [target('table-lock', 'tables')],
  });
}

/** MariaDB's `BACKUP STAGE …`, `BACKUP LOCK …`, `BACKUP UNLOCK`. */
export function classifyBackup({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('backup');
  const isStage = at.take('stage');
  const action = at.word;
  if (action === 'end' || action === 'unlock')
    return answer('session', 'primary', 'it ends a backup', {
      implicitCommit: true,
      unpinned: [target('table-lock', 'backup')],
    });
  if (!isStage && action !== 'lock') return undefined;
  return answer('session', 'primary', 'it locks the server for a backup', {
    implicitCommit: true,
    pinned: [target('table-lock', 'backup')],
  });
}

/** `HANDLER … OPEN`, `READ`, `CLOSE`. */
export function classifyHandler({ cursor, scan }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('handler');
  const table = at.takeName(false);
  if (table === undefined) return undefined;
  switch (at.takeOne('open', 'read', 'close')) {
    case 'open': {
      at.take('as');
      const alias = at.isAtEnd ? table : at.takeName(false);
      return answer('session', 'primary', 'it opens a cursor over a table', {
        pinned: [target('handler', alias)],
      });
    }
    case 'close':
      return answer('session', 'primary', 'it closes a cursor over a table', {
        unpinned: [target('handler', table)],
      });
    case 'read':
      return answer(
        scan.features === 0 ? 'read' : 'unknown',
        'primary',
        'it reads through a cursor of its connection',
      );
    default:
      return undefined;
  }
}

/** `PREPARE name FROM …`. */
export function classifyPrepare({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('prepare');
  const name = at.takeName();
  if (name === undefined || !at.take('from')) return undefined;
  const pinned = [target('prepared', name)];
  if (at.kind === Token.USER_VARIABLE) pinned.push(target('user-variable'));
  return answer('session', 'primary', 'it prepares a statement on its connection', { pinned });
}

/** `EXECUTE name`, `EXECUTE IMMEDIATE …`: the text of the statement is somewhere else. */
export function classifyExecute({ scan, cursor }: StatementContext): Classification {
  const at = cursor();
  at.take('execute');
  const because = at.take('immediate')
    ? 'it executes a text that the server puts together'
    : 'it executes a statement that was prepared before';
  const pinned = scan.features === 0 ? [] : [target('user-variable')];
  return answer('unknown', 'primary', because, { pinned, several: true });
}

/** `DEALLOCATE PREPARE name`, `DROP PREPARE name`. */
export function classifyDeallocate({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.takeOne('deallocate', 'drop');
  if (!at.take('prepare')) return undefined;
  const name = at.takeName();
  if (name === undefined) return undefined;
  return answer('session', 'primary', 'it forgets a prepared statement', {
    unpinned: [target('prepared', name)],
  });
}

/** `USE database`. */
export function classifyUse({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('use');
  const database = at.name;
  if (database === undefined) return undefined;
  at.advance();
  if (!at.isAtEnd) return undefined;
  return answer('session', 'all', 'it changes the current database', { settings: ['database'], database });
}

/** `GET DIAGNOSTICS …`: about the statement before, into variables. */
export function classifyGet({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('get');
  at.takeOne('current', 'stacked');
  if (!at.take('diagnostics')) return undefined;
  return answer('session', 'same', 'it asks about the statement before on its connection', {
    pinned: [target('user-variable')],
    asksBefore: true,
    asksOutcome: true,
  });
}
