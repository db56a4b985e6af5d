/** What is remembered of a primary that is gone: when it was seen last, and how long it may have gone on. */
import { beforeEach, expect, test } from 'vitest';
import { PrimaryMemory } from '../../../../src/failover/change/primary-memory.js';
import { TopologyWatcher } from '../../../../src/health/topology-watcher.js';
import type { ProbeFailure, ServerFacts } from '../../../../src/topology/node-description.js';
import { channel, gtids, master, seeds } from '../../../spec/topology/made-up-servers.js';

const WALL = 1_700_000_000_000;
let now: number;
let watcher: TopologyWatcher;
let memory: PrimaryMemory;

beforeEach(() => {
  now = 0;
  watcher = new TopologyWatcher({
    seeds: seeds({ a: 'primary' }),
    createProbe: () => ({ probe: () => Promise.reject(new Error('not asked')), close: () => undefined }),
    intervalMs: 1_000,
    timeoutMs: 1_000,
  });
  memory = new PrimaryMemory(watcher, 5_000, { now: () => now, wall: () => WALL + now });
});

function see(at: number, found: number | ProbeFailure): void {
  now = at;
  watcher.publish(
    'node-observed',
    typeof found === 'number'
      ? { node: 'a', at, ok: true, latencyMs: 1, facts: master('a', { gtid: gtids({ a: found }) }) }
      : { node: 'a', at, ok: false, failure: found, error: new Error(found) },
  );
}

test('one whose port is closed has ended, at the latest when that was found', () => {
  see(1_000, 100);
  see(2_000, 150);
  see(2_700, 'refused');
  see(9_000, 'refused');
  expect(memory.of('a')).toMatchObject({ seenAt: WALL + 2_000, unseenMs: 700, isDead: true, rate: 50 });
});

test('one that is silent may go on until every lease on it is over', () => {
  see(2_000, 150);
  see(3_000, 'timeout-query');
  see(6_000, 'timeout-connect');
  now = 7_000;
  expect(memory.of('a')).toMatchObject({ seenAt: WALL + 2_000, unseenMs: 10_000, isDead: false });
  see(8_000, 'refused');
  expect(memory.of('a')).toMatchObject({ unseenMs: 6_000, isDead: true });
  see(9_000, 'timeout-connect');
  expect(memory.of('a')).toMatchObject({ unseenMs: 12_000, isDead: false });
});

test('one that answers again was never dead', () => {
  see(2_000, 150);
  see(3_000, 'refused');
  see(4_000, 160);
  now = 4_500;
  expect(memory.of('a')).toMatchObject({ seenAt: WALL + 4_000, unseenMs: 5_500, isDead: false });
});

test('of one that was never seen nothing is known', () => {
  see(2_000, 'refused');
  expect(memory.of('a')).toBeUndefined();
});

test('a commit has waited at most since the last look at which none of those that wait now did', () => {
  const look = (at: number, waiting: number, acknowledged: number): number | undefined => {
    now = at;
    const semiSync = {
      active: true,
      acknowledgers: 1,
      waiting,
      acknowledged,
      timeoutMs: 10_000,
      waitFor: 1,
      afterSync: true,
      waitsAlone: true,
    };
    const facts = { ...master('a', { gtid: gtids({ a: 1 }) }), semiSync };
    watcher.publish('node-observed', { node: 'a', at, ok: true, latencyMs: 1, facts });
    return memory.of('a')?.waits?.waitedMs;
  };
  expect(look(1_000, 3, 10)).toBe(Number.POSITIVE_INFINITY);
  // Three waited; the fourth that was acknowledged came later, and so did all that wait now.
  expect(look(2_000, 3, 14)).toBe(1_000);
  expect(look(3_000, 3, 17)).toBe(2_000);
  expect(look(4_000, 0, 20)).toBe(0);
  expect(look(5_000, 1, 20)).toBe(1_000);
});

test('how commits waited is known only where the server has told all of it', () => {
  const told = { active: true, acknowledgers: 1, waiting: 0, timeoutMs: 10_000, waitFor: 1, afterSync: true };
  const waitsOf = (semiSync: typeof told & { readonly waitsAlone?: boolean }): unknown => {
    const facts = { ...master('a', { gtid: gtids({ a: 1 }) }), semiSync };
    watcher.publish('node-observed', { node: 'a', at: now, ok: true, latencyMs: 1, facts });
    return memory.of('a');
  };
  expect(waitsOf(told)).not.toHaveProperty('waits');
  expect(waitsOf({ ...told, waitsAlone: false })).toMatchObject({
    semiSync: true,
    waits: { waitsAlone: false },
  });
});

test('who the primary is, and whether it may have got more than it wrote since, is remembered with what it had', () => {
  const seen = (facts: Partial<ServerFacts>): unknown => {
    const all = master('a', { gtid: '0-1-100', flavor: 'mariadb', ...facts });
    watcher.publish('node-observed', { node: 'a', at: now, ok: true, latencyMs: 1, facts: all });
    return memory.of('a');
  };
  const logged = { gtidState: '0-2-90,0-1-100', gtidApplied: '0-2-90' };
  expect(seen(logged)).toMatchObject({
    gtids: '0-2-90,0-1-100,0-1-100,0-2-90',
    id: '1',
    applied: '0-2-90',
    isPartial: false,
  });
  expect(seen({ ...logged, channels: [channel('b')] })).toMatchObject({ isPartial: true });
  expect(seen({ ...logged, replicationVisible: false })).toMatchObject({ isPartial: true });
  expect(seen({})).toMatchObject({ isPartial: true });
  expect(seen({ flavor: 'mysql', gtid: gtids({ a: 1 }), serverUuid: 'u' })).toMatchObject({
    id: 'u',
    isPartial: false,
  });
});
