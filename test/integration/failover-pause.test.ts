/** What an operator forbids for a while is not done: neither failovers nor repairs, until somebody, whoever it is, ends the pause. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 240_000 };
let servers: LocalCluster;
const open: Cluster[] = [];
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.close()));
});
afterAll(async () => {
  await servers?.close();
});

async function begin(more: FailoverOptions = {}): Promise<Cluster> {
  const { admin, repl } = servers.accounts;
  const failover: FailoverOptions = {
    mode: 'auto',
    credentials: admin,
    replication: repl,
    maxLoss: 'any',
    leaseMs: 3_000,
    ...more,
  };
  const cluster = await createCluster({ mysql: servers.options().mysql, failover });
  open.push(cluster);
  return cluster;
}

async function receives(node: LocalDatabaseNode): Promise<boolean> {
  const [status] = await node.query('SHOW SLAVE STATUS');
  return status?.['Slave_IO_Running'] === 'Yes';
}

test(
  'who makes a node anew may stop its replication, and nobody else does the same meanwhile',
  TIMEOUT,
  async () => {
    const [node] = servers.replicas;
    if (node === undefined) throw new Error('a replica is needed');
    let finish = (): void => {};
    const finished = new Promise<void>((done) => {
      finish = done;
    });
    const calls: string[] = [];
    const rebuild = async (): Promise<'rebuilt'> => {
      calls.push(node.id);
      await node.query('STOP SLAVE IO_THREAD');
      await finished;
      return 'rebuilt';
    };
    await begin({ host: 'a' });
    const operator = await begin({ host: 'b', automatic: false, hooks: { rebuild } });
    const other = await begin({ host: 'c', automatic: false, hooks: { rebuild } });
    await node.query('STOP SLAVE IO_THREAD');
    await eventually('without a rebuild it is started again', () => receives(node));
    const rebuilt = operator.failover.rebuild(node.id);
    await eventually('it is stopped', async () => !(await receives(node)));
    // The only way to see that something does not happen: it took a second before.
    await sleep(6_000);
    expect(await receives(node)).toBe(false);
    await expect(other.failover.rebuild(node.id)).rejects.toThrow(/its data is being made anew already/);
    const beside = servers.replicas[1]?.id ?? '';
    await expect(other.failover.rebuild(beside)).rejects.toThrow(`${node.id} is being made anew from`);
    await expect(other.failover.rejoin(node.id)).rejects.toThrow(/is being made anew/);
    expect(calls).toHaveLength(1);
    finish();
    expect(await rebuilt).toBe('rebuilt');
    await eventually('it is started again', () => receives(node));
  },
);

test('a replica that was stopped stays stopped until another process ends the pause', TIMEOUT, async () => {
  const elected = await begin({ host: 'a' });
  const operator = await begin({ host: 'b', automatic: false });
  const [node] = servers.replicas;
  if (node === undefined) throw new Error('a replica is needed');
  await node.query('STOP SLAVE IO_THREAD');
  await eventually('without a pause it is started again', () => receives(node));
  await operator.failover.pause({ ttlMs: 600_000, reason: 'the disk is exchanged' });
  // It has the pause, and will not have its end.
  await eventually(
    'it is replicated',
    async () => (await node.query('SELECT 1 FROM ha_meta.pauses')).length > 0,
  );
  await node.query('STOP SLAVE IO_THREAD');
  // The only way to see that something does not happen: it took a second before.
  await sleep(6_000);
  expect(await receives(node)).toBe(false);
  expect(await elected.failover.resume()).toBe(true);
  await eventually('it is started again', () => receives(node));
  expect(await operator.failover.resume()).toBe(false);
  const long = await operator.failover.pause({ ttlMs: 600_000, reason: 'the disk is exchanged' });
  const short = await elected.failover.pause({ ttlMs: 60_000, reason: 'a deploy script' });
  await short[Symbol.asyncDispose]();
  expect(await elected.failover.resume(short.id)).toBe(false);
  expect(await elected.failover.resume(long.id)).toBe(true);
  const [ended, left] = (await elected.failover.history()).filter(({ kind }) => kind === 'resumed');
  expect(ended?.message).toMatch(/^Automatic changes are allowed again, after: the disk is exchanged/);
  expect(left?.message).toMatch(/^a deploy script .* is over. They stay forbidden by: the disk is exchanged/);
});
