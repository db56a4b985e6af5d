import { expect, test } from 'vitest';
import { ErrorCode, isStormlampError } from '../../../src/common/stormlamp-error.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import { noReaderError, noWriterError } from '../../../src/topology/routing-error.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { type Finding, master, observationOf, orphan, seeds } from '../../spec/topology/made-up-servers.js';

function seen(findings: Readonly<Record<string, Finding>>): TopologyDescription {
  const configured = seeds({ a: 'primary', b: 'primary', c: 'replica' });
  return Object.entries(findings).reduce(
    (topology, [node, finding]) => observe(topology, observationOf(node, finding, 1)),
    initialTopology(configured),
  );
}

test('a missing primary names every node, the cause and the remedy, and carries the topology', () => {
  const topology = seen({ a: 'refused', b: master('b', { readOnly: true }), c: orphan('c', 'a') });
  const error = noWriterError(topology);
  expect(isStormlampError(error, ErrorCode.NO_PRIMARY)).toBe(true);
  expect(error.message).toMatch(/a: it is down \(refused\).*b: .*c: it is a replica.*promote a replica/);
  expect(error.topology).toBe(topology);
  expect(error.rejected.map(({ node }) => node)).toEqual(['a', 'b', 'c']);
  expect(error.cause).toBeInstanceOf(Error);
});

test('a split brain names both nodes and what to decide', () => {
  const error = noWriterError(seen({ a: master('a'), b: master('b'), c: orphan('c', 'a') }));
  expect(error.code).toBe(ErrorCode.SPLIT_BRAIN);
  expect(error.message).toMatch(/a and b are all writable.*Decide which one/);
});

test('a read without a node says of each node why not', () => {
  const topology = seen({ a: 'refused', b: 'timeout-query', c: orphan('c', 'a') });
  const criteria = { preference: 'replica', maxLagMs: 100, now: 1, allows: () => true } as const;
  const error = noReaderError(topology, criteria, selectNodes(topology, criteria).rejected);
  expect(error.code).toBe(ErrorCode.NO_REPLICA);
  expect(error.message).toMatch(/preference 'replica' and at most 100 ms/);
  expect(error.message).toMatch(/a: it is down.*b: it is down.*c: its lag is unknown/);
  expect(error.message).toMatch(
    /allow more lag \(maxLagMs, or maxLagWithoutPrimaryMs while no primary can be/,
  );
  const any = { ...criteria, maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY };
  expect(noReaderError(topology, any, []).message).toMatch(/allow more lag \(maxLagMs\)/);
});

test('an empty cluster is told as such', () => {
  expect(noWriterError(initialTopology([])).message).toMatch(/no nodes are known/);
});
