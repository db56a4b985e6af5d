/** Tries what matters on every release that is at hand, and writes docs/compatibility.md from what it saw. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { phpSession } from '../../src/express/index.js';
import { startSessionGateway } from '../../src/gateway/index.js';
import { type Cluster, createCluster, createSessionStore } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { nodeSection } from '../support/node-section.js';
import { ROOT, startNode } from '../support/run-node.js';

type Outcome = 'yes' | string;
const tables = new Map<string, Map<string, Map<string, Outcome>>>();

/** Notes whether `work` succeeds. */
async function tried(table: string, column: string, row: string, work: () => Promise<void>): Promise<void> {
  let outcome: Outcome = 'yes';
  try {
    await work();
  } catch (error) {
    outcome = `no: ${(error as Error).message.split('\n')[0]}`;
  }
  const columns = tables.get(table) ?? new Map<string, Map<string, Outcome>>();
  tables.set(table, columns);
  const rows = columns.get(column) ?? new Map<string, Outcome>();
  columns.set(column, rows);
  rows.set(row, outcome);
}

async function using(
  servers: LocalCluster,
  more: object,
  work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const { mysql, sessions } = servers.options();
  const cluster = await createCluster({
    sessions,
    mysql: { ...mysql, ...more, monitor: { ...mysql.monitor, ...(more as { monitor?: object }).monitor } },
  });
  try {
    await work(cluster);
  } finally {
    await cluster.close();
  }
}

const DATABASES = [
  ['mariadb', 'system'],
  ['mariadb', 'newest'],
  ['mysql', 'newest'],
] as const;

describe.each(DATABASES)('%s, %s', (flavor, release) => {
  let servers: LocalCluster;
  afterAll(() => servers?.close());

  test('what matters', async () => {
    const versions =
      flavor === 'mariadb' && release === 'newest' ? { versions: { mariadb: 'newest' as const } } : {};
    servers = await startLocalCluster({ flavor, memcached: 1, php: false, ...versions });
    const [{ version } = { version: '' }] = await servers.primary.query<{ version: string }>(
      'SELECT VERSION() AS version',
    );
    const column = `${flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${/^[\d.]+/.exec(version)?.[0]}`;
    await servers.primary.query('CREATE TABLE shop.note (id INT PRIMARY KEY, text VARCHAR(50))');
    await servers.primary.query(`GRANT SELECT ON shop.* TO '${servers.accounts.monitor.user}'@'%'`);
    await servers.waitForReplication();
    const see = (row: string, work: () => Promise<void>) => tried('Databases', column, row, work);
    const fitReplicas = (cluster: Cluster) =>
      cluster.mysql.explain('SELECT 1').considered.filter((one) => one.fit && one.role === 'replica').length;

    await see('writes to the primary, reads on replicas', () =>
      using(servers, {}, async ({ mysql }) => {
        const roles: string[] = [];
        mysql.on('route', ({ role }) => roles.push(role));
        await mysql.query("INSERT INTO note VALUES (1, 'a')");
        await mysql.query('SELECT 1');
        expect(roles).toEqual(['primary', 'replica']);
      }),
    );
    await see('a request sees its own writes, on replicas (GTID)', () =>
      using(servers, {}, async ({ mysql }) => {
        const roles: string[] = [];
        mysql.on('route', ({ role }) => roles.push(role));
        await mysql.run({ waitMs: 10_000 }, async () => {
          for (let id = 10; id < 20; id += 1) {
            await mysql.execute('INSERT INTO note VALUES (?, ?)', [id, 'b']);
            const [rows] = await mysql.query('SELECT id FROM note WHERE id = ?', [id]);
            expect(rows).toHaveLength(1);
          }
        });
        expect(roles).toContain('replica');
      }),
    );
    await see('read-only transactions on one replica', () =>
      using(servers, {}, async ({ mysql }) => {
        const nodes = new Set<string>();
        mysql.on('route', ({ role, node }) => nodes.add(`${role} ${node}`));
        await mysql.transaction((tx) => tx.query('SELECT 1'), { readOnly: true });
        expect([...nodes].join()).toMatch(/^replica [^,]+$/);
      }),
    );
    for (const [name, lagSource] of [
      ['lag as the server tells it', 'auto'],
      ['lag by GTID positions', 'gtid'],
      [
        'lag by a heartbeat table that stormlamp writes',
        { heartbeat: { table: 'shop.heartbeat', write: true, intervalMs: 200 } },
      ],
    ] as const)
      await see(name, () =>
        using(servers, { monitor: { lagSource, intervalMs: 200 } }, (cluster) =>
          eventually('both replicas are fit', () => fitReplicas(cluster) === 2).then(() => undefined),
        ),
      );
    await see('follows a promotion that somebody else makes', () =>
      using(servers, {}, async ({ mysql }) => {
        const [to] = servers.replicas;
        if (to === undefined) throw new Error('no replica');
        await servers.promote(to);
        await mysql.query("INSERT INTO note VALUES (30, 'c')");
        expect(await to.query('SELECT id FROM shop.note WHERE id = 30')).toHaveLength(1);
        await servers.waitForReplication();
      }),
    );
    await see('planned switchover (mode `approve`)', async () => {
      const { admin, repl } = servers.accounts;
      const { mysql } = servers.options();
      const cluster = await createCluster({
        mysql,
        failover: {
          mode: 'approve',
          leaseMs: 2_000,
          credentials: { user: admin.user, password: admin.password },
          replication: { user: repl.user, password: repl.password },
          hooks: { approve: () => 'allow' },
        },
      });
      try {
        expect(await cluster.failover.switchover()).toMatchObject({ ok: true, left: [] });
      } finally {
        await cluster.close();
      }
    });
    expect(
      [...(tables.get('Databases')?.get(column)?.values() ?? [])].filter((one) => one !== 'yes'),
    ).toEqual([]);
  });
});

describe.each(['system', 'newest'] as const)('memcached, %s', (release) => {
  let servers: LocalCluster;
  afterAll(() => servers?.close());

  test('what matters', async () => {
    servers = await startLocalCluster({ databases: false, versions: { memcached: release } });
    const column = `memcached ${servers.versions.memcached?.version}`;
    const nodes = servers.memcached.map(({ id }) => id);
    const see = (row: string, work: () => Promise<void>) => tried('Sessions', column, row, work);
    const php = `PHP ${servers.versions.php?.version.replace(/[^\d.].*/, '')}`;

    for (const [extension, handler, path] of [
      ['memcached', 'memcached', nodes.join(',')],
      ['memcache', 'memcache', nodes.map((node) => `tcp://${node}`).join(', ')],
    ] as const)
      await see(`${php} with the extension ${extension}: each reads what the other wrote`, async () => {
        const ini = { 'session.save_handler': handler, 'session.save_path': path };
        const { stdout: id } = await servers.php(
          "<?php session_start(); $_SESSION['n'] = 1; echo session_id();",
          { ini },
        );
        const store = await createSessionStore({ nodes, handler });
        try {
          const session = await store.load(id);
          expect(session.data['n']).toBe(1);
          session.data['n'] = 2;
          await store.save(session);
        } finally {
          await store.close();
        }
        const read = `<?php session_id('${id}'); session_start(); echo $_SESSION['n'] ?? 'gone';`;
        expect((await servers.php(read, { ini })).stdout).toBe('2');
      });
    await see('a node dies, comes back empty, and is filled', async () => {
      const store = await createSessionStore({ nodes });
      try {
        const session = store.create();
        session.data['n'] = 1;
        await store.save(session);
        const [cache] = servers.memcached;
        await cache?.kill();
        expect((await store.load(session.id)).data['n']).toBe(1);
        await cache?.start();
        await eventually('it is filled', () =>
          store.status().every(({ standing, reads }) => standing === 'filled' && reads === 'closed'),
        );
        expect((await store.load(session.id)).data['n']).toBe(1);
      } finally {
        await store.close();
      }
    });
    await see('the gateway for PHP', async () => {
      const store = await createSessionStore({ nodes });
      const gateway = await startSessionGateway(store, { port: 0 });
      try {
        const ini = {
          'session.save_handler': 'memcached',
          'session.save_path': `127.0.0.1:${gateway.port}`,
          'memcached.sess_number_of_replicas': '0',
        };
        const { stdout: id } = await servers.php(
          "<?php session_start(); $_SESSION['n'] = 1; echo session_id();",
          { ini },
        );
        expect((await store.load(id)).data['n']).toBe(1);
      } finally {
        await gateway.close();
        await store.close();
      }
    });
    expect([...(tables.get('Sessions')?.get(column)?.values() ?? [])].filter((one) => one !== 'yes')).toEqual(
      [],
    );
  });
});

test('packages of npm', async () => {
  const servers = await startLocalCluster({ php: false });
  try {
    await servers.primary.query(
      'CREATE TABLE shop.cart (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(50), item VARCHAR(50))',
    );
    await servers.primary.query(`GRANT REPLICA MONITOR ON *.* TO '${servers.accounts.app.user}'@'%'`);
    await servers.waitForReplication();
    const { user, password } = servers.accounts.app;
    const urlOf = ({ id }: { readonly id: string }) =>
      `mysql://${user}:${encodeURIComponent(password)}@${id}/shop`;
    const env = {
      STORMLAMP_MYSQL_PRIMARY: urlOf(servers.primary),
      STORMLAMP_MYSQL_REPLICAS: servers.replicas.map(urlOf).join(','),
      STORMLAMP_MEMCACHED: servers.memcached.map(({ id }) => id).join(','),
    };
    for (const [name, file] of [
      ['kysely', 'kysely.mjs'],
      ['knex', 'knex.mjs'],
      ['drizzle-orm', 'drizzle.mjs'],
      ['typeorm', 'typeorm.mjs'],
      ['@opentelemetry/api', 'opentelemetry.mjs'],
    ] as const)
      await tried('Packages', 'works', `${name} ${installed(name)}`, async () => {
        expect(await startNode([join('examples', file)], { env }).finished).toMatchObject({
          code: 0,
          stderr: '',
        });
      });
    for (const name of ['express', 'express4'])
      await tried('Packages', 'works', `express ${installed(name)}`, () => expressServes(name, servers));
    await tried(
      'Packages',
      'works',
      `mysql2 ${installed('mysql2')}, memjs ${installed('memjs')}, opossum ${installed('opossum')}, generic-pool ${installed('generic-pool')}`,
      async () => undefined,
    );
  } finally {
    await servers.close();
  }
});

afterAll(() => {
  const isWhole =
    tables.size === 3 && tables.get('Databases')?.size === 3 && tables.get('Sessions')?.size === 2;
  if (isWhole) writeFileSync(join(ROOT, 'docs/compatibility.md'), pageOf());
});

function installed(name: string): string {
  const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function expressServes(name: string, servers: LocalCluster): Promise<void> {
  const { default: express } = (await import(name)) as {
    default: () => { use(handler: unknown): void; get(path: string, handler: unknown): void };
  };
  const store = await createSessionStore({ nodes: servers.memcached.map(({ id }) => id) });
  const app = express();
  app.use(phpSession(store));
  app.get('/', (req: { session: { n?: number } }, res: { end(text: string): void }) => {
    req.session.n = (req.session.n ?? 0) + 1;
    res.end(String(req.session.n));
  });
  const server = createServer(app as never).listen(0, '127.0.0.1');
  try {
    await eventually('it listens', () => server.listening);
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
    const first = await fetch(url);
    expect(await first.text()).toBe('1');
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('2');
  } finally {
    server.close();
    await store.close();
  }
}

function pageOf(): string {
  const sections = [...tables].map(([title, columns]) => {
    const names = [...columns.keys()];
    const rows = new Set([...columns.values()].flatMap((each) => [...each.keys()]));
    const lines = [...rows].map(
      (row) => `| ${row} | ${names.map((name) => columns.get(name)?.get(row) ?? '').join(' | ')} |`,
    );
    return `## ${title}\n\n| | ${names.join(' | ')} |\n|---|${names.map(() => '---|').join('')}\n${lines.join('\n')}\n`;
  });
  return `# Compatibility

Written by \`npm run chaos -- compatibility\` from what it saw: each cell is something that was done on that release, on Node ${process.versions.node}, ${process.platform}. The suite of \`npm test\` asks far more of the same releases.

${sections.join('\n')}
${nodeSection()}
## Said, and not tried here

MariaDB 10.5 and newer, MySQL 8.0 and newer: older ones miss the privileges and the session tracking that freshness stands on; \`stormlamp doctor\` says so. memcached 1.5.19 and newer: older ones have no metadump, without which a node that came back empty cannot be filled. PHP 7.4 and newer with either extension. Ubuntu's packages (\`stormlamp servers install\`), and \`driver: 'docker'\` with a real engine.
`;
}
