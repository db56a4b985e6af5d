import { expect, test } from 'vitest';
import { PlanValues } from '../../../../src/failover/change/plan-values.js';
import { withoutPasswords } from '../../../../src/mysql/without-passwords.js';

test('what was kept is put in where its name stands', () => {
  const values = new PlanValues({});
  values.keep('file offset', ['binlog.000003', 1234]);
  expect(values.fill("WAIT('{file}', {offset})")).toBe("WAIT('binlog.000003', 1234)");
});

test('a server cannot smuggle anything into a statement', () => {
  expect(() => new PlanValues({}).keep('position', ["0-1-5'); DROP TABLE x; --"])).toThrow(/position/);
});

test('a name that nothing is known for stops the statement', () => {
  expect(() => new PlanValues({}).fill('{position}')).toThrow(/\{position\}/);
});

test('a password is quoted, and never shown', () => {
  const sql = new PlanValues({ replicationPassword: "it's" }).fill(
    "MASTER_PASSWORD='{replicationPassword}', MASTER_SSL=0",
  );
  expect(sql).toBe("MASTER_PASSWORD='it''s', MASTER_SSL=0");
  expect(withoutPasswords(sql)).toBe("MASTER_PASSWORD='***', MASTER_SSL=0");
});
