import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { roleOf } from '../../../src/topology/node-description.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { observationOf, seeds } from './made-up-servers.js';
import { type Round, topologyCases } from './topology-cases.js';

function after(
  topology: TopologyDescription,
  round: Round,
  at: number,
  backwards: boolean,
): TopologyDescription {
  const found = Object.entries(round.see);
  if (backwards) found.reverse();
  return found.reduce((now, [node, finding]) => observe(now, observationOf(node, finding, at)), topology);
}

function check(topology: TopologyDescription, round: Round): void {
  const { writer } = topology;
  const takes =
    writer.kind === 'primary' ? writer.node : writer.kind === 'no-primary' ? 'nobody' : writer.nodes;
  expect(takes).toEqual(round.writer);
  for (const [node, role] of Object.entries(round.roles ?? {})) {
    const found = topology.nodes.find(({ id }) => id === node);
    expect([node, found && roleOf(found)]).toEqual([node, role]);
  }
  if (round.warnings !== undefined) {
    expect(topology.warnings.map(({ code, node }) => `${code} ${node}`).sort()).toEqual(round.warnings);
  }
  if (round.epoch !== undefined) expect(topology.epoch).toBe(round.epoch);
}

describe.each(topologyCases)('$name', ({ nodes, rounds }) => {
  test.each([
    ['in order', false],
    ['with every round backwards', true],
  ])('%s', (_, backwards) => {
    let topology = initialTopology(seeds(nodes));
    rounds.forEach((round, index) => {
      topology = after(topology, round, 1000 * (index + 1), backwards);
      check(topology, round);
    });
  });
});

test('there are at least 30 stories', () => {
  expect(topologyCases.length).toBeGreaterThanOrEqual(30);
});
