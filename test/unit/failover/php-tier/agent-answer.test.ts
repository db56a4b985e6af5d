import { expect, test } from 'vitest';
import type { ClusterSnapshot } from '../../../../src/failover/cluster-snapshot.js';
import { agentAnswer, readQuestion } from '../../../../src/failover/php-tier/agent-answer.js';
import { initialTopology, observe } from '../../../../src/topology/describe-topology.js';
import type { TopologyDescription } from '../../../../src/topology/topology-description.js';
import { type Finding, master, observationOf, seeds, slave } from '../../../spec/topology/made-up-servers.js';

const healthy = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') };

function see(findings: Readonly<Record<string, Finding>>): TopologyDescription {
  // They have answered for a minute.
  return [-60_000, 0].reduce(
    (topology, at) =>
      Object.entries(findings).reduce(
        (before, [node, finding]) => observe(before, observationOf(node, finding, at)),
        topology,
      ),
    initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' })),
  );
}
function ask(
  node: string,
  role: 'read' | 'write',
  findings: Readonly<Record<string, Finding>> = healthy,
  state: Partial<ClusterSnapshot> = {},
): string | undefined {
  const topology = see(findings);
  const snapshot = { tilted: false, failure: null, nodes: [], ...state } as unknown as ClusterSnapshot;
  return agentAnswer({ node, role }, { topology, state: snapshot, maxLagMs: 5_000, now: 0 });
}

test.each<[string, string | undefined, string]>([
  ['the primary takes writes', ask('a', 'write'), 'up ready 100%\n'],
  ['a replica does not', ask('b', 'write'), 'ready down #the primary is a\n'],
  ['replicas serve reads', ask('b', 'read'), 'up ready 100%\n'],
  ['the primary does not while they do', ask('a', 'read'), 'ready down #another node is preferred\n'],
  [
    'a stale replica serves none',
    ask('b', 'read', { ...healthy, b: slave('b', 'a', { lagMs: 60_000 }) }),
    'ready down #60000 ms behind\n',
  ],
  [
    'the primary serves reads when no replica is fit',
    ask('a', 'read', { a: master('a'), b: 'refused', c: 'refused' }),
    'up ready 100%\n',
  ],
  [
    'nobody takes writes while there is no primary',
    ask('a', 'write', { ...healthy, a: 'refused' }, { failure: 'dead-primary' }),
    'ready down #dead-primary\n',
  ],
])('%s', (_, answer, expected) => {
  if (expected.includes('behind')) expect(answer).toMatch(/^ready down #.*60000/);
  else expect(answer).toBe(expected);
});

test.each<[string, Partial<ClusterSnapshot>, Readonly<Record<string, Finding>>, string]>([
  ['that a majority votes for', { voted: 'a' }, healthy, 'up ready 100%\n'],
  [
    'that no majority votes for',
    { voted: null, failure: 'majority-lost' },
    healthy,
    'ready down #majority-lost\n',
  ],
  ['that only looks well from here', { voted: null }, healthy, 'ready down #no majority votes for a\n'],
  [
    'that is one of two, and has the votes',
    { voted: 'a' },
    { ...healthy, b: master('b') },
    'up ready 100%\n',
  ],
  [
    'that is one of two, and has none',
    { voted: 'b' },
    { ...healthy, b: master('b') },
    'ready down #the primary is b\n',
  ],
  ['that does not answer any more', { voted: 'a' }, { ...healthy, a: 'refused' }, 'ready down #no primary\n'],
])('where voters vote, a primary %s', (_, state, findings, expected) => {
  expect(ask('a', 'write', findings, state)).toBe(expected);
});

test('a node that only looks like the primary serves no reads when another one has the votes', () => {
  const findings = { a: master('a'), b: master('b'), c: 'refused' } as const;
  expect(ask('a', 'read', findings, { voted: 'b' })).toBe('ready down #a majority votes for b\n');
  expect(ask('b', 'read', findings, { voted: 'b' })).toBe('up ready 100%\n');
  expect(ask('a', 'read', findings, { voted: null })).toBe('up ready 100%\n');
});

test('a node that an operator took out is drained, and its share goes to the others', () => {
  const nodes = [{ node: 'b', suspicion: 'isolated' }] as unknown as ClusterSnapshot['nodes'];
  expect(ask('b', 'read', healthy, { nodes })).toBe('up drain\n');
  expect(ask('c', 'read', healthy, { nodes })).toBe('up ready 100%\n');
});

test('a primary that an operator took out is drained of writers while it is the primary, and shut when it is not', () => {
  const nodes = [{ node: 'a', suspicion: 'isolated' }] as unknown as ClusterSnapshot['nodes'];
  expect(ask('a', 'write', healthy, { nodes })).toBe('up drain\n');
  const after = { a: slave('a', 'b'), b: master('b'), c: slave('c', 'b') };
  expect(ask('a', 'write', after, { nodes, voted: 'b' })).toBe('ready down #the primary is b\n');
  expect(ask('a', 'read', after, { nodes, voted: 'b' })).toBe('up drain\n');
});

test('a node that came back takes a part first', () => {
  const topology = see({ a: master('a'), c: slave('c', 'a'), b: 'refused' });
  const back = observe(topology, observationOf('b', slave('b', 'a'), 1_000));
  const state = { tilted: false, failure: null, nodes: [] } as unknown as ClusterSnapshot;
  const at = (now: number): string | undefined =>
    agentAnswer({ node: 'b', role: 'read' }, { topology: back, state, maxLagMs: 60_000, now });
  expect([at(1_000), at(6_000), at(10_980)]).toEqual(['up ready 10%\n', 'up ready 50%\n', 'up ready 100%\n']);
});

test('a process that does not trust its eyes says nothing', () => {
  expect(ask('a', 'write', healthy, { tilted: true })).toBeUndefined();
});

test('of a cluster that is not looked at any more nothing is said', () => {
  const state = { tilted: false, failure: null, nodes: [] } as unknown as ClusterSnapshot;
  const topology = see(healthy);
  const context = { topology, state, maxLagMs: 60_000 };
  expect(agentAnswer({ node: 'a', role: 'write' }, { ...context, now: 9_999 })).toBe('up ready 100%\n');
  expect(agentAnswer({ node: 'a', role: 'write' }, { ...context, now: 10_000 })).toBeUndefined();
});

test('without a primary, replicas serve for as long as is allowed', () => {
  const state = { tilted: false, failure: null, nodes: [] } as unknown as ClusterSnapshot;
  const topology = see({ ...healthy, a: 'refused' });
  const lost = observe(see(healthy), observationOf('a', 'refused', 1_000));
  const now = 9_000;
  const late = [lost, topology].map((picture) => {
    const context = { topology: picture, state, maxLagMs: 5_000, now };
    const question = { node: 'b', role: 'read' } as const;
    return [
      agentAnswer(question, context)?.slice(0, 10),
      agentAnswer(question, { ...context, maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY }),
    ];
  });
  expect(late).toEqual([
    ['ready down', 'up ready 100%\n'],
    ['ready down', 'up ready 100%\n'],
  ]);
});

test('an unknown node is named, with the known ones, on one line', () => {
  expect(ask('x', 'read')).toBe('ready down #no node is called x; known are a, b, c\n');
});

test.each([
  ['db1:3306 write', { node: 'db1:3306', role: 'write' }],
  ['[::1]:3306\tread\r', { node: '[::1]:3306', role: 'read' }],
  ['db1:3306', undefined],
  ['db1:3306 admin', undefined],
  ['GET / HTTP/1.1', undefined],
  [`${'x'.repeat(256)} read`, undefined],
])('%j is read as %j', (line, question) => {
  expect(readQuestion(line)).toEqual(question);
});
