import { describe, expect, test } from 'vitest';
import { inChosenSchema, inSchema } from '../../../src/mysql/chosen-schema.js';
import { classify } from '../../../src/mysql/classifier/statement-classifier.js';
import type { SessionPorts } from '../../../src/mysql/session-ports.js';
import { FRESH_SESSION } from '../../../src/mysql/session-state.js';
import { readStatement } from '../../../src/mysql/statement.js';

describe.each([
  ['sys', 'SELECT * FROM session', 'primary'],
  ['SYS', 'SHOW TABLES', 'primary'],
  ['performance_schema', 'SELECT * FROM threads', 'primary'],
  ['information_schema', 'SELECT * FROM `processlist` WHERE id > 1', 'primary'],
  ['information_schema', 'SELECT * FROM tables t JOIN INNODB_TRX', 'primary'],
  ['information_schema', 'SELECT * FROM tables', 'replica'],
  ['mysql', 'SELECT * FROM slow_log', 'primary'],
  ['mysql', 'SELECT * FROM user', 'replica'],
  ['shop', 'SELECT * FROM plugins', 'replica'],
  [undefined, 'SELECT * FROM plugins', 'replica'],
])('in %s, %s', (database, sql, route) => {
  test(`goes to a ${route}`, () => {
    expect(inSchema(classify(sql), database).route).toBe(route);
  });

  test('means the same after USE, until another one is used', () => {
    if (database === undefined) return;
    const ports = { classify: (text: string) => classify(text) } as unknown as SessionPorts;
    const used = (...names: readonly string[]): string => {
      const settings = names.map((name) => readStatement('query', `USE ${name}`, undefined));
      return inChosenSchema(ports, { ...FRESH_SESSION, settings }, classify(sql)).route;
    };
    expect(used('other', database)).toBe(route);
    expect(used(database, 'other')).toBe('replica');
    expect(used()).toBe('replica');
  });
});

test('what is written there, or is no read, stays what it is', () => {
  const write = classify('UPDATE processlist SET v = 1');
  expect(inSchema(write, 'sys')).toBe(write);
});
