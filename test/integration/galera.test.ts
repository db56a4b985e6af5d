/**
 * Three Galera members and a replica beside them: one member takes the writes, the others read, and all of them follow when a
 * member is killed, comes back, or loses the others.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { DatabaseNode } from '../../src/testing/database/database-node.js';
import { effectiveLagMs, roleOf } from '../../src/topology/node-description.js';
import { type GaleraCluster, startGalera } from '../support/galera-cluster.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

/** What waits for a cluster that has to find together again is asked by `npm run chaos -- topology` only. */
const isLongForm = process.env['STORMLAMP_CHAOS'] === '1';
const RELEASES = CLIENT_DATABASES.filter(({ flavor }) => flavor === 'mariadb');

describe.each(RELEASES)('$name', ({ options }) => {
  let galera: GaleraCluster;
  let replica: DatabaseNode;
  let client: MysqlCluster;
  const clients: MysqlCluster[] = [];

  beforeAll(async () => {
    const release = options.versions === undefined ? 'system' : 'newest';
    galera = await startGalera(release, eventually);
    replica = await galera.startReplica(galera.nodes[0] as DatabaseNode);
    client = await clientWith(200);
    await client.query('CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)');
    await client.query('INSERT INTO t VALUES (1, 0)');
  });
  afterAll(async () => {
    await Promise.all(clients.map((each) => each.close()));
    await galera?.close();
  });

  async function clientWith(intervalMs: number, blockMs = 5_000): Promise<MysqlCluster> {
    const { app, monitor } = galera.accounts;
    const url = ({ id }: { id: string }): string => `mysql://${app.user}:${app.password}@${id}/shop`;
    const nodes = [...galera.nodes, replica].map(url);
    const made = await eventually('the accounts are everywhere', () =>
      createMysqlCluster({
        nodes,
        monitor: { credentials: monitor, intervalMs, timeoutMs: 5_000 },
        discover: false,
        blockMs,
      }).catch(() => undefined),
    );
    clients.push(made);
    return made;
  }
  const roles = (): Record<string, string> =>
    Object.fromEntries(client.topology().nodes.map((node) => [node.id, roleOf(node)]));
  const writer = (): string | undefined => {
    const state = client.topology().writer;
    return state.kind === 'primary' ? state.node : undefined;
  };
  const isWhole = (): boolean =>
    galera.nodes.every(({ id }) => ['primary', 'replica'].includes(roles()[id] ?? '')) &&
    writer() !== undefined;
  function memberThat(writes: boolean): DatabaseNode {
    const found = galera.nodes.find(({ id }) => (id === writer()) === writes);
    if (found === undefined) throw new Error('There is no such member');
    return found;
  }
  const count = async (): Promise<number> => {
    const [rows] = await client.query<never>('SELECT v FROM t WHERE id = 1');
    return (rows as { v: number }[])[0]?.v ?? -1;
  };

  /** Writes and reads in scopes, and tells which servers read. */
  async function writeThenRead(pairs: number): Promise<Set<number>> {
    const served = new Set<number>();
    const start = await client.run({ preference: 'primary' }, count);
    for (let v = start + 1; v <= start + pairs; v += 1) {
      const seen = await client.run({}, async () => {
        await client.execute('UPDATE t SET v = ? WHERE id = 1', [v]);
        const [rows] = await client.query<never>('SELECT v, @@server_id AS id FROM t WHERE id = 1');
        return (rows as { v: number; id: number }[])[0];
      });
      expect(seen?.v).toBe(v);
      served.add(seen?.id ?? 0);
    }
    return served;
  }
  /** Cuts a member off from the others, as a network that fails does. */
  const isolate = (member: DatabaseNode, isOn: boolean): Promise<unknown> =>
    member.query(`SET GLOBAL wsrep_provider_options = 'gmcast.isolate=${isOn ? 1 : 0}'`);

  test('one member writes, the others and the replica read', async () => {
    const first = galera.nodes.map(({ id }) => id).sort()[0];
    await eventually('the first one writes', () => writer() === first);
    await eventually('the replica follows', () => roles()[replica.id] === 'replica');
    expect(Object.values(roles()).sort()).toEqual(['primary', 'replica', 'replica', 'replica']);
    expect(client.topology().warnings).toEqual([]);
    expect(client.topology().nodes[0]).toMatchObject({
      facts: { group: { kind: 'galera', state: 'online', hasQuorum: true } },
    });
    await eventually('a member that is no writer reads', () => client.explain('SELECT 1').node !== writer());
  });

  test('a scope sees its writes on every member, and never reads on the replica, whose numbers are its own', async () => {
    const served = await writeThenRead(200);
    expect(served.size).toBeGreaterThan(1);
    expect(served).not.toContain(replica.serverId);
    const token = await client.token();
    expect(token).not.toBe('');
    expect(await client.run({ after: token }, count)).toBe(await count());
  });

  test('a write whose GTID is hidden binds its scope to the writer for one read only', async () => {
    const served = await client.run({}, async () => {
      await client.query('INSERT INTO t VALUES (2, 0) RETURNING id');
      const ids: number[] = [];
      for (let read = 0; read < 10; read += 1) {
        const [rows] = await client.query<never>('SELECT @@server_id AS id FROM t WHERE id = 2');
        expect(rows).toHaveLength(1);
        ids.push((rows as { id: number }[])[0]?.id ?? 0);
      }
      return ids;
    });
    const writerId = memberThat(true).serverId;
    expect(served[0]).toBe(writerId);
    expect(served.slice(1)).not.toContain(writerId);
  });

  test('with wsrep_gtid_mode the numbers are those of all: the replica serves what it has, and nothing that it lacks', async () => {
    for (const member of galera.nodes) await member.query('SET GLOBAL wsrep_gtid_mode = ON');
    await eventually('that is seen', () =>
      client
        .topology()
        .nodes.every(
          (node) => node.state === 'up' && (node.id === replica.id || node.facts.group?.gtidDomain === 0),
        ),
    );
    expect(await writeThenRead(200)).toContain(replica.serverId);
    await replica.query('STOP SLAVE SQL_THREAD');
    expect(await writeThenRead(50)).not.toContain(replica.serverId);
    await replica.query('START SLAVE');
    await eventually('the replica reads again', async () => (await writeThenRead(5)).has(replica.serverId));
  });

  test('a member whose applying thread cannot commit is late, though nothing is queued there', async () => {
    const member = memberThat(false);
    const lagOf = (): number => {
      const node = client.topology().nodes.find(({ id }) => id === member.id);
      return (node && effectiveLagMs(node, performance.now())) ?? Number.POSITIVE_INFINITY;
    };
    await eventually('it is in step', () => lagOf() < 1_000);
    await member.query('LOCK TABLES shop.t READ');
    try {
      await client.query('UPDATE t SET v = v + 1 WHERE id = 1');
      await eventually('it is late', () => lagOf() > 2_000);
      const [row] = await member.query("SHOW STATUS LIKE 'wsrep_local_recv_queue'");
      expect(row?.['Value']).toBe('0');
      const wanted = await client.run({ preference: 'primary' }, count);
      for (let read = 0; read < 20; read += 1) {
        const [rows] = await client.query<never>({ sql: 'SELECT v FROM t WHERE id = 1', maxLagMs: 2_000 });
        expect(rows).toMatchObject([{ v: wanted }]);
      }
    } finally {
      await member.query('UNLOCK TABLES');
    }
    await eventually('it is in step again', () => lagOf() < 1_000);
  });

  test('a member that is desynced reads nothing', async () => {
    const member = memberThat(false);
    await member.query('SET GLOBAL wsrep_desync = ON');
    await eventually('the donor is left out', () => roles()[member.id] === 'unknown');
    await member.query('SET GLOBAL wsrep_desync = OFF');
    await eventually('it reads again', () => roles()[member.id] === 'replica');
  });

  test('a writer that is cut off refuses, and what it refused is done by the next one', async () => {
    // Its monitor looks so seldom that only the refusal can tell.
    const slow = await clientWith(60_000, 60_000);
    const cut = memberThat(true);
    const before = await count();
    await isolate(cut, true);
    try {
      await eventually('it is out of the cluster', async () => {
        const [row] = await cut.query("SHOW STATUS LIKE 'wsrep_ready'");
        return row?.['Value'] === 'OFF';
      });
      await slow.query('UPDATE t SET v = v + 1 WHERE id = 1');
      expect(slow.topology().writer).not.toEqual({ kind: 'primary', node: cut.id });
      for (let read = 0; read < 10; read += 1) await slow.query('SELECT v FROM t');
      await eventually('the monitor sees it, too', () => roles()[cut.id] === 'unknown');
      expect(await client.run({ preference: 'primary' }, count)).toBe(before + 1);
    } finally {
      await isolate(cut, false);
    }
  });

  if (!isLongForm) return;

  // How soon members that were cut off are one cluster again is up to them: a busy machine was seen to take half a minute.
  beforeEach(async () => void (await eventually('the cluster is whole', isWhole, 150_000)));

  test('without a majority nobody reads or writes, and afterwards everybody does', async () => {
    const slow = await clientWith(60_000);
    const before = await client.run({ preference: 'primary' }, count);
    const [, second, third] = galera.nodes;
    const cut = [second, third].filter((member) => member !== undefined);
    // The write is under way while the majority is lost: it happened, or is said to be unknown.
    let acknowledged = 0;
    let unknown = 0;
    let isOver = false;
    const others: unknown[] = [];
    async function again(sql: string, done: () => void, doubted: () => void): Promise<void> {
      while (!isOver) {
        await client.query(sql).then(done, (error: { code?: string }) => {
          if (error.code === 'ERR_OUTCOME_UNKNOWN') doubted();
          else if (error.code !== 'ERR_NO_PRIMARY') others.push(error);
        });
      }
    }
    const work = Promise.all([
      again(
        'UPDATE t SET v = v + 1 WHERE id = 1',
        () => {
          acknowledged += 1;
        },
        () => {
          unknown += 1;
        },
      ),
      // What defines something is done by all members together, and cut off in another way.
      again(
        'CREATE OR REPLACE TABLE defined (id INT)',
        () => undefined,
        () => undefined,
      ),
    ]);
    try {
      await Promise.all(cut.map((member) => isolate(member, true)));
      await eventually('nobody is primary', () => writer() === undefined);
      await eventually('nobody reads', () =>
        client.query('SELECT v FROM t').then(
          () => false,
          (error: { code?: string }) => error.code === 'ERR_NO_REPLICA',
        ),
      );
      await expect(slow.query('UPDATE t SET v = v + 1 WHERE id = 1')).rejects.toMatchObject({
        code: 'ERR_NO_PRIMARY',
      });
      await expect(slow.query('SELECT v FROM t')).rejects.toMatchObject({ code: 'ERR_NO_REPLICA' });
      await Promise.all(cut.map((member) => isolate(member, false)));
      await eventually('the cluster is whole again', isWhole, 150_000);
      const resumed = acknowledged;
      await eventually('writes go on', () => acknowledged > resumed);
    } finally {
      isOver = true;
      await work;
    }
    expect(others).toEqual([]);
    const after = await client.run({ preference: 'primary' }, count);
    expect(after - before).toBeGreaterThanOrEqual(acknowledged);
    expect(after - before).toBeLessThanOrEqual(acknowledged + unknown);
  });

  test('writes and reads follow when the writer is killed, and it comes back as a member', async () => {
    const killed = memberThat(true);
    const before = await count();
    await killed.kill();
    const write = (): Promise<unknown> => client.query('UPDATE t SET v = v + 1 WHERE id = 1');
    // It waits for the next writer, or was on its way to the last one.
    await eventually('there is another writer', () =>
      write().then(
        () => true,
        (error) => {
          expect(['ERR_OUTCOME_UNKNOWN', 'ERR_NO_PRIMARY']).toContain(error.code);
          return false;
        },
      ),
    );
    expect(writer()).not.toBe(killed.id);
    expect(roles()[killed.id]).toBe('unknown');
    expect(await client.run({ preference: 'primary' }, count)).toBeGreaterThan(before);
    await eventually('the others have let it go', async () => {
      const [row] = await memberThat(true).query("SHOW STATUS LIKE 'wsrep_cluster_size'");
      return row?.['Value'] === '2';
    });
    await galera.rejoin(killed);
    await eventually('it is a member again', isWhole, 150_000);
    expect((await writeThenRead(50)).size).toBeGreaterThan(1);
  });
});
