import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSessionStore } from '../../../src/session/create-session-store.js';
import type { FileSessionOptions } from '../../../src/session/file-session-options.js';
import type { FileSessionStore } from '../../../src/session/file-session-store.js';

async function withStore(
  options: Partial<FileSessionOptions>,
  work: (store: FileSessionStore) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-store-'));
  mkdirSync(join(folder, 'a'));
  const store = await createSessionStore({
    mounts: [join(folder, 'a')],
    monitorIntervalMs: 600_000,
    operationTimeoutMs: 60_000,
    ...options,
  });
  try {
    await work(store);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the object of the variables is the same after a save, and what is changed in it is saved again', () =>
  withStore({}, async (store) => {
    const session = store.create();
    const { data } = session;
    data['a'] = 1;
    data['list'] = [1];
    const { list } = data as { list: number[] };
    await store.save(session);
    expect(session.data).toBe(data);
    expect(data['list']).toBe(list);
    data['a'] = 9;
    data['b'] = 2;
    list.push(2);
    expect((await store.save(session)).outcome).toBe('saved');
    expect((await store.load(session.id)).data).toEqual({ a: 9, b: 2, list: [1, 2] });
    delete data['b'];
    await store.save(session);
    expect((await store.load(session.id)).data).toEqual({ a: 9, list: [1, 2] });
  }));

test('an array that is first looked at after thousands of saves is there', () =>
  withStore({}, async (store) => {
    const first = store.create();
    first.data['cart'] = ['lamp'];
    await store.save(first);
    const session = await store.load(first.id);
    const { data } = session;
    for (let count = 0; count < 300; count += 1) {
      data['count'] = count;
      await store.save(session);
    }
    expect(data['cart']).toEqual(['lamp']);
  }));

test.each([
  [
    'edited',
    (data: Record<string, unknown>) => (data['cart'] as string[]).push('ours'),
    ['theirs'],
    [1, 'ours'],
  ],
  ['replaced', (data: Record<string, unknown>) => (data['cart'] = ['ours']), ['theirs'], ['ours']],
  ['deleted', (data: Record<string, unknown>) => delete data['cart'], ['theirs'], undefined],
] as const)(
  'a variable that is %s while a save brings what others made of it is a conflict of the next save',
  async (_how, edit, theirs, ours) => {
    for (const decision of ['theirs', 'ours'] as const) {
      const asked: string[] = [];
      const onConflict = ({ name }: { name: string }) => {
        asked.push(name);
        return decision;
      };
      await withStore({ onConflict }, async (store) => {
        const first = store.create();
        first.data['cart'] = [1];
        await store.save(first);
        const session = await store.load(first.id);
        expect(session.data['cart']).toEqual([1]);
        const other = await store.load(first.id);
        other.data['cart'] = ['theirs'];
        await store.save(other);
        session.data['seen'] = true;
        const saving = store.save(session);
        edit(session.data);
        await saving;
        expect(asked).toEqual([]);
        expect((await store.load(first.id)).data).toEqual({ cart: ['theirs'], seen: true });
        await store.save(session);
        expect(asked).toEqual(['cart']);
        const cart = decision === 'theirs' ? theirs : ours;
        expect((await store.load(first.id)).data).toEqual({
          seen: true,
          ...(cart === undefined ? {} : { cart }),
        });
        expect(session.data['cart']).toEqual(cart);
      });
    }
  },
);

test('what is saved under an id that was replaced stays there, and is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-old-id-'));
  mkdirSync(join(folder, 'a'));
  const store = await createSessionStore({
    mounts: [join(folder, 'a')],
    monitorIntervalMs: 600_000,
    operationTimeoutMs: 60_000,
  });
  const told: unknown[] = [];
  store.on('save-dropped', ({ error }) => void told.push((error as { code?: unknown }).code));
  try {
    const session = store.create();
    session.data['cart'] = ['lamp'];
    await store.save(session);
    const late = await store.load(session.id);
    session.data['user'] = 'ada';
    const renewed = await store.regenerate(session, { graceMs: 600_000 });
    expect(told).toEqual([]);
    late.data['cart'] = ['lamp', 'shade'];
    expect((await store.save(late)).outcome).toBe('saved');
    expect(told).toEqual(['ERR_SESSION_GONE']);
    expect((await store.load(renewed.id)).data).toEqual({ cart: ['lamp'], user: 'ada' });
    expect((await store.load(session.id)).data).toEqual({ cart: ['lamp', 'shade'] });
    renewed.data['cart'] = [];
    await store.save(renewed);
    expect(told).toHaveLength(1);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
