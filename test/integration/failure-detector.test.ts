/** What the detector says of real servers with real faults: which of them are failures, and which only look like one. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Deadline } from '../../src/common/deadline.js';
import { type Cluster, createCluster, type FailureKind } from '../../src/index.js';
import { createConnectionFactory } from '../../src/mysql/connection-factory.js';
import { parseMysqlNode } from '../../src/mysql/connection-options.js';
import type { PhysicalConnection } from '../../src/mysql/physical-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { killSessions } from '../support/kill-sessions.js';
import { eventually } from './eventually.js';

const DEADLINE_MS = 60_000;

// MySQL's half belongs to the long form.
const FLAVORS =
  process.env['STORMLAMP_CHAOS'] === '1' ? (['mariadb', 'mysql'] as const) : (['mariadb'] as const);

describe.each(FLAVORS)('%s', (flavor) => {
  let servers: LocalCluster;
  let cluster: Cluster;
  const told: { readonly kind: FailureKind; readonly warranted: boolean }[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({ flavor, memcached: 0, php: false });
    if (flavor === 'mysql') {
      // Counting heartbeats takes this privilege there.
      await servers.primary.query("GRANT SELECT ON performance_schema.* TO 'monitor'@'%'");
    }
    await servers.waitForReplication();
    cluster = await createCluster({
      mysql: { ...servers.options().mysql, pool: { min: 0, idleTimeoutMs: 500 } },
      failover: { detector: { downAfterMs: 1_000, troubleAfterMs: 1_000, upAfterMs: 500 } },
    });
    cluster.failover.on('failure-detected', ({ kind, warranted }) => told.push({ kind, warranted }));
  });
  beforeEach(async () => {
    await healthy();
    told.length = 0;
  });
  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  const primary = (): string => servers.primary.id;
  const levelOf = (node: string): string | undefined =>
    cluster.failover.state.nodes.find((each) => each.node === node)?.suspicion;
  const healthy = (): Promise<unknown> =>
    eventually(
      'all is well',
      () =>
        cluster.failover.state.failure === null &&
        cluster.failover.state.nodes.every(({ suspicion }) => suspicion === 'up'),
      DEADLINE_MS,
    );
  const detected = (kind: FailureKind, warranted: boolean): Promise<unknown> =>
    eventually(
      `${kind} is detected, ${warranted ? '' : 'not '}warranting a failover`,
      () => told.some((each) => each.kind === kind && each.warranted === warranted),
      DEADLINE_MS,
    );

  test('kill -9: dead, and the replicas confirm it; back again after a restart', async () => {
    await servers.primary.kill();
    await detected('dead-primary', true);
    expect(levelOf(primary())).toBe('objectively-down');
    expect(cluster.failover.state.because).toContain('cut off from it');
    await servers.primary.start();
    await healthy();
    expect(told[0]?.kind).toBe('dead-primary');
    // While it starts it may listen before it answers, and a replica asks for it once a second only.
    const expected: FailureKind[] = ['dead-primary', 'unreachable-primary', 'all-replicas-broken'];
    expect(told.filter(({ kind }) => !expected.includes(kind))).toEqual([]);
  });

  test('SIGSTOP: unreachable, and confirmed because the heartbeats stay away', async () => {
    await servers.primary.pause();
    try {
      await detected('unreachable-primary', true);
      expect(cluster.failover.state.because).toMatch(/silent|cut off from it/);
    } finally {
      await servers.primary.resume();
    }
    await healthy();
  });

  test('cut off from the applications only: the replicas hear it, no failover', async () => {
    const cut = servers.primary.faults.partition({ only: 'clients' });
    await eventually('the primary is down in our eyes', () => levelOf(primary()) === 'down', DEADLINE_MS);
    expect(cluster.failover.state.because).toMatch(/its replica .* is receiving/);
    cut.heal();
    await healthy();
    expect(told).toEqual([{ kind: 'unreachable-primary', warranted: false }]);
  });

  test('cut off from the replicas only: the primary is up, no failover', async () => {
    const cut = servers.primary.faults.partition({ only: 'replication' });
    await detected('all-replicas-broken', false);
    expect(levelOf(primary())).toBe('up');
    await cluster.mysql.query('CREATE TABLE IF NOT EXISTS still_written (id INT)');
    cut.heal();
    await healthy();
    expect(told.map(({ kind }) => kind)).toEqual(['all-replicas-broken']);
  });

  test('no room for another connection: overloaded, no failover', async () => {
    const [before] = await servers.primary.query('SELECT @@global.max_connections AS n');
    await servers.primary.query('SET GLOBAL max_connections = 10');
    const held: PhysicalConnection[] = [];
    try {
      await eventually(
        'an overload is detected',
        async () => {
          await fill(held);
          // Three at once need two connections more than the pool may have.
          await Promise.allSettled(
            [1, 2, 3].map(() => cluster.mysql.query({ sql: 'SET @x = SLEEP(0.2)', timeout: 1_000 })),
          );
          return told.some(({ kind }) => kind === 'overloaded');
        },
        DEADLINE_MS,
      );
      expect(levelOf(primary())).toBe('up');
    } finally {
      for (const connection of held) connection.destroy();
      await servers.primary.query(`SET GLOBAL max_connections = ${String(before?.['n'])}`);
    }
    await cluster.mysql.query('SET @done = 1');
    await healthy();
    expect(told.some(({ warranted }) => warranted)).toBe(false);
  });

  /** Takes connections until there is no more room. */
  async function fill(held: PhysicalConnection[]): Promise<void> {
    const { host, port } = servers.primary;
    const { user, password } = servers.accounts.app;
    const factory = createConnectionFactory(parseMysqlNode('hog', { host, port, user, password }, 'any'));
    for (let n = 0; n < 20; n += 1) {
      const connection = await factory.connect(Deadline.of({ timeoutMs: 5_000 })).catch(() => undefined);
      if (connection === undefined) return;
      held.push(connection);
    }
    throw new Error('the server had room for 20 more connections');
  }

  test('read-only: told as that, no failover', async () => {
    await servers.primary.query('SET GLOBAL read_only = 1');
    await detected('read-only-primary', false);
    await servers.primary.query('SET GLOBAL read_only = 0');
    await healthy();
    expect(told.some(({ warranted }) => warranted)).toBe(false);
  });

  test('commits that wait for an acknowledgement nobody gives: locked, no failover', async () => {
    const side = flavor === 'mysql' ? 'source' : 'master';
    if (flavor === 'mysql') {
      await servers.primary.query("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'");
    }
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${side}_timeout = 600000`);
    await servers.primary.query(`SET GLOBAL rpl_semi_sync_${side}_enabled = 1`);
    const write = cluster.mysql.query('CREATE TABLE IF NOT EXISTS locked (id INT)').catch(() => undefined);
    try {
      await detected('locked-semisync', false);
      expect(levelOf(primary())).toBe('up');
    } finally {
      await servers.primary.query(`SET GLOBAL rpl_semi_sync_${side}_enabled = 0`);
    }
    await write;
    await healthy();
    expect(told.map(({ kind }) => kind)).toEqual(['locked-semisync']);
  });

  test('the monitor is locked out by a new password: a suspect, never down', async () => {
    const { user, password } = servers.accounts.monitor;
    await servers.primary.query(`ALTER USER '${user}'@'%' IDENTIFIED BY 'another'`);
    await killSessions(servers.primary, 'USER = ?', [user]);
    await eventually('the monitor is blind', () => levelOf(primary()) === 'suspect', DEADLINE_MS);
    const since = performance.now();
    // Four times as long as it takes to be down.
    await eventually('it went on for four seconds', () => performance.now() - since > 4_000, DEADLINE_MS);
    expect(cluster.failover.state.nodes.find(({ node }) => node === primary())).toMatchObject({
      suspicion: 'suspect',
      because: expect.stringContaining('access-denied'),
    });
    expect(cluster.failover.state).toMatchObject({
      failure: null,
      writer: { kind: 'primary', node: primary() },
    });
    await servers.primary.query(`ALTER USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    await healthy();
    expect(told).toEqual([]);
  });
});
