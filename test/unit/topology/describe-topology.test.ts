import { describe, expect, test } from 'vitest';
import { initialTopology, observe, withNode } from '../../../src/topology/describe-topology.js';
import type { NodeSeed, Observation } from '../../../src/topology/node-description.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { master, observationOf, seeds, slave } from '../../spec/topology/made-up-servers.js';

const start = initialTopology(seeds({ a: 'primary', b: 'replica' }));
const tell = (topology: TopologyDescription, ...observations: Observation[]): TopologyDescription =>
  observations.reduce(observe, topology);
const healthy = tell(
  start,
  observationOf('a', master('a'), 1000),
  observationOf('b', slave('b', 'a', { lagMs: 40 }), 1000),
);

/** The paths of all plain objects and lists in a value that can be changed. */
function changeable(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || value instanceof Error || value instanceof Map)
    return [];
  const parts = Object.entries(value).flatMap(([name, part]) => changeable(part, `${path}.${name}`));
  return Object.isFrozen(value) ? parts : [path, ...parts];
}

test('nobody can change a picture, or what is in it', () => {
  const partial = ['b'];
  const configured = initialTopology(seeds({ a: 'primary', b: 'replica' }), undefined, ['b'], {
    partialReplicas: partial,
    errantReplicas: partial,
  });
  const down = tell(healthy, observationOf('a', 'refused', 2000));
  const more = withNode(healthy, seeds({ c: 'replica' })[0] as NodeSeed);
  for (const topology of [
    configured,
    healthy,
    down,
    more,
    tell(configured, observationOf('a', master('a'), 9)),
  ])
    expect(changeable(topology, 'topology')).toEqual([]);
  expect(healthy.nodes[1]?.state === 'up' && healthy.nodes[1].facts.channels).toHaveLength(1);
  // What the caller gave is his.
  expect(Object.isFrozen(partial)).toBe(false);
});

test('an observation of an unknown node changes nothing', () => {
  expect(observe(healthy, observationOf('x', master('x'), 2000))).toBe(healthy);
});

test('an observation that is older than what is known changes nothing', () => {
  expect(observe(healthy, observationOf('a', 'refused', 999))).toBe(healthy);
});

test('lag and latency are always the newest, the latency as a moving average', () => {
  const observation = observationOf('b', slave('b', 'a', { lagMs: 70 }), 2000);
  const after = observe(healthy, observation.ok ? { ...observation, latencyMs: 11 } : observation);
  expect(after.nodes[1]).toMatchObject({
    lag: { ms: 70, at: 2000 },
    latencyMs: 3,
    seenAt: 2000,
    upSince: 1000,
  });
  expect(after.nodes[0]).toBe(healthy.nodes[0]);
});

test('failures are counted from the first one on, and the last facts are kept', () => {
  const after = tell(healthy, ...[2000, 3000, 4000].map((at) => observationOf('b', 'timeout-query', at)));
  expect(after.nodes[1]).toMatchObject({
    state: 'down',
    failures: 3,
    downSince: 2000,
    lastRole: 'replica',
    lastFacts: { serverId: 2 },
  });
});

test('a node that comes back begins anew: its time up, its latency', () => {
  const after = tell(healthy, observationOf('b', 'refused', 2000), observationOf('b', slave('b', 'a'), 3000));
  expect(after.nodes[1]).toMatchObject({ state: 'up', upSince: 3000, latencyMs: 1, role: 'replica' });
});

test('a node that turns the monitor away keeps its old measurements, which age', () => {
  const after = tell(healthy, observationOf('b', 'too-many', 3000), observationOf('b', 'too-many', 4000));
  expect(after.nodes[1]).toMatchObject({
    state: 'up',
    lag: { ms: 40, at: 1000 },
    seenAt: 1000,
    blind: { failure: 'too-many', since: 3000 },
  });
});

test('a node is added once and does not take the writer away', () => {
  const [seed] = seeds({ c: 'any' }) as [NodeSeed];
  const after = withNode(healthy, seed);
  expect(after.nodes.map(({ id, state }) => `${id} ${state}`)).toEqual(['a up', 'b up', 'c new']);
  expect(after.writer).toBe(healthy.writer);
  expect(withNode(after, seed)).toBe(after);
});

test('nearest leaves out what is slower than the fastest by more than the window', () => {
  const slow = observationOf('b', slave('b', 'a'), 2000);
  const topology = observe(start, observationOf('a', master('a'), 2000));
  const after = observe(topology, slow.ok ? { ...slow, latencyMs: 20 } : slow);
  const nearest = (latencyWindowMs?: number): string[] =>
    selectNodes(after, {
      preference: 'nearest',
      maxLagMs: 5000,
      now: 2000,
      allows: () => true,
      ...(latencyWindowMs === undefined ? {} : { latencyWindowMs }),
    }).candidates.map(({ id }) => id);
  expect(nearest()).toEqual(['a']);
  expect(nearest(30)).toEqual(['b', 'a']);
});

test('a latency window holds for every preference, and alone the slow one still serves', () => {
  const slow = observationOf('c', slave('c', 'a'), 2000);
  const topology = tell(
    initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' })),
    observationOf('a', master('a'), 2000),
    observationOf('b', slave('b', 'a'), 2000),
    slow.ok ? { ...slow, latencyMs: 20 } : slow,
  );
  const among = (allowed: string, latencyWindowMs?: number): string[] =>
    selectNodes(topology, {
      preference: 'replica-preferred',
      maxLagMs: 5000,
      now: 2000,
      latencyWindowMs,
      allows: (id) => allowed.includes(id),
    }).candidates.map(({ id }) => id);
  expect(among('abc')).toEqual(['b', 'c']);
  expect(among('abc', 5)).toEqual(['b']);
  expect(among('ac', 5)).toEqual(['c']);
});

test('a name in the options that is no node’s is a warning with the node that was meant, until there is such a node', () => {
  const named = initialTopology(seeds({ 'db1:3306': 'primary', 'db2:3306': 'replica' }), undefined, [
    'db2:3306',
    'db2:3307',
    'far:1',
  ]);
  const after = tell(named, observationOf('db1:3306', master('a'), 1000));
  const unknown = ({ warnings }: TopologyDescription) =>
    warnings.filter(({ code }) => code === 'unknown-node');
  expect(unknown(after).map(({ node }) => node)).toEqual(['db2:3307', 'far:1']);
  expect(unknown(after)[0]?.message).toContain('did you mean db2:3306?');
  expect(unknown(after)[1]?.message).not.toContain('did you mean');
  const [seed] = seeds({ 'far:1': 'replica' });
  const found = tell(withNode(after, seed as NodeSeed), observationOf('db1:3306', master('a'), 2000));
  expect(unknown(found).map(({ node }) => node)).toEqual(['db2:3307']);
});

test('two servers with one server_id are told, unless they are members of one Galera cluster', () => {
  const group = {
    kind: 'galera',
    state: 'online',
    hasQuorum: true,
    writes: 'everywhere',
    queue: 0,
    members: [],
  } as const;
  const twins = (facts: object) =>
    tell(
      start,
      observationOf('a', master('a', facts), 1000),
      observationOf('b', master('a', facts), 1000),
    ).warnings.map(({ code }) => code);
  expect(twins({})).toContain('duplicate-server-id');
  expect(twins({ group })).toEqual([]);
});

describe('a chain of replicas', () => {
  const chain = tell(
    initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' })),
    observationOf('a', master('a'), 1000),
    observationOf('b', slave('b', 'a', { lagMs: 40 }), 1000),
    observationOf('c', slave('c', 'b', { lagMs: 5 }), 1000),
  );
  const lagOf = ({ nodes }: TopologyDescription, id: string) => {
    const node = nodes.find((other) => other.id === id);
    return node?.state === 'up' ? node.lag : undefined;
  };
  const reasonOf = (topology: TopologyDescription, id: string, now: number): string | undefined =>
    selectNodes(topology, { preference: 'replica', maxLagMs: 5_000, now, allows: () => true }).rejected.find(
      ({ node }) => node === id,
    )?.reason;

  test('the lag of every server between counts', () => {
    expect(lagOf(chain, 'c')).toEqual({ ms: 45, at: 1000 });
  });

  test.each([
    [{ io: 'no' }, 'the receiving thread of b, through which its data comes, is stopped'],
    [{ io: 'connecting' }, 'the receiving thread of b, through which its data comes, is not connected'],
    [{ sql: false }, 'the applying thread of b, through which its data comes, is stopped'],
  ] as const)('below one that gets or applies nothing nobody knows the lag: %j', (stopped, why) => {
    const after = tell(chain, observationOf('b', slave('b', 'a', { lagMs: null, ...stopped }), 2000));
    expect(lagOf(after, 'c')).toMatchObject({ ms: null });
    expect(reasonOf(after, 'c', 2000)).toBe(`its lag is unknown: ${why}`);
  });

  test('below one that does not answer the lag is as old as the last look at that one', () => {
    const hung = tell(
      chain,
      observationOf('b', 'timeout-query', 2000),
      observationOf('c', slave('c', 'b'), 7000),
    );
    expect(lagOf(hung, 'c')).toEqual({ ms: 40, at: 1000 });
    expect(reasonOf(hung, 'c', 7000)).toBe('it may be 6040 ms behind, more than 5000 ms');
    const back = tell(
      hung,
      observationOf('b', slave('b', 'a'), 8000),
      observationOf('c', slave('c', 'b'), 8000),
    );
    expect(reasonOf(back, 'c', 8000)).toBeUndefined();
  });

  test('what the primary of a ring gets itself makes no replica late', () => {
    const ring = tell(
      initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' })),
      observationOf('a', slave('a', 'b', {}, { readOnly: false }), 1000),
      observationOf('b', slave('b', 'a', { lagMs: null, sql: false }), 1000),
      observationOf('c', slave('c', 'a', { lagMs: 7 }), 1000),
    );
    expect(lagOf(ring, 'c')).toEqual({ ms: 7, at: 1000 });
    const died = tell(ring, observationOf('b', 'refused', 2000), observationOf('c', slave('c', 'a'), 9000));
    expect(lagOf(died, 'c')).toEqual({ ms: 0, at: 9000 });
  });

  test('in a ring of three the one between still counts', () => {
    const ring = tell(
      initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' })),
      observationOf('a', slave('a', 'c', {}, { readOnly: false }), 1000),
      observationOf('b', slave('b', 'a', { lagMs: 40 }), 1000),
      observationOf('c', slave('c', 'b', { lagMs: 7 }), 1000),
    );
    expect(lagOf(ring, 'c')).toEqual({ ms: 47, at: 1000 });
  });
});
