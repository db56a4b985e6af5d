// Run with `node --test`: real servers in your own tests, and what your code does when one of them dies or goes silent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createCluster } from 'stormlamp';
import { startLocalCluster } from 'stormlamp/testing';

let servers;
let cluster;

before(async () => {
  servers = await startLocalCluster({ replicas: 2, memcached: 2, php: false });
  cluster = await createCluster(servers.options());
});
after(async () => {
  await cluster?.close();
  await servers?.close();
});

test('a reader does not notice that a replica dies', async () => {
  const [replica] = servers.replicas;
  await replica.kill();
  for (let read = 0; read < 20; read += 1) await cluster.mysql.query('SELECT 1');
  await replica.start();
});

test('a login survives the death of a memcached node', async () => {
  const session = cluster.sessions.create();
  session.data.user = 'ada';
  await cluster.sessions.save(session);
  const [cache] = servers.memcached;
  await cache.kill();
  assert.equal((await cluster.sessions.load(session.id)).data.user, 'ada');
  await cache.start();
});

test('a slow network is seen as what it is: the call ends at its limit', async () => {
  const fault = servers.faults.latency({ ms: 500 });
  await assert.rejects(cluster.mysql.query({ sql: 'SELECT 1', timeoutMs: 100 }), { code: 'ERR_TIMEOUT' });
  fault.heal();
});
