/** What was made up for while somebody still remembered that it was missed. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MirroredMounts, type MountRepairer } from '../../../src/files/mirrored-mounts.js';
import { findMissed, type MissedWrite } from '../../../src/files/missed-writes.js';
import type { Mount } from '../../../src/files/mount.js';
import { findSettled, parseSettled, rememberSettled } from '../../../src/files/settled-writes.js';
import { NAME, write } from './made-up-missed.js';

test.each(['', '{', '[]', 'null', '{"name":1,"at":1}', '{"name":"x","at":"1"}'])(
  '%j is no such file',
  (text) => {
    expect(parseSettled(text)).toBeUndefined();
  },
);

describe('on three mounts', () => {
  let root: string;
  let mirrored: MirroredMounts;
  let a: Mount;
  let b: Mount;
  let c: Mount;
  let repaired: MissedWrite[];

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'stormlamp-settled-'));
    const mounts = ['a', 'b', 'c'].map((name) => join(root, name));
    for (const mount of mounts) mkdirSync(mount);
    mirrored = await MirroredMounts.open({
      mounts,
      optionPath: 'mounts',
      operationTimeoutMs: 60_000,
      monitorIntervalMs: 600_000,
    });
    [a, b, c] = mirrored.mounts as [Mount, Mount, Mount];
    repaired = [];
    mirrored.watch(repairer);
  });
  afterEach(async () => {
    await mirrored.close();
    rmSync(root, { recursive: true, force: true });
  });

  const repairer: MountRepairer = {
    async repair(mount, { name }) {
      const missed = await mirrored.missedBy(mount, name);
      if (missed === undefined) {
        await mirrored.tidy(mount, name);
        return 'settled';
      }
      repaired.push(missed);
      return (await mirrored.forget(mount, name, missed)) ? 'repaired' : 'postponed';
    },
    async *names() {
      yield NAME;
    },
  };
  const lose = (mount: Mount): void =>
    mount.become({ phase: 'down', why: 'missing', error: new Error('away') });
  const kept = (mount: Mount): number =>
    ['missed', 'settled'].flatMap((folder) => {
      try {
        return readdirSync(mount.at('.stormlamp', folder, a.id));
      } catch {
        return [];
      }
    }).length;

  test('a record that could not be deleted counts no more, and goes when its mount is back', async () => {
    await mirrored.remember([b, c], a, write(5));
    lose(c);
    expect(await mirrored.forget(a, NAME)).toBe(true);
    expect([kept(a), kept(b), kept(c)]).toEqual([1, 1, 1]);
    await c.check();
    expect(await findMissed(c, a, NAME)).toMatchObject({ at: 5 });
    expect(await mirrored.missedBy(a, NAME)).toBeUndefined();
    await mirrored.checkNow();
    expect(repaired).toEqual([]);
    expect([kept(a), kept(b), kept(c)]).toEqual([0, 0, 0]);
  });

  test('what says so goes also where its mount kept no record', async () => {
    await mirrored.remember([b], a, write(5));
    lose(c);
    await mirrored.forget(a, NAME);
    await mirrored.checkNow();
    expect([kept(a), kept(b), kept(c)]).toEqual([0, 0, 0]);
  });

  test('what is missed later counts, by whatever clock, and is not joined to what was made up for', async () => {
    await mirrored.remember([b, c], a, write(5));
    lose(c);
    await mirrored.forget(a, NAME);
    await c.check();
    await mirrored.remember([b, c], a, write(3));
    expect(await mirrored.missedBy(a, NAME)).toMatchObject({ superseded: 'v3', at: 6 });
    expect(await findMissed(c, a, NAME)).toMatchObject({ superseded: 'v3' });
    await mirrored.checkNow();
    expect(repaired).toMatchObject([{ superseded: 'v3' }]);
    expect([kept(a), kept(b), kept(c)]).toEqual([0, 0, 0]);
  });

  test('a repair does not count as done where nobody can remember it', async () => {
    await mirrored.remember([b], a, write(5));
    lose(b);
    for (const mount of [a, c]) writeFileSync(mount.at('.stormlamp', 'settled'), 'in the way');
    expect(await mirrored.forget(a, NAME, write(5))).toBe(false);
  });

  test('a file that says so and was damaged says nothing', async () => {
    await mirrored.remember([b], a, write(5));
    await rememberSettled(c, a, { name: NAME, at: 5 });
    expect(await mirrored.missedBy(a, NAME)).toBeUndefined();
    const [file = ''] = readdirSync(c.at('.stormlamp', 'settled', a.id));
    writeFileSync(c.at('.stormlamp', 'settled', a.id, file), '{');
    expect(await findSettled(c, a, NAME)).toBeUndefined();
    expect(await mirrored.missedBy(a, NAME)).toMatchObject({ at: 5 });
  });

  test('where nothing was missed, every other mount is asked once, and no more', async () => {
    const asked = mirrored.mounts.map((mount) => vi.spyOn(mount, 'run'));
    const times = () => asked.map(({ mock }) => mock.calls.length);
    await mirrored.missedBy(a, NAME);
    expect(times()).toEqual([0, 1, 1]);
    await mirrored.forget(a, NAME);
    expect(times()).toEqual([0, 2, 2]);
  });
});
