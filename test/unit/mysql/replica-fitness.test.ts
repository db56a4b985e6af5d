import { expect, test } from 'vitest';
import { TopologyWatcher } from '../../../src/health/topology-watcher.js';
import { resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';
import { type ReplicaFitnessChange, tellFitness } from '../../../src/mysql/replica-fitness.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import {
  type Finding,
  master,
  observationOf,
  orphan,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

/** What is told of the replica `b` while its looks find this, and the primary is well. */
function told(
  findings: readonly Finding[],
  lagSource: 'auto' | 'unchecked' = 'auto',
): ReplicaFitnessChange[] {
  const options = resolveMysqlOptions({ primary: 'mysql://app@a/s', monitor: { lagSource } });
  const watcher = new TopologyWatcher({
    seeds: [],
    createProbe: () => Promise.reject(new Error('nobody looks')) as never,
    intervalMs: 1_000,
    timeoutMs: 1_000,
  });
  let topology = initialTopology(seeds({ a: 'primary', b: 'replica' }));
  const view = { topology, on: watcher.on.bind(watcher) } as unknown as TopologyWatcher;
  const changes: ReplicaFitnessChange[] = [];
  tellFitness(view, options, (change) => changes.push(change));
  for (const finding of findings) {
    for (const [node, found] of [
      ['a', master('a')],
      ['b', finding],
    ] as const) {
      const observation = observationOf(node, found, performance.now());
      topology = observe(topology, observation);
      Object.assign(view, { topology });
      watcher.publish('node-observed', observation);
    }
  }
  watcher.close();
  return changes;
}

const late = slave('b', 'a', { lagMs: 9_000 });
const fit = slave('b', 'a');

test('a replica that becomes too late is told with the reason and its lag, once, and again when it is fit', () => {
  const [first, second, ...more] = told([fit, late, late, fit, fit]);
  expect(first).toMatchObject({
    node: 'b',
    before: { fit: true, reason: '' },
    after: { fit: false, reason: expect.stringMatching(/ms behind, more than 5000 ms/) },
  });
  expect(first?.after.lagMs).toBeGreaterThanOrEqual(9_000);
  expect(second).toMatchObject({ node: 'b', before: { fit: false }, after: { fit: true, reason: '' } });
  expect(more).toEqual([]);
});

test('a stopped thread, or an unknown lag, makes it unfit, too', () => {
  const stopped = slave('b', 'a', { sql: false, lagMs: null });
  expect(told([fit, stopped]).map(({ after }) => after)).toEqual([
    { fit: false, reason: 'the applying thread is stopped', lagMs: null },
  ]);
  expect(told([fit, orphan('b', 'a')])).toMatchObject([{ after: { fit: false, lagMs: null } }]);
});

test('of a new one, and of one that is back, it is told when it stays unfit', () => {
  expect(told([late, late, fit])).toEqual([]);
  expect(told([late, late, late, fit])).toMatchObject([
    { before: null, after: { fit: false } },
    { before: { fit: false }, after: { fit: true } },
  ]);
  expect(told([fit, 'refused', late, late, fit])).toEqual([]);
  expect(told([fit, 'refused', late, late, late])).toMatchObject([{ before: null, after: { fit: false } }]);
});

test('nothing is told of a node that does not answer, is no replica, or may be as late as it likes', () => {
  expect(told([fit, 'refused', 'refused'])).toEqual([]);
  expect(told([fit, master('b'), master('b'), master('b')])).toEqual([]);
  expect(told([fit, late, late, late], 'unchecked')).toEqual([]);
});
