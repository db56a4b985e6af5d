/** What mode `auto` refuses to start with, on real servers, what it says to do, and that it starts when that is done. */
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockName } from '../../src/failover/protocol/lock-name.js';
import { createCluster, ErrorCode, type FailoverOptions, isStormlampError } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

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

/** A third voter, which is one of the two servers by another name: no test of what `auto` does may rely on it. */
function third(): string {
  const { user, password } = servers.accounts.admin;
  return `mysql://${user}:${password}@127.0.0.1:${servers.replicas[0]?.realPort}`;
}

test('a witness that is one of the servers by another name', async () => {
  const [replica] = servers.replicas;
  expect(await start({ witness: third() })).toMatchObject({
    code: 'ERR_CHANGE_REFUSED',
    message: expect.stringMatching(
      new RegExp(
        `${replica?.id} is the same server as 127.0.0.1:${replica?.realPort}, and a server has one vote`,
      ),
    ),
  });
});

test('a witness whose address leads to several servers', async () => {
  const behind = [servers.primary, ...servers.replicas].map(({ realPort }) => realPort);
  let dealt = 0;
  const balancer = createServer((near) => {
    const far = connect(behind[dealt++ % behind.length] ?? 0, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => [near, far].map((each) => each.destroy()));
    }
  });
  await new Promise<void>((done) => balancer.listen(0, '127.0.0.1', done));
  const { port } = balancer.address() as AddressInfo;
  const { user, password } = servers.accounts.admin;
  try {
    expect(await start({ witness: `mysql://${user}:${password}@127.0.0.1:${port}` })).toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringContaining(`127.0.0.1:${port} is not one server`),
    });
  } finally {
    balancer.close();
  }
});

test('two database nodes and no witness', async () => {
  expect(await start()).toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/at least 3 voters.*Add a `witness`/),
  });
});

test.each([1_000, 60_001, 3_000.5, -1, Number.NaN, '5s' as never])(
  '`selfFenceMs: %s`',
  async (selfFenceMs) => {
    expect(await start({ selfFenceMs })).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining(
        'failover.selfFenceMs` to be 0 (never), or an integer from 3000 to 60000',
      ),
    });
  },
);

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

/** While one runs, another one with other words is none of its kind; when all have ended, it is. */
async function besideAnother(right: FailoverOptions): Promise<void> {
  const { admin, repl } = servers.accounts;
  const running = await createCluster({
    mysql: servers.options().mysql,
    failover: { mode: 'auto', credentials: admin, replication: repl, maxLoss: 'any', ...right },
  });
  try {
    const manager = `SELECT IS_USED_LOCK('${lockName('stormlamp', 'manager')}') AS holder`;
    await eventually('it is elected', async () => {
      const [row] = await servers.primary.query<{ holder: number | null }>(manager);
      return (row?.holder ?? null) !== null;
    });
    expect(await start(right)).toBe('it started');
    expect(await start({ ...right, leaseMs: 60_000 })).toMatchObject({
      code: 'ERR_CHANGE_REFUSED',
      message: expect.stringMatching(
        /does not start: Other processes of this cluster run with the voters .*leaseMs 5000 .*this one was told .*leaseMs 60000 /,
      ),
    });
    // The terminal, and mode `approve`, are told.
    const approving: FailoverOptions = { mode: 'approve', hooks: { approve: () => 'allow' }, leaseMs: 4_000 };
    const asking = await createCluster({
      mysql: servers.options().mysql,
      failover: { credentials: admin, replication: repl, ...right, ...approving },
    });
    const told = await asking.failover.history();
    await asking.close();
    expect(told.map(({ message }) => message)).toContainEqual(expect.stringContaining('this one was told'));
  } finally {
    await running.close();
  }
  await eventually(
    'it starts when all have ended',
    async () => (await start({ ...right, leaseMs: 4_000 })) === 'it started',
  );
}

test('a witness with an account of its own makes three voters of two databases', async () => {
  const other = await startLocalCluster({ php: false, memcached: 0, replicas: 0 });
  try {
    const { user, password } = other.accounts.admin;
    expect(await start({ witness: `mysql://${user}:${password}@${other.primary.id}` })).toBe('it started');
    await besideAnother({ witness: `mysql://${user}:${password}@${other.primary.id}` });
    expect(await start({ witness: `mysql://${other.primary.id}` })).toMatchObject({
      message: expect.stringContaining(other.primary.id),
    });
  } finally {
    await other.close();
  }
});

test('a write without the lease is not sent: ERR_LEASE_LOST, and writes go on when the lease is back', async () => {
  const other = await startLocalCluster({ php: false, memcached: 0, replicas: 0 });
  const { admin, repl } = servers.accounts;
  await servers.primary.query('CREATE TABLE shop.leased (id INT PRIMARY KEY)');
  const cluster = await createCluster({
    mysql: { ...servers.options().mysql, blockMs: 200 },
    failover: {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      maxLoss: 'any',
      leaseMs: 2_000,
      witness: `mysql://${other.accounts.admin.user}:${other.accounts.admin.password}@${other.primary.id}`,
    },
  });
  const [replica] = servers.replicas;
  let id = 0;
  const refused: number[] = [];
  const write = async (): Promise<unknown> => {
    id += 1;
    try {
      await cluster.mysql.query('INSERT INTO leased VALUES (?)', [id]);
      return 'written';
    } catch (error) {
      if (isStormlampError(error, ErrorCode.LEASE_LOST)) refused.push(id);
      return error;
    }
  };
  try {
    await eventually('writes go', async () => (await write()) === 'written');
    // The primary is as it was, and two of three voters are silent.
    await Promise.all([other.primary.pause(), replica?.pause()]);
    try {
      await eventually('writes are refused', async () => {
        await write();
        return refused.length > 0;
      });
      const work = cluster.mysql.transaction((db) => db.query('INSERT INTO leased VALUES (-1)'), {
        retries: 0,
      });
      await expect(work).rejects.toMatchObject({
        code: 'ERR_LEASE_LOST',
        message: expect.stringMatching(/no right/),
      });
    } finally {
      await Promise.all([other.primary.resume(), replica?.resume()]);
    }
    await eventually('writes go again', async () => (await write()) === 'written');
    const sent = await servers.primary.query(
      `SELECT id FROM shop.leased WHERE id IN (${[-1, ...refused].join(', ')})`,
    );
    expect(sent).toEqual([]);
  } finally {
    await cluster.close();
    await other.close();
  }
});
