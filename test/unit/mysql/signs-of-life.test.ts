import { expect, test } from 'vitest';
import { readSemiSync, withHeartbeats } from '../../../src/mysql/signs-of-life.js';
import type { ReplicationChannel } from '../../../src/topology/node-description.js';

const channel: ReplicationChannel = {
  name: 'eu',
  sourceHost: 'db1',
  sourcePort: 3306,
  sourceServerId: 1,
  io: 'yes',
  sql: true,
  lagMs: 0,
  delayMs: 0,
  error: '',
  reception: { position: 'bin.1:4', heartbeats: null, heartbeatMs: null, errno: 0 },
};

test('heartbeats are put to the channel of their name', () => {
  const rows = [
    { name: 'us', heartbeats: 1, period: 1 },
    { name: 'eu', heartbeats: '12', period: '30.5000' },
  ];
  expect(withHeartbeats([channel], rows)[0]?.reception).toEqual({
    position: 'bin.1:4',
    heartbeats: 12,
    heartbeatMs: 30_500,
    errno: 0,
  });
  expect(withHeartbeats([channel], [])).toEqual([channel]);
});

test.each(['master', 'source'])('semi-synchronous replication under the word %s', (word) => {
  const row = (name: string, value: string): Record<string, string> => ({
    Variable_name: `Rpl_semi_sync_${word}_${name}`,
    Value: value,
  });
  expect(readSemiSync([row('status', 'ON'), row('clients', '2'), row('wait_sessions', '8')])).toEqual({
    active: true,
    acknowledgers: 2,
    waiting: 8,
  });
});

test.each([
  ['master', 'wait_no_slave', 'ON', true],
  ['master', 'wait_no_slave', 'OFF', false],
  ['source', 'wait_no_replica', 'ON', true],
  ['source', 'wait_no_replica', 'OFF', false],
])('under the word %s, %s=%s', (word, name, value, waitsAlone) => {
  const rows = [
    { Variable_name: `Rpl_semi_sync_${word}_status`, Value: 'ON' },
    { Variable_name: `rpl_semi_sync_${word}_timeout`, Value: '1000' },
    { Variable_name: `rpl_semi_sync_${word}_wait_point`, Value: 'AFTER_SYNC' },
  ];
  const own = { Variable_name: `rpl_semi_sync_${word}_${name}`, Value: value };
  expect(readSemiSync([...rows, own])).toMatchObject({ timeoutMs: 1_000, afterSync: true, waitsAlone });
  expect(readSemiSync(rows)?.waitsAlone).toBeUndefined();
});

test('a server that only acknowledges, or knows nothing of it, is no source of it', () => {
  expect(readSemiSync([])).toBeUndefined();
  expect(readSemiSync([{ Variable_name: 'Rpl_semi_sync_slave_status', Value: 'ON' }])).toBeUndefined();
});
