import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyHash } from '../../../../src/memcached/copies/copy-hash.js';
import {
  decodeHint,
  decodeTomb,
  encodeHint,
  encodeTomb,
  withMissed,
  withoutNodes,
} from '../../../../src/memcached/copies/copy-notes.js';
import {
  type CopySeen,
  decideCopies,
  type ReachedCopy,
} from '../../../../src/memcached/copies/decide-copies.js';
import { begunAnewAt, isOutlived, newFillMarker } from '../../../../src/memcached/copies/fill-marker.js';
import type { NodeStanding } from '../../../../src/memcached/copies/node-standings.js';
import type { MemcachedItem } from '../../../../src/memcached/memcached-node.js';

const KEY = { key: 'memc.sess.key.abc', place: 'abc' };

function item(text: string): MemcachedItem {
  return { value: Buffer.from(text), flags: 0, cas: 1n };
}

function seen(
  node: string,
  text: string | null,
  more: {
    standing?: NodeStanding;
    missed?: [string, string[]];
    lifted?: [string, string[]];
    tomb?: string;
    /** The number of the tombstone; that of the item is 1. */
    tombCas?: bigint;
  } = {},
): ReachedCopy {
  const [misser, contents] = more.missed ?? [];
  const [lifter, lifted] = more.lifted ?? [];
  let note =
    misser === undefined
      ? undefined
      : withMissed(undefined, KEY, misser, {
          superseded: (contents ?? []).map((old) => copyHash(item(old))),
          lifted: [],
        });
  if (lifter !== undefined) note = withMissed(note, KEY, lifter, { superseded: ['*'], lifted: lifted ?? [] });
  return {
    node,
    role: 'holder',
    reached: true,
    standing: more.standing ?? 'filled',
    item: text === null ? null : item(text),
    hint: note === undefined ? undefined : { note, cas: 1n },
    tomb: more.tomb === undefined ? undefined : { note: { ...KEY, id: more.tomb }, cas: more.tombCas ?? 1n },
  };
}

const away = (node: string, givenUp = false): CopySeen => ({
  node,
  role: 'holder',
  reached: false,
  error: new Error('away'),
  givenUp,
});

/** The decision in a few words. */
function decided(...copies: CopySeen[]): string {
  const decision = decideCopies(copies);
  if (decision.kind !== 'found') return decision.kind;
  const rivals = decision.rivals.map(({ node }) => ` rival ${node}`).join('');
  return `${decision.item.value} of ${decision.node}${rivals}`;
}

test('what every holder got alike after the one tombstone on all of them was begun anew, by somebody who lifts none', () => {
  const anew = { tomb: 't1', tombCas: 0n, standing: 'warming' } as const;
  const older = { ...anew, tombCas: 2n };
  const spare: ReachedCopy = { ...seen('c', null, anew), role: 'spare' };
  expect(decideCopies([seen('a', 'new', anew), seen('b', 'new', anew)])).toMatchObject({
    kind: 'found',
    node: 'a',
    behind: [],
    outlived: ['t1'],
  });
  expect(decided(seen('a', 'new', anew), seen('b', 'new', anew), spare)).toBe('new of a');
  for (const other of [
    seen('b', null, anew),
    seen('b', 'old', anew),
    seen('b', 'new', older),
    seen('b', 'new', { ...anew, tomb: 't2' }),
    seen('b', 'new', { standing: 'warming' }),
    away('b'),
  ])
    expect(decided(seen('a', 'new', anew), other)).toBe('destroyed');
  expect(decided(seen('a', 'new', older), seen('b', 'new', older))).toBe('destroyed');
  const joint: ReachedCopy = { ...seen('c', 'new', anew), role: 'joint' };
  expect(decided(seen('a', 'new', anew), seen('b', 'new', anew), joint)).toBe('destroyed');
  const elsewhere: ReachedCopy = { ...spare, tomb: { note: { ...KEY, id: 't2' }, cas: 1n } };
  expect(decided(seen('a', 'new', anew), seen('b', 'new', anew), elsewhere)).toBe('destroyed');
});

test('a node of the other list decides nothing, and is behind when it holds something else', () => {
  const joint = (copy: ReachedCopy): ReachedCopy => ({ ...copy, role: 'joint', standing: 'warming' });
  const old = joint(seen('c', 'old'));
  expect(decideCopies([seen('a', 'now'), seen('b', 'now'), old])).toMatchObject({
    node: 'a',
    behind: ['c'],
    rivals: [],
  });
  expect(decideCopies([seen('a', 'now'), seen('b', 'now'), joint(seen('c', null))])).toMatchObject({
    behind: ['c'],
  });
  expect(decided(seen('a', null), seen('b', null), old)).toBe('absent');
  expect(decided(away('a'), away('b'), old)).toBe('old of c');
  // A process that reached no other node wrote there.
  expect(decided(seen('a', 'now', { missed: ['c', ['older']] }), seen('b', 'now'), old)).toBe(
    'now of a rival c',
  );
});

test('what only a node of the other list holds does not count where a holder lacks it that missed writes and no note says why', () => {
  const joint = (more?: Parameters<typeof seen>[2]): ReachedCopy => ({
    ...seen('c', 'old', { ...more, standing: 'warming' }),
    role: 'joint',
  });
  const suspect = seen('b', null, { standing: 'suspect' });
  expect(decided(away('a'), suspect, joint())).toBe('unknown');
  expect(decided(away('a', true), suspect, joint())).toBe('absent');
  // It missed the item, or came back empty.
  expect(decided(away('a'), suspect, joint({ missed: ['b', []] }))).toBe('old of c');
  expect(decided(away('a'), seen('b', null, { standing: 'warming' }), joint())).toBe('old of c');
});

test('while nodes change, a content that a note calls old is old on every node of either list: one is filled from the other', () => {
  const joint: ReachedCopy = { ...seen('a', 'new', { missed: ['b', ['old']] }), role: 'joint' };
  expect(decided(seen('c', 'old'), seen('b', 'old'), joint)).toBe('new of a');
  const ahead: ReachedCopy = { ...seen('c', 'old'), leads: true };
  expect(decided(ahead, seen('b', 'old'), seen('a', 'new', { missed: ['b', ['old']] }))).toBe('new of a');
  expect(decided(seen('c', 'old'), seen('b', 'old'), seen('a', 'new', { missed: ['b', ['old']] }))).toBe(
    'old of c',
  );
});

test('a holder that speaks against a copy which another holder has as well is heard: the note of that one may be of a write that never came', () => {
  const missed: [string, string[]] = ['a', ['zero']];
  const [first, second] = [seen('a', 'one'), seen('b', 'one', { missed })];
  const third = seen('c', 'two', { missed });
  expect(decided(first, second, third)).toBe('one of a rival c');
  expect(decided(first, second, { ...third, role: 'spare' })).toBe('one of a');
  expect(decided(first, second, seen('c', 'two'))).toBe('one of a');
});

test("of two copies that each other's note calls old, one that its own note calls old was never replaced", () => {
  const late = seen('a', 'old', { missed: ['b', ['old', 'new']] });
  const newer = seen('b', 'new', { missed: ['a', ['old']] });
  expect(decided(late, newer)).toBe('new of b');
  expect(decided(seen('a', 'old', { missed: ['b', ['new']] }), newer)).toBe('old of a');
});

describe('which copy counts', () => {
  test.each([
    ['the first node, whatever the others hold', [seen('a', 'one'), seen('b', 'two')], 'one of a'],
    ['its miss, while it is filled', [seen('a', null), seen('b', 'two')], 'absent'],
    ['the next one, when it is away', [away('a'), seen('b', 'two')], 'two of b'],
    [
      'the next one, when it is warming',
      [seen('a', null, { standing: 'warming' }), seen('b', 'two')],
      'two of b',
    ],
    ['nobody, when all are away', [away('a'), away('b')], 'down'],
    ['no miss of a warming node', [seen('a', null, { standing: 'warming' }), away('b')], 'unknown'],
    ['no miss of a suspect node', [seen('a', null, { standing: 'suspect' }), away('b')], 'unknown'],
    [
      'no miss of a spare node',
      [away('a'), { ...seen('c', null, { standing: 'warming' }), role: 'spare' }],
      'unknown',
    ],
    [
      'their miss, once the other one is given up',
      [seen('a', null, { standing: 'warming' }), away('b', true)],
      'absent',
    ],
    ['their hit all the same', [seen('a', 'one', { standing: 'warming' }), away('b')], 'one of a'],
    [
      'not a copy that a hint calls old',
      [seen('a', 'one'), seen('b', 'two', { missed: ['a', ['one']] })],
      'two of b',
    ],
    [
      'not a miss that a hint explains',
      [seen('a', null), seen('b', 'two', { missed: ['a', []] })],
      'two of b',
    ],
    [
      'the hit of a suspect node that no hint names',
      [seen('a', 'one', { standing: 'suspect' }), seen('b', null)],
      'one of a',
    ],
    [
      'not the miss of a suspect node',
      [seen('a', null, { standing: 'suspect' }), seen('b', 'two')],
      'two of b',
    ],
    [
      'both, when somebody without notes wrote the copy that missed a write',
      [seen('a', 'php'), seen('b', 'two', { missed: ['a', ['one']] })],
      'two of b rival a',
    ],
    [
      'what a warming node holds besides, as it may be news',
      [seen('a', 'new', { standing: 'warming' }), seen('b', 'two')],
      'two of b rival a',
    ],
    [
      'any hit, when no node is filled',
      [seen('a', null, { standing: 'warming' }), seen('b', 'two', { standing: 'warming' })],
      'two of b',
    ],
    ['nothing, where a tombstone is', [seen('a', 'one'), seen('b', null, { tomb: 't' })], 'destroyed'],
    [
      'what was created after the tombstone',
      [seen('a', 'new', { lifted: ['b', ['t']] }), seen('b', null, { tomb: 't' })],
      'new of a',
    ],
  ] as const)('%s', (_name, copies, expected) => {
    expect(decided(...copies)).toBe(expected);
  });
});

describe('notes', () => {
  test('come back as they were written, and forget nodes that caught up', () => {
    const hint = withMissed(undefined, KEY, 'b:1', { superseded: ['x'], lifted: ['t'] });
    const both = withMissed(hint, KEY, 'c:1', { superseded: ['y'], lifted: [] });
    expect(decodeHint(encodeHint(both))).toEqual(both);
    expect(withoutNodes(both, ['c:1'])).toEqual(hint);
    expect(withoutNodes(hint, ['b:1'])).toBeUndefined();
    expect(decodeTomb(encodeTomb({ ...KEY, id: 't' }))).toEqual({ ...KEY, id: 't' });
  });

  test('stay small however many writes are missed, and keep the first and the newest content', () => {
    let hint = withMissed(undefined, KEY, 'b', { superseded: ['first'], lifted: [] });
    for (let count = 0; count < 500; count += 1)
      hint = withMissed(hint, KEY, 'b', { superseded: [`h${count}`], lifted: [] });
    expect(hint.missed.get('b')?.superseded.slice(0, 1)).toEqual(['first']);
    expect(hint.missed.get('b')?.superseded.at(-1)).toBe('h499');
    expect(encodeHint(hint).length).toBeLessThan(1_000);
  });

  test('hostile bytes are no notes, and never throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          decodeHint(Buffer.from(bytes));
          decodeTomb(Buffer.from(bytes));
        },
      ),
    );
    const polluting = Buffer.from(
      '{"v":1,"key":"k","place":"p","missed":[{"node":"__proto__","superseded":[],"lifted":[]}]}',
    );
    expect(decodeHint(polluting)?.missed.has('__proto__')).toBe(true);
    expect(({} as Record<string, unknown>)['superseded']).toBeUndefined();
    expect(decodeHint(Buffer.alloc(100_000, 0x20))).toBeUndefined();
  });
});

test('a marker is outlived by another process, another start, and what cannot be read', () => {
  const life = { pid: 7, startedAt: 1_000 };
  const marker = newFillMarker(life).toString();
  expect(isOutlived(marker, life)).toBe(false);
  expect(isOutlived(marker, { pid: 8, startedAt: 1_000 })).toBe(true);
  expect(isOutlived(marker, { pid: 7, startedAt: 1_060 })).toBe(true);
  expect(isOutlived('yes', life)).toBe(true);
});

test('a marker says when its node began anew, and is of the same life all the same', () => {
  const life = { pid: 7, startedAt: 1_000 };
  const marker = newFillMarker(life, 1_764_400_000_999).toString();
  expect(isOutlived(marker, life)).toBe(false);
  expect(begunAnewAt(marker)).toEqual(new Date(1_764_400_000_000));
  expect(begunAnewAt(newFillMarker(life).toString())).toBeUndefined();
  expect(begunAnewAt('')).toBeUndefined();
});
