/** A primary that no manager can reach any more stops taking writes by itself, those of writers that obey no lease, too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fenceStateSql, readFenceState } from '../../src/failover/self-fence/fence-state.js';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { lawlessWriter } from '../support/handover.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const SELF_FENCE_MS = 4_000;

describe.each(CLIENT_DATABASES)('$name', ({ options }) => {
  let servers: LocalCluster;
  const open: Cluster[] = [];

  beforeAll(async () => {
    const serverArgs = { mysql: ['--event-scheduler=ON'] };
    servers = await startLocalCluster({ php: false, memcached: 0, ...options, serverArgs });
    await servers.primary.query(
      'CREATE TABLE shop.ledger (id VARCHAR(40) NOT NULL, part INT NOT NULL, ' +
        'at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), port INT NULL, KEY (id))',
    );
  });
  afterAll(async () => {
    await closeAll();
    await servers?.close();
  });

  async function closeAll(): Promise<void> {
    await Promise.all(open.splice(0).map((cluster) => cluster.close()));
  }
  async function manager(more: FailoverOptions = {}): Promise<Cluster> {
    const { admin, repl } = servers.accounts;
    const cluster = await createCluster({
      mysql: { ...servers.options().mysql, blockMs: 30_000 },
      failover: {
        mode: 'auto',
        maxLoss: 'any',
        blockMs: 0,
        credentials: admin,
        replication: repl,
        leaseMs: 2_000,
        selfFenceMs: SELF_FENCE_MS,
        ...more,
      },
    });
    open.push(cluster);
    return cluster;
  }
  const stateOf = async (node: LocalDatabaseNode): Promise<ReturnType<typeof readFenceState>> =>
    readFenceState((await node.query(fenceStateSql('stormlamp')))[0] ?? {});
  const runsEverywhere = async (): Promise<boolean> => {
    const states = await Promise.all(servers.databases.map(stateOf));
    return states.every(({ runs, comment }) => runs && comment !== undefined);
  };
  async function writer(): Promise<LocalDatabaseNode> {
    return await eventually('one node takes writes', async () => {
      const [node, second] = await writableNodes(servers);
      return second === undefined ? node : undefined;
    });
  }
  async function guarded(node: LocalDatabaseNode): Promise<void> {
    await eventually(`${node.name} is guarded`, async () => {
      const [row] = await node.query("SELECT IS_USED_LOCK('ha1:stormlamp:guard') AS holder");
      return row?.['holder'] !== null;
    });
  }

  test('the event comes to all nodes, and a primary that is guarded goes on, also a new one', async () => {
    const cluster = await manager();
    await eventually('the event runs on all nodes', runsEverywhere);
    const { ok, checks } = await cluster.failover.preflight();
    expect(checks.filter(({ name }) => name === 'self-fence').map(({ result }) => result)).toEqual([
      'pass',
      'pass',
      'pass',
    ]);
    expect(ok).toBe(true);
    await eventually(
      'a switchover',
      async () => (await cluster.failover.switchover().catch(() => ({ ok: false }))).ok,
    );
    const next = await writer();
    expect(next).not.toBe(servers.primary);
    await guarded(next);
    const until = performance.now() + 2 * SELF_FENCE_MS;
    for (let id = 0; performance.now() < until; id += 1) {
      await cluster.mysql.query('INSERT INTO ledger (id, part) VALUES (?, 1)', [`guarded.${id}`]);
    }
    expect((await stateOf(next)).fenced).toBe(false);
  });

  test('when the last process ends the primary refuses writes, and the next process opens it again', async () => {
    const node = await writer();
    await closeAll();
    await eventually('it has fenced itself', async () => (await stateOf(node)).fenced);
    expect(await writableNodes(servers)).toEqual([]);
    const cluster = await manager();
    await cluster.mysql.query("INSERT INTO ledger (id, part) VALUES ('opened', 1)");
    expect(await writer()).toBe(node);
    await eventually('it is told', async () =>
      (await cluster.failover.history()).some(
        ({ message }) => message === `${node.id} had fenced itself, and takes writes again`,
      ),
    );
    await guarded(node);
    // The event takes it away with its next look.
    await eventually('the mark is gone', async () => !(await stateOf(node)).fenced);
    expect(await writer()).toBe(node);
  });

  test('what an operator has made read-only is not opened', async () => {
    const node = await writer();
    await node.query('SET GLOBAL read_only=1');
    const until = performance.now() + 2 * SELF_FENCE_MS;
    await eventually('twice the time is over', () => performance.now() > until);
    expect(await writableNodes(servers)).toEqual([]);
    await node.query('SET GLOBAL read_only=0');
    expect(await writer()).toBe(node);
  });

  test('a replica on which the event cannot run is not made the primary, and preflight says what to do', async () => {
    const [cluster] = open;
    const node = await writer();
    const others = servers.databases.filter((each) => each !== node);
    for (const other of others) await other.query('SET GLOBAL event_scheduler=OFF');
    const refused = expect.stringMatching(/self-fence event does not run, because event_scheduler is OFF/);
    try {
      await expect(cluster?.failover.switchover()).rejects.toMatchObject({
        code: 'ERR_CHANGE_REFUSED',
        message: refused,
      });
      const report = await cluster?.failover.preflight();
      expect(report?.checks.filter(({ result }) => result === 'fail')).toEqual(
        others.map(({ id }) => expect.objectContaining({ name: 'self-fence', node: id, detail: refused })),
      );
    } finally {
      for (const other of others) await other.query('SET GLOBAL event_scheduler=ON');
    }
    expect((await cluster?.failover.preflight())?.ok).toBe(true);
  });

  test('cut off from everybody it takes no writes of others when the next primary does', async () => {
    const [cluster] = open;
    const old = await writer();
    await guarded(old);
    const lawless = await lawlessWriter(servers, old);
    const cut = servers.isolate(old);
    const next = await eventually('another node takes writes', async () =>
      (await writableNodes(servers)).find((node) => node !== old),
    );
    await cluster?.mysql.query("INSERT INTO ledger (id, part) VALUES ('next', 1)");
    const acknowledged = await lawless.stop();
    expect(await writableNodes(servers)).toEqual([next]);
    expect((await stateOf(old)).fenced).toBe(true);
    const [[last], [first]] = await Promise.all([
      old.query<{ at: string }>(
        "SELECT MAX(UNIX_TIMESTAMP(at)) AS at FROM shop.ledger WHERE id LIKE 'lawless%'",
      ),
      next.query<{ at: string }>('SELECT UNIX_TIMESTAMP(at) AS at FROM ha_meta.topology'),
    ]);
    expect(acknowledged.length).toBeGreaterThan(0);
    // Before it was made the primary, not only before the first write there.
    expect(Number(last?.at)).toBeLessThan(Number(first?.at));
    console.log(
      `silence before the promotion: ${Math.round((Number(first?.at) - Number(last?.at)) * 1_000)} ms`,
    );
    cut.heal();
    await eventually('it stays closed', async () => {
      const events = (await cluster?.failover.history()) ?? [];
      return events.some(({ kind, nodes }) => kind === 'node-diverged' && nodes.includes(old.id));
    });
    expect(await writableNodes(servers)).toEqual([next]);
  });

  test('where it is not wished any more it is taken away', async () => {
    await closeAll();
    // Opened by whoever does not guard it: the event must not close it again and again.
    await eventually('nobody takes writes', async () => (await writableNodes(servers)).length === 0);
    await manager({ selfFenceMs: 0 });
    await eventually('no node has it', async () =>
      (await Promise.all(servers.databases.map(stateOf))).every(({ exists, runs }) => !exists && !runs),
    );
    await writer();
  });
});
