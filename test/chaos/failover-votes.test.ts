/** A failover after which nobody could write is refused; who insists on it is told so, and the old primary that comes back mends it. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from '../integration/client-databases.js';
import { eventually } from '../integration/eventually.js';
import { writableNodes } from '../support/crash-at-step.js';

const TIMEOUT = { timeout: 300_000 };

describe.each(CLIENT_DATABASES)('$name', ({ options, flavor }) => {
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  let servers: LocalCluster | undefined;
  let open: Cluster | undefined;
  afterEach(async () => {
    await open?.close();
    await servers?.close();
    open = undefined;
  });

  async function start(all: LocalCluster, more: Partial<FailoverOptions>): Promise<Cluster> {
    const { admin, repl } = all.accounts;
    const failover = {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      leaseMs: 2_000,
      ...more,
    } as const;
    open = await createCluster({ mysql: all.options().mysql, failover });
    return open;
  }
  async function sourceOf(node: LocalDatabaseNode): Promise<number> {
    const [row] = await node.query(`SHOW ${word} STATUS`);
    return Number(row?.['Source_Port'] ?? row?.['Master_Port'] ?? 0);
  }

  /** Nothing is to be lost here. */
  async function hasAll(replica: LocalDatabaseNode, primary: LocalDatabaseNode): Promise<void> {
    const mysql = flavor === 'mysql';
    const [row] = await primary.query<{ position: string }>(
      `SELECT ${mysql ? '@@global.gtid_executed' : '@@gtid_current_pos'} AS position`,
    );
    const wait = mysql ? 'WAIT_FOR_EXECUTED_GTID_SET' : 'MASTER_GTID_WAIT';
    await replica.query(`SELECT ${wait}(?, 10)`, [row?.position ?? '']);
  }

  test(
    'two data nodes and a witness that does not answer: that is told before its vote is needed',
    TIMEOUT,
    async () => {
      servers = await startLocalCluster({ ...options, php: false, memcached: 0, replicas: 1 });
      await using voting = await startLocalCluster({ ...options, php: false, memcached: 0, replicas: 0 });
      const [{ admin }, witness] = [voting.accounts, voting.primary];
      const cluster = await start(servers, {
        maxLoss: 'any',
        witness: [`mysql://${admin.user}:${admin.password}@${witness.id}`],
      });
      const next = servers.replicas[0]?.id ?? '';
      const spare = async (): Promise<string> => {
        const { ok, checks } = await cluster.failover.preflight();
        expect(ok).toBe(true);
        return checks.find(({ name }) => name === 'voter-to-spare')?.detail ?? '';
      };
      expect(await spare()).toBe('voter-to-spare: as it should be');
      expect((await cluster.failover.plan('switchover')).warnings).toEqual([]);
      await witness.kill();
      expect(await spare()).toMatch(
        new RegExp(`^2 of 3 voters answer, and 2 are needed: .*start ${witness.id}`),
      );
      const { checks } = await cluster.failover.preflight();
      expect(checks).toContainEqual(
        expect.objectContaining({
          node: witness.id,
          result: 'warn',
          detail: expect.stringContaining('did not answer'),
        }),
      );
      const plan = await eventually('no plan counts on it', async () => {
        const made = await cluster.failover.plan('switchover');
        return made.warnings.length > 0 ? made : undefined;
      });
      expect(plan.warnings).toEqual([
        expect.stringContaining(`${witness.id}, which only votes, does not answer`),
      ]);
      expect(await cluster.failover.switchover({ to: next })).toMatchObject({ ok: true });
      await witness.start();
      expect(await spare()).toBe('voter-to-spare: as it should be');
      await cluster.close();
    },
  );

  test('the third voter is a former primary with other data', TIMEOUT, async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    const { primary: old, replicas } = servers;
    const [next, former] = replicas;
    if (next === undefined || former === undefined) throw new Error('three nodes are needed');
    await former.query(`STOP ${word}`);
    await former.query(`RESET ${word} ALL`);
    await former.query('SET GLOBAL read_only=0');
    await former.query('CREATE DATABASE elsewhere');
    await former.query('SET GLOBAL read_only=1');
    const asked: unknown[] = [];
    const rebuild = ({ node, from, why }: { node: string; from: string; why: string }): 'skipped' => {
      asked.push({ node, from, why });
      return 'skipped';
    };
    const asking = await start(servers, { automatic: false, maxLoss: 'any', hooks: { rebuild } });
    await asking.mysql.query('CREATE TABLE shop.before_that (id INT PRIMARY KEY)');
    await hasAll(next, old);
    await old.kill();
    await eventually('it is found dead', () => asking.failover.state.failover.warranted);
    await expect(asking.failover.failover({ acceptLoss: true })).rejects.toThrow(
      new RegExp(`Only 1 of 3 voters could vote for ${next.id}.*${former.id} \\(it follows nobody, and has`),
    );
    expect(await writableNodes(servers)).toEqual([]);
    const made = await asking.failover.failover({ to: next.id, acceptLoss: true });
    expect(made).toMatchObject({
      ok: false,
      at: 'release',
      clusterState: 'unfinished',
      error: { code: 'ERR_NO_MAJORITY' },
    });
    expect(await writableNodes(servers)).toEqual([next]);
    // The way out that needs no majority.
    expect(await asking.failover.rebuild(former.id)).toBe('skipped');
    expect(asked).toEqual([{ node: former.id, from: next.id, why: 'errant' }]);
    await asking.close();

    const epoch = async (): Promise<unknown> => (await next.query('SELECT epoch FROM ha_meta.topology'))[0];
    const before = await epoch();
    const acting = await start(servers, { maxLoss: 'any' });
    const refusals = async (): Promise<readonly string[]> =>
      (await acting.failover.history())
        .filter(({ kind }) => kind === 'failover-blocked')
        .map(({ message }) => message);
    await eventually('it is told why nobody can write', async () =>
      (await refusals()).some((each) => /only 1 of 3 voters could vote/.test(each)),
    );
    // Nothing was changed for that.
    expect(await epoch()).toEqual(before);
    await old.start();
    await eventually('the old one follows', async () => (await sourceOf(old)) === next.port);
    await acting.mysql.query('CREATE TABLE shop.on_again (id INT PRIMARY KEY)', { blockMs: 30_000 });
    await eventually('it has what is written', async () => {
      const rows = await old.query("SHOW TABLES FROM shop LIKE 'on_again'");
      return rows.length === 1;
    });
    expect(await writableNodes(servers)).toEqual([next]);
    expect(await sourceOf(former)).toBe(0);
  });

  test('the new primary dies before its switchover is ended: what only it had is told', TIMEOUT, async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    const { primary: old, replicas } = servers;
    const [next, other] = replicas;
    if (next === undefined || other === undefined) throw new Error('three nodes are needed');
    const asking = await start(servers, { automatic: false, maxLoss: 'any' });
    await asking.mysql.query('CREATE TABLE shop.before_that (id INT PRIMARY KEY)');
    expect(await asking.failover.switchover({ to: next.id })).toMatchObject({ ok: true });
    await asking.close();
    // As if the process that made it had died before it could write that.
    await next.query(
      'UPDATE ha_meta.operation SET ended_at=NULL, outcome=NULL, began_at=began_at - INTERVAL 10 SECOND',
    );
    for (const node of [old, other]) {
      await hasAll(node, next);
      await node.query(`STOP ${word}`);
    }
    await next.query('CREATE TABLE shop.only_there (id INT PRIMARY KEY)');
    await next.kill();
    for (const node of [old, other]) await node.query(`START ${word}`);
    // It looks for what was left long before it finds that one dead.
    const acting = await start(servers, { maxLoss: 'none', detector: { downAfterMs: 12_000 } });
    const refusals = async (): Promise<readonly string[]> =>
      (await acting.failover.history())
        .filter(({ kind }) => kind === 'failover-blocked')
        .map(({ message }) => message);
    await eventually('it is told that a loss is not to be ruled out', async () =>
      (await refusals()).some((each) => /maxLoss is 'none'/.test(each)),
    );
    expect(await writableNodes(servers)).toEqual([]);
    const made = await acting.failover.failover({ acceptLoss: true });
    expect(made).toMatchObject({ ok: true, plan: { from: next.id, loss: { known: false } } });
    await acting.mysql.query('CREATE TABLE shop.on_again (id INT PRIMARY KEY)', { blockMs: 30_000 });
    expect(await writableNodes(servers)).toHaveLength(1);
  });
});
