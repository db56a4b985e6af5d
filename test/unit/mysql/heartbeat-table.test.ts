import { expect, test } from 'vitest';
import { heartbeatLock, readHeartbeats, resolveHeartbeat } from '../../../src/mysql/heartbeat-table.js';

test('timestamps of pt-heartbeat are read, in either spelling, and what is none is left out', () => {
  const rows = [
    { ts: '2026-11-28T08:31:03.001230', server_id: 1 },
    { ts: '2026-11-28 08:31:03', server_id: '2' },
    { ts: 'soon', server_id: 3 },
    { ts: null, server_id: 4 },
    { ts: '2026-11-28T08:31:03.5', server_id: 'x' },
  ];
  const base = Date.UTC(2026, 10, 28, 8, 31, 3);
  expect(readHeartbeats(rows)).toEqual({ 1: base + 1.23, 2: base });
});

test('the table is quoted', () => {
  const { table, write, intervalMs } = resolveHeartbeat('x', { table: 'per`cona.heart beat' });
  expect([table, write, intervalMs]).toEqual(['`per``cona`.`heart beat`', false, 500]);
});

test('each table has a lock of its own, with a name that every server takes', () => {
  const locks = ['`a`.`b`', '`a`.`c`', `\`${'a'.repeat(64)}\`.\`${'b'.repeat(64)}\``].map(heartbeatLock);
  expect(new Set(locks).size).toBe(3);
  for (const lock of locks) expect(lock).toMatch(/^[\w:-]{1,64}$/);
});

test.each([{ table: 'heartbeat' }, { table: 'a.b.c' }, { table: '.b' }, {}, { table: 'a.b', interval: 1 }])(
  '%j is refused',
  (options) => {
    expect(() => resolveHeartbeat('lagSource.heartbeat', options as never)).toThrow(/lagSource.heartbeat/);
  },
);
