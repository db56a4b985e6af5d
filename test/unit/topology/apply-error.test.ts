/** What is told of a replica that stopped: nothing of the statements and rows that the server quotes. */
import { expect, test } from 'vitest';
import { chooseCandidate } from '../../../src/failover/plan/candidate-choice.js';
import { channelError, describeApplyError } from '../../../src/topology/apply-error.js';
import { madeUp } from '../failover/made-up-survey.js';

const ROW =
  "Could not execute Write_rows_v1 event on table shop.person; Duplicate entry 'secret-mail@x' for key 'mail', Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY; the event's master log binlog.000002, end_log_pos 700";
const STATEMENT =
  "Error 'Duplicate entry 'secret-mail@x' for key 'mail'' on query. Default database: 'shop'. Query: 'INSERT INTO person VALUES (7, 'secret-mail@x', 'secret-pin')'";
const FORGED =
  "Error 'Duplicate entry 'Could not execute Secret event on table secret.secret;' for key 'mail'' on query.";

test.each([
  [1062, ROW, 'error 1062, a key that it has already, Write_rows_v1 event on table shop.person'],
  [1062, STATEMENT, 'error 1062, a key that it has already'],
  [1062, FORGED, 'error 1062, a key that it has already'],
  [9999, 'secret', 'error 9999'],
])('%i %s', (errno, text, told) => {
  expect(describeApplyError(errno, text)).toBe(told);
});

test('the error of a channel is whole where the receiving thread has it, and that of the applying one is not', () => {
  const channel = {
    name: '',
    sourceHost: 'db1',
    sourcePort: 3306,
    sourceServerId: 1,
    io: 'no',
    sql: false,
    lagMs: null,
    delayMs: 0,
  } as const;
  const refused = "Got fatal error 1236 from master: 'Could not find first log file name'";
  expect(channelError({ ...channel, error: refused })).toBe(refused);
  expect(channelError({ ...channel, error: STATEMENT, applyErrno: 1062 })).not.toContain('secret');
});

test.each([ROW, STATEMENT])('a candidate that is not taken shows no value: %s', (text) => {
  const stuck = madeUp('db2', {
    source: { host: 'db1', port: 3306 },
    status: { Slave_SQL_Running: 'No', Last_SQL_Errno: 1062, Last_SQL_Error: text },
  });
  const wishes = { prefer: [], avoid: [], never: [] };
  const { excluded } = chooseCandidate({ surveys: [stuck], wishes, isolated: new Set() });
  expect(excluded[0]?.why).toContain('stopped with error 1062');
  expect(excluded[0]?.why).not.toContain('secret');
});
