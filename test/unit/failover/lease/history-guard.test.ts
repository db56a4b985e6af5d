import { beforeEach, expect, test } from 'vitest';
import { HistoryGuard } from '../../../../src/failover/lease/history-guard.js';
import { TopologyWatcher } from '../../../../src/health/topology-watcher.js';
import type { ServerFacts } from '../../../../src/topology/node-description.js';
import { master, seeds, slave } from '../../../spec/topology/made-up-servers.js';

let watcher: TopologyWatcher;
let told: string[];
const at = (facts: ServerFacts, state: string): ServerFacts => ({
  ...facts,
  flavor: 'mariadb',
  gtid: state,
  gtidState: state,
});

beforeEach(() => {
  told = [];
  watcher = new TopologyWatcher({
    seeds: seeds({ a: 'primary', b: 'replica' }),
    createProbe: () => ({ probe: () => Promise.reject(new Error('not asked')), close: () => undefined }),
    intervalMs: 1_000,
    timeoutMs: 1_000,
  });
  new HistoryGuard(watcher, (node, why) =>
    told.push(`${node} ${why === undefined ? 'is well' : why.split(':')[0]}`),
  );
});

function see(node: string, when: number, facts: ServerFacts): void {
  watcher.publish('node-observed', { node, at: when, ok: true, latencyMs: 10, facts });
}
// The server_id of `a` is 1, that of `b` is 2.
const a = (state: string): ServerFacts => at(master('a'), state);
const b = (state: string): ServerFacts => at(slave('b', 'a'), state);

test('a primary that goes on, and one that has what another server wrote before, are well', () => {
  see('a', 0, a('0-2-50,0-1-100'));
  see('b', 0, b('0-2-50,0-1-100'));
  see('a', 1_000, a('0-2-50,0-1-130'));
  see('b', 1_005, b('0-2-50,0-1-135'));
  // The replica was looked at after the primary, which may have written since.
  see('a', 1_010, a('0-2-50,0-1-131'));
  see('a', 2_000, a('0-2-50,0-1-140'));
  expect(told).toEqual([]);
});

test('one that lacks what it had is told once, and when it has it again', () => {
  see('a', 0, a('0-1-100'));
  for (const when of [5_000, 6_000]) see('a', when, a('0-1-60'));
  expect(told).toEqual(['a a lacks 40 transactions of its own that it had before (0-1-61..100)']);
  see('a', 7_000, a('0-1-120'));
  expect(told.at(-1)).toBe('a is well');
});

test('one that lacks what its replica got from it is told by a process that has just begun, too', () => {
  see('b', 0, b('0-1-100'));
  see('a', 1_000, a('0-1-60'));
  expect(told).toEqual(['a a lacks 40 transactions of its own that b has (0-1-61..100)']);
});

test('a primary whose log was begun anew after a copy has what its position says', () => {
  see('b', 0, b('0-1-50,0-2-80'));
  see('a', 1_000, { ...a('0-1-81'), gtid: '0-1-81' });
  expect(told).toEqual([]);
});

test("a node that refuses writes is nobody's primary", () => {
  see('a', 0, a('0-1-100'));
  see('a', 1_000, { ...a(''), readOnly: true });
  expect(told).toEqual([]);
});

test('what a replica wrote itself is no loss of the primary', () => {
  see('b', 0, b('0-1-100,0-2-101'));
  see('a', 1_000, a('0-1-100'));
  expect(told).toEqual([]);
});

test('a commit that waits for an acknowledgement is on the replica first', () => {
  see('b', 0, b('0-1-100'));
  see('a', 1_000, { ...a('0-1-99'), semiSync: { active: true, acknowledgers: 1, waiting: 1 } });
  expect(told).toEqual([]);
});
