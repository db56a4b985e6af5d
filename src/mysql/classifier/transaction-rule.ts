/** Statements that begin and end transactions. */
import { answer, target } from './answer.js';
import type { Classification, TransactionEffect } from './classification.js';
import type { StatementContext } from './statement-context.js';
import type { StatementCursor } from './statement-cursor.js';

const BEGIN = answer('transaction', 'primary', 'it begins a transaction that may write', {
  transaction: 'begin',
  implicitCommit: true,
});
const BEGIN_READ_WRITE = answer('transaction', 'primary', 'it begins a transaction that writes', {
  transaction: 'begin-read-write',
  implicitCommit: true,
});
const BEGIN_READ_ONLY = answer('transaction', 'replica', 'it begins a transaction that only reads', {
  transaction: 'begin-read-only',
  implicitCommit: true,
});
const READ_ONLY_SNAPSHOT = answer(BEGIN_READ_ONLY.kind, BEGIN_READ_ONLY.route, BEGIN_READ_ONLY.because, {
  transaction: 'begin-read-only',
  implicitCommit: true,
  snapshots: true,
});
const SAVEPOINT = answer('transaction', 'same', 'it sets, undoes to or forgets a savepoint', {
  transaction: 'savepoint',
});
const RESERVED_SAVEPOINT = answer(SAVEPOINT.kind, SAVEPOINT.route, SAVEPOINT.because, {
  transaction: 'savepoint',
  reserved: true,
});

/** What the names of our own savepoints begin with; the server does not tell their case. */
const RESERVED = /^stormlamp_/i;

/** `BEGIN [WORK]`; blocks are compound statements and not for this rule. */
export function classifyBegin({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('begin');
  at.take('work');
  return at.isAtEnd ? BEGIN : undefined;
}

/** `START TRANSACTION …`, `START REPLICA …`. */
export function classifyStart({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('start');
  if (at.takeOne('slave', 'slaves', 'replica', 'replicas', 'all', 'group_replication') !== undefined)
    return answer('write', 'primary', 'it controls replication');
  if (!at.take('transaction')) return undefined;
  let access: 'only' | 'write' | undefined;
  let snapshots = false;
  while (!at.isAtEnd) {
    if (at.take('with')) {
      if (!at.take('consistent', 'snapshot')) return undefined;
      snapshots = true;
    } else if (at.take('read')) {
      const mode = at.takeOne('only', 'write');
      if (mode === undefined || access !== undefined) return undefined;
      access = mode === 'only' ? 'only' : 'write';
    } else return undefined;
    if (!at.takeSign(',') && !at.isAtEnd) return undefined;
  }
  if (access === undefined) return BEGIN;
  if (access === 'write') return BEGIN_READ_WRITE;
  return snapshots ? READ_ONLY_SNAPSHOT : BEGIN_READ_ONLY;
}

/** `COMMIT …`. */
export function classifyCommit({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('commit');
  at.take('work');
  return ending(at, 'commit');
}

/** `ROLLBACK …`, also to a savepoint. */
export function classifyRollback({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('rollback');
  at.take('work');
  if (!at.take('to')) return ending(at, 'rollback');
  at.take('savepoint');
  return savepoint(at);
}

/** `SAVEPOINT name`. */
export function classifySavepoint({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('savepoint');
  return savepoint(at);
}

/** `RELEASE SAVEPOINT name`. */
export function classifyRelease({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  return at.take('release', 'savepoint') ? savepoint(at) : undefined;
}

/** `XA …`. */
export function classifyXa({ cursor }: StatementContext): Classification | undefined {
  const at = cursor();
  at.take('xa');
  const verb = at.takeOne('start', 'begin', 'end', 'prepare', 'commit', 'rollback', 'recover');
  switch (verb) {
    case 'start':
    case 'begin':
      return answer('transaction', 'primary', 'it begins a distributed transaction', {
        pinned: [target('xa')],
      });
    case 'end':
      return answer('transaction', 'primary', 'it ends the work of a distributed transaction');
    case 'prepare':
      return answer('transaction', 'primary', 'it stores a distributed transaction', {
        transaction: 'xa-prepare',
      });
    case 'commit':
    case 'rollback':
      return answer('transaction', 'primary', 'it ends a distributed transaction', {
        transaction: `xa-${verb}`,
        unpinned: [target('xa')],
      });
    case 'recover':
      return answer('read', 'primary', 'it lists the distributed transactions of the server');
    default:
      return undefined;
  }
}

function savepoint(at: StatementCursor): Classification | undefined {
  const { name } = at;
  if (name === undefined) return undefined;
  at.advance();
  if (!at.isAtEnd) return undefined;
  return RESERVED.test(name) ? RESERVED_SAVEPOINT : SAVEPOINT;
}

function ending(at: StatementCursor, end: 'commit' | 'rollback'): Classification | undefined {
  let transaction: TransactionEffect = end;
  let chained = false;
  let closes = false;
  let because = `it ends the transaction with a ${end}`;
  if (at.take('and')) {
    const isNegated = at.take('no');
    if (!at.take('chain')) return undefined;
    if (!isNegated) {
      transaction = 'begin';
      chained = true;
      because = `it ends the transaction with a ${end} and begins the next one`;
    }
  }
  if (at.take('no')) {
    if (!at.take('release')) return undefined;
  } else if (at.take('release')) {
    closes = true;
    because = `${because}, and the server closes the connection`;
  }
  return at.isAtEnd ? answer('transaction', 'same', because, { transaction, chained, closes }) : undefined;
}
