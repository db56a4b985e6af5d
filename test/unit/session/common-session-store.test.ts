import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSessionStore } from '../../../src/session/create-session-store.js';

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
