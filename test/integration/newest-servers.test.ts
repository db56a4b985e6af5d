/** The newest MariaDB and memcached instead of the system's, Percona's own pt-heartbeat, and the library of Galera. */
import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { eventually } from './eventually.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await startLocalCluster({
    versions: { mariadb: 'newest', memcached: 'newest' },
    ptHeartbeat: true,
  });
});
afterAll(async () => {
  await cluster?.close();
});

test('the servers are newer than those of the system, and say so themselves', async () => {
  const system = await resolveServers(['mariadb', 'memcached']);
  const { mariadb, memcached } = cluster.versions;
  expect(mariadb?.version).toMatch(/^1[1-9]\./);
  expect(mariadb?.version).not.toBe(system.mariadb?.server.version);
  expect(memcached?.version).not.toBe(system.memcached?.version);
  for (const node of cluster.databases) {
    const [row] = await node.query('SELECT VERSION() AS version');
    expect(row?.['version']).toContain(`${mariadb?.version}-MariaDB`);
  }
  const script = `<?php $m = new Memcached(); $m->addServer('127.0.0.1', ${cluster.memcached[0]?.port}); echo current($m->getVersion());`;
  expect((await cluster.php(script)).stdout).toBe(memcached?.version);
});

test('a routed query and a shared session work with them', async () => {
  await using app = await createCluster(cluster.options());
  await app.mysql.query('CREATE TABLE notes (text VARCHAR(100))');
  await app.mysql.query("INSERT INTO notes VALUES ('newest')");
  await cluster.waitForReplication();
  const nodes: string[] = [];
  app.mysql.on('route', ({ role }) => nodes.push(role));
  const [rows] = await app.mysql.query('SELECT text FROM notes');
  expect({ rows, nodes }).toEqual({ rows: [{ text: 'newest' }], nodes: ['replica'] });
  const written = await cluster.php(
    "<?php session_start(); $_SESSION['user'] = 'ada'; echo session_id(); session_write_close();",
  );
  const session = await app.sessions.load(written.stdout);
  expect(session?.data).toEqual({ user: 'ada' });
});

test.each(['mariadb', 'mysql'] as const)(
  'pt-heartbeat beats on %s, and the beat reaches a replica',
  async (flavor) => {
    const other =
      flavor === 'mysql'
        ? await startLocalCluster({ flavor, replicas: 1, memcached: 0, php: false, ptHeartbeat: true })
        : undefined;
    try {
      const { primary, replicas, database } = other ?? cluster;
      const heartbeat = await (other ?? cluster).ptHeartbeat({ intervalMs: 50, args: ['--utc'] });
      const beat = async (): Promise<string | undefined> => {
        const sql = `SELECT ts FROM ${database}.heartbeat WHERE server_id = ${primary.serverId}`;
        const rows = await replicas[0]?.query<{ ts: string }>(sql).catch(() => []);
        return rows?.[0]?.ts;
      };
      const first = await eventually('a beat on the replica', beat);
      await eventually('another beat', async () => (await beat()) !== first);
      expect(heartbeat).toMatchObject({ running: true });
      await heartbeat.stop();
      expect(heartbeat.running).toBe(false);
    } finally {
      await other?.close();
    }
  },
);

test('both releases of MariaDB bring the library of Galera', async () => {
  for (const mariadb of ['system', 'newest'] as const) {
    const found = await resolveServers(['mariadb'], { versions: { mariadb } });
    expect(statSync(found.mariadb?.galeraProvider ?? '').isFile()).toBe(true);
  }
});
