import { describe, expect, test } from 'vitest';
import { LastWord } from '../../../../src/failover/change/last-word.js';
import type { ToldRights } from '../../../../src/failover/meta/told-rights.js';

const NOTHING: ToldRights = { pauses: [], known: [], made: [] };
const failover = {
  opId: 'first',
  kind: 'failover',
  from: 'db0',
  to: 'db1',
  actor: 'me',
  ageS: 240,
  isOpen: false,
  acknowledgedBy: null,
};
const SAID: ToldRights = {
  pauses: [
    { id: 'disks', because: 'new disks (ops)', leftS: 600 },
    { id: 'deploy', because: 'deploy (ci)', leftS: 5 },
  ],
  known: ['disks', 'deploy'],
  made: [failover],
};

function heardAt(at: number): LastWord {
  const word = new LastWord();
  word.heard('db1', SAID, at);
  return word;
}

describe('what the lost primary said', () => {
  test('holds where no node that answers knows of it, as long as its time is not over', () => {
    expect(heardAt(1_000).beyond('db1', [NOTHING], { now: 9_000 })).toEqual({
      pauses: [{ id: 'disks', because: 'new disks (ops)', leftS: 592 }],
      known: [],
      made: [{ ...failover, ageS: 248 }],
    });
    expect(heardAt(0).beyond('db1', [NOTHING], { now: 700_000, goneSince: 500 })?.pauses).toEqual([]);
    expect(heardAt(0).beyond(null, [NOTHING], { now: 1 })?.pauses).toHaveLength(2);
  });
  test('ends with what one of them knows: an end of it is known there, too', () => {
    const told = [NOTHING, { pauses: [], known: ['disks', 'deploy'], made: [failover] }];
    expect(heardAt(0).beyond('db1', told, { now: 1 })).toEqual(NOTHING);
  });
  test('is nothing about another primary, and nothing when it is older than the last seconds', () => {
    expect(new LastWord().beyond('db1', [], { now: 0 })).toBeUndefined();
    expect(heardAt(0).beyond('db2', [], { now: 1 })).toBeUndefined();
    expect(heardAt(0).beyond('db1', [], { now: 60_000, goneSince: 10_001 })).toBeUndefined();
    expect(heardAt(0).beyond('db1', [], { now: 60_000, goneSince: 10_000 })).toBeDefined();
    expect(heardAt(0).beyond('db1', [], { now: 10_001 })).toBeUndefined();
    const word = heardAt(0);
    word.heard('db2', NOTHING, 5);
    expect(word.beyond('db1', [], { now: 6 })).toBeUndefined();
    expect([new LastWord().node, word.node]).toEqual([undefined, 'db2']);
  });
});
