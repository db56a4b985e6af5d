import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { effectiveLagMs, type NodeSeed, type ServerFacts } from '../../../src/topology/node-description.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import { readPreferences } from '../../../src/topology/read-preference.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { channel, type Finding, master, observationOf, seeds } from '../../spec/topology/made-up-servers.js';

const names = ['a', 'b', 'c', 'd'] as const;

const arbitrarySeeds: fc.Arbitrary<NodeSeed[]> = fc
  .tuple(...names.map(() => fc.constantFrom('primary', 'replica', 'any')))
  .map((roles) => seeds(Object.fromEntries(names.map((name, index) => [name, roles[index] ?? 'any']))));

const arbitraryFacts = (name: string): fc.Arbitrary<ServerFacts> =>
  fc
    .record({
      readOnly: fc.boolean(),
      replicationVisible: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
      sequence: fc.integer({ min: 1, max: 3 }),
      writer: fc.constantFrom(1, 2),
      channels: fc.array(
        fc.record({
          source: fc.constantFrom(...names, 'z').filter((source) => source !== name),
          io: fc.constantFrom('yes', 'yes', 'connecting', 'no'),
          sql: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
          lagMs: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 8000 })),
          delayMs: fc.constantFrom(0, 0, 0, 7000),
        }),
        { maxLength: 2 },
      ),
    })
    .map(({ readOnly, replicationVisible, sequence, writer, channels }) =>
      master(name, {
        flavor: 'mariadb',
        readOnly,
        replicationVisible,
        gtid: `0-${writer}-${sequence}`,
        channels: channels.map(({ source, ...changes }) => channel(source, changes)),
      }),
    );

const arbitraryFinding = (name: string): fc.Arbitrary<Finding> =>
  fc.oneof(
    { weight: 6, arbitrary: arbitraryFacts(name) },
    { weight: 1, arbitrary: fc.constantFrom('refused', 'timeout-query', 'too-many', 'access-denied') },
  );

/** One round of probes: one finding per node. */
const arbitraryRound: fc.Arbitrary<readonly (readonly [string, Finding])[]> = fc
  .tuple(...names.map(arbitraryFinding))
  .map((findings) => names.map((name, index) => [name, findings[index] ?? 'other'] as const));

type Story = readonly (readonly (readonly [string, Finding])[])[];
const arbitraryStory: fc.Arbitrary<Story> = fc.array(arbitraryRound, { minLength: 1, maxLength: 4 });

function told(configured: readonly NodeSeed[], story: Story): TopologyDescription[] {
  const seen: TopologyDescription[] = [];
  let topology = initialTopology(configured);
  story.forEach((round, index) => {
    for (const [node, finding] of round) {
      topology = observe(topology, observationOf(node, finding, 1000 * (index + 1)));
      seen.push(topology);
    }
  });
  return seen;
}

describe('the reducer, over arbitrary stories', () => {
  test('the order of the observations within one first round does not matter', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryRound, fc.array(fc.nat()), (configured, round, keys) => {
        const shuffled = round
          .map((item, index) => ({ item, key: keys[index] ?? 0 }))
          .sort((x, y) => x.key - y.key)
          .map(({ item }) => item);
        const one = told(configured, [round]).at(-1);
        const other = told(configured, [shuffled]).at(-1);
        expect(other).toEqual(one);
      }),
      { numRuns: 500 },
    );
  });

  test('the same observations give the same topology, and none is changed afterwards', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, (configured, story) => {
        const first = told(configured, story);
        const copies = first.map((topology) => structuredClone(topology));
        expect(told(configured, story)).toEqual(first);
        expect(first).toEqual(copies);
      }),
      { numRuns: 100 },
    );
  });

  test('the writer answers, is writable, and has a source only in a ring', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, (configured, story) => {
        for (const { writer, nodes } of told(configured, story)) {
          if (writer.kind !== 'primary') continue;
          const node = nodes.find(({ id }) => id === writer.node);
          if (node?.state !== 'up') throw new Error('a writer that does not answer');
          expect(node.role).toBe('primary');
          expect(node.facts.readOnly).toBe(false);
          if (node.facts.channels.length > 0) expect(node.upstream).toContain(node.id);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the epoch never falls and grows exactly when the primary is another node than the last known one', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, (configured, story) => {
        let last: string | undefined;
        let epoch = 0;
        for (const topology of told(configured, story)) {
          const { writer } = topology;
          if (writer.kind === 'primary' && writer.node !== last) {
            epoch += 1;
            last = writer.node;
          }
          expect([topology.epoch, topology.lastPrimary]).toEqual([epoch, last]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('at most one node has the role of primary', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, (configured, story) => {
        for (const { nodes } of told(configured, story)) {
          expect(nodes.filter((node) => node.state === 'up' && node.role === 'primary').length).toBeLessThan(
            2,
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an observation leaves the nodes that it does not touch alone unless their place changed', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryRound, (configured, round) => {
        const before = told(configured, [round]).at(-1) ?? initialTopology(configured);
        const [first] = round;
        if (first === undefined) return;
        const after = observe(before, observationOf(first[0], first[1], 1000));
        for (const [index, node] of after.nodes.entries()) {
          if (node.id !== first[0]) expect(node).toBe(before.nodes[index]);
        }
        expect(after.writer).toBe(before.writer);
        expect(after.warnings).toBe(before.warnings);
      }),
      { numRuns: 200 },
    );
  });
});

describe('selection, over arbitrary stories', () => {
  const arbitraryQuestion = fc.record({
    preference: fc.constantFrom(...readPreferences),
    maxLagMs: fc.constantFrom(0, 500, 5000),
    later: fc.integer({ min: 0, max: 6000 }),
    closed: fc.subarray([...names]),
    avoid: fc.subarray([...names]),
    forWrite: fc.boolean(),
  });

  test('nobody serves who is down, closed, too far behind or a stranger, and every other node has a reason', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, arbitraryQuestion, (configured, story, question) => {
        const topology = told(configured, story).at(-1) ?? initialTopology(configured);
        const now = 1000 * story.length + question.later;
        const { candidates, rejected } = selectNodes(topology, {
          preference: question.preference,
          maxLagMs: question.maxLagMs,
          forWrite: question.forWrite,
          now,
          allows: (node) => !question.closed.includes(node as never),
          avoid: new Set(question.avoid),
        });
        for (const node of candidates) {
          if (node.state !== 'up') throw new Error('a candidate that does not answer');
          expect(question.closed).not.toContain(node.id);
          expect(['primary', 'replica']).toContain(node.role);
          if (node.role === 'primary') {
            expect(question.preference).not.toBe('replica');
            if (question.forWrite || !node.facts.readOnly || node.facts.group !== undefined)
              expect(topology.writer).toEqual({ kind: 'primary', node: node.id });
            // One that only refuses writes serves reads, unless others claim its place, or somebody else had it last.
            else expect(topology.writer).toEqual({ kind: 'no-primary' });
            if (question.preference === 'primary')
              expect([undefined, node.id]).toContain(topology.lastPrimary);
            continue;
          }
          expect(question.preference).not.toBe('primary');
          const lag = effectiveLagMs(node, now);
          if (lag !== null) expect(lag).toBeLessThanOrEqual(question.maxLagMs);
          else {
            // Only while nobody takes writes may a replica serve whose lag is not measured.
            expect(topology.writer.kind).toBe('no-primary');
            expect(node.sourceLost).toBeDefined();
          }
          if (topology.writer.kind === 'primary') expect(node.upstream).toContain(topology.writer.node);
        }
        expect(new Set([...candidates.map(({ id }) => id), ...rejected.map(({ node }) => node)]).size).toBe(
          names.length,
        );
        for (const { reason } of rejected) expect(reason).not.toBe('');
      }),
      { numRuns: 1000 },
    );
  });

  test('reads that go on without a primary lose no reader, and gain some only then', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, arbitraryQuestion, (configured, story, question) => {
        const topology = told(configured, story).at(-1) ?? initialTopology(configured);
        const { preference, maxLagMs } = question;
        const now = 1000 * story.length + question.later;
        const readers = (maxLagWithoutPrimaryMs?: number): string[] => {
          const criteria = { preference, maxLagMs, maxLagWithoutPrimaryMs, now, allows: () => true };
          return selectNodes(topology, criteria).candidates.map(({ id }) => id);
        };
        const [bound, longer, on] = [readers(), readers(60_000), readers(Number.POSITIVE_INFINITY)];
        if (topology.writer.kind !== 'no-primary') expect(on).toEqual(bound);
        else if (bound.length > 0 && preference !== 'primary-preferred' && preference !== 'replica-preferred')
          expect(on).toEqual(expect.arrayContaining(bound));
        if (bound.length > 0) expect(longer.length).toBeGreaterThan(0);
        if (longer.length > 0) expect(on.length).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('a retry gives a node that was not tried whenever the preference allows one', () => {
    fc.assert(
      fc.property(arbitrarySeeds, arbitraryStory, arbitraryQuestion, (configured, story, question) => {
        const topology = told(configured, story).at(-1) ?? initialTopology(configured);
        const criteria = {
          preference: question.preference,
          maxLagMs: question.maxLagMs,
          now: 1000 * story.length + question.later,
          allows: () => true,
        };
        const first = selectNodes(topology, criteria).candidates;
        const avoid = new Set(first.slice(0, 1).map(({ id }) => id));
        const second = selectNodes(topology, { ...criteria, avoid }).candidates;
        expect(second.length > 0).toBe(first.length > 0);
        if (first.length > 1) expect(second.some(({ id }) => avoid.has(id))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
