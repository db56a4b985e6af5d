import { expect, test } from 'vitest';
import { readFailoverCall } from '../../../src/cli/failover-call.js';

const read = (line: string, ...given: string[]): unknown => readFailoverCall(line.split(' '), given);

test('an action with what it takes', () => {
  expect(read('switchover', 'to', 'config', 'json')).toEqual({ action: 'switchover', word: '' });
  expect(read('failover', 'to', 'force', 'accept-loss')).toEqual({ action: 'failover', word: '' });
  expect(read('plan')).toEqual({ action: 'plan', word: '' });
  expect(read('plan failover', 'to')).toEqual({ action: 'plan', word: 'failover' });
  expect(read('rejoin db2:3306')).toEqual({ action: 'rejoin', word: 'db2:3306' });
  expect([read('resume'), read('resume p-7')]).toEqual([
    { action: 'resume', word: '' },
    { action: 'resume', word: 'p-7' },
  ]);
  expect(read('acknowledge op-7', 'by')).toEqual({ action: 'acknowledge', word: 'op-7' });
  expect(read('history', 'count')).toEqual({ action: 'history', word: '' });
});

test.each([
  ['switchover db2:3306', [], /does not take `db2:3306`, it takes --to; a node is named by --to/],
  ['failover db2:3306', ['force', 'accept-loss'], /a node is named by --to/],
  ['plan falover', [], /one of switchover, failover, got `falover`/],
  ['plan switchover db2:3306', [], /does not take `db2:3306`.*named by --to/],
  ['preflight db2:3306', [], /does not take `db2:3306`, it takes nothing but --config and --json/],
  ['history 3', [], /does not take `3`, it takes --count/],
  ['rejoin', [], /failover rejoin <node>/],
  ['acknowledge', [], /failover acknowledge <op>` to be the name of a change, as history shows it/],
  ['rejoin db2:3306 db3:3306', [], /does not take `db3:3306`/],
  ['switchover', ['force'], /does not take --force/],
  ['switchover', ['accept-loss'], /does not take --accept-loss/],
  ['plan', ['force'], /does not take --force/],
  ['history', ['to'], /does not take --to/],
  ['swichover', [], /did you mean 'switchover'/],
  ['constructor', [], /one of preflight, /],
  ['', [], /one of preflight, /],
])('`failover %s` with %o is refused', (line, given, message) => {
  expect(() => read(line, ...given)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringMatching(message) }),
  );
});
