/** What must hold for every story, whatever is seen. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DetectorVerdict } from '../../../../src/failover/detector/detector-verdict.js';
import { type Recording, replay } from '../../../../src/failover/detector/replay.js';
import { stanceOf } from '../../../../src/failover/detector/testimony.js';
import { anyFinding } from '../../../spec/detector/detector-cases.js';
import { recordingOf, type Scripted, type Step } from '../../../spec/detector/scripted-cluster.js';

const roles = { a: 'primary', b: 'replica', c: 'replica' } as const;
const well = { a: anyFinding.a[0], b: anyFinding.b[0], c: anyFinding.c[0] } as Record<string, Scripted>;

/** Stories that begin well and last up to half a minute. */
const stories: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.tuple(
      fc.integer({ min: 1, max: 6 }),
      fc.record(
        {
          a: fc.constantFrom(...anyFinding.a),
          b: fc.constantFrom(...anyFinding.b),
          c: fc.constantFrom(...anyFinding.c),
        },
        { requiredKeys: [] },
      ) as fc.Arbitrary<Record<string, Scripted>>,
      fc.record({ stalled: fc.boolean() }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((steps) => [[4, well], ...steps]);

const summary = ({ failure, failover, nodes }: DetectorVerdict): object => ({
  failure,
  warranted: failover.warranted,
  levels: nodes.map(({ node, level }) => [node, level]),
  says: nodes.map(({ testimonies }) => testimonies.map(({ replica, says }) => [replica, says])),
});

describe('the detector', () => {
  test('the same recording gives the same verdict, in whatever order it is handed over (I15)', () => {
    fc.assert(
      fc.property(stories, fc.infiniteStream(fc.nat()), (story, keys) => {
        const recording = recordingOf(roles, story);
        const shuffled = recording.looks
          .map((look) => ({ look, key: keys.next().value as number }))
          .sort((x, y) => x.key - y.key)
          .map(({ look }) => look);
        expect(replay({ ...recording, looks: shuffled })).toEqual(replay(recording));
      }),
      { numRuns: 60 },
    );
  });

  test('the order of the probes within a poll does not matter (I15)', () => {
    const orders = [
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'b', 'a'],
      ['b', 'a', 'c'],
    ];
    fc.assert(
      fc.property(stories, fc.constantFrom(...orders), (story, order) => {
        const one = replay(recordingOf(roles, story));
        const other = replay(recordingOf(roles, story, { order }));
        expect(summary(other)).toEqual(summary(one));
      }),
      { numRuns: 120 },
    );
  });

  test('it never warrants a failover while a replica receives events or may receive some (I13)', () => {
    let warranted = 0;
    fc.assert(
      fc.property(stories, (story) => {
        const verdict = replay(recordingOf(roles, story));
        if (!verdict.failover.warranted) return;
        warranted += 1;
        const about = verdict.nodes.find(({ node }) => node === verdict.primary);
        const stances = (about?.testimonies ?? []).map(({ says }) => stanceOf(says));
        expect(stances).not.toContain('vetoes');
        expect(stances).toContain('confirms');
        expect(about?.level).toBe('objectively-down');
      }),
      {
        numRuns: 400,
        examples: [
          [
            [
              [4, well],
              [5, { a: 'refused', b: anyFinding.b[4] as Scripted, c: null }],
            ],
          ],
        ],
      },
    );
    // The check is worth something only if some of the stories end so.
    expect(warranted).toBeGreaterThan(0);
  });

  test('whatever is added, one replica that receives forbids it (I13, seen from the replica)', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const receiving: Step = [1, { b: anyFinding.b[0] as Scripted }];
        const verdict = replay(recordingOf(roles, [...story, receiving]));
        expect(verdict.failover.warranted).toBe(false);
      }),
      { numRuns: 120 },
    );
  });

  test('who is taken out by an operator is judged as if he were not, and only shown as that', () => {
    fc.assert(
      fc.property(stories, fc.subarray(['a', 'b', 'c']), (story, out) => {
        const isolated = new Set(out);
        const { nodes, ...judged } = replay(recordingOf(roles, story));
        const { nodes: shown, ...same } = replay(recordingOf(roles, story, { isolated }));
        expect(same).toEqual(judged);
        expect(shown.map(({ level }) => level)).toEqual(
          nodes.map(({ node, level }) => (isolated.has(node) ? 'isolated' : level)),
        );
      }),
      { numRuns: 120 },
    );
  });

  test('a process that tilts never warrants anything and calls nobody down (I14)', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const { failover, nodes } = replay(recordingOf(roles, story, { tilted: true }));
        expect(failover.warranted).toBe(false);
        for (const { level } of nodes) expect(['down', 'objectively-down']).not.toContain(level);
      }),
      { numRuns: 120 },
    );
  });

  test('what was seen during a stall never makes a node down (I14)', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const doubtful = story.map(([seconds, see]): Step => [seconds, see, { stalled: true }]);
        const { failover, nodes } = replay(recordingOf(roles, doubtful));
        expect(failover.warranted).toBe(false);
        for (const { level } of nodes) expect(['down', 'objectively-down']).not.toContain(level);
      }),
      { numRuns: 120 },
    );
  });

  test('without a majority of the voters it never warrants anything', () => {
    fc.assert(
      fc.property(stories, fc.integer({ min: 1, max: 7 }), (story, total) => {
        const voters = { total, reachable: Math.floor(total / 2) };
        expect(replay(recordingOf(roles, story, { voters })).failover.warranted).toBe(false);
      }),
      { numRuns: 80 },
    );
  });

  test('judging changes nothing: asked twice, later looks left out, it says the same', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const recording: Recording = recordingOf(roles, story);
        const early = { ...recording, now: recording.now / 2 };
        const first = replay(early);
        replay(recording);
        expect(replay(early)).toEqual(first);
      }),
      { numRuns: 60 },
    );
  });

  test('phi grows with silence and is near zero for a node that answers', () => {
    const phiAfter = (seconds: number): number =>
      replay(
        recordingOf(roles, [
          [6, well],
          ...(seconds === 0 ? [] : [[seconds, { a: 'timeout-query' }] as Step]),
        ]),
      ).nodes[0]?.phi ?? Number.NaN;
    expect(phiAfter(0)).toBeLessThan(0.5);
    expect(phiAfter(3)).toBeGreaterThan(phiAfter(1));
    expect(phiAfter(10)).toBeGreaterThan(8);
    expect(Number.isFinite(phiAfter(600))).toBe(true);
  });

  test('evidence is the newest looks of every node in the order of time, with their texts', () => {
    const { evidence } = replay(
      recordingOf(roles, [
        [9, well],
        [2, { a: 'refused' }],
      ]),
    );
    expect(evidence.filter(({ node }) => node === 'a').map(({ kind }) => kind)).toEqual([
      'ok',
      'ok',
      'ok',
      'refused',
      'refused',
    ]);
    expect(evidence.map(({ at }) => at)).toEqual(evidence.map(({ at }) => at).sort((x, y) => x - y));
    expect(evidence.at(-3)).toMatchObject({
      node: 'a',
      detail: 'refused',
      latencyMs: null,
      localStall: false,
    });
  });
});
