import { expect, test } from 'vitest';
import { Checks } from '../../../../src/cli/doctor/check.js';
import { judgePlace } from '../../../../src/cli/doctor/check-sessions.js';

function troubles(bytes: number, evictions: number): readonly string[] {
  const checks = new Checks('sessions');
  const memory = { bytes, limitBytes: 1_000_000, evictions };
  const place = { node: 'cache1:11211', up: true, standing: 'filled', version: '1.6.18', items: 1 } as const;
  judgePlace(checks, { ...place, memory, begunAnewAt: null, error: null });
  return checks.list.filter(({ state }) => state !== 'ok').map(({ what, found }) => `${what}: ${found}`);
}

test('a node that is full, or throws sessions out although it is not, is told', () => {
  expect(troubles(1_000, 0)).toEqual([]);
  expect(troubles(950_000, 0)).toEqual(['memory: 95 % used']);
  expect(troubles(1_000, 12)).toEqual([
    'evictions: 12 items thrown out before their time since it was started',
  ]);
});
