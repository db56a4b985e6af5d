/** The pure choices: what an error says about a mount, who wins a repair, what a walk does, which names are let in. */
import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideRepair } from '../../../src/files/decide-repair.js';
import { checkEntryName } from '../../../src/files/entry-name.js';
import {
  type CopyVersion,
  isSuperseded,
  type MissedWrite,
  parseMissed,
} from '../../../src/files/missed-writes.js';
import { mountHealthAfter } from '../../../src/files/mount-health.js';
import { newMarks, parseMark } from '../../../src/files/mount-mark.js';
import { parseTombstone } from '../../../src/files/tombstones.js';
import { planWalk, type WalkCopy } from '../../../src/files/walk-plan.js';

const errno = (code: string): Error => Object.assign(new Error(code), { code });
const copy = (version: string | null, at = 0): CopyVersion => ({ version, modifiedMs: at, changedMs: at });
const missed = (kind: MissedWrite['kind'], superseded: string | null, at = 100): MissedWrite => ({
  name: 'x',
  kind,
  superseded,
  at,
});

test.each([
  ['ENOSPC', 'impaired full'],
  ['EDQUOT', 'impaired full'],
  ['EROFS', 'impaired read-only'],
  ['EIO', 'down failing'],
  ['ESTALE', 'down failing'],
  ['ENOTCONN', 'down failing'],
])('%s means that the mount is %s', (code, expected) => {
  const health = mountHealthAfter(errno(code));
  expect(health).toBeDefined();
  expect(`${health?.phase} ${health !== undefined && 'why' in health ? health.why : ''}`).toBe(expected);
});

test.each(['ENOENT', 'EACCES', 'EEXIST', 'ELOOP', 'EISDIR'])('%s says nothing about the mount', (code) => {
  expect(mountHealthAfter(errno(code))).toBeUndefined();
});

describe('a copy whose mount missed a write', () => {
  test.each([
    ['holds what was superseded', copy('old'), 'equal-not', 'take-theirs'],
    ['holds the same already', copy('new'), '', 'equal'],
    ['was written since by somebody else', copy('php', 200), '', 'give-own'],
    ['was written before by somebody unseen', copy('php', 50), '', 'overrule'],
  ] as const)('that %s', (_name, own, _note, expected) => {
    expect(decideRepair(own, copy('new', 100), missed('write', 'old'), true)).toBe(expected);
  });

  test('and was removed since stays removed where that is a logout, and not where it is a file', () => {
    expect(decideRepair(copy(null), copy('new'), missed('write', 'old'), true)).toBe('give-own');
    expect(decideRepair(copy(null), copy('new'), missed('write', 'old'), false)).toBe('take-theirs');
  });

  test('gets what superseded it also where the two are told alike, and nothing where it has it already', () => {
    expect(decideRepair(copy('same', 50), copy('same', 100), missed('write', 'same'), false)).toBe(
      'take-theirs',
    );
    expect(decideRepair(copy('new', 50), copy('new', 100), missed('write', 'old'), false)).toBe('equal');
    expect(decideRepair(copy(null), copy(null), missed('write', null), false)).toBe('equal');
  });

  test('is meant by a deletion whatever it holds, unless it came after', () => {
    expect(isSuperseded(copy('unseen', 99), missed('delete', 'old'))).toBe(true);
    expect(isSuperseded(copy('again', 101), missed('delete', 'old'))).toBe(false);
    expect(isSuperseded(copy('unseen', 99), missed('write', 'old'))).toBe(false);
  });
});

describe('a walk', () => {
  const side = (version: string | null, at = 0, stale = false): WalkCopy => ({ ...copy(version, at), stale });
  const heal = { mode: 'heal', source: 0, prune: false, deletedAt: undefined } as const;

  test.each([
    [
      'copies the latest to who has another or none',
      [side('a', 1), side('b', 2), side(null)],
      { kind: 'copy', from: 1, to: [0, 2] },
    ],
    ['does nothing where all are alike', [side('a', 1), side('a', 1)], { kind: 'nothing' }],
    [
      'does not spread what is known to be superseded',
      [side('old', 9, true), side('new', 2)],
      { kind: 'copy', from: 1, to: [0] },
    ],
    ['does nothing when nothing is there', [side(null), side(null)], { kind: 'nothing' }],
  ] as const)('that heals %s', (_name, copies, expected) => {
    expect(planWalk({ ...heal, copies })).toEqual(expected);
  });

  test('brings a mount what it missed also where the two versions are told alike', () => {
    const copies = [side('a', 1), side('a', 1, true)];
    expect(planWalk({ ...heal, copies })).toEqual({ kind: 'copy', from: 0, to: [1] });
  });

  test('deletes what was deleted, and copies what was put back since', () => {
    const copies = [side(null), side('a', 5)];
    expect(planWalk({ ...heal, copies, deletedAt: 6 })).toEqual({ kind: 'delete', on: [1] });
    expect(planWalk({ ...heal, copies, deletedAt: 4 })).toEqual({ kind: 'copy', from: 1, to: [0] });
  });

  test('one way follows the source, also where another copy is later, and prunes only when told', () => {
    const facts = { mode: 'one-way', source: 0, deletedAt: undefined } as const;
    expect(planWalk({ ...facts, prune: false, copies: [side('a', 1), side('b', 2)] })).toEqual({
      kind: 'copy',
      from: 0,
      to: [1],
    });
    const extra = [side(null), side('b', 2)];
    expect(planWalk({ ...facts, prune: false, copies: extra })).toEqual({ kind: 'nothing' });
    expect(planWalk({ ...facts, prune: true, copies: extra })).toEqual({ kind: 'delete', on: [1] });
  });

  test('always ends: after what it planned, nothing is left to do', () => {
    const copies = fc.array(
      fc.record({
        version: fc.option(fc.constantFrom('a', 'b', 'c')),
        modifiedMs: fc.nat(9),
        changedMs: fc.nat(9),
        stale: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(
        copies,
        fc.constantFrom('heal', 'one-way'),
        fc.boolean(),
        fc.option(fc.nat(9)),
        (sides, mode, prune, at) => {
          const facts = { mode, prune, source: 0, deletedAt: at ?? undefined } as const;
          const plan = planWalk({ ...facts, copies: sides });
          const after = sides.map((one, place) => {
            if (plan.kind === 'copy' && plan.to.includes(place)) {
              const from = sides[plan.from] ?? one;
              return { ...from, stale: false, changedMs: 10 };
            }
            return plan.kind === 'delete' && plan.on.includes(place)
              ? { ...one, version: null, stale: false }
              : one;
          });
          // What it refuses it refuses again.
          expect(planWalk({ ...facts, copies: after })).toEqual(
            plan.kind === 'refuse' ? plan : { kind: 'nothing' },
          );
        },
      ),
    );
  });
});

describe('names', () => {
  test('that are let in stay below the folder, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (x, y) => {
        for (const name of [x, `${x}/${y}`, `../${x}`, `${x}/../${y}`]) {
          let accepted: string;
          try {
            accepted = checkEntryName(name);
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_FILE_NAME' });
            continue;
          }
          expect(posix.resolve('/root', accepted)).toMatch(/^\/root\/./s);
          expect(accepted.split('/')).not.toContain('..');
          expect(accepted).not.toContain('\0');
        }
      }),
    );
  });

  test.each(['a', 'uploads/2024/ü.jpg', '.htaccess', 'a b', '...', 'a..b'])('like %s are let in', (name) => {
    expect(checkEntryName(name)).toBe(name);
  });
});

describe('what is read back from a mount may be anything', () => {
  test.each(['', '{', 'null', '[]', '{"id":1}', '{"version":1,"id":"x","members":[],"filled":true}'])(
    '%j is no mark',
    (text) => {
      expect(parseMark(text)).toBeUndefined();
      expect(parseMissed(text)).toBeUndefined();
      expect(parseTombstone(text)).toBeUndefined();
    },
  );

  test('marks, missed writes and tombstones are read as they were written', () => {
    for (const mark of newMarks(3)) expect(parseMark(JSON.stringify({ version: 1, ...mark }))).toEqual(mark);
    expect(parseMissed(JSON.stringify(missed('delete', null)))).toEqual(missed('delete', null));
    expect(parseTombstone('{"name":"x","at":1}')).toEqual({ name: 'x', at: 1 });
  });
});
