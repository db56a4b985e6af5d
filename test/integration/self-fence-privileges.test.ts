/** What the account of the manager needs for the self-fence event, and to end sessions, on real servers: what is missing is named, and what is named is enough. */
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pastReadOnlySql, waitersSql } from '../../src/failover/plan/ending-sql.js';
import { fenceStateSql, readFenceState } from '../../src/failover/self-fence/fence-state.js';
import { type Cluster, createCluster } from '../../src/index.js';
import { parseServerVersion } from '../../src/mysql/server-version.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const credentials = { user: 'acting', password: 'acting secret' };
/** All that acts on servers without an event; each row is named with the privileges that it lacks for one. */
const NEEDED = {
  mariadb:
    'READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, REPLICA MONITOR, BINLOG MONITOR, BINLOG ADMIN, RELOAD, ' +
    'CREATE, INSERT, SELECT, UPDATE, DELETE',
  mysql:
    'SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, REPLICATION CLIENT, RELOAD, CREATE, INSERT, SELECT, UPDATE, DELETE',
} as const;
const LACKING = { mariadb: ['EVENT'], mysql: ['EVENT'] } as const;
const SCOPES: Readonly<Record<string, string>> = { EVENT: 'ha_meta.*' };

describe.each(CLIENT_DATABASES)('$name', ({ flavor, options }) => {
  let servers: LocalCluster;

  beforeAll(async () => {
    const serverArgs = { mysql: ['--event-scheduler=ON'] };
    servers = await startLocalCluster({ php: false, memcached: 0, replicas: 2, ...options, serverArgs });
    const { user, password } = credentials;
    await servers.primary.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`);
    // MySQL takes privileges of the old and the new kind in statements of their own.
    for (const privileges of NEEDED[flavor].split(', '))
      await servers.primary.query(`GRANT ${privileges} ON *.* TO '${user}'@'%'`);
    await servers.waitForReplication();
  });
  afterAll(async () => {
    await servers?.close();
  });

  const start = async (mode: 'approve' | 'auto', selfFenceMs: number): Promise<Cluster> =>
    await createCluster({
      mysql: { ...servers.options().mysql, blockMs: 60_000 },
      failover: {
        mode,
        credentials,
        replication: servers.accounts.repl,
        maxLoss: 'any',
        leaseMs: 2_000,
        selfFenceMs,
        ...(mode === 'approve' ? { hooks: { approve: () => ({ veto: 'nobody is asked' }) } } : {}),
      },
    });
  const grant = async (privilege: string): Promise<void> => {
    await servers.primary.query(grantOf(privilege));
    await servers.waitForReplication();
  };
  const grantOf = (privilege: string): string =>
    `GRANT ${privilege} ON ${SCOPES[privilege]} TO '${credentials.user}'@'%'`;

  test('without an event nothing is missing', async () => {
    await using cluster = await start('approve', 0);
    const { checks } = await cluster.failover.preflight();
    expect(checks.filter(({ name }) => name === 'manager-privileges').map(({ result }) => result)).toEqual([
      'pass',
      'pass',
      'pass',
    ]);
  });

  test('what it lacks to end sessions that keep a primary from being closed is named with the GRANT', async () => {
    const found = async () => {
      await using cluster = await start('approve', 0);
      const { ok, checks } = await cluster.failover.preflight();
      expect(ok).toBe(true);
      return checks.filter(({ name }) => name === 'ending-privileges');
    };
    // On MySQL nobody but such an account ends who has SYSTEM_USER, as its administrator; MariaDB asks for who may write past read_only.
    const account = servers.accounts[flavor === 'mysql' ? 'app' : 'admin'];
    await servers.primary.query('CREATE TABLE shop.past (id INT PRIMARY KEY)');
    const [writer, acting] = await Promise.all(
      [account, credentials].map((each) =>
        createConnection({ host: '127.0.0.1', port: servers.primary.realPort, ...each }),
      ),
    );
    try {
      await writer?.query('START TRANSACTION');
      await writer?.query('INSERT INTO shop.past VALUES (1)');
      const [[version] = []] = (await acting?.query<RowDataPacket[]>('SELECT VERSION() AS text')) ?? [];
      const at = parseServerVersion(String(version?.['text']));
      const sql = pastReadOnlySql(at) ?? waitersSql(at);
      await expect(acting?.query(sql)).rejects.toMatchObject({ errno: 1227 });
      const asked = await found();
      expect(asked.map(({ node, result }) => [node, result])).toEqual(
        servers.databases.map(({ id }) => [id, 'warn']),
      );
      for (const statement of asked[0]?.detail.match(/GRANT [^;]*/g) ?? [])
        await servers.primary.query(statement);
      await servers.waitForReplication();
      expect((await found()).map(({ result }) => result)).toEqual(['pass', 'pass', 'pass']);
      // It counts from the next login on.
      await acting?.changeUser(credentials);
      const [[listed] = []] = (await acting?.query<RowDataPacket[]>(sql)) ?? [];
      expect(listed).toMatchObject({ user: account.user });
      await acting?.query(`KILL ${listed?.['id']}`);
      await expect(writer?.query('COMMIT')).rejects.toMatchObject({ fatal: true });
    } finally {
      for (const connection of [writer, acting]) connection?.destroy();
    }
  });

  test('for the event each one that is missing is named, and `auto` does not start before it is granted', async () => {
    const missing: string[] = [...LACKING[flavor]];
    while (missing.length > 0) {
      const words = `lacks ${missing.join(', ')} on `;
      const asked = missing.map(grantOf).join('; ');
      await using cluster = await start('approve', 4_000);
      const { ok, checks } = await cluster.failover.preflight();
      expect(ok).toBe(false);
      expect(checks.filter(({ name }) => name === 'manager-privileges')).toEqual(
        servers.databases.map(({ id }) =>
          expect.objectContaining({ node: id, result: 'fail', detail: expect.stringContaining(words + id) }),
        ),
      );
      await expect(start('auto', 4_000)).rejects.toMatchObject({
        code: 'ERR_CHANGE_REFUSED',
        message: expect.stringContaining(asked),
      });
      await grant(missing.shift() ?? '');
    }
    // All that was named is enough: the event is made on every node, and guarded.
    await using cluster = await start('auto', 4_000);
    await eventually('the event runs on all nodes', async () => {
      const states = await Promise.all(
        servers.databases.map(async (node) =>
          readFenceState((await node.query(fenceStateSql('stormlamp')))[0] ?? {}),
        ),
      );
      return states.every(({ runs, comment }) => runs && comment !== undefined);
    });
    await servers.primary.query('CREATE TABLE shop.t (id INT)');
    const until = performance.now() + 8_000;
    await eventually('it takes writes for twice its time', async () => {
      await cluster.mysql.query('INSERT INTO t VALUES (1)');
      return performance.now() > until;
    });
  });
});
