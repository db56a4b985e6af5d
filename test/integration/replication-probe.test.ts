/** What the probe reads from real servers of both families, and what it says when it may not look. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Deadline } from '../../src/common/deadline.js';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import type { HealthProbe } from '../../src/health/health-probe.js';
import { createConnectionFactory } from '../../src/mysql/connection-factory.js';
import { parseMysqlNode } from '../../src/mysql/connection-options.js';
import { killQuery } from '../../src/mysql/kill-query.js';
import { createReplicationProbe, type ReplicationProbeOptions } from '../../src/mysql/replication-probe.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import type { Reception, ServerFacts } from '../../src/topology/node-description.js';
import { killSessions } from '../support/kill-sessions.js';
import { CLIENT_DATABASES } from './client-databases.js';

/** Asks until it holds. */
const eventually = (check: () => unknown): Promise<unknown> =>
  vi.waitFor(check, { timeout: 60_000, interval: 20 });

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  let cluster: LocalCluster;
  let replica: LocalDatabaseNode;
  const probes: HealthProbe[] = [];
  const stop = flavor === 'mysql' ? 'STOP REPLICA' : 'STOP SLAVE';
  const start = flavor === 'mysql' ? 'START REPLICA' : 'START SLAVE';

  beforeAll(async () => {
    cluster = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    const [only] = cluster.replicas;
    if (only === undefined) throw new Error('There is no replica');
    replica = only;
    await cluster.primary.query(
      `CREATE TABLE ${cluster.database}.events (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT)`,
    );
  });
  afterEach(async () => {
    cluster?.faults.heal();
    for (const probe of probes.splice(0)) probe.close();
    await cluster?.waitForReplication();
  });
  afterAll(async () => {
    await cluster?.close();
  });

  function probeOf(
    node: LocalDatabaseNode,
    options: Pick<ReplicationProbeOptions, 'lagSource' | 'namesPeers' | 'onMissing'> & {
      readonly user?: string;
      readonly password?: string;
    } = {},
  ): HealthProbe {
    const { user, password, ...rest } = options;
    const { monitor } = cluster.accounts;
    const probe = createReplicationProbe({
      config: parseMysqlNode('node', { host: node.host, port: node.port, database: 'not_there' }, 'any'),
      credentials: user === undefined ? monitor : { user, password: password ?? '' },
      ...rest,
    });
    probes.push(probe);
    return probe;
  }

  function look(probe: HealthProbe, timeoutMs = 5_000): Promise<ServerFacts> {
    return probe.probe({ timeoutMs, signal: new AbortController().signal });
  }

  async function write(): Promise<void> {
    await cluster.primary.query(`INSERT INTO ${cluster.database}.events (t) VALUES ('x')`);
  }

  test('a primary and its replica, in step', async () => {
    const facts = await look(probeOf(cluster.primary));
    const [row] = await cluster.primary.query('SELECT VERSION() AS version');
    expect(facts).toMatchObject({
      flavor,
      version: row?.['version'],
      serverId: cluster.primary.serverId,
      readOnly: false,
      channels: [],
      replicationVisible: true,
    });
    await cluster.waitForReplication();
    const follower = probeOf(replica);
    await eventually(async () => {
      const seen = await look(follower);
      expect(seen).toMatchObject({ readOnly: true, serverId: replica.serverId, gtid: facts.gtid });
      expect(seen.channels).toEqual([
        {
          name: '',
          sourceHost: cluster.primary.host,
          sourcePort: expect.any(Number),
          sourceServerId: cluster.primary.serverId,
          io: 'yes',
          sql: true,
          lagMs: 0,
          delayMs: 0,
          error: '',
          ...(flavor === 'mysql' ? { autoPosition: true } : {}),
          reception: expect.objectContaining({ errno: 0, position: expect.stringMatching(/^\S+:\d+ \S+$/) }),
        },
      ]);
    });
    expect(facts.gtid).toMatch(flavor === 'mysql' ? /^[0-9a-f-]{36}:/ : /^\d+-\d+-\d+/);
    if (flavor === 'mysql') expect(facts.serverUuid).toMatch(/^[0-9a-f-]{36}$/);
    else expect(facts.gtidState).toMatch(/^\d+-\d+-\d+/);
  });

  test('the source of a replica shows signs of life: its position moves with writes, heartbeats come without', async () => {
    if (flavor === 'mysql')
      await cluster.primary.query("GRANT SELECT ON performance_schema.* TO 'monitor'@'%'");
    await cluster.waitForReplication();
    const probe = probeOf(replica);
    const reception = async (): Promise<Reception | undefined> => (await look(probe)).channels[0]?.reception;
    await look(probe);
    await eventually(async () => {
      expect(await reception()).toMatchObject({ heartbeatMs: 1_000, heartbeats: expect.any(Number) });
    });
    const before = await reception();
    await write();
    await eventually(async () => expect((await reception())?.position).not.toBe(before?.position));
    const idle = await reception();
    await eventually(async () => {
      const now = await reception();
      expect(now?.heartbeats).toBeGreaterThan(idle?.heartbeats ?? 0);
      expect(now?.position).toBe(idle?.position);
    });
    if (flavor === 'mysql')
      await cluster.primary.query("REVOKE SELECT ON performance_schema.* FROM 'monitor'@'%'");
  });

  test('without the privilege to count heartbeats they are unknown, and nothing else is lost', async () => {
    await cluster.waitForReplication();
    const probe = probeOf(replica);
    await look(probe);
    const { channels } = await look(probe);
    const heartbeats = flavor === 'mysql' ? null : expect.any(Number);
    expect(channels).toMatchObject([{ io: 'yes', sql: true, reception: { heartbeats, errno: 0 } }]);
  });

  test('a flip of read_only is seen by the next look', async () => {
    const probe = probeOf(cluster.primary);
    expect((await look(probe)).readOnly).toBe(false);
    await cluster.primary.query('SET GLOBAL read_only = 1');
    expect((await look(probe)).readOnly).toBe(true);
    await cluster.primary.query(
      flavor === 'mysql' ? 'SET GLOBAL super_read_only = 0' : 'SET GLOBAL read_only = 0',
    );
    await cluster.primary.query('SET GLOBAL read_only = 0');
    expect((await look(probe)).readOnly).toBe(false);
  });

  test('a replica whose applier is blocked falls behind', async () => {
    const probe = probeOf(replica);
    await replica.query('FLUSH TABLES WITH READ LOCK');
    try {
      await write();
      await eventually(async () => {
        const [channel] = (await look(probe)).channels;
        expect(channel).toMatchObject({ io: 'yes', sql: true });
        expect(channel?.lagMs).toBeGreaterThan(1_000);
      });
    } finally {
      await replica.query('UNLOCK TABLES');
    }
    await eventually(async () => expect((await look(probe)).channels[0]?.lagMs).toBe(0));
  });

  test('a stopped thread makes the lag unknown, not zero', async () => {
    const probe = probeOf(replica);
    await replica.query(`${stop} SQL_THREAD`);
    try {
      await write();
      const [applier] = (await look(probe)).channels;
      expect(applier).toMatchObject({ sql: false, io: 'yes', lagMs: null });
      await replica.query(`${start} SQL_THREAD`);
      await replica.query(`${stop} IO_THREAD`);
      const [receiver] = (await look(probe)).channels;
      expect(receiver).toMatchObject({ sql: true, io: 'no', lagMs: null });
    } finally {
      await replica.query(start);
    }
  });

  test('a delay is told, and the lag that it makes', async () => {
    const probe = probeOf(replica);
    const change =
      flavor === 'mysql'
        ? (seconds: number) => `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}`
        : (seconds: number) => `CHANGE MASTER TO MASTER_DELAY = ${seconds}`;
    const setDelay = async (seconds: number): Promise<void> => {
      await replica.query(stop);
      await replica.query(change(seconds));
      await replica.query(start);
    };
    await setDelay(3600);
    try {
      await write();
      await eventually(async () => {
        const [channel] = (await look(probe)).channels;
        expect(channel).toMatchObject({ delayMs: 3_600_000, sql: true });
        expect(channel?.lagMs).toBeGreaterThan(900);
      });
    } finally {
      await setDelay(0);
    }
  });

  test('an unreachable source makes the lag unknown', async () => {
    const probe = probeOf(replica);
    await cluster.primary.kill();
    try {
      await eventually(async () => {
        expect((await look(probe)).channels[0]).toMatchObject({ io: 'connecting', sql: true, lagMs: null });
      });
    } finally {
      await cluster.primary.start();
    }
    await eventually(async () => expect((await look(probe)).channels[0]).toMatchObject({ io: 'yes' }));
  });

  test('the probe connects again after its connection or its server died', async () => {
    const probe = probeOf(replica);
    await look(probe);
    await killSessions(replica, "USER = 'monitor'");
    await eventually(async () => expect((await look(probe)).readOnly).toBe(true));
    await replica.kill();
    await expect(look(probe)).rejects.toBeInstanceOf(Error);
    await expect(look(probe)).rejects.toMatchObject({ code: ErrorCode.NODE_UNREACHABLE });
    await replica.start();
    expect((await look(probe)).readOnly).toBe(true);
  });

  test('a frozen server costs no more than the limit, and is seen again when it thaws', async () => {
    const probe = probeOf(replica);
    await look(probe);
    await replica.pause();
    try {
      await expect(look(probe, 200)).rejects.toMatchObject({ code: ErrorCode.TIMEOUT });
      await expect(look(probe, 200)).rejects.toMatchObject({
        code: ErrorCode.NODE_UNREACHABLE,
        cause: { code: 'ETIMEDOUT' },
      });
    } finally {
      await replica.resume();
    }
    expect((await look(probe)).readOnly).toBe(true);
  });

  test('an account that may not look is told the GRANT that it lacks, and the GRANT helps', async () => {
    await cluster.primary.query("CREATE USER IF NOT EXISTS blind@'%' IDENTIFIED BY 'blind'");
    await cluster.waitForReplication();
    const account = { user: 'blind', password: 'blind' };
    const missing: string[] = [];
    const probe = probeOf(replica, {
      ...account,
      namesPeers: true,
      onMissing: ({ message }) => missing.push(message),
    });
    const error: unknown = await look(probe).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: ErrorCode.MISSING_PRIVILEGE, node: replica.id });
    const grant = /`(GRANT [^`]*)`/.exec(String(error))?.[1] ?? '';
    expect(grant).toContain("TO 'blind'@'%'");
    const unchecked = await look(probeOf(replica, { ...account, lagSource: 'unchecked' }));
    expect(unchecked).toMatchObject({ replicationVisible: false, channels: [], readOnly: true });
    await expect(look(probe)).rejects.toMatchObject({ code: ErrorCode.MISSING_PRIVILEGE });
    await cluster.primary.query(grant);
    await cluster.waitForReplication();
    // Privileges are read at login: the same monitor has to log in again.
    expect((await look(probe)).channels).toHaveLength(1);
    // What is missing besides is told once, not with every login.
    expect(missing).toHaveLength(1);
  });

  if (flavor === 'mysql') {
    const letReadFineLag = async (): Promise<void> => {
      await cluster.primary.query("CREATE USER IF NOT EXISTS fine@'%' IDENTIFIED BY 'fine'");
      await cluster.primary.query("GRANT REPLICATION CLIENT ON *.* TO fine@'%'");
      await cluster.primary.query("GRANT SELECT ON performance_schema.* TO fine@'%'");
      await cluster.waitForReplication();
    };

    test('an account that may read performance_schema knows the lag in milliseconds', async () => {
      await letReadFineLag();
      const probe = probeOf(replica, { user: 'fine', password: 'fine' });
      expect((await look(probe)).channels[0]?.lagMs).toBe(0);
      await replica.query('FLUSH TABLES WITH READ LOCK');
      try {
        await write();
        await eventually(async () => {
          const [channel] = (await look(probe)).channels;
          expect((channel?.lagMs ?? 0) % 1_000).toBeGreaterThan(0);
        });
        await replica.query(`${stop} SQL_THREAD`).catch(() => undefined);
      } finally {
        await replica.query('UNLOCK TABLES');
        await replica.query(start);
      }
      await eventually(async () => expect((await look(probe)).channels[0]?.lagMs).toBe(0));
    });

    test('without GTIDs nothing received is in any set: then the seconds of the server count', async () => {
      await letReadFineLag();
      const servers = [cluster.primary, replica];
      const steps = ['ON_PERMISSIVE', 'OFF_PERMISSIVE', 'OFF'];
      const probe = probeOf(replica, { user: 'fine', password: 'fine' });
      await replica.query(stop);
      await replica.query('CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 0');
      for (const mode of steps)
        for (const server of servers) await server.query(`SET GLOBAL gtid_mode = ${mode}`);
      try {
        await replica.query(start);
        await write();
        await eventually(async () => expect((await look(probe)).channels[0]?.lagMs).toBe(0));
        await replica.query('FLUSH TABLES WITH READ LOCK');
        await write();
        await eventually(async () => expect((await look(probe)).channels[0]?.lagMs).toBeGreaterThan(0));
      } finally {
        await replica.query('UNLOCK TABLES');
        await replica.query(stop);
        for (const mode of [...steps.slice(0, 2).reverse(), 'ON'])
          for (const server of servers) await server.query(`SET GLOBAL gtid_mode = ${mode}`);
        await replica.query('CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 1');
        await replica.query(start);
      }
    });
  }

  test('what a session is doing is ended from the side, on the server where it runs', async () => {
    const config = parseMysqlNode('node', cluster.options().mysql.primary, 'any');
    const limit = Deadline.of({ timeoutMs: 10_000 });
    const connection = await createConnectionFactory(config).connect(limit);
    const other = await createConnectionFactory(config).connect(limit);
    await other.ask('CREATE TABLE IF NOT EXISTS locked (id INT PRIMARY KEY, n INT)', limit);
    await other.ask('REPLACE INTO locked VALUES (1, 1)', limit);
    await other.ask('START TRANSACTION', limit);
    await other.ask('UPDATE locked SET n = 2 WHERE id = 1', limit);
    const sql = 'UPDATE locked SET n = 3 WHERE id = 1 -- ä';
    const blocked = connection.ask(sql, limit).catch((error: unknown) => error);
    await eventually(async () => {
      const rows = await cluster.primary.query(
        `SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ${connection.threadId} AND INFO LIKE 'UPDATE%'`,
      );
      expect(rows).toHaveLength(1);
    });
    // Another server has sessions of the same numbers.
    const elsewhere = parseMysqlNode('node', cluster.options().mysql.replicas[0] ?? '', 'any');
    expect(await killQuery(connection, elsewhere)).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    const { server } = connection;
    connection.server = undefined;
    expect(await killQuery(connection, config)).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    connection.server = server;
    expect(connection.lost).toBeUndefined();
    expect(await killQuery(connection, config)).toBe('killed');
    expect(await blocked).toMatchObject({ fatal: true });
    await eventually(async () => {
      expect(await killQuery(connection, config)).toBe('finished');
    });
    connection.destroy();
    other.destroy();
    await cluster.primary.pause();
    try {
      expect(await killQuery(other, config)).toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    } finally {
      await cluster.primary.resume();
    }
  });
});
