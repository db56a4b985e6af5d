import { expect, test } from 'vitest';
import { lastChangeIn } from '../../../../src/cli/status/last-change.js';
import type { JournalKind, JournalRecord } from '../../../../src/failover/failover-journal.js';

function record(kind: JournalKind, message: string, nodes: readonly string[], opId = 'x'): JournalRecord {
  return { opId, at: 1_000, kind, nodes, epoch: 1, message };
}

test('a change is told with what was planned', () => {
  const records = [
    record('failure-cleared', 'over', ['b'], 'other'),
    record('change-done', 'b is the primary, epoch 3', ['a', 'b']),
    record('change-planned', 'switchover from a to b', ['a', 'b']),
    record('primary-found', 'a', ['a'], 'older'),
  ];
  expect(lastChangeIn(records)).toEqual({
    at: '1970-01-01T00:00:01.000Z',
    message: 'switchover from a to b: b is the primary, epoch 3',
  });
});

test('what was done to a replica is no change of the primary', () => {
  const records = [
    record('change-done', 'c was put right as a replica of b', ['c']),
    record('primary-followed', 'writes go from a to b', ['a', 'b'], 'y'),
  ];
  expect(lastChangeIn(records)?.message).toBe('writes go from a to b');
});

test('nothing is known', () => {
  expect(lastChangeIn([])).toBeNull();
  expect(lastChangeIn([record('failure-detected', 'x', ['a'])])).toBeNull();
});
