/** Every source of lag on real replication: a replica that stands still is seen to be late, and serves again when it is there. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { problemsOf } from '../../src/cli/status/status-problems.js';
import { heartbeatLock } from '../../src/mysql/heartbeat-table.js';
import type { LagMeterContext, LagSource } from '../../src/mysql/monitor-options.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { effectiveLagMs } from '../../src/topology/node-description.js';
import { startNode } from '../support/run-node.js';
import { CLIENT_DATABASES, wholeTest } from './client-databases.js';
import { eventually } from './eventually.js';

const isLongForm = process.env['STORMLAMP_CHAOS'] === '1';

describe.each(CLIENT_DATABASES)('$name', ({ name, options, flavor }) => {
  const whole = wholeTest(name);
  let servers: LocalCluster;
  let replica: LocalDatabaseNode;
  const clients: MysqlCluster[] = [];
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  let row = 0;

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 1,
      memcached: 0,
      php: false,
      ptHeartbeat: true,
    });
    const [first] = servers.replicas;
    if (first === undefined) throw new Error('There is no replica');
    replica = first;
    await servers.primary.query(`CREATE TABLE ${servers.database}.t (id INT PRIMARY KEY)`);
    await servers.waitForReplication();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(async () => {
    await servers?.close();
  });

  async function clientWith(lagSource: LagSource): Promise<MysqlCluster> {
    const { mysql } = servers.options();
    const client = await createMysqlCluster({
      ...mysql,
      reads: { maxLagMs: 2_000 },
      monitor: { ...mysql.monitor, intervalMs: 200, timeoutMs: 3_000, lagSource },
    });
    clients.push(client);
    return client;
  }
  const readerOf = (client: MysqlCluster): string | undefined => client.explain('SELECT 1').node;
  const lagOf = (client: MysqlCluster): number | null => {
    const node = client.topology().nodes.find(({ id }) => id === replica.id);
    return node === undefined ? null : effectiveLagMs(node, performance.now());
  };
  const seenAtOf = (client: MysqlCluster, id: string): number => {
    const node = client.topology().nodes.find((other) => other.id === id);
    return node?.state === 'up' ? node.seenAt : Number.NEGATIVE_INFINITY;
  };
  const write = (): Promise<unknown> => {
    row += 1;
    return servers.primary.query(`INSERT INTO ${servers.database}.t VALUES (${row})`);
  };

  /** Lets clients write a heartbeat, and their monitors read it. */
  async function letWrite(): Promise<void> {
    const { app, monitor } = servers.accounts;
    const tables = `${servers.database}.*`;
    await servers.primary.query(
      `GRANT CREATE, INSERT, DELETE, UPDATE, SELECT ON ${tables} TO '${app.user}'@'%'`,
    );
    await servers.primary.query(`GRANT SELECT ON ${tables} TO '${monitor.user}'@'%'`);
    await servers.waitForReplication();
  }

  test('the status of a replica whose lag is not known at the first look is not that it is unfit', async () => {
    const { mysql } = servers.options();
    const monitor = { ...mysql.monitor, intervalMs: 200, timeoutMs: 3_000, lagSource: 'gtid' } as const;
    let goesOn = true;
    const writes = (async () => {
      while (goesOn) await write();
    })();
    try {
      const report = await lookAtCluster({ options: { mysql: { ...mysql, monitor } }, source: 'this test' });
      expect(problemsOf(report)).toEqual([]);
    } finally {
      goesOn = false;
      await writes;
    }
    await servers.waitForReplication();
  });

  /** The replica serves, is left out while it stands still and the primary goes on, and serves again. */
  async function leavesAndReturns(client: MysqlCluster): Promise<void> {
    await eventually('the replica serves', () => readerOf(client) === replica.id);
    const told: boolean[] = [];
    client.on('replica-fitness-changed', ({ node, after }) => {
      if (node === replica.id) told.push(after.fit);
    });
    await replica.query(`STOP ${word} SQL_THREAD`);
    await replica.query(`START ${word} SQL_THREAD`);
    await replica.query(`LOCK TABLES ${servers.database}.t READ`);
    try {
      // A look at the moment of its restart finds a thread that stands, and leaves the replica out for that.
      await eventually('the replica is left out, for it is late', async () => {
        await write();
        const isLate = (lagOf(client) ?? Number.POSITIVE_INFINITY) > 2_000;
        return readerOf(client) === servers.primary.id && isLate && told.includes(false);
      });
    } finally {
      await replica.query('UNLOCK TABLES');
    }
    await eventually('the replica serves again', async () => {
      await write();
      return readerOf(client) === replica.id;
    });
    expect(lagOf(client)).toBeLessThan(2_000);
    await eventually('it is told', () => told.at(-1) === true);
  }

  test('GTID position against the primary', async () => {
    await leavesAndReturns(await clientWith('gtid'));
  });

  test('GTID position: a replica whose thread reports NULL is known to be in step', async () => {
    const client = await clientWith('gtid');
    await servers.waitForReplication();
    await replica.query(`STOP ${word} IO_THREAD`);
    await eventually('the thread is seen to be stopped', () => {
      const node = client.topology().nodes.find(({ id }) => id === replica.id);
      return node?.state === 'up' && node.facts.channels.some(({ io }) => io === 'no');
    });
    expect(readerOf(client)).toBe(replica.id);
    await write();
    await eventually('the replica is left out', () => readerOf(client) === servers.primary.id);
    await replica.query(`START ${word} IO_THREAD`);
    await eventually('the replica serves again', () => readerOf(client) === replica.id);
  });

  test('a heartbeat that the monitor may not read names the GRANT', async () => {
    const table = `${servers.database}.t`;
    await expect(clientWith({ heartbeat: { table } })).rejects.toMatchObject({
      code: 'ERR_MISSING_PRIVILEGE',
      message: expect.stringContaining(`GRANT SELECT ON \`${servers.database}\`.\`t\``),
    });
    const { monitor } = servers.accounts;
    await servers.primary.query(`GRANT SELECT ON ${servers.database}.* TO '${monitor.user}'@'%'`);
    await servers.waitForReplication();
  });

  // pt-heartbeat 3.7.1 asks MariaDB for a statement that 10.11 does not know yet, and gives up.
  const zones =
    name === 'MariaDB 10.11'
      ? []
      : ([
          ['its own zone', []],
          ['UTC', ['--utc']],
        ] as const);
  test.each(isLongForm ? zones : zones.slice(0, 1))(
    'a table that pt-heartbeat writes, in %s',
    async (_, args) => {
      const table = `beat_${args.length}`;
      const beat = await servers.ptHeartbeat({ table, intervalMs: 200, args });
      const client = await clientWith({ heartbeat: { table: `${servers.database}.${table}` } });
      // pt-heartbeat's rows are replicated themselves, so a lock on them holds everything up.
      await eventually('the replica serves', () => readerOf(client) === replica.id);
      await replica.query(`LOCK TABLES ${servers.database}.${table} READ`);
      await eventually('the replica is left out', () => readerOf(client) === servers.primary.id);
      await replica.query('UNLOCK TABLES');
      await eventually('the replica serves again', () => readerOf(client) === replica.id);
      await beat.stop();
      // Nobody writes it: what is not measured is unknown, and never 0.
      await eventually('the lag is unknown', () => lagOf(client) === null);
      expect(readerOf(client)).toBe(servers.primary.id);
    },
  );

  const lockOf = (table: string): string => heartbeatLock(`\`${servers.database}\`.\`${table}\``);

  test('two sites on one server write a table each', async () => {
    await letWrite();
    const sites = ['site1', 'site2'].map((name) => `${servers.database}.${name}`);
    for (const table of sites) {
      const client = await clientWith({ heartbeat: { table, write: true, intervalMs: 100 } });
      await eventually('its replica serves', () => readerOf(client) === replica.id);
    }
  });

  whole('a table that one elected client writes, and another one when that is gone', async () => {
    await letWrite();
    const source = { heartbeat: { table: `${servers.database}.ours`, write: true, intervalMs: 100 } };
    const [first, second] = [await clientWith(source), await clientWith(source)];
    await leavesAndReturns(first);
    const lock = `SELECT IS_USED_LOCK('${lockOf('ours')}') AS id`;
    const holder = async (): Promise<unknown> => (await servers.primary.query(lock))[0]?.['id'];
    const elected = await eventually('one is elected', async () => (await holder()) ?? undefined);
    await (elected === undefined ? undefined : first.close());
    await eventually('the other one writes and reads', async () => {
      const now = await holder();
      return now !== null && readerOf(second) === replica.id;
    });
    const rows = await servers.primary.query(`SELECT server_id FROM ${servers.database}.ours`);
    expect(rows).toEqual([{ server_id: servers.primary.serverId }]);
  });

  // Only MySQL shows what another session has set; the long form waits for what comes of it.
  if (flavor === 'mysql')
    test('the server is told to end the session of a writer that says nothing any more', async () => {
      await letWrite();
      await clientWith({
        heartbeat: { table: `${servers.database}.silent`, write: true, intervalMs: 1_000 },
      });
      const limit =
        'SELECT v.VARIABLE_VALUE AS seconds FROM performance_schema.variables_by_thread v ' +
        "JOIN performance_schema.threads t USING (THREAD_ID) WHERE v.VARIABLE_NAME = 'wait_timeout' " +
        `AND t.PROCESSLIST_ID = IS_USED_LOCK('${lockOf('silent')}')`;
      const row = await eventually('one is elected', async () => (await servers.primary.query(limit))[0]);
      expect(Number(row?.['seconds'])).toBe(12);
    });

  if (isLongForm)
    test('when the process that writes hangs, another one writes', async () => {
      await letWrite();
      const heartbeat = { table: `${servers.database}.hung`, write: true, intervalMs: 100 };
      const { mysql } = servers.options();
      const monitor = { ...mysql.monitor, lagSource: { heartbeat } };
      const program =
        "const { createMysqlCluster } = await import('./dist/index.js');" +
        'await createMysqlCluster(JSON.parse(process.argv[1])); setInterval(() => undefined, 1_000);';
      const writer = startNode(['--input-type=module', '-e', program, JSON.stringify({ ...mysql, monitor })]);
      try {
        const beaten = `SELECT ts FROM ${heartbeat.table}`;
        await eventually('it writes', async () => {
          const [row] = await servers.primary.query(beaten).catch(() => []);
          return row !== undefined;
        });
        writer.child.kill('SIGSTOP');
        const client = await clientWith({ heartbeat });
        await eventually('the replica serves', () => readerOf(client) === replica.id);
        expect(writer.child.exitCode).toBeNull();
      } finally {
        writer.child.kill('SIGKILL');
        await writer.finished;
      }
    });

  whole('a heartbeat that is locked makes the lag unknown, and no server dead', async () => {
    const table = `${servers.database}.locked`;
    await servers.primary.query(
      `CREATE TABLE ${table} (ts VARCHAR(26) NOT NULL, server_id INT UNSIGNED NOT NULL PRIMARY KEY)`,
    );
    await servers.waitForReplication();
    const client = await clientWith({ heartbeat: { table } });
    const states: string[] = [];
    client.on('node-changed', ({ after }) => states.push(after.state));
    await servers.primary.query(`LOCK TABLES ${table} WRITE`);
    try {
      const before = seenAtOf(client, servers.primary.id);
      await eventually('the primary is looked at while it is locked', () => {
        return seenAtOf(client, servers.primary.id) > before + 1_000;
      });
      expect(states).not.toContain('down');
      await client.query('DO 1');
    } finally {
      await servers.primary.query('UNLOCK TABLES');
    }
  });

  const meters = [
    ['throws', () => Promise.reject(new Error('no idea'))],
    [
      'throws at once',
      () => {
        throw new Error('no idea');
      },
    ],
    ['hangs', () => new Promise<number>(() => undefined)],
    [
      'asks for what hangs',
      async ({ ask }: LagMeterContext) => {
        await ask('DO SLEEP(60)');
        return 0;
      },
    ],
  ] as const;
  for (const [what, source] of meters) {
    whole(`a function of the user that ${what} makes the lag unknown, and no server dead`, async () => {
      const failures: Error[] = [];
      const client = await clientWith(source);
      client.on('discovery-failed', ({ error }) => failures.push(error));
      const before = seenAtOf(client, replica.id);
      await eventually(
        'the replica is looked at all the same',
        () => seenAtOf(client, replica.id) > before + 500,
      );
      expect(lagOf(client)).toBeNull();
      expect(readerOf(client)).toBe(servers.primary.id);
      const states = client.topology().nodes.map(({ state }) => state);
      expect(new Set(states)).toEqual(new Set(['up']));
    });
  }

  whole('a function of the user', async () => {
    let lagMs: number | null = 10;
    let isBroken = false;
    const seen = new Set<string>();
    const client = await clientWith(async ({ node, ask }) => {
      seen.add(node);
      if (isBroken) throw new Error('no idea');
      const [answer] = await ask('SELECT 1 AS one');
      return answer?.['one'] === 1 ? lagMs : Number.NaN;
    });
    expect(readerOf(client)).toBe(replica.id);
    expect([...seen]).toEqual([replica.id]);
    lagMs = 5_000;
    await eventually('the replica is left out', () => readerOf(client) === servers.primary.id);
    lagMs = null;
    await eventually('the lag is unknown', () => lagOf(client) === null);
    lagMs = 0;
    await eventually('the replica serves again', () => readerOf(client) === replica.id);
    const failures: string[] = [];
    client.on('lag-failed', ({ node, error }) => failures.push(`${node} ${error.message}`));
    for (const round of [1, 2]) {
      isBroken = true;
      await eventually('the lag is unknown', () => lagOf(client) === null);
      const broken = seenAtOf(client, replica.id);
      await eventually('it is looked at again', () => seenAtOf(client, replica.id) > broken);
      // Told when it begins, not with every look.
      expect(failures).toHaveLength(round);
      isBroken = false;
      await eventually('the lag is known', () => lagOf(client) !== null);
    }
    expect(failures[0]).toContain(replica.id);
    expect(failures[0]).toContain('no idea');
  });
});
