/** What mode `auto` refuses to start with, on real servers, what it says to do, and that it starts when that is done. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

let servers: LocalCluster;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0, replicas: 1 });
});
afterAll(async () => {
  await servers?.close();
});

async function start(more: FailoverOptions = {}): Promise<unknown> {
  const { admin, repl } = servers.accounts;
  const failover: FailoverOptions = {
    mode: 'auto',
    credentials: admin,
    replication: repl,
    maxLoss: 'any',
    ...more,
  };
  try {
    const cluster = await createCluster({ mysql: servers.options().mysql, failover });
    await cluster.close();
    return 'it started';
  } catch (error) {
    return error;
  }
}

/** A third voter. That it is one of the two servers by another name is what no test of `auto` may rely on. */
function third(): string {
  const { user, password } = servers.accounts.admin;
  return `mysql://${user}:${password}@127.0.0.1:${servers.replicas[0]?.realPort}`;
}

test('two database nodes and no witness', async () => {
  expect(await start()).toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/at least 3 voters.*Add a `witness`/),
  });
});

test('nothing may be lost, and nothing can be proven', async () => {
  expect(await start({ maxLoss: 'none', witness: third() })).toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringContaining('semi-synchronous'),
  });
});

test('an account that may not act', async () => {
  const error = await start({ credentials: servers.accounts.monitor, witness: third() });
  expect(error).toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringMatching(/lacks .*GRANT/),
  });
});

test('a replica that takes writes', async () => {
  const [replica] = servers.replicas;
  await replica?.query('SET GLOBAL read_only=0');
  const error = await start({ witness: third() });
  expect(error).toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringContaining('takes writes'),
  });
  await replica?.query('SET GLOBAL read_only=1');
});

test('a witness with an account of its own makes three voters of two databases', async () => {
  const other = await startLocalCluster({ php: false, memcached: 0, replicas: 0 });
  try {
    const { user, password } = other.accounts.admin;
    expect(await start({ witness: `mysql://${user}:${password}@${other.primary.id}` })).toBe('it started');
    expect(await start({ witness: `mysql://${other.primary.id}` })).toMatchObject({
      message: expect.stringContaining(other.primary.id),
    });
  } finally {
    await other.close();
  }
});
