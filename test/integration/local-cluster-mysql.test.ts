/** The same cluster with MySQL. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TopSampler } from '../../src/cli/top/top-sampler.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await startLocalCluster({
    flavor: 'mysql',
    memcached: 1,
    php: true,
    password: 'it\'s a "secret" @:/',
  });
  await cluster.primary.query('CREATE TABLE shop.notes (text VARCHAR(100))');
  await cluster.waitForReplication();
});
afterAll(async () => {
  await cluster?.close();
});

async function asUser(url: string | undefined, sql: string): Promise<unknown> {
  const connection = await createConnection(url ?? '');
  try {
    const [rows] = await connection.query(sql);
    return rows;
  } finally {
    connection.destroy();
  }
}

async function texts(node: LocalDatabaseNode): Promise<unknown[]> {
  return (await node.query('SELECT text FROM shop.notes ORDER BY text')).map((row) => row['text']);
}

test('what the application writes on the primary appears on the replicas, where it cannot write', async () => {
  const { primary, replicas } = cluster.options().mysql;
  expect(cluster.versions.mysql?.version).toMatch(/^[89]\.\d+/);
  await asUser(primary, "INSERT INTO notes VALUES ('replicated')");
  await cluster.waitForReplication();
  for (const url of replicas)
    expect(await asUser(url, 'SELECT text FROM notes')).toEqual([{ text: 'replicated' }]);
  await expect(asUser(replicas[1], "INSERT INTO notes VALUES ('x')")).rejects.toMatchObject({ errno: 1290 });
});

test('each server is one of its own, and known by the address that clients use', async () => {
  const uuids = await Promise.all(
    cluster.databases.map((node) => node.query('SELECT @@server_uuid AS uuid')),
  );
  expect(new Set(uuids.map((rows) => rows[0]?.['uuid'])).size).toBe(3);
  for (const replica of cluster.replicas) {
    const [status] = await replica.query('SHOW REPLICA STATUS');
    expect(`${status?.['Source_Host']}:${status?.['Source_Port']}`).toBe(cluster.primary.id);
    expect(await replica.query('SELECT @@super_read_only AS r')).toEqual([{ r: 1 }]);
  }
});

test('the monitor sees replication', async () => {
  const { user, password } = cluster.options().mysql.monitor.credentials;
  const [status] = (await asUser(
    `mysql://${user}:${password}@${cluster.replicas[0]?.id}`,
    'SHOW REPLICA STATUS',
  )) as {
    Replica_IO_Running: string;
  }[];
  expect(status?.Replica_IO_Running).toBe('Yes');
});

test('PHP logs in to the database too', async () => {
  const { user, password } = cluster.accounts.app;
  const { host, port } = cluster.primary;
  const script = `<?php $m = mysqli_connect('${host}', $argv[1], $argv[2], 'shop', ${port}); echo $m->query('SELECT 42 AS answer')->fetch_assoc()['answer'];`;
  expect(await cluster.php(script, { args: [user, password] })).toMatchObject({ stdout: '42', exitCode: 0 });
});

test('a killed replica comes back with its data, read-only, and catches up', async () => {
  const replica = cluster.node('db3') as LocalDatabaseNode;
  await replica.kill();
  await cluster.primary.query("INSERT INTO shop.notes VALUES ('while it was dead')");
  await replica.start();
  await cluster.waitForReplication();
  expect(await texts(replica)).toEqual(await texts(cluster.primary));
  expect(await replica.query('SELECT @@super_read_only AS r')).toEqual([{ r: 1 }]);
});

test('a partition of replication only leaves clients alone', async () => {
  const fault = cluster.primary.faults.partition({ only: 'replication' });
  await asUser(cluster.options().mysql.primary, "INSERT INTO notes VALUES ('behind')");
  await expect(cluster.waitForReplication({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  fault.heal();
  await cluster.waitForReplication();
});

test('somebody promotes a replica; the old primary follows, and after a death it rejoins', async () => {
  const old = cluster.primary;
  const next = cluster.node('db2') as LocalDatabaseNode;
  await cluster.promote(next);
  await asUser(cluster.options().mysql.primary, "INSERT INTO notes VALUES ('written on the new one')");
  await cluster.waitForReplication();
  expect(await texts(old)).toEqual(await texts(next));
  await next.kill();
  await cluster.promote(old);
  await old.query("INSERT INTO shop.notes VALUES ('and back')");
  await next.start();
  expect(await next.query('SELECT @@read_only AS r')).toEqual([{ r: 0 }]);
  await cluster.rejoin(next);
  await cluster.waitForReplication();
  expect(await texts(next)).toEqual(await texts(old));
});

test('top tells how long the statements of everybody took, to an account that may see it', async () => {
  const config = { options: cluster.options(), source: 'the test' };
  const look = async () => {
    const sampler = await TopSampler.open(config);
    try {
      await sampler.sample();
      await cluster.primary.query('SELECT SLEEP(0.3)');
      await sampler.sample();
      return sampler.report().databases[0];
    } finally {
      await sampler.close();
    }
  };
  expect(await look()).toMatchObject({ queryP50Ms: null, queryP95Ms: null, probeP50Ms: expect.any(Number) });
  const { monitor } = cluster.accounts;
  await cluster.primary.query(`GRANT SELECT ON performance_schema.* TO ${monitor.user}@'%'`);
  const seen = await look();
  expect(seen?.queryP50Ms).toBeLessThan(seen?.queryP95Ms ?? 0);
  expect(seen?.queryP95Ms).toBeGreaterThanOrEqual(300);
});
