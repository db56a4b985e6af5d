/** On 1, 2, 3 and 5 nodes, with every setting that decides where sessions are: PHP and Node find each other's, and lock each other out. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore, ErrorCode, isStormlampError, type SessionOptions } from '../../src/index.js';
import type { MemcachedNode } from '../../src/memcached/memcached-node.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const SESSIONS = 12;
const COUNTS = [1, 2, 3, 5];
const WEIGHTS = [3, 1, 2, 5, 1];

let servers: LocalCluster;
let root: string;
let nodes: readonly MemcachedNode[] = [];
beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 5 });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-placement-'));
  nodes = servers.memcached.map(({ host, port }) =>
    createMemcachedNode({ address: { host, port }, timeoutMs: 20_000 }),
  );
});
afterAll(async () => {
  for (const node of nodes) node.destroy();
  await servers?.close();
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
});

type Ini = Readonly<Record<string, string>>;

async function php(code: string, ini: Ini): Promise<string> {
  const { stdout, stderr, exitCode } = await servers.php(`<?php ${code}`, { ini });
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return stdout;
}

let used = 0;
function newIds(): readonly string[] {
  return Array.from({ length: SESSIONS }, () => {
    used += 1;
    return `placement${String(used * 7919).padStart(9, '0')}abcdefgh`;
  });
}

/** The nodes, by their numbers, on which an item is. */
async function holders(key: string): Promise<readonly number[]> {
  const items = await Promise.all(nodes.map((node) => node.get(key)));
  return items.flatMap((item, index) => (item === null ? [] : [index]));
}

interface Setting {
  readonly ini: Ini;
  readonly options: Partial<SessionOptions>;
  readonly copies: number;
  readonly dataKey: (id: string) => string;
}

/** PHP writes and Node reads, Node writes and PHP reads, on exactly the same nodes; then each keeps the other out. */
async function shareEverything(count: number, { ini, options, copies, dataKey }: Setting): Promise<void> {
  const ids = servers.memcached.slice(0, count).map((node) => node.id);
  const store = await createSessionStore({ nodes: ids, copies, lockWaitMs: 50, ...options });
  try {
    const [theirs, ours] = [newIds(), newIds()];
    const each = (list: readonly string[], body: string): string =>
      `foreach (explode(',', '${list.join(',')}') as $id) { session_id($id); session_start(); ${body} session_write_close(); }`;
    await php(each(theirs, "$_SESSION['by'] = 'php'; $_SESSION['id'] = $id;"), ini);
    for (const id of theirs) {
      expect((await store.load(id)).data).toEqual({ by: 'php', id });
      const expected = store.holders(id).map((node) => ids.indexOf(node));
      expect({ id, on: await holders(dataKey(id)) }).toEqual({ id, on: [...expected].sort() });
    }
    for (const id of ours) {
      const session = await store.load(id);
      session.data['by'] = 'node';
      expect((await store.save(session)).copies).toHaveLength(copies);
      const expected = store.holders(id).map((node) => ids.indexOf(node));
      expect({ id, on: await holders(dataKey(id)) }).toEqual({ id, on: [...expected].sort() });
    }
    const read = await php(
      `${each([...ours, ...theirs], "$seen[] = $_SESSION['by'] ?? 'nobody';")} echo implode(',', $seen);`,
      ini,
    );
    expect(read).toBe([...ours.map(() => 'node'), ...theirs.map(() => 'php')].join(','));
    await lockOut(store, theirs[0] ?? '', ini);
  } finally {
    await store.close();
  }
}

async function lockOut(
  store: Awaited<ReturnType<typeof createSessionStore>>,
  id: string,
  ini: Ini,
): Promise<void> {
  const [held, go] = [join(root, `held-${id}`), join(root, `go-${id}`)];
  const page = php(
    `session_id('${id}'); session_start(); touch('${held}');
     while (!file_exists('${go}')) { usleep(2000); clearstatcache(); } $_SESSION['page'] = 1;`,
    { ...ini, 'memcached.sess_lock_expire': '60' },
  );
  await eventually('PHP has the session', () => existsSync(held));
  const late = await store.load(id, { lock: false });
  late.data['node'] = 1;
  const outcome = await store.save(late).catch((error: unknown) => error);
  expect(isStormlampError(outcome, ErrorCode.SESSION_LOCKED)).toBe(true);
  writeFileSync(go, '');
  await page;
  await store.save(late);
  const locked = await store.load(id, { lock: true });
  expect(locked.data).toMatchObject({ page: 1, node: 1 });
  if (ini['session.save_handler'] === 'memcached') {
    const refused = await servers.php(
      `<?php session_id('${id}'); echo @session_start() ? 'open' : 'locked';`,
      {
        ini: { ...ini, 'memcached.sess_lock_retries': '0' },
      },
    );
    expect(refused.stdout).toBe('locked');
  } else {
    // pecl-memcache counts those who wait.
    const lockKey = `${id}.lock`;
    const before = await counted(lockKey);
    const waiting = php(
      `session_id('${id}'); session_start(); echo $_SESSION['late'] ?? 'did not wait';`,
      ini,
    );
    await eventually('PHP waits for the lock', async () => (await counted(lockKey)) > before);
    locked.data['late'] = 'waited';
    await store.save(locked);
    expect(await waiting).toBe('waited');
    return;
  }
  await locked.release();
  expect(await php(`session_id('${id}'); echo session_start() ? 'open' : 'locked';`, ini)).toBe('open');
}

async function counted(key: string): Promise<number> {
  const items = await Promise.all(nodes.map((node) => node.get(key)));
  return Math.max(...items.map((item) => Number(item?.value ?? 0)));
}

const MEMCACHED = COUNTS.flatMap((count) =>
  (['ketama', 'ketama_weighted', 'modula'] as const).flatMap((distribution) =>
    [...new Set([0, Math.min(1, count - 1), count - 1])].map((replicas) => ({
      count,
      distribution,
      replicas,
    })),
  ),
);

test.each(MEMCACHED)(
  'php-memcached: nodes: $count, $distribution, replicas: $replicas',
  async ({ count, distribution, replicas }) => {
    const weights = WEIGHTS.slice(0, count);
    await shareEverything(count, {
      ini: {
        'session.save_handler': 'memcached',
        'session.save_path': servers.memcached
          .slice(0, count)
          .map((node, index) => `${node.id}:${weights[index]}`)
          .join(','),
        'memcached.sess_consistent_hash': distribution === 'modula' ? '0' : '1',
        ...(distribution === 'modula' ? {} : { 'memcached.sess_consistent_hash_type': distribution }),
        'memcached.sess_number_of_replicas': String(replicas),
      },
      options: { placement: { distribution, weights } },
      copies: replicas + 1,
      dataKey: (id) => `memc.sess.key.${id}`,
    });
  },
);

const MEMCACHE = [
  ...COUNTS.flatMap((count) =>
    (['consistent', 'standard'] as const).flatMap((strategy) =>
      (['crc32', 'fnv'] as const).map((hash) => ({ count, strategy, hash, copies: Math.min(2, count) })),
    ),
  ),
  { count: 3, strategy: 'consistent', hash: 'crc32', copies: 3 } as const,
  { count: 5, strategy: 'consistent', hash: 'crc32', copies: 4 } as const,
  { count: 5, strategy: 'standard', hash: 'crc32', copies: 4 } as const,
  { count: 5, strategy: 'consistent', hash: 'fnv', copies: 5 } as const,
];

test.each(MEMCACHE)(
  'pecl-memcache: nodes: $count, $strategy, $hash, copies: $copies',
  async ({ count, strategy, hash, copies }) => {
    const weights = WEIGHTS.slice(0, count);
    await shareEverything(count, {
      ini: {
        'session.save_handler': 'memcache',
        'session.save_path': servers.memcached
          .slice(0, count)
          .map((node, index) => `tcp://${node.id}?weight=${weights[index]}&timeout=30`)
          .join(','),
        'memcache.hash_strategy': strategy,
        'memcache.hash_function': hash,
        'memcache.session_redundancy': String(copies),
      },
      options: { handler: 'memcache', placement: { strategy, hash, weights } },
      copies,
      dataKey: (id) => id,
    });
  },
);

test.each([
  ['modula', ''],
  ['ketama', '$memcached->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);'],
  ['ketama_weighted', '$memcached->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);'],
] as const)(
  'an application that keeps sessions with the class Memcached itself: %s, with weights and without',
  async (distribution, option) => {
    for (const weights of [WEIGHTS, undefined]) {
      const store = await createSessionStore({
        nodes: servers.memcached.map((node) => node.id),
        handler: 'memcached-class',
        prefix: 'app:',
        copies: 1,
        placement: { distribution, ...(weights === undefined ? {} : { weights }) },
      });
      try {
        const ids = Array.from({ length: 10 }, newIds).flat();
        const added = servers.memcached.map(
          ({ host, port }, index) => `['${host}', ${port}, ${weights?.[index] ?? 1}]`,
        );
        const said = await php(
          `$memcached = new Memcached(); ${option} $memcached->addServers([${added.join(',')}]);
         foreach (explode(',', '${ids.join(',')}') as $id) { $server = $memcached->getServerByKey("app:$id"); echo "$server[host]:$server[port] "; }`,
          {},
        );
        expect(ids.map((id) => store.holders(id)[0])).toEqual(said.trim().split(' '));
      } finally {
        await store.close();
      }
    }
  },
);
