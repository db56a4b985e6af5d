/** The session lock beside real PHP: a lock that PHP took away is noticed, and one that a killed PHP left behind is removed. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { memcachedLock, memcacheLock } from '../../src/session/lock-protocol.js';
import { releasedLock } from '../../src/session/released-lock.js';
import { sessionLockKey } from '../../src/session/session-keys.js';
import { MemcachedServers } from './memcached-servers.js';
import { sessionSuite } from './session-suite.js';

const suite = sessionSuite('sessionlock');
const { openStore, newId, php } = suite;

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
    expect(suite.servers.memcached.map((node) => node.id)).toContain(broken[0]?.node);
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

test('the lock of a page at work, which ends by itself, is never broken, however long it is held', async () => {
  const id = newId();
  await php(id, "$_SESSION['a'] = 1;");
  const [opened, done] = [
    join(suite.servers.folder, `${id}.opened`),
    join(suite.servers.folder, `${id}.done`),
  ];
  const page = php(
    id,
    `touch('${opened}'); while (!file_exists('${done}')) { usleep(5000); clearstatcache(); } $_SESSION['a'] = 2;`,
    { 'memcached.sess_lock_expire': 600, max_execution_time: 300 },
  );
  await expect.poll(() => existsSync(opened)).toBe(true);
  const store = await openStore({ lockBreakMs: 300, lockWaitMs: 1_200 });
  const broken: unknown[] = [];
  store.on('lock-broken', (event) => void broken.push(event));
  const session = await store.load(id);
  session.data['b'] = 3;
  await expect(store.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  writeFileSync(done, '');
  await page;
  expect((await store.save(session)).outcome).toBe('saved');
  expect(broken).toEqual([]);
  expect((await store.load(id)).data).toEqual({ a: 2, b: 3 });
});

test('of a node that does not tell how long a lock lives, the age of the lock alone counts', async () => {
  await using more = await MemcachedServers.open();
  const { host, port } = await more.start(['-B', 'binary']);
  const store = await createSessionStore({
    ...{ nodes: [`${host}:${port}`], lockBreakMs: 300, lockWaitMs: 10_000 },
  });
  try {
    const session = store.create();
    session.data['a'] = 1;
    await store.save(session);
    const lock = sessionLockKey(store.options, session.id);
    await store.copies.holders(lock)[0]?.set(lock.key, Buffer.from('1'), { exptime: 600 });
    session.data['a'] = 2;
    expect((await store.save(session)).outcome).toBe('saved');
  } finally {
    await store.close();
  }
});

test('what a gateway left in the place of a lock is no lock, and is put back when the lock is', async () => {
  const id = newId();
  const store = await openStore();
  const session = store.create();
  session.data['a'] = 1;
  await store.save(session);
  const lock = sessionLockKey(store.options, session.id);
  const left = releasedLock(30);
  const [first] = store.copies.holders(lock);
  await first?.set(lock.key, left.value, { exptime: left.exptime });
  session.data['a'] = 2;
  expect((await store.save(session)).outcome).toBe('saved');
  expect((await first?.get(lock.key))?.value).toEqual(left.value);
  // A lock is one all the same.
  await first?.set(lock.key, Buffer.from('1'), { exptime: 30 });
  session.data['a'] = 3;
  const impatient = await openStore({ lockWaitMs: 100, lockBreakMs: 0 });
  const other = await impatient.load(session.id);
  other.data['b'] = id;
  await expect(impatient.save(other)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
});

describe('a lock of which a node could not tell', () => {
  const limits = { operationTimeoutMs: 200, lockExpireMs: 120_000 };

  async function expectNoLock(id: string): Promise<void> {
    const page = () =>
      php(id, "echo $_SESSION['a'];", { 'memcached.sess_lock_retries': 1, display_errors: 0 });
    await expect.poll(page, { timeout: 20_000 }).toBe('1');
  }

  test('is given back where a frozen node took it when it went on: a page of PHP waited until it expired', async () => {
    const id = newId();
    await php(id, "$_SESSION['a'] = 1;");
    const store = await openStore(limits);
    for (const node of suite.servers.memcached) await node.pause();
    // What is sent on a connection that the node has not taken yet is read when it goes on.
    for (let attempt = 0; attempt < 2; attempt += 1)
      await expect(store.destroy(id)).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
    for (const node of suite.servers.memcached) await node.resume();
    await expectNoLock(id);
  });

  test('is given back where the node never heard that it was', async () => {
    const id = newId();
    await php(id, "$_SESSION['a'] = 1;");
    const store = await openStore({ ...limits, conflict: 'lock' });
    const session = await store.load(id);
    expect(session.locked).toBe(true);
    const faults = await Promise.all(suite.servers.memcached.map((node) => node.faults.reset()));
    await session.release();
    for (const fault of faults) await fault.heal();
    await expectNoLock(id);
  });

  test.each(['memcached', 'memcache'] as const)(
    'is given back where the breaker was open when that of %s should have been',
    async (handler) => {
      const options = { ...limits, handler, conflict: 'lock', monitorIntervalMs: 50 } as const;
      const store = await openStore(options);
      const other = await openStore({ ...options, lockWaitMs: 100 });
      const id = newId();
      await store.writeRaw(id, Buffer.from('a|i:1;'));
      const session = await store.load(id);
      for (const node of suite.servers.memcached) await node.pause();
      await expect.poll(() => store.status().every(({ writes }) => writes === 'open')).toBe(true);
      await session.release();
      for (const node of suite.servers.memcached) await node.resume();
      // While one node is away, the other one keeps the locks.
      const isBack = () =>
        other.status().every(({ reads, writes }) => `${reads} ${writes}` === 'closed closed');
      await expect.poll(isBack).toBe(true);
      const again = () => other.load(id).then(({ data }) => data, String);
      await expect.poll(again, { timeout: 20_000 }).toEqual({ a: 1 });
    },
  );
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
    "for ($i = 0; $i < 8; $i++) { $_SESSION['n'] = $i; usleep(250000); session_write_close(); session_start(); } echo 'done';",
    { 'session.use_cookies': 0, 'session.cache_limiter': '', 'memcached.sess_lock_retries': 500 },
  ).finally(() => {
    busy = false;
  });
  while (busy) {
    const session = await store.load(id);
    session.data['node'] = Number(session.data['node'] ?? 0) + 1;
    await store.save(session).catch(() => undefined);
  }
  expect(await pages).toBe('done');
  expect(broken).toBe(0);
});

describe("with conflict 'lock'", () => {
  test('a page of PHP waits while Node has the session loaded, and sees what Node saved', async () => {
    const store = await openStore({ conflict: 'lock' });
    const id = newId();
    await php(id, "$_SESSION['n'] = 1;");
    const session = await store.load(id);
    expect(session.locked).toBe(true);
    // php-memcached gives up after its retries: an application would take the user for logged out.
    expect(await php(id, "echo 'open';", { 'memcached.sess_lock_retries': 1 })).toBe('NO SESSION');
    const waiting = php(id, "echo $_SESSION['n'];", { 'memcached.sess_lock_retries': 200 });
    session.data['n'] = 2;
    await store.save(session);
    expect(session.locked).toBe(false);
    expect(await waiting).toBe('2');
  });

  test('requests of Node that use one session run one after the other', async () => {
    const store = await openStore({ conflict: 'lock' });
    const id = newId();
    await php(id, "$_SESSION['n'] = 0;");
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        const session = await store.load(id);
        session.data['n'] = Number(session.data['n']) + 1;
        await store.save(session);
      }),
    );
    expect((await store.load(id, { lock: false })).data).toEqual({ n: 5 });
  });

  test('an unchanged save, a destroy, a regenerate, a release and a close give the lock back', async () => {
    const store = await openStore({ conflict: 'lock' });
    const ends = {
      save: async (id: string) => void (await store.save(await store.load(id))),
      destroy: async (id: string) => store.destroy(await store.load(id)),
      regenerate: async (id: string) => void (await store.regenerate(await store.load(id))),
      release: async (id: string) => (await store.load(id)).release(),
      close: async (id: string) => {
        const other = await openStore({ conflict: 'lock' });
        await other.load(id);
        await other.close();
      },
    };
    for (const [name, end] of Object.entries(ends)) {
      const id = newId();
      await php(id, "$_SESSION['n'] = 1;");
      await end(id);
      expect(await php(id, "echo 'open';", { 'memcached.sess_lock_retries': 0 }), name).toBe('open');
    }
  });

  test('a session that is not there is not locked', async () => {
    const store = await openStore({ conflict: 'lock' });
    const id = newId();
    expect((await store.load(id)).locked).toBe(false);
    expect(await php(id, "echo 'open';", { 'memcached.sess_lock_retries': 0 })).toBe('open');
  });

  test('a lock that the unlock of PHP removed is told, and the save still merges', async () => {
    const store = await openStore({ conflict: 'lock' });
    const lost: string[] = [];
    store.on('lock-lost', ({ node }) => void lost.push(node));
    const id = newId();
    await php(id, "$_SESSION = ['php' => 0, 'node' => 0];");
    // PHP's own lock expires after a second; at its end PHP unlocks all the same, and takes ours away.
    const opened = join(suite.servers.folder, `${id}.opened`);
    const slow = php(id, `touch('${opened}'); sleep(4); $_SESSION['php'] = 1;`, {
      'memcached.sess_lock_expire': 1,
    });
    await expect.poll(() => existsSync(opened)).toBe(true);
    const session = await store.load(id);
    session.data['node'] = 1;
    await slow;
    await store.save(session);
    expect(lost).toHaveLength(1);
    expect((await store.load(id, { lock: false })).data).toEqual({ php: 1, node: 1 });
  });

  test.each(['memcached', 'memcache'] as const)(
    'a lock of %s that is held for longer than it lives is renewed',
    async (handler) => {
      const store = await openStore({ conflict: 'lock', handler });
      const id = newId();
      await store.writeRaw(id, Buffer.from('n|i:1;'));
      const { lockExpireMs } = store.options;
      const { renewEveryMs } = (handler === 'memcached' ? memcachedLock : memcacheLock)(lockExpireMs);
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      try {
        const session = await store.load(id);
        const key = handler === 'memcached' ? `memc.sess.key.lock.${id}` : `${id}.lock`;
        await shortenLife(key);
        vi.advanceTimersByTime(renewEveryMs);
        await expect.poll(() => lifeOf(key)).toBeGreaterThan(5);
        await session.release();
        // pecl-memcache's is set to 0 and lives for another 15 seconds, of which some may be over.
        const life = await lifeOf(key);
        if (handler === 'memcached') expect(life).toBe(-1);
        else expect(life).toBeGreaterThan(5);
      } finally {
        vi.useRealTimers();
      }
    },
  );
});

describe.each(['memcached', 'memcache'] as const)(
  'a lock of %s that was lost while Node saved',
  (handler) => {
    const lockKey = (id: string): string =>
      handler === 'memcached' ? `memc.sess.key.lock.${id}` : `${id}.lock`;
    const ini = (): Record<string, string> => {
      const nodes = suite.servers.memcached.map((node) => node.id);
      return handler === 'memcached'
        ? { 'memcached.sess_lock_retries': '500' }
        : {
            'session.save_handler': 'memcache',
            'session.save_path': nodes.map((node) => `tcp://${node}?timeout=30`).join(','),
          };
    };

    /** PHP takes over the lock of a session that Node has loaded, and writes when Node believes to have saved. */
    async function overtake(code: string): Promise<{ data: unknown; decided: unknown[]; lost: number }> {
      const store = await openStore({ conflict: 'lock', handler });
      const tale = { decided: [] as unknown[], lost: 0 };
      store.on('lock-lost', () => {
        tale.lost += 1;
      });
      store.on('conflict-decided', (decision) => void tale.decided.push(decision));
      const id = newId();
      await store.writeRaw(id, Buffer.from('php|i:0;node|i:0;'));
      const session = await store.load(id);
      session.data['node'] = 1;
      // What an expiry does, without the wait for it.
      await say(`delete ${lockKey(id)}`);
      const [opened, saved] = [
        join(suite.servers.folder, `${id}.opened`),
        join(suite.servers.folder, `${id}.saved`),
      ];
      const page = php(
        id,
        `touch('${opened}'); while (!file_exists('${saved}')) { usleep(5000); clearstatcache(); } ${code}`,
        ini(),
      );
      await expect.poll(() => existsSync(opened)).toBe(true);
      const saving = store.save(session);
      const witness = await openStore({ handler });
      await expect.poll(async () => (await witness.load(id)).data['node']).toBe(1);
      writeFileSync(saved, '');
      await page;
      expect((await saving).outcome).toBe('saved');
      return { ...tale, data: (await witness.load(id)).data };
    }

    test('is noticed, and what PHP overwrote without having seen it is saved once more', async () => {
      expect(await overtake("$_SESSION['php'] = 1;")).toEqual({
        data: { php: 1, node: 1 },
        decided: [],
        lost: 1,
      });
    });

    test('does not undo a later change of the same variable', async () => {
      expect(await overtake("$_SESSION['node'] = 7;")).toEqual({
        data: { php: 0, node: 7 },
        decided: [{ variable: 'node', kept: 'theirs' }],
        lost: 1,
      });
    });
  },
);

test('a lock of pecl-memcache lives as long as PHP says, and one that PHP took over is not given back by Node', async () => {
  const store = await openStore({ conflict: 'lock', handler: 'memcache', lockExpireMs: 3_000 });
  const id = newId();
  await store.writeRaw(id, Buffer.from('n|i:1;'));
  const session = await store.load(id);
  const life = await lifeOf(`${id}.lock`);
  expect(life).toBeGreaterThan(0);
  expect(life).toBeLessThanOrEqual(3);
  await say(`delete ${id}.lock`);
  // As PHP takes it.
  await say(`add ${id}.lock 768 60 1\r\n1`);
  await session.release();
  expect(await say(`incr ${id}.lock 1`)).toContain('2');
});

/** Says one line to every memcached, past all clients, and gives the answers. */
async function say(line: string): Promise<string[]> {
  const ports = suite.servers.memcached.map((node) => node.port).join(' ');
  const script = `<?php foreach (explode(' ', $argv[1]) as $port) { $s = fsockopen('127.0.0.1', (int) $port); fwrite($s, $argv[2] . "\r\n"); echo fgets($s); }`;
  return (await suite.servers.php(script, { args: [ports, line] })).stdout.trim().split('\r\n');
}

/** Seconds that a key has left on the node that holds it; -1 when none does. */
async function lifeOf(key: string): Promise<number> {
  const answers = await say(`mg ${key} t`);
  return Math.max(...answers.map((answer) => Number(/^HD t(-?\d+)/.exec(answer)?.[1] ?? -1)));
}

async function shortenLife(key: string): Promise<void> {
  expect(await say(`touch ${key} 4`)).toContain('TOUCHED');
}
