/** Encrypted connections: who the server is, is checked against a certificate authority and a name, on every node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TlsSettings } from '../../src/mysql/connection-settings.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';
import {
  createTlsFolder,
  NAME_CERTIFICATE,
  NAME_CERTIFICATE_KEY,
  OTHER_CERTIFICATE,
  OTHER_CERTIFICATE_KEY,
  TEST_CERTIFICATE,
  TEST_CERTIFICATE_KEY,
} from './tls-certificate.js';

describe.each(CLIENT_DATABASES)('on $name', ({ flavor, options }) => {
  const tls = createTlsFolder();
  let servers: LocalCluster;

  async function reload(): Promise<void> {
    for (const node of servers.databases) {
      // Without a transaction of the replica's own in its binary log.
      await node.query(flavor === 'mysql' ? 'ALTER INSTANCE RELOAD TLS' : 'FLUSH LOCAL SSL');
    }
  }

  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      serverArgs: { mysql: tls.serverArgs },
      replicas: 1,
      memcached: 0,
      php: false,
    });
    await servers.primary.query('CREATE TABLE shop.t (v INT)');
    // From here on, whoever talks in the clear is refused, the monitors included.
    await servers.primary.query(`ALTER USER '${servers.accounts.app.user}'@'%' REQUIRE SSL`);
    await servers.waitForReplication();
  });
  afterAll(async () => {
    await servers?.close();
    tls.remove();
  });

  function open(ssl: TlsSettings | boolean, host = '127.0.0.1'): Promise<MysqlCluster> {
    const { primary, replicas, ...rest } = servers.options().mysql;
    const at = (url: string): string => url.replace('127.0.0.1', host);
    return createMysqlCluster({
      ...rest,
      primary: { url: at(primary), ssl },
      replicas: replicas.map((url) => ({ url: at(url), ssl })),
      startTimeoutMs: 20_000,
    });
  }

  test('without TLS the account is refused', async () => {
    await expect(open(false)).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
  });

  const cipherOf = async (of: Pick<MysqlCluster, 'query'>): Promise<unknown> => {
    const [rows] = await of.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
    return (rows as unknown as { Value: string }[])[0]?.Value;
  };

  test('a server whose certificate the authority signed, and which it names, is talked to, encrypted', async () => {
    await using cluster = await open({ ca: TEST_CERTIFICATE, verifyIdentity: true });
    const roles: string[] = [];
    cluster.on('route', ({ role }) => roles.push(role));
    expect(await cluster.transaction(cipherOf, { readOnly: true })).toMatch(/./);
    await cluster.transaction(async (db) => {
      await db.query('INSERT INTO t VALUES (1)');
      expect(await cipherOf(db)).toMatch(/./);
    });
    expect(new Set(roles)).toEqual(new Set(['replica', 'primary']));
  });

  test.each([
    ['another authority', { ca: OTHER_CERTIFICATE }],
    ['no authority that knows it', true],
    ['another authority and a name', { ca: OTHER_CERTIFICATE, verifyIdentity: true }],
  ])('with %s it is refused', async (_name, ssl) => {
    await expect(open(ssl)).rejects.toMatchObject({
      code: 'ERR_PROTOCOL',
      message: expect.stringContaining('certificate'),
    });
    // Who asks for no proof gets none.
    await using careless = await open({ rejectUnauthorized: false });
    expect(await cipherOf(careless)).toMatch(/./);
  });

  test('a certificate for another name is refused when the name is asked for; a new one is taken without a restart', async () => {
    tls.show(OTHER_CERTIFICATE, OTHER_CERTIFICATE_KEY);
    await reload();
    try {
      await expect(open({ ca: OTHER_CERTIFICATE, verifyIdentity: true })).rejects.toMatchObject({
        code: 'ERR_PROTOCOL',
      });
      await using cluster = await open({ ca: OTHER_CERTIFICATE });
      expect(await cipherOf(cluster)).toMatch(/./);
    } finally {
      tls.show(TEST_CERTIFICATE, TEST_CERTIFICATE_KEY);
      await reload();
    }
  });

  test('a node that is called by its address is only taken for what the certificate names so', async () => {
    tls.show(NAME_CERTIFICATE, NAME_CERTIFICATE_KEY);
    await reload();
    try {
      const ssl = { ca: NAME_CERTIFICATE, verifyIdentity: true };
      await expect(open(ssl)).rejects.toMatchObject({
        code: 'ERR_PROTOCOL',
        message: expect.stringMatching(/127\.0\.0\.1 is not in the cert.*; call the node by a name/),
      });
      await using cluster = await open(ssl, 'localhost');
      expect(await cipherOf(cluster)).toMatch(/./);
    } finally {
      tls.show(TEST_CERTIFICATE, TEST_CERTIFICATE_KEY);
      await reload();
    }
  });

  test('a server that is found gets the TLS settings of the one that named it', async () => {
    const { monitor } = servers.accounts;
    const grant = flavor === 'mysql' ? 'REPLICATION SLAVE' : 'REPLICATION MASTER ADMIN';
    await servers.primary.query(`GRANT ${grant} ON *.* TO '${monitor.user}'@'%'`);
    const { primary, monitor: watch } = servers.options().mysql;
    await using cluster = await createMysqlCluster({
      monitor: watch,
      nodes: [{ url: primary, ssl: { ca: TEST_CERTIFICATE, verifyIdentity: true } }],
    });
    expect(
      cluster
        .topology()
        .nodes.map(({ id }) => id)
        .sort(),
    ).toEqual(servers.databases.map(({ id }) => id).sort());
    const roles: string[] = [];
    cluster.on('route', ({ role }) => roles.push(role));
    await eventually('the replica serves', async () => {
      expect(await cluster.transaction(cipherOf, { readOnly: true })).toMatch(/./);
      return roles.includes('replica');
    });
  });

  test('of a name with several addresses the certificate has to name the name', async () => {
    tls.show(NAME_CERTIFICATE, NAME_CERTIFICATE_KEY);
    await reload();
    const { primary, monitor } = servers.options().mysql;
    // Nothing answers at the second one.
    const resolver = { addresses: async () => ['127.0.0.1', '127.0.0.2'], services: async () => [] };
    const openAt = (host: string): Promise<MysqlCluster> =>
      createMysqlCluster({
        monitor,
        discover: { resolver },
        addressMap: () => '127.0.0.1:1',
        nodes: [
          { url: primary.replace('127.0.0.1', host), ssl: { ca: NAME_CERTIFICATE, verifyIdentity: true } },
        ],
      });
    try {
      await using cluster = await openAt('localhost');
      expect(cluster.topology().nodes.map(({ id }) => id)).toContain(servers.primary.id);
      await cluster.query('DO 1');
      await expect(openAt('other.test')).rejects.toMatchObject({
        message: expect.stringContaining('other.test. is not in the cert'),
      });
    } finally {
      tls.show(TEST_CERTIFICATE, TEST_CERTIFICATE_KEY);
      await reload();
    }
  });

  test('a statement whose limit passed is ended over an encrypted connection, too', async () => {
    await using cluster = await open({ ca: TEST_CERTIFICATE, verifyIdentity: true });
    const failures: unknown[] = [];
    cluster.on('kill-failed', (failure) => failures.push(failure));
    const sleeping = "SELECT SLEEP(600) AS 'over TLS'";
    await expect(cluster.query({ sql: sleeping, timeoutMs: 500 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    await eventually('nobody sleeps any more', async () => {
      const asked = servers.databases.map((node) =>
        node.query('SELECT id FROM information_schema.processlist WHERE info = ?', [sleeping]),
      );
      return (await Promise.all(asked)).flat().length === 0;
    });
    expect(failures).toEqual([]);
  });
});
