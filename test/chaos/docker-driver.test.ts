/** Databases in containers, which are processes of this machine: see test/integration/docker-driver.test.ts. */
import { expect, test } from 'vitest';
import { createCluster } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';
import { useProcessEngine } from '../support/use-process-engine.js';

const engine = useProcessEngine();

test('an empty database is made, a replica follows, and both come back', { timeout: 120_000 }, async () => {
  const servers = await startLocalCluster({ driver: 'docker', replicas: 1 });
  try {
    expect(servers.versions.mariadb).toEqual({ version: '11.8.2', origin: 'docker', from: 'mariadb:11.8' });
    const accounts = await servers.primary.query(
      "SELECT User, Host FROM mysql.user WHERE User <> 'mariadb.sys'",
    );
    expect(accounts.map(({ User, Host }) => `${User}@${Host}`).sort()).toEqual([
      'admin@%',
      'app@%',
      'monitor@%',
      'repl@%',
      'root@localhost',
    ]);
    const cluster = await createCluster(servers.options());
    await cluster.mysql.query('CREATE TABLE t (id INT PRIMARY KEY)');
    await servers.waitForReplication();
    const [rows] = await cluster.mysql.query<never>('SELECT @@server_id AS id');
    expect(rows).toEqual([{ id: servers.replicas[0]?.serverId }]);
    await cluster.close();
    await servers.primary.restart();
    await servers.replicas[0]?.kill();
    await servers.replicas[0]?.start();
    await servers.primary.query('INSERT INTO shop.t VALUES (1)');
    await servers.waitForReplication();
    expect(await servers.replicas[0]?.query('SELECT id FROM shop.t')).toEqual([{ id: 1 }]);
  } finally {
    await servers.close();
  }
  expect([engine().unknown, engine().left]).toEqual([[], []]);
});
