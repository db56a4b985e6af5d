import { expect, test } from 'vitest';
import { createClassifier } from '../../../src/mysql/classifier/statement-classifier.js';
import { ConnectionTraces } from '../../../src/mysql/connection-traces.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { FRESH_SESSION } from '../../../src/mysql/session-state.js';

const classify = createClassifier();

test.each([
  ['INSERT INTO t VALUES (1)', 'SELECT LAST_INSERT_ID()'],
  ['SELECT NEXTVAL(s)', 'INSERT INTO t VALUES (LASTVAL(s))'],
  ['INSERT INTO t VALUES (1)', 'SELECT PREVIOUS VALUE FOR s'],
])('what %s left is unknown on the same connection after others may have used it', (left, asks) => {
  const held = { node: 'a', lost: undefined } as PhysicalConnection;
  const traces = new ConnectionTraces();
  const note = (sql: string): void =>
    traces.note(held, {
      classification: classify(sql),
      state: FRESH_SESSION,
      isOwn: undefined,
      succeeded: true,
      answer: undefined,
    });
  note(left);
  expect(() => traces.check(classify(asks), held)).not.toThrow();
  traces.leave();
  note('SELECT 1');
  expect(() => traces.check(classify(asks), held)).toThrow(/it was given back/);
});
