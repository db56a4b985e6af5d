/** Every program in `examples/` runs as it stands, on one cluster that they share. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { eventually } from '../integration/eventually.js';
import { ROOT, type RunningNode, startNode } from '../support/run-node.js';
import { blocksOf, letAppMonitor } from './run-block.js';

let servers: LocalCluster;
const started = new Set<RunningNode>();

beforeAll(async () => {
  servers = await startLocalCluster();
  await servers.primary.query('USE shop');
  await servers.primary.query(blocksOf('examples/README.md', 'sql')[0] ?? '');
  await letAppMonitor(servers);
});
afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL');
  await servers?.close();
});

function urlOf({ id }: { readonly id: string }): string {
  const { user, password } = servers.accounts.app;
  return `mysql://${user}:${encodeURIComponent(password)}@${id}/${servers.database}`;
}

function environment(): Record<string, string> {
  const { admin, repl } = servers.accounts;
  return {
    PORT: '0',
    SCOPE_SECRET: 'a secret of the examples',
    HA_USER: admin.user,
    HA_PASSWORD: admin.password,
    REPL_USER: repl.user,
    REPL_PASSWORD: repl.password,
    STORMLAMP_MYSQL_PRIMARY: urlOf(servers.primary),
    STORMLAMP_MYSQL_REPLICAS: servers.replicas.map(urlOf).join(','),
    STORMLAMP_MEMCACHED: servers.memcached.map(({ id }) => id).join(','),
  };
}

/** Runs an example to its end. */
async function run(file: string): Promise<string> {
  const { code, stdout, stderr } = await startNode([join('examples', file)], { env: environment() }).finished;
  expect([code, stderr], file).toEqual([0, '']);
  return stdout;
}

/** Starts an example that serves. */
async function serve(file: string, ready = /listening on (\S+)/): Promise<{ app: RunningNode; url: string }> {
  const app = startNode([join('examples', file)], { env: environment() });
  started.add(app);
  const url = await eventually(`${file} is ready`, () => {
    if (app.child.exitCode !== null) throw new Error(`${file} ended: ${app.output()}`);
    return ready.exec(app.output())?.[1];
  });
  return { app, url };
}

async function end({ app }: { readonly app: RunningNode }): Promise<string> {
  app.child.kill('SIGTERM');
  const { stdout } = await app.finished;
  started.delete(app);
  return stdout;
}

test('every file is in the list, and the other way round', () => {
  const listed = readFileSync(join(ROOT, 'examples/README.md'), 'utf8').matchAll(/\]\(([^/)]+)\)/g);
  const files = readdirSync(join(ROOT, 'examples')).filter((file) => file !== 'README.md');
  expect([...new Set([...listed].map(([, file]) => file))].sort()).toEqual(files.sort());
});

describe('programs that end', () => {
  test.each([
    ['quick-start.mjs', /^primary: INSERT.*\n\w+: SELECT.*\nada's cart: lamp.*\nsession \S+ has 2 copies\n$/],
    ['transactions.mjs', /^without the candle: sold out\nbob's cart: lamp\n$/],
    ['kysely.mjs', /^\[ \{ owner: 'kysely', item: 'lamp' \} \]\n$/],
    ['knex.mjs', /^\[ \{ owner: 'knex', item: 'lamp' \} \]\n$/],
    ['drizzle.mjs', /^\[ \{ owner: 'drizzle', item: 'lamp' \} \]\n$/],
    ['typeorm.mjs', /^\[ \{ owner: 'typeorm', item: 'lamp' \} \]\n$/],
    ['opentelemetry.mjs', /under it: SELECT cart SELECT item FROM cart WHERE owner = \? replica/],
    ['commonjs.cjs', /^counted the items\n$/],
  ])('%s', async (file, said) => {
    expect(await run(file)).toMatch(said);
  });

  test('tiered-cache.mjs: the change is seen, though no replica has it yet', async () => {
    const setDelay = async (seconds: number): Promise<void> => {
      for (const sql of ['STOP SLAVE', `CHANGE MASTER TO MASTER_DELAY=${seconds}`, 'START SLAVE'])
        for (const node of servers.replicas) await node.query(sql);
    };
    // Within the bound of lag, so that reads go there.
    await setDelay(4);
    try {
      expect(await run('tiered-cache.mjs')).toBe('50 readers, 1 query\nafter the change: lamp\n');
    } finally {
      await setDelay(0);
      await servers.waitForReplication();
    }
  });

  test('faults.test.mjs', async () => {
    const { code, stdout, stderr } = await startNode(['--test', 'examples/faults.test.mjs'], {
      env: environment(),
    }).finished;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^(?:#|ℹ) pass 3$/m);
  });
});

describe('programs that serve', () => {
  test('php-login: PHP logs in, Node knows it and fills the cart, PHP shows it', async () => {
    const site = await servers.phpSite(readFileSync(join(ROOT, 'examples/php-login.php'), 'utf8'));
    const node = await serve('php-login.mjs');
    const login = await fetch(`${site.url}/?login=ada`);
    const cookie = login.headers.getSetCookie().at(-1)?.split(';')[0] ?? '';
    const headers = { cookie };
    expect(await (await fetch(`${node.url}/me`, { headers })).json()).toEqual({ user: { name: 'ada' } });
    await fetch(`${node.url}/cart/lamp`, { method: 'POST', headers });
    expect(await (await fetch(site.url, { headers })).json()).toEqual({
      user: { name: 'ada' },
      cart: ['lamp'],
    });
    await fetch(`${node.url}/logout`, { method: 'POST', headers });
    expect(await (await fetch(site.url, { headers })).json()).toEqual({ user: null, cart: [] });
    await end(node);
  });

  test('read-your-writes: the request after the redirect sees the row, in Node and in PHP', async () => {
    const [replica] = servers.replicas;
    if (replica === undefined) throw new Error('the local cluster has no replica');
    const site = await servers.phpSite(readFileSync(join(ROOT, 'examples/read-your-writes.php'), 'utf8'), {
      env: { PRIMARY_URL: urlOf(servers.primary), REPLICA_URL: urlOf(replica) },
    });
    const node = await serve('read-your-writes.mjs');
    for (const item of ['first', 'second', 'third']) {
      const posted = await fetch(`${node.url}/cart/${item}`, { method: 'POST', redirect: 'manual' });
      expect(posted.status).toBe(303);
      const cookie = posted.headers
        .getSetCookie()
        .map((one) => one.split(';')[0])
        .join('; ');
      const get = await fetch(`${node.url}${posted.headers.get('location')}`, { headers: { cookie } });
      expect(await get.json()).toContain(item);
      const php = (await (await fetch(site.url, { headers: { cookie } })).json()) as { cart: string[] };
      expect(php.cart).toContain(item);
    }
    await end(node);
  });

  test('read-your-writes.php takes an address as it is in README.md, without a port, as Node reads it', async () => {
    const source = readFileSync(join(ROOT, 'examples/read-your-writes.php'), 'utf8');
    const open = /^function open\(.*?^}/ms.exec(source)?.[0] ?? '';
    const code = `namespace Made; class mysqli { function __construct(...$given) { echo json_encode($given); } } ${open} open('URL');`;
    const { php } = await resolveServers(['php']);
    const run = await runProgram(
      php?.cli.command ?? 'php',
      [...(php?.cli.prefixArgs ?? []), '-n', '-r', code],
      {
        timeoutMs: 20_000,
        env: { URL: 'mysql://app:a+b%20c@db1/shop' },
      },
    );
    expect([run.stderr, run.stdout]).toEqual(['', '["db1","app","a+b c","shop",3306]']);
  });

  test('graceful-shutdown: the request under way is answered, the next one is not taken', async () => {
    const node = await serve('graceful-shutdown.mjs');
    expect((await fetch(`${node.url}/readyz`)).status).toBe(200);
    const running = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(0.5)%'";
    // On a busy machine the statement may be over before anybody saw it: then with another one.
    const slow = await eventually('a statement is seen running', async () => {
      let isOver = false;
      const request = fetch(`${node.url}/count`).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        const rows = await Promise.all(servers.databases.map((one) => one.query(running)));
        if (rows.flat().length > 0) return { answer: request };
      }
      return undefined;
    });
    const ended = end(node);
    expect(await (await slow.answer).text()).toMatch(/^counted \d+$/);
    expect(await ended).toContain('stopped');
    await expect(fetch(node.url)).rejects.toThrow();
  });

  test('gateway: PHP keeps its sessions through it, on both nodes', async () => {
    const node = await serve('gateway.mjs', /session\.save_path = "(\S+)"/);
    const ini = {
      'session.save_handler': 'memcached',
      'session.save_path': node.url,
      'memcached.sess_number_of_replicas': '0',
    };
    const write = await servers.php(`<?php session_start(); $_SESSION['n'] = 7; echo session_id();`, { ini });
    const read = `<?php session_id('${write.stdout}'); session_start(); echo $_SESSION['n'] ?? 'gone';`;
    expect((await servers.php(read, { ini })).stdout).toBe('7');
    await end(node);
    // PHP's own handler finds it on the nodes, too.
    expect((await servers.php(read)).stdout).toBe('7');
  });

  test('prometheus: the metrics of the process and of the cluster', async () => {
    const node = await serve('prometheus.mjs');
    expect(await (await fetch(node.url)).text()).toMatch(/^\d+ items\n$/);
    const text = await (await fetch(`${node.url}/metrics`)).text();
    expect(text).toContain('process_cpu_user_seconds_total');
    expect(text).toContain(`stormlamp_node_primary{node="${servers.primary.id}"} 1`);
    await end(node);
  });

  test.each(['graceful-shutdown.mjs', 'prometheus.mjs'])(
    '%s: a statement that fails ends its request, not the process',
    async (file) => {
      const node = await serve(file);
      await servers.primary.query('RENAME TABLE shop.cart TO shop.cart_away');
      try {
        await servers.waitForReplication();
        expect((await fetch(`${node.url}/count`)).status).toBe(500);
        expect((await fetch(`${node.url}/count`)).status).toBe(500);
      } finally {
        await servers.primary.query('RENAME TABLE shop.cart_away TO shop.cart');
        await servers.waitForReplication();
      }
      expect((await fetch(`${node.url}/count`)).status).toBe(200);
      expect(node.app.child.exitCode).toBeNull();
      await end(node);
    },
  );

  test('plain-http: visits are counted', async () => {
    const node = await serve('plain-http.mjs');
    const first = await fetch(node.url);
    expect(await first.text()).toBe('visit 1\n');
    const headers = { cookie: first.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
    expect(await (await fetch(node.url, { headers })).text()).toBe('visit 2\n');
    await end(node);
  });
});

describe('programs about the primary', () => {
  test('failover-hooks: told of a promotion that somebody else makes', async () => {
    const node = await serve('failover-hooks.mjs', /(watching)/);
    const [to] = servers.replicas;
    const from = servers.primary;
    if (to === undefined) throw new Error('the local cluster has no replica');
    await servers.promote(to);
    await eventually('the hooks are called', () => node.app.output().includes('done: no writes for'));
    expect(await end(node)).toContain(`promoted: ${from.id} -> ${to.id}, epoch 2`);
    await servers.waitForReplication();
  });

  test('switchover: planned, then made', async () => {
    const from = servers.primary.id;
    const said = await run('switchover.mjs');
    expect(said).toMatch(
      new RegExp(`^${from} -> \\S+, \\d+ steps, loses 0 transactions\\ndone: writes waited \\d+ ms\\n$`),
    );
  });
});
