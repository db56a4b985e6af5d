/** Something in front of a primary that lives refuses this process, and others go on to write: no read may be taken for fresh. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { ReadOptions } from '../../src/mysql/read-options.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const MAX_LAG_MS = 1_500;
const PATIENCE_MS = 60_000;

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let replica: LocalDatabaseNode;
  let door: FaultProxy;
  const clients: MysqlCluster[] = [];
  let strict: MysqlCluster;
  let lenient: MysqlCluster;
  /** When each version was there, by its number. */
  const writtenAt: number[] = [];
  /** The longest that a look at a node was old, as far as it was noticed. */
  let oldestLookMs = 0;

  /** A client that reaches the primary through the door, while replication goes another way. */
  async function clientWith(reads: ReadOptions): Promise<MysqlCluster> {
    const settings = servers.options().mysql;
    const client = await createMysqlCluster({
      ...settings,
      primary: String(settings.primary).replace(servers.primary.id, `127.0.0.1:${door.port}`),
      discover: false,
      blockMs: 100,
      reads: { maxLagMs: MAX_LAG_MS, ...reads },
      monitor: { ...settings.monitor, intervalMs: 250 },
    });
    clients.push(client);
    return client;
  }

  /** Somebody else's write, past the door. */
  async function write(): Promise<void> {
    await servers.primary.query(`UPDATE shop.t SET version = ${writtenAt.length}`);
    writtenAt.push(performance.now());
  }

  /** The version that a read gives, and for how long it had been an old one when the read began; undefined when it is refused. */
  async function read(client: MysqlCluster): Promise<{ version: number; oldMs: number } | undefined> {
    const since = performance.now();
    for (const node of client.topology().nodes)
      if (node.state === 'up') oldestLookMs = Math.max(oldestLookMs, since - node.seenAt);
    const [rows] = await client.query<never>('SELECT version FROM shop.t').catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_NO_REPLICA' });
      return [undefined];
    });
    if (rows === undefined) return undefined;
    const version = Number((rows as { version: unknown }[])[0]?.version);
    return { version, oldMs: Math.max(0, since - (writtenAt[version + 1] ?? since)) };
  }

  /** What `maxLagMs` promises, by measurements that are as old as they were seen to be. */
  const promisedMs = (): number => MAX_LAG_MS + 2 * oldestLookMs + 1_000;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    const [first] = servers.replicas;
    if (first === undefined) throw new Error('There is no replica');
    replica = first;
    door = await FaultProxy.open(() => servers.primary.realPort);
    await servers.primary.query('CREATE TABLE shop.t (version INT)');
    await servers.primary.query('INSERT INTO shop.t VALUES (0)');
    writtenAt.push(performance.now());
    await servers.waitForReplication();
    lenient = await clientWith({});
    strict = await clientWith({ maxLagWithoutPrimaryMs: MAX_LAG_MS });
    await eventually('the replica serves', () => clients.every(isReader), PATIENCE_MS);
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    door?.destroy();
    await servers?.close();
  });

  const isReader = (client: MysqlCluster): boolean => client.explain('SELECT 1').node === replica.id;

  test('a replica that still hears of the primary serves what is fresh', async () => {
    door.destroy();
    await eventually(
      'the primary is refused',
      () =>
        clients.every((client) => {
          const { nodes, writer } = client.topology();
          return writer.kind === 'no-primary' && nodes.some((node) => node.state === 'down');
        }),
      PATIENCE_MS,
    );
    const before = writtenAt.length;
    for (const client of clients)
      await eventually(
        'a write of now is read',
        async () => {
          await write();
          const seen = await read(client);
          if (client === strict) expect(seen?.oldMs ?? 0).toBeLessThanOrEqual(promisedMs());
          return (seen?.version ?? 0) >= before;
        },
        PATIENCE_MS,
      );
  });

  test('one that does not serves no longer than `maxLagMs`, unless reads are to go on without a primary', async () => {
    const cut = servers.primary.faults.partition({ only: 'replication' });
    const isOver = async (): Promise<boolean> => {
      await write();
      const [kept, gone] = [await read(strict), await read(lenient)];
      expect(kept?.oldMs ?? 0).toBeLessThanOrEqual(promisedMs());
      return kept === undefined && gone !== undefined && gone.oldMs > promisedMs();
    };
    await eventually('only old answers are left', isOver, PATIENCE_MS);
    // Now the replica itself sees that it has lost its source, which is no proof of anything either.
    using _refused = servers.primary.faults.reset({ only: 'replication' });
    cut.heal();
    await eventually(
      'the replica has lost the primary',
      () => strict.topology().nodes.some((node) => node.state === 'up' && node.sourceLost !== undefined),
      PATIENCE_MS,
    );
    await eventually('still only old answers are left', isOver, PATIENCE_MS);
    await expect(strict.query('SELECT 1')).rejects.toThrow(/maxLagWithoutPrimaryMs/);
    // A bound that a call names for itself holds, too.
    const call = { sql: 'SELECT 1', maxLagMs: MAX_LAG_MS };
    await expect(lenient.query(call)).rejects.toMatchObject({ code: 'ERR_NO_REPLICA' });
    await expect(lenient.query({ ...call, maxLagWithoutPrimaryMs: 3_600_000 })).resolves.toBeDefined();
  });

  test('when the door is open again everybody reads what is fresh', async () => {
    await door.accept();
    await eventually(
      'the newest is read',
      async () => {
        await write();
        const seen = [await read(strict), await read(lenient)];
        expect(seen[0]?.oldMs ?? 0).toBeLessThanOrEqual(promisedMs());
        return seen.every((each) => each !== undefined && each.version >= writtenAt.length - 2);
      },
      PATIENCE_MS,
    );
    await eventually('the replica serves', () => clients.every(isReader), PATIENCE_MS);
  });
});
