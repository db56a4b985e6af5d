/** The session lock beside real PHP: a lock that PHP took away is noticed, and one that a killed PHP left behind is removed. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

let servers: LocalCluster;
const stores: SessionStore[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
});
afterAll(async () => {
  await servers?.close();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

async function openStore(options: Partial<SessionOptions> = {}): Promise<SessionStore> {
  const store = await createSessionStore({ nodes: servers.memcached.map((node) => node.id), ...options });
  stores.push(store);
  return store;
}

let ids = 0;
function newId(): string {
  ids += 1;
  return `lockedsession${String(ids).padStart(8, '0')}`;
}

/** Runs PHP with the session open; `$_SESSION` is saved at its end. */
async function php(
  id: string,
  code: string,
  ini: Readonly<Record<string, string | number>> = {},
): Promise<string> {
  const script = `<?php session_id('${id}'); if (!session_start()) { echo 'NO SESSION'; exit; } ${code}`;
  return (await servers.php(script, { ini })).stdout;
}

/** Leaves the lock of a PHP process behind that was killed while its session was open. */
async function leaveLockBehind(id: string): Promise<void> {
  await php(id, "$_SESSION['a'] = 1;");
  await php(id, 'shell_exec("kill -9 " . getmypid());', { max_execution_time: 0 });
}

describe('a lock without expiry that a killed PHP left behind', () => {
  test('is removed once it has been the same item for the whole bound, and the save goes on', async () => {
    const id = newId();
    await leaveLockBehind(id);
    const store = await openStore({ lockBreakMs: 400, lockWaitMs: 5_000 });
    const broken: { node: string; heldMs: number }[] = [];
    store.on('lock-broken', (event) => void broken.push(event));
    const session = await store.load(id);
    session.data['a'] = 2;
    expect((await store.save(session)).outcome).toBe('saved');
    expect(broken).toHaveLength(1);
    expect(broken[0]?.heldMs).toBeGreaterThanOrEqual(400);
    expect(servers.memcached.map((node) => node.id)).toContain(broken[0]?.node);
    expect(await php(id, "echo $_SESSION['a'];")).toBe('2');
  });

  test('is remembered from one save to the next, so that the bound may be longer than the patience of a save', async () => {
    const id = newId();
    await leaveLockBehind(id);
    const store = await openStore({ lockBreakMs: 600, lockWaitMs: 150 });
    const session = await store.load(id);
    session.data['a'] = 2;
    const outcomes: string[] = [];
    while (outcomes.at(-1) !== 'saved' && outcomes.length < 50) {
      outcomes.push(
        await store.save(session).then(
          ({ outcome }) => outcome,
          (error: { code: string }) => error.code,
        ),
      );
    }
    expect(outcomes[0]).toBe('ERR_SESSION_LOCKED');
    expect(outcomes.at(-1)).toBe('saved');
  });

  test('stays for ever when the bound is 0', async () => {
    const id = newId();
    await leaveLockBehind(id);
    const store = await openStore({ lockBreakMs: 0, lockWaitMs: 700 });
    const session = await store.load(id);
    session.data['a'] = 2;
    await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  });
});

test('locks of PHP requests that follow one another are never taken for one that was left behind', async () => {
  const id = newId();
  const store = await openStore({ lockBreakMs: 500, lockWaitMs: 100 });
  let broken = 0;
  store.on('lock-broken', () => {
    broken += 1;
  });
  let busy = true;
  const pages = php(
    id,
    "for ($i = 0; $i < 8; $i++) { $_SESSION['n'] = $i; usleep(250000); session_write_close(); session_start(); }",
    { 'session.use_cookies': 0, 'session.cache_limiter': '' },
  ).finally(() => {
    busy = false;
  });
  while (busy) {
    const session = await store.load(id);
    session.data['node'] = Number(session.data['node'] ?? 0) + 1;
    await store.save(session).catch(() => undefined);
  }
  await pages;
  expect(broken).toBe(0);
});
