import { describe, expect, test } from 'vitest';
import { detectorDefaults } from '../../../src/failover/detector/detector-policy.js';
import { replay } from '../../../src/failover/detector/replay.js';
import { detectorCases } from './detector-cases.js';
import { recordingOf } from './scripted-cluster.js';

describe('the failure detector', () => {
  test.each(detectorCases.map((each) => [each.name, each] as const))('%s', (_, story) => {
    const { nodes, steps, tilted = false, voters, policy, isolated } = story;
    const verdict = replay(
      recordingOf(nodes, steps, {
        tilted,
        voters,
        policy: { ...detectorDefaults, ...policy },
        isolated: new Set(isolated),
      }),
    );
    const levels = Object.fromEntries(verdict.nodes.map(({ node, level }) => [node, level]));
    const about = verdict.nodes.find(({ node }) => node === verdict.primary);
    const says = Object.fromEntries((about?.testimonies ?? []).map((each) => [each.replica, each.says]));
    expect({ failure: verdict.failure, warranted: verdict.failover.warranted, levels, says }).toMatchObject({
      failure: story.failure,
      warranted: story.warranted ?? false,
      levels: story.levels ?? {},
      says: story.says ?? {},
    });
    if (story.failure !== null) expect(verdict.because).not.toBe('');
    expect(verdict.failover.because).not.toBe('');
  });

  test('there are at least a hundred stories, each with a name of its own', () => {
    expect(detectorCases.length).toBeGreaterThanOrEqual(100);
    expect(new Set(detectorCases.map(({ name }) => name)).size).toBe(detectorCases.length);
  });
});
