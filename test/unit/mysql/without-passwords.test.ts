import { expect, test } from 'vitest';
import { hidePasswords, withoutPasswords } from '../../../src/mysql/without-passwords.js';

test.each([
  [
    "CHANGE MASTER TO MASTER_PASSWORD='it''s', MASTER_SSL=0",
    "CHANGE MASTER TO MASTER_PASSWORD='***', MASTER_SSL=0",
  ],
  [
    "CHANGE REPLICATION SOURCE TO source_password = 'a\\'b', X=1",
    "CHANGE REPLICATION SOURCE TO source_password = '***', X=1",
  ],
  ["CLONE INSTANCE FROM 'c'@'h':1 IDENTIFIED BY 'x y'", "CLONE INSTANCE FROM 'c'@'h':1 IDENTIFIED BY '***'"],
  ["near 'MASTER_PASSWORD='cut off in the mid", "near 'MASTER_PASSWORD='***'"],
  ["SELECT 'PASSWORD'", "SELECT 'PASSWORD'"],
])('%s', (text, shown) => {
  expect(withoutPasswords(text)).toBe(shown);
});

test('an error tells a password nowhere, however it is written down', () => {
  const secret = 'hunter2';
  const said = `You have an error in your SQL syntax near 'MASTER_PASSWORD='${secret}', WRONG=1' at line 1`;
  const error = Object.assign(new Error(said), {
    sqlMessage: said,
    sql: `CHANGE MASTER TO MASTER_PASSWORD='${secret}', WRONG=1`,
    errno: 1064,
  });
  const hidden = hidePasswords(error);
  expect(hidden).toBe(error);
  expect(`${hidden.stack} ${JSON.stringify(hidden)} ${hidden.message}`).not.toContain(secret);
  expect(hidden).toMatchObject({ errno: 1064, message: expect.stringContaining('You have an error') });
});
