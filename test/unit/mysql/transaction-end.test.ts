import { expect, test } from 'vitest';
import { classify } from '../../../src/mysql/classifier/statement-classifier.js';
import { refuseEnd } from '../../../src/mysql/transaction-end.js';

test.each([
  'SAVEPOINT stormlamp_1',
  'savepoint `Stormlamp_2`',
  'ROLLBACK TO stormlamp_1',
  'ROLLBACK WORK TO SAVEPOINT /* x */ stormlamp_mark',
  'RELEASE SAVEPOINT stormlamp_1',
  'SAVEPOINT stormlamp_1; SELECT 1',
])('a savepoint of a reserved name is refused inside transaction(fn): %s', (sql) => {
  expect(classify(sql).transaction).toBe('savepoint');
  expect(() => refuseEnd(classify(sql))).toThrow(
    expect.objectContaining({ code: 'ERR_UNSUPPORTED', message: expect.stringContaining('stormlamp_') }),
  );
});

test.each([
  'SAVEPOINT a',
  'ROLLBACK TO SAVEPOINT my_stormlamp_1',
  'RELEASE SAVEPOINT stormlamp',
  "SELECT 'SAVEPOINT stormlamp_1'",
])('other statements that leave it open are not: %s', (sql) => {
  expect(() => refuseEnd(classify(sql))).not.toThrow();
});

test.each(['COMMIT', 'ROLLBACK', 'BEGIN', 'SET autocommit = 1', 'ALTER TABLE t ADD c INT'])(
  'what ends it is refused: %s',
  (sql) => {
    expect(() => refuseEnd(classify(sql))).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }));
  },
);
