/** A former primary receives as the replicas do, on real servers whose replicas use TLS with certificates on both sides. */
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { PreflightCheck } from '../../src/failover/preflight/preflight.js';
import { surveyNode } from '../../src/failover/survey/node-survey.js';
import { type Cluster, createCluster, type ReplicationTlsOptions } from '../../src/index.js';
import { parseServerVersion } from '../../src/mysql/server-version.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { createTlsFolder } from '../integration/tls-certificate.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';

describe.each(DATABASES)('$name', ({ flavor, options }) => {
  const isMysql = flavor === 'mysql';
  const word = isMysql ? 'SOURCE' : 'MASTER';
  const folder = createTlsFolder();
  const cert = (folder.serverArgs[0] ?? '').split('=')[1] ?? '';
  const key = join(cert, '..', 'key.pem');
  const files = { ca: cert, cert, key };
  afterAll(() => folder.remove());

  /** Servers whose replicas receive encrypted, from nobody whose certificate they have not looked at. */
  async function open(replicas: number): Promise<LocalCluster> {
    const servers = await startLocalCluster({
      ...options,
      php: false,
      memcached: 0,
      replicas,
      serverArgs: { mysql: folder.serverArgs },
    });
    await servers.primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY)');
    await servers.waitForReplication();
    const tls = `${word}_SSL=1, ${word}_SSL_CA='${cert}', ${word}_SSL_CERT='${cert}', ${word}_SSL_KEY='${key}', ${word}_SSL_VERIFY_SERVER_CERT=1`;
    for (const replica of servers.replicas) {
      await replica.query(isMysql ? 'STOP REPLICA' : 'STOP SLAVE');
      await replica.query(isMysql ? `CHANGE REPLICATION SOURCE TO ${tls}` : `CHANGE MASTER TO ${tls}`);
      await replica.query(isMysql ? 'START REPLICA' : 'START SLAVE');
    }
    await servers.primary.query(`ALTER USER '${servers.accounts.repl.user}'@'%' REQUIRE X509`);
    await servers.waitForReplication();
    return servers;
  }
  async function start(
    servers: LocalCluster,
    tls?: boolean | ReplicationTlsOptions,
    third?: LocalCluster,
  ): Promise<Cluster> {
    const { admin, repl } = servers.accounts;
    return await createCluster({
      mysql: servers.options().mysql ?? {},
      failover: {
        mode: 'approve',
        credentials: admin,
        replication: { user: repl.user, password: repl.password, ...(tls === undefined ? {} : { tls }) },
        maxLoss: 'any',
        leaseMs: 3_000,
        hooks: { approve: () => ({ veto: 'it is done by hand' }) },
        ...(third === undefined
          ? {}
          : {
              witness: `mysql://${third.accounts.admin.user}:${third.accounts.admin.password}@${third.primary.id}`,
            }),
      },
    });
  }
  const settingsOf = async (node: LocalDatabaseNode): Promise<unknown> => {
    const [row] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
    const { Master_SSL_Allowed, Master_SSL_CA_File, Master_SSL_Cert, Master_SSL_Key } = row ?? {};
    const names = [Master_SSL_CA_File, Master_SSL_Cert, Master_SSL_Key];
    return [Master_SSL_Allowed, ...names, row?.['Master_SSL_Verify_Server_Cert'], row?.['Slave_IO_Running']];
  };
  const receives = async (node: LocalDatabaseNode, settings: readonly unknown[]): Promise<void> => {
    await eventually('it receives', async () => ((await settingsOf(node)) as unknown[])[5] === 'Yes').catch(
      async (error: unknown) => {
        const [row] = await askInOldWords(node, flavor, 'SHOW SLAVE STATUS');
        throw new Error(`${String(error)}: ${String(row?.['Last_IO_Error'])}`);
      },
    );
    expect(await settingsOf(node)).toEqual([...settings, 'Yes']);
  };
  const secure = ['Yes', cert, cert, key, 'Yes'];
  const checksOf = async (cluster: Cluster): Promise<readonly PreflightCheck[]> =>
    (await cluster.failover.preflight()).checks.filter(({ name }) => name === 'replication-tls');

  test('after a switchover: as the others, or as the option says; preflight tells what would be worse', {
    timeout: 240_000,
  }, async () => {
    await using servers = await open(2);
    const [first] = servers.replicas;
    const old = servers.primary;
    if (first === undefined) throw new Error('no replica');
    for (const [tls, words] of [
      [false, 'in clear text'],
      [true, 'certificate'],
    ] as const) {
      await using weak = await start(servers, tls);
      const found = await checksOf(weak);
      expect(found.map(({ result }) => result)).toEqual(['warn', 'warn']);
      expect(found[0]?.detail).toContain(words);
      expect(found[0]?.detail).toContain(`{ ca: '${cert}', cert: '${cert}', key: '${key}', verify: true }`);
    }
    {
      await using cluster = await start(servers, { ...files, ca: '/nowhere/ca.pem' });
      const found = (await cluster.failover.preflight()).checks.filter(
        ({ name }) => name === 'replication-tls-files',
      );
      expect(found.map(({ result }) => result)).toEqual(['warn', 'warn', 'warn']);
      const said = `${old.id} would receive with /nowhere/ca.pem as a replica`;
      expect(found.find(({ node }) => node === old.id)?.detail).toContain(said);
      expect((await cluster.failover.plan('switchover')).warnings.join()).toContain(said);
    }
    {
      await using cluster = await start(servers);
      expect((await cluster.failover.plan('switchover')).warnings).toEqual([]);
      const { checks } = await cluster.failover.preflight();
      const own = checks.filter(({ name }) => name === 'replication-tls' || name === 'carried-settings');
      expect(own.map(({ result, detail }) => [result, detail])).toEqual(
        own.map(({ name }) => ['pass', `${name}: as it should be`]),
      );
      expect(own).toHaveLength(4);
      expect(await cluster.failover.switchover({ to: first.id })).toMatchObject({ ok: true, left: [] });
      await receives(old, secure);
      await cluster.mysql.query('INSERT INTO kept VALUES (1)', { blockMs: 30_000 });
    }
    await using cluster = await start(servers, { ...files, verify: false });
    expect(await cluster.failover.switchover({ to: old.id })).toMatchObject({ ok: true, left: [] });
    await receives(first, ['Yes', cert, cert, key, 'No']);
  });

  test('with two nodes, and a process that is begun when there is no replica: as the one did that is the primary now', {
    timeout: 240_000,
  }, async () => {
    await using servers = await open(1);
    await using third = await startLocalCluster({ ...options, php: false, memcached: 0, replicas: 0 });
    const [next] = servers.replicas;
    const old = servers.primary;
    {
      await using cluster = await start(servers, undefined, third);
      await old.kill();
      expect(await cluster.failover.failover({ force: true, acceptLoss: true })).toMatchObject({ ok: true });
    }
    // It has seen no replica, ever.
    await using later = await start(servers, undefined, third);
    await old.start();
    await eventually('it follows', async () => ((await settingsOf(old)) as unknown[])[0] !== undefined);
    await receives(old, secure);
    expect(await writableNodes(servers)).toEqual([next]);
    expect((await checksOf(later)).map(({ result }) => result)).toEqual(['pass']);
  });

  test('a server tells whether it has a certificate', { timeout: 120_000 }, async () => {
    const look = async (args: readonly string[]): Promise<boolean> => {
      const mysql = [...args];
      await using servers = await startLocalCluster({
        ...options,
        php: false,
        memcached: 0,
        replicas: 0,
        serverArgs: { mysql },
      });
      const node = servers.primary;
      const [row] = await node.query('SELECT VERSION() AS version');
      const version = parseServerVersion(String(row?.['version']));
      return (await surveyNode(node.id, version, async (sql) => await node.query(sql))).offersTls;
    };
    expect(await look(folder.serverArgs)).toBe(true);
    expect(await look(isMysql ? ['--tls-version='] : ['--skip-ssl'])).toBe(false);
  });
});
