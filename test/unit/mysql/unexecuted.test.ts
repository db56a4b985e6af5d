import type { Query } from 'mysql2';
import { expect, test } from 'vitest';
import { readStatement } from '../../../src/mysql/statement.js';
import { isUnexecuted, noteUnexecuted } from '../../../src/mysql/unexecuted.js';

const lost = (more: object = {}): Error => Object.assign(new Error('lost'), { fatal: true, ...more });
const sentWith = (statement: unknown): Query => ({ statement }) as unknown as Query;
const INSERT = 'INSERT INTO t VALUES (1)';

test.each([
  ['a statement that was not prepared yet', 'execute', INSERT, sentWith(undefined), {}, true],
  ['a statement that was prepared', 'execute', INSERT, sentWith({ id: 1 }), {}, false],
  ['a statement of which nothing is known', 'execute', INSERT, undefined, {}, false],
  [
    'a text that was sent',
    'query',
    INSERT,
    sentWith(undefined),
    { code: 'ECONNRESET', syscall: 'read' },
    false,
  ],
  [
    'a text that could not be written',
    'query',
    INSERT,
    sentWith(undefined),
    { code: 'EPIPE', syscall: 'write' },
    true,
  ],
  [
    'a file that could not be written while it was loaded',
    'query',
    "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
    sentWith(undefined),
    { code: 'EPIPE', syscall: 'write' },
    false,
  ],
  [
    'the leave of a server that had waited too long',
    'query',
    INSERT,
    sentWith(undefined),
    { errno: 4031 },
    true,
  ],
  ['a session that was killed', 'query', INSERT, sentWith(undefined), { errno: 1927 }, false],
] as const)('%s', (_name, mode, sql, sent, more, expected) => {
  const error = lost(more);
  noteUnexecuted(error, readStatement(mode, sql, undefined), sent);
  expect(isUnexecuted(error)).toBe(expected);
});

test('what is no error is no evidence', () => {
  noteUnexecuted(undefined, readStatement('execute', INSERT, undefined), sentWith(undefined));
  expect(isUnexecuted(undefined)).toBe(false);
});
