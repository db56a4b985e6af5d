import { expect, test } from 'vitest';
import { AppliedPositions } from '../../../src/mysql/applied-positions.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { readGtidPosition } from '../../../src/topology/gtid-position.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import { observationOf, seeds } from '../topology/made-up-servers.js';
import { selectionCases } from './selection-cases.js';

test.each(selectionCases)('$name', ({ nodes, seeds: changes, see, later, wish, serves, against }) => {
  const configured = seeds(nodes ?? { a: 'primary', b: 'replica', c: 'replica' }).map((seed) => ({
    ...seed,
    ...changes?.[seed.id],
  }));
  let topology = initialTopology(configured);
  see.forEach((round, index) => {
    for (const [node, finding] of Object.entries(round)) {
      topology = observe(topology, observationOf(node, finding, 1000 * (index + 1)));
    }
  });
  const { closed, avoid, seen, ...rest } = wish ?? {};
  const wanted = seen === undefined ? undefined : readGtidPosition('mysql', seen);
  const positions = new AppliedPositions(1);
  const selection = selectNodes(topology, {
    preference: 'replica-preferred',
    maxLagMs: 5000,
    now: 1000 * see.length + (later ?? 0),
    allows: (node) => closed?.includes(node) !== true,
    ...rest,
    causal: wanted === undefined ? undefined : { wanted, reached: (node) => positions.has(node, wanted) },
    ...(avoid === undefined ? {} : { avoid: new Set(avoid) }),
  });
  expect(selection.candidates.map(({ id }) => id)).toEqual(serves);
  expect([...serves, ...selection.rejected.map(({ node }) => node)].sort()).toEqual(
    configured.map(({ id }) => id).sort(),
  );
  for (const [node, reason] of Object.entries(against ?? {})) {
    expect(selection.rejected.find((rejected) => rejected.node === node)?.reason).toMatch(reason);
  }
});

test('there are at least 30 cases', () => {
  expect(selectionCases.length).toBeGreaterThanOrEqual(30);
});
