/** When an item ends is not changed by mending its copies. */
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import type { CopyKey } from '../../../../src/memcached/copies/copy-key.js';
import {
  type CopySeen,
  decideCopies,
  type ReachedCopy,
} from '../../../../src/memcached/copies/decide-copies.js';
import type { CurrentContent, ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import type { NewContent } from '../../../../src/memcached/copies/write-under-way.js';
import type { MemcachedItem } from '../../../../src/memcached/memcached-node.js';
import { MendCopies } from '../../../../src/memcached/resync/mend-copies.js';

const KEY: CopyKey = { key: 'k', place: 'k' };
const ITEM: MemcachedItem = { value: Buffer.from('uid|i:42;'), flags: 0, cas: 5n };
const BEHIND: MemcachedItem = { value: Buffer.from('uid|i:41;'), flags: 0, cas: 4n };

/** Two nodes; the second one took writes that the first one missed, or the other way round. */
function seen(first: MemcachedItem | null, second: MemcachedItem | null, noted = true): readonly CopySeen[] {
  const note = { ...KEY, missed: new Map([['a', { superseded: [], lifted: [] }]]) };
  const of = (node: string, item: MemcachedItem | null): ReachedCopy => ({
    node,
    role: 'holder',
    reached: true,
    standing: 'filled',
    item,
    hint: undefined,
    tomb: undefined,
  });
  const told = of('b', second);
  return [of('a', first), noted ? { ...told, hint: { note, cas: 6n } } : told];
}

/** Mends what is seen so, one look after the other; a change meets what the last look saw. */
async function mend(
  looks: readonly (readonly CopySeen[])[],
  exptimeOn: (node: string) => number | undefined,
): Promise<{ readonly did: string; readonly stored: readonly NewContent[] }> {
  const stored: NewContent[] = [];
  let at = 0;
  const look = () => {
    const copies = looks[Math.min(at, looks.length - 1)] ?? [];
    at += 1;
    return { seen: copies, decision: decideCopies(copies) };
  };
  const copies = {
    look: async () => look(),
    holders: () => [{ id: 'a' }, { id: 'b' }],
    change: async (_key: CopyKey, make: (current: CurrentContent) => NewContent | undefined) => {
      const { decision } = look();
      const item = decision.kind === 'found' ? decision.item : null;
      const content = make({ item, node: 'a', ours: false, destroyed: false, rivals: [] });
      if (content !== undefined) stored.push(content);
    },
    delete: async () => undefined,
  };
  const mending = new MendCopies({
    copies: copies as unknown as ReplicatedCopies,
    locked: (_key, _deadline, work) => work(),
    merge: (item) => item,
    exptimeOn: async (node) => exptimeOn(node),
    lookAgainMs: 0,
    timeoutMs: 5_000,
  });
  return { did: await mending.mend(KEY), stored };
}

test('the longest life counts that any of its copies has', async () => {
  const both = seen(ITEM, ITEM);
  expect((await mend([both], (node) => (node === 'a' ? 100 : 1_440))).stored).toMatchObject([
    { exptime: 1_440 },
  ]);
  expect((await mend([both], (node) => (node === 'a' ? 0 : 1_440))).stored).toMatchObject([{ exptime: 0 }]);
});

test('a copy that ended between the look and the question has no life, least of all an endless one', async () => {
  const { stored } = await mend([seen(ITEM, ITEM)], (node) => (node === 'a' ? undefined : 1_440));
  expect(stored).toMatchObject([{ exptime: 1_440 }]);
});

test('an item that ended on every node that was asked is not stored again; what is there by then is mended', async () => {
  const both = seen(ITEM, ITEM);
  expect(await mend([both], () => undefined)).toEqual({ did: 'absent', stored: [] });
  let asked = 0;
  const later = await mend([both, seen(BEHIND, ITEM)], () => {
    asked += 1;
    return asked <= 2 ? undefined : 60;
  });
  expect(later.stored).toMatchObject([{ exptime: 60 }]);
});

test('an item that began after nothing was found gets the end that it has', async () => {
  const nothing = seen(null, null, false);
  const { stored } = await mend([nothing, seen(ITEM, null, false)], () => 60);
  expect(stored).toMatchObject([{ value: ITEM.value, exptime: 60 }]);
  // It goes on to come and go.
  const always = await mend(
    [nothing, seen(ITEM, null, false), nothing, seen(ITEM, null, false)],
    () => undefined,
  );
  expect(always.stored).toEqual([]);
});

test('where nobody can tell when it ends it is not mended now', async () => {
  const failing = mend([seen(ITEM, null)], () => {
    throw new Error('nobody can tell');
  });
  await expect(failing).rejects.toThrow('nobody can tell');
});

test('what one node tells counts where the other one has no way to tell, and not where it only did not answer', async () => {
  const both = seen(ITEM, ITEM);
  const told = (silent: string, code: ErrorCode, end: number | undefined) =>
    mend([both], (node) => {
      if (node === silent) throw new StormlampError(code, 'untold', { node });
      return end;
    });
  for (const silent of ['a', 'b'])
    expect((await told(silent, ErrorCode.UNSUPPORTED, 100)).stored).toMatchObject([{ exptime: 100 }]);
  await expect(told('b', ErrorCode.TIMEOUT, 100)).rejects.toThrow('untold');
  // Gone from the one that told, it may be on the other one.
  await expect(told('a', ErrorCode.UNSUPPORTED, undefined)).rejects.toThrow('untold');
});
