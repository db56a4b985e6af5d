/** All servers and all processes are begun anew, as after a power cut: the primary, which its configuration closes, is opened again. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { RepairShop } from '../../src/failover/overseer/repair-shop.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(CLIENT_DATABASES)('$name', ({ options, flavor }) => {
  let servers: LocalCluster;
  let open: Cluster | undefined;
  const close = flavor === 'mysql' ? 'SET GLOBAL super_read_only=1' : 'SET GLOBAL read_only=1';

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    await servers.primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY)');
    await servers.waitForReplication();
    // What the page asks for: `read_only=1` in every configuration file.
    (servers.primary as { startsReadOnly?: boolean }).startsReadOnly = true;
    // The service has run before.
    const before = await begin();
    await before.mysql.query('INSERT INTO kept VALUES (0)', { blockMs: 30_000 });
    await before.close();
    await servers.waitForReplication();
  }, 120_000);
  afterEach(async () => {
    vi.restoreAllMocks();
    await open?.close();
  });
  afterAll(async () => {
    await servers?.close();
  });

  async function begin(): Promise<Cluster> {
    const { admin, repl } = servers.accounts;
    open = await createCluster({
      mysql: servers.options().mysql,
      failover: { mode: 'auto', credentials: admin, replication: repl, maxLoss: 'any', leaseMs: 2_000 },
    });
    return open;
  }

  test('the primary takes writes again', { timeout: 180_000 }, async () => {
    await Promise.all(servers.databases.map((node) => node.kill()));
    await Promise.all(servers.databases.map((node) => node.start()));
    expect(await writableNodes(servers)).toEqual([]);
    const cluster = await begin();
    await eventually(
      'the primary takes writes',
      async () => (await writableNodes(servers)).length > 0,
      60_000,
    );
    expect(await writableNodes(servers)).toEqual([servers.primary]);
    await eventually('a write is done', async () => {
      await cluster.mysql.query('INSERT INTO kept VALUES (1)', { blockMs: 30_000 });
      return true;
    });
  });

  test('one that an operator has closed stays closed', { timeout: 180_000 }, async () => {
    await servers.primary.query(close);
    const looked = vi.spyOn(RepairShop.prototype, 'repair');
    const first = await begin();
    await eventually('it was looked at', () => looked.mock.settledResults.length >= 5, 60_000);
    expect(await writableNodes(servers)).toEqual([]);
    // The same, closed by its configuration. A restart that takes long would be a death to whoever sees it.
    await first.close();
    await servers.primary.restart();
    await begin();
    await eventually(
      'the primary takes writes',
      async () => (await writableNodes(servers)).length > 0,
      60_000,
    );
    expect(await writableNodes(servers)).toEqual([servers.primary]);
  });

  test('one that has lost what a replica has stays closed', { timeout: 180_000 }, async () => {
    const [replica] = servers.replicas;
    await servers.waitForReplication();
    if (flavor === 'mysql') await replica?.query('SET GLOBAL super_read_only=0');
    // Under the name of the primary: what a replica wrote under its own is no loss.
    const [name] = await servers.primary.query<{ id: string }>(
      `SELECT @@GLOBAL.${flavor === 'mysql' ? 'server_uuid' : 'server_id'} AS id`,
    );
    const asPrimary = flavor === 'mysql' ? `gtid_next='${name?.id}:1000000'` : `server_id=${name?.id}`;
    await replica?.query(`SET SESSION ${asPrimary}`);
    await replica?.query('INSERT INTO shop.kept VALUES (2)');
    await replica?.query(`SET SESSION ${flavor === 'mysql' ? "gtid_next='AUTOMATIC'" : 'server_id=DEFAULT'}`);
    if (flavor === 'mysql') await replica?.query(close);
    await servers.primary.restart();
    const looked = vi.spyOn(RepairShop.prototype, 'repair');
    await begin();
    await eventually(
      'it is refused, with the reason',
      () =>
        looked.mock.settledResults.some(
          ({ type, value }) =>
            type === 'rejected' &&
            /was started again, and .* has more|no node has everything/.test(String(value)),
        ),
      60_000,
    );
    expect(await writableNodes(servers)).toEqual([]);
  });
});
