/** Reads while the primary is being replaced: they wait a little, as writes do, and are not refused. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMysqlCluster } from '../../src/index.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ ...ONE_CLIENT_DATABASE.options, php: false, memcached: 0 });
  await servers.primary.query('CREATE TABLE shop.kept (v INT)');
  await servers.waitForReplication();
  // The primary is gone before anybody could see how far behind it the replicas were.
  await servers.primary.kill();
});
afterAll(async () => {
  await servers?.close();
});

/** On a busy machine a server is slow and not down. */
function patient(): MysqlOptions {
  const { mysql } = servers.options();
  return { ...mysql, startTimeoutMs: 60_000, monitor: { ...mysql.monitor, timeoutMs: 10_000 } };
}

test('a read that nobody may serve for long is refused with every node named', async () => {
  const bound = { reads: { maxLagWithoutPrimaryMs: 5_000 } };
  await using mysql = await createMysqlCluster({ ...patient(), ...bound, blockMs: 100 });
  const error = await mysql.query('SELECT 1').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ERR_NO_REPLICA' });
  for (const node of servers.databases) expect((error as Error).message).toContain(node.id);
});

test('a read that comes between two primaries is answered once there is the next one', async () => {
  const bound = { reads: { maxLagWithoutPrimaryMs: 5_000 } };
  await using mysql = await createMysqlCluster({ ...patient(), ...bound });
  const [next] = servers.replicas;
  if (next === undefined) throw new Error('the cluster has no replica');
  const read = mysql.query('SELECT @@server_id AS id');
  await servers.promote(next);
  const [rows] = await read;
  const ids = servers.databases.filter((node) => node.running).map((node) => ({ id: node.serverId }));
  expect(ids).toContainEqual((rows as unknown[])[0]);
});

test('what a read-only transaction left on a replica is no reason to refuse writes once that is the primary', async () => {
  const next = servers.replicas.findLast(({ running }) => running);
  if (next === undefined) throw new Error('the cluster has no replica');
  await using mysql = await createMysqlCluster({
    ...patient(),
    reads: { affinity: next.id, maxLagMs: 60_000 },
  });
  // Right after the promotion before, it may not serve yet.
  const connection = await eventually('a read-only transaction runs on the replica', async () => {
    const taken = await mysql.getConnection();
    await taken.query('START TRANSACTION READ ONLY');
    await taken.query('SET @kept = 7');
    await taken.query('COMMIT');
    if (taken.node === next.id) return taken;
    taken.release();
    return undefined;
  });
  await connection.query('SELECT @kept');
  const write = 'INSERT INTO kept VALUES (@kept)';
  await expect(connection.query(write)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED', node: next.id });
  await servers.promote(next);
  await eventually('it is seen as the primary', () => {
    const { writer } = mysql.topology();
    return writer.kind === 'primary' && writer.node === next.id;
  });
  await connection.query(write);
  expect(await next.query('SELECT v FROM shop.kept')).toEqual([{ v: 7 }]);
  connection.release();
});
