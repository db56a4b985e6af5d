/** The topology of real servers: what breaks is seen at the next look, what is mended serves again, and a promotion is followed. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Deadline } from '../../src/common/deadline.js';
import { createFailoverManager, type FailoverManager } from '../../src/failover/failover-manager.js';
import { TopologyWatcher } from '../../src/health/topology-watcher.js';
import { parseMysqlNode } from '../../src/mysql/connection-options.js';
import { createReplicationProbe } from '../../src/mysql/replication-probe.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { roleOf } from '../../src/topology/node-description.js';
import { selectNodes } from '../../src/topology/node-selection.js';
import type { LagLimits } from '../../src/topology/replica-freshness.js';
import { killSessions } from '../support/kill-sessions.js';
import { CLIENT_DATABASES, wholeTest } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(CLIENT_DATABASES)('$name', ({ name: database, flavor, options }) => {
  const whole = wholeTest(database);
  let cluster: LocalCluster;
  let watcher: TopologyWatcher;
  let watch: () => TopologyWatcher;
  let manager: FailoverManager;
  let first: LocalDatabaseNode;
  let second: LocalDatabaseNode;
  let third: LocalDatabaseNode;
  const told: string[] = [];
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';

  beforeAll(async () => {
    cluster = await startLocalCluster({ ...options, replicas: 2, memcached: 0, php: false });
    const { primary, replicas } = cluster;
    const [one, two] = replicas;
    if (one === undefined || two === undefined) throw new Error('There are no two replicas');
    [first, second, third] = [primary, one, two];
    const configs = new Map(
      [first, second, third].map((node, index) => {
        const { host, port } = node;
        const role = index === 0 ? 'primary' : 'replica';
        return [node.id, parseMysqlNode(node.name, { host, port }, role)] as const;
      }),
    );
    watch = () =>
      new TopologyWatcher({
        seeds: [...configs.values()].map(({ seed }) => seed),
        createProbe: ({ id }) => {
          const config = configs.get(id);
          if (config === undefined) throw new Error(`No node ${id}`);
          return createReplicationProbe({ config, credentials: cluster.accounts.monitor });
        },
        intervalMs: 500,
        timeoutMs: 1_000,
      });
    watcher = watch();
    manager = createFailoverManager({ watcher, targets: { isolate: () => () => {}, guardWrites: () => {} } });
    for (const name of [
      'primary-lost',
      'primary-returned',
      'primary-followed',
      'split-brain',
      'errant-transactions',
    ] as const) {
      manager.on(name, () => told.push(name));
    }
    watcher.start();
    await watcher.ready(Deadline.of({ timeoutMs: 10_000 }));
  });
  afterAll(async () => {
    await manager?.close();
    watcher?.close();
    await cluster?.close();
  });

  const writer = (): string => {
    const { writer } = watcher.topology;
    return writer.kind === 'primary' ? writer.node : writer.kind;
  };
  const warnings = (): string[] => watcher.topology.warnings.map(({ code, node }) => `${code} ${node}`);
  function readers(later = 0, limits: Partial<LagLimits> = {}): string[] {
    const criteria = { maxLagMs: 3_000, ...limits, now: performance.now() + later, allows: () => true };
    return selectNodes(watcher.topology, { ...criteria, preference: 'replica' }).candidates.map(
      ({ id }) => id,
    );
  }
  /** Waits for `state`, and tells how many looks at `node` it took from now. */
  async function looksUntil(what: string, node: LocalDatabaseNode, state: () => boolean): Promise<number> {
    let looks = 0;
    const count = ({ node: seen }: { readonly node: string }): void => {
      if (seen === node.id && !reached) looks += 1;
    };
    let reached = state();
    const note = (): void => {
      reached ||= state();
    };
    watcher.on('node-observed', count);
    watcher.on('node-observed', note);
    await eventually(what, () => reached);
    watcher.off('node-observed', count);
    watcher.off('node-observed', note);
    return looks;
  }
  const bothRead = (): boolean => readers().length === 2;
  const stateOf = ({ id }: LocalDatabaseNode): string | undefined => {
    const node = watcher.topology.nodes.find((other) => other.id === id);
    return node?.state === 'up' && node.blind !== undefined ? 'blind' : node?.state;
  };
  const isBlind = (node: LocalDatabaseNode): boolean => stateOf(node) === 'blind';

  test('roles, lag and versions are seen at the first look', () => {
    expect(writer()).toBe(first.id);
    expect(watcher.topology.nodes.map(roleOf)).toEqual(['primary', 'replica', 'replica']);
    expect(watcher.topology.nodes[1]).toMatchObject({ upstream: [first.id], facts: { flavor } });
    expect(watcher.topology.warnings).toEqual([]);
    expect(bothRead()).toBe(true);
  });

  test.each([
    ['its applying thread is stopped', 'STOP %s SQL_THREAD', 'START %s SQL_THREAD'],
    ['its receiving thread is stopped', 'STOP %s IO_THREAD', 'START %s IO_THREAD'],
    ['replication is stopped', 'STOP %s', 'START %s'],
  ])('a replica serves no reads when %s, and serves again when it is started', async (_, stop, start) => {
    await second.query(stop.replace('%s', word));
    expect(
      await looksUntil('the replica is left out', second, () => !readers().includes(second.id)),
    ).toBeLessThanOrEqual(2);
    await second.query(start.replace('%s', word));
    await eventually('the replica serves again', bothRead);
  });

  whole('a frozen replica is left out at the first look, and serves again afterwards', async () => {
    await second.pause();
    expect(
      await looksUntil('the replica is left out', second, () => !readers().includes(second.id)),
    ).toBeLessThanOrEqual(2);
    expect(writer()).toBe(first.id);
    await second.resume();
    await eventually('the replica serves again', bothRead);
  });

  /** Whether a read that tolerates little finds the replica too late, the age of the measurement left aside. */
  function isLate(node: LocalDatabaseNode, maxLagMs: number): boolean {
    const seen = watcher.topology.nodes.find(({ id }) => id === node.id);
    return seen?.state === 'up' && (seen.lag === null || seen.lag.ms === null || seen.lag.ms > maxLagMs);
  }
  const setDelay = async (seconds: number): Promise<void> => {
    const change =
      flavor === 'mysql'
        ? `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}`
        : `CHANGE MASTER TO MASTER_DELAY = ${seconds}`;
    for (const sql of [`STOP ${word}`, change, `START ${word}`]) await second.query(sql);
  };

  test('a replica that is delayed on purpose serves no read that tolerates less, and serves again without', async () => {
    await setDelay(60);
    expect(
      await looksUntil('the replica is left out', second, () => !readers().includes(second.id)),
    ).toBeLessThanOrEqual(2);
    await setDelay(0);
    await eventually('the replica serves again', bothRead);
  });

  whole(
    'a replica whose applier waits for a lock is late, and serves again when it has caught up',
    async () => {
      await first.query(`CREATE TABLE ${cluster.database}.locked (id INT AUTO_INCREMENT PRIMARY KEY)`);
      await cluster.waitForReplication();
      await second.query(`LOCK TABLES ${cluster.database}.locked READ`);
      await first.query(`INSERT INTO ${cluster.database}.locked VALUES ()`);
      // The server counts the seconds since the write that waits; it has to be old before it can be seen to be late.
      await eventually('the replica is late', () => isLate(second, 2_000));
      expect(
        selectNodes(watcher.topology, {
          preference: 'replica',
          maxLagMs: 2_000,
          now: performance.now(),
          allows: () => true,
        }).candidates.map(({ id }) => id),
      ).not.toContain(second.id);
      await second.query('UNLOCK TABLES');
      await eventually('the replica serves again', () => bothRead() && !isLate(second, 2_000));
    },
  );

  whole('a replica that is cut off is left out at the first look, and serves again afterwards', async () => {
    const cut = cluster.isolate(second);
    expect(
      await looksUntil('the replica is left out', second, () => !readers().includes(second.id)),
    ).toBeLessThanOrEqual(2);
    expect(writer()).toBe(first.id);
    cut.heal();
    await eventually('the replica serves again', bothRead);
  });

  whole(
    'a replica that is killed is left out at the first look, and serves again when it is back',
    async () => {
      await second.kill();
      expect(
        await looksUntil('the replica is left out', second, () => !readers().includes(second.id)),
      ).toBeLessThanOrEqual(2);
      await second.start();
      await eventually('the replica serves again', bothRead);
    },
  );

  whole(
    'a server that is full lives: the roles stay, and a warning says that nothing new is known',
    async () => {
      await second.query('SET GLOBAL max_connections = 10');
      const { user, password } = cluster.accounts.app;
      const held: Connection[] = [];
      const hold = (): Promise<boolean> =>
        createConnection({ host: second.host, port: second.realPort, user, password }).then(
          (connection) => held.push(connection) > 0,
          () => false,
        );
      try {
        // The monitor's own connection ends, so that it has to log in again; whether it or we are first is chance.
        await eventually('the warning', async () => {
          if (isBlind(second)) return true;
          // On a busy machine a look may have found nobody before it found no room: what is down stays so until there is room.
          if (stateOf(second) === 'down') for (const connection of held.splice(0)) connection.destroy();
          if (!bothRead()) return false;
          while (await hold());
          await killSessions(second, "USER = 'monitor'");
          return false;
        });
        expect(writer()).toBe(first.id);
        expect(watcher.topology.nodes.map(roleOf)).toEqual(['primary', 'replica', 'replica']);
        expect(warnings()).toContain(`blind-monitor ${second.id}`);
        // Who has never seen it knows that it lives, and nothing else.
        const newcomer = watch();
        newcomer.start();
        try {
          const seen = await newcomer.ready(Deadline.of({ timeoutMs: 30_000 }));
          expect(seen.writer).toEqual({ kind: 'primary', node: first.id });
          expect(seen.nodes[1]).toMatchObject({ state: 'down', failure: 'too-many' });
          expect(seen.warnings).toMatchObject([{ code: 'blind-monitor', node: second.id }]);
        } finally {
          newcomer.close();
        }
      } finally {
        for (const connection of held) connection.destroy();
        await second.query('SET GLOBAL max_connections = 300');
      }
      await eventually('no warning', () => warnings().length === 0 && bothRead());
    },
  );

  whole('a password that is changed under the monitor is told as such, and the roles stay', async () => {
    const { user, password } = cluster.accounts.monitor;
    const all = [first, second, third];
    async function lockOut(): Promise<void> {
      await first.query(`ALTER USER '${user}'@'%' IDENTIFIED BY 'another one'`);
      await cluster.waitForReplication();
      for (const node of all) {
        await killSessions(node, 'USER = ?', [user]);
      }
    }
    const letIn = (): Promise<unknown> => first.query(`ALTER USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    try {
      await eventually('three nodes are blind', async () => {
        if (all.every(isBlind)) return true;
        // A look that was cut in two found the server down, and that stays so while nobody may log in.
        if (all.some((node) => stateOf(node) === 'down')) await letIn();
        else if (bothRead() && !all.some(isBlind)) await lockOut();
        return false;
      });
      expect(warnings()).toEqual(all.map(({ id }) => `blind-monitor ${id}`));
      expect(writer()).toBe(first.id);
      expect(watcher.topology.nodes[0]).toMatchObject({ blind: { failure: 'access-denied' } });
    } finally {
      await letIn();
    }
    await eventually('no warning', () => warnings().length === 0 && bothRead());
  });

  test('a replica without read_only is a replica, with a warning', async () => {
    await second.query('SET GLOBAL read_only = 0');
    if (flavor === 'mysql') await second.query('SET GLOBAL super_read_only = 0');
    await eventually('the warning', () => warnings().includes(`writable-replica ${second.id}`));
    expect(writer()).toBe(first.id);
    await second.query(`SET GLOBAL ${flavor === 'mysql' ? 'super_read_only' : 'read_only'} = 1`);
    await eventually('no warning', () => warnings().length === 0);
  });

  test('a replica that wrote something itself is told, and serves no reads, until the primary has it, too', async () => {
    const run = async (node: LocalDatabaseNode, ...statements: string[]): Promise<void> => {
      for (const sql of statements) await node.query(sql);
    };
    const create = 'CREATE DATABASE IF NOT EXISTS errant';
    const set = (assignment: string): string => `SET SESSION ${assignment}`;
    told.length = 0;
    // In a domain of its own, so that the primary can be given the same transaction afterwards.
    if (flavor === 'mysql') {
      await run(second, 'SET GLOBAL super_read_only = 0', create, 'SET GLOBAL super_read_only = 1');
    } else await run(second, set('gtid_domain_id = 9'), create, set('gtid_domain_id = 0'));
    await eventually('the warning', () => warnings().includes(`errant-transactions ${second.id}`));
    expect(writer()).toBe(first.id);
    expect(readers()).not.toContain(second.id);
    await eventually('the event', () => told.includes('errant-transactions'));
    expect(await manager.history()).toContainEqual(
      expect.objectContaining({ kind: 'errant-transactions', nodes: [second.id] }),
    );
    if (flavor === 'mysql') {
      const [has] = await first.query('SELECT @@global.gtid_executed AS gtids');
      const sql = 'SELECT GTID_SUBTRACT(@@global.gtid_executed, ?) AS own';
      const [own] = await second.query(sql, [has?.['gtids']]);
      await run(first, set(`gtid_next = '${own?.['own']}'`), create, set("gtid_next = 'AUTOMATIC'"));
    } else {
      const [row] = await second.query('SELECT @@server_id AS id');
      const [mine] = await first.query('SELECT @@server_id AS id');
      const own = ['gtid_domain_id = 9', `server_id = ${row?.['id']}`, 'gtid_seq_no = 1'].map(set);
      await run(first, ...own, create, set('gtid_domain_id = 0'), set(`server_id = ${mine?.['id']}`));
    }
    await eventually('no warning, and it serves', () => warnings().length === 0 && bothRead());
  });

  test('a replica with a replication filter serves no reads and is told until the filter is gone', async () => {
    const filter = async (table: string): Promise<void> => {
      await second.query(`STOP ${word} SQL_THREAD`);
      await second.query(
        flavor === 'mysql'
          ? `CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (${table})`
          : `SET GLOBAL replicate_ignore_table = '${table}'`,
      );
      await second.query(`START ${word} SQL_THREAD`);
    };
    await filter('shop.cart');
    await eventually('the warning', () => warnings().includes(`partial-replica ${second.id}`));
    expect(readers()).not.toContain(second.id);
    await filter('mysql.rds_history');
    await eventually(
      'it serves with a filter that hides nothing',
      () => warnings().length === 0 && bothRead(),
    );
    await filter('');
    await eventually('all is well', () => warnings().length === 0 && bothRead());
  });

  test('a replica that applies nothing is told until it goes on', async () => {
    const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    await second.query(`STOP ${word} SQL_THREAD`);
    await eventually('the warning', () => warnings().includes(`replication-stopped ${second.id}`));
    await second.query(`START ${word} SQL_THREAD`);
    await eventually('no warning', () => warnings().length === 0);
  });

  test('a read-only primary takes no writes until it is writable again', async () => {
    await first.query('SET GLOBAL read_only = 1');
    expect(await looksUntil('no writer', first, () => writer() === 'no-primary')).toBeLessThanOrEqual(2);
    expect(warnings()).toEqual([`read-only-primary ${first.id}`]);
    await first.query('SET GLOBAL read_only = 0');
    await eventually('the writer is back', () => writer() === first.id);
    expect(watcher.topology.epoch).toBe(1);
  });

  test('a dead primary leaves no writer, and the replicas that were in step serve on for as long as it takes', async () => {
    await first.query(`CREATE TABLE ${cluster.database}.t (id INT PRIMARY KEY)`);
    await cluster.waitForReplication();
    await eventually('both serve', bothRead);
    told.length = 0;
    await first.kill();
    expect(await looksUntil('no writer', first, () => writer() === 'no-primary')).toBeLessThanOrEqual(2);
    await eventually('the replicas noticed', () =>
      watcher.topology.nodes.slice(1).every((node) => node.state === 'up' && node.sourceLost !== undefined),
    );
    const goOn = { maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY };
    expect(readers(3_600_000, goOn)).toEqual([second.id, third.id]);
    // Who wants no older answers gets none: nothing proves that nobody writes to it.
    expect(readers(3_600_000)).toEqual([]);
    expect(told).toEqual(['primary-lost']);
    expect(manager.state.failure).toBe('dead-primary');
    const failed = watcher.waitForWriter(Deadline.of({ timeoutMs: 300 }));
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_NO_PRIMARY',
      message: expect.stringContaining(first.id),
    });
  });

  test('a promotion by hand is followed, the other replica serves on', async () => {
    const found = watcher.waitForWriter(Deadline.of({ timeoutMs: 30_000 }));
    await cluster.promote(second);
    expect(await found).toBe(second.id);
    await eventually('the other replica serves', () => readers().includes(third.id));
    expect(told).toEqual(['primary-lost', 'primary-followed']);
    expect(watcher.topology.epoch).toBe(2);
  });

  whole('the old primary that comes back writable is proven stale and takes no writes', async () => {
    await second.query(`INSERT INTO ${cluster.database}.t VALUES (1)`);
    await first.start();
    await eventually('the old primary is seen', () => warnings().includes(`stale-primary ${first.id}`));
    expect(writer()).toBe(second.id);
    expect(readers()).toEqual([third.id]);
  });

  whole('a write to it by somebody else stops all writes, until it is read-only', async () => {
    await first.query(`INSERT INTO ${cluster.database}.t VALUES (99)`);
    await eventually('the split brain', () => writer() === 'split-brain');
    expect(told).toContain('split-brain');
    await first.query('SET GLOBAL read_only = 1');
    await eventually('writes again', () => writer() === second.id);
    expect(watcher.topology.epoch).toBe(2);
  });
});
