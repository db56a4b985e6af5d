import { expect, test } from 'vitest';
import { type LocalClusterOptions, startLocalCluster } from '../../../src/testing/index.js';
import { readLocalClusterOptions } from '../../../src/testing/local-cluster-options.js';

test('nothing said gives a MariaDB trio, two memcached nodes and PHP', () => {
  expect(readLocalClusterOptions({})).toMatchObject({
    flavor: 'mariadb',
    replicas: 2,
    memcached: 2,
    php: true,
    databases: true,
    ptHeartbeat: false,
    versions: {},
    driver: 'native',
    database: 'shop',
    user: 'app',
    password: undefined,
    keepFolder: false,
    serverArgs: { mysql: [], memcached: [] },
  });
});

test.each<[object, string]>([
  [{ replica: 1 }, 'did you mean `replicas`?'],
  [{ flavor: 'postgres' }, 'options.flavor'],
  [{ replicas: -1 }, 'options.replicas'],
  [{ replicas: 1.5 }, 'options.replicas'],
  [{ memcached: '2' }, 'options.memcached'],
  [{ php: 1 }, 'options.php'],
  [{ driver: 'podman' }, 'options.driver'],
  [{ binaries: { mysqld: '/x' } }, 'options.binaries.mysqld'],
  [{ binaries: null }, 'Expected `options.binaries` to be an object, got `null`'],
  [{ images: null }, 'Expected `options.images` to be an object, got `null`'],
  [{ serverArgs: null }, 'Expected `options.serverArgs` to be an object, got `null`'],
  [{ versions: null }, 'Expected `options.versions` to be an object, got `null`'],
  [{ versions: { mariadb: '11.8' } }, "Expected `options.versions.mariadb` to be one of 'system', 'newest'"],
  [{ versions: { mysql: 'newest' } }, 'options.versions.mysql'],
  [{ driver: 'docker', versions: { mariadb: 'newest' } }, 'name `images`'],
  [{ driver: 'docker', ptHeartbeat: true }, 'options.ptHeartbeat'],
  [{ images: { php: '' } }, 'options.images.php'],
  [{ serverArgs: { mysql: '--x' } }, 'options.serverArgs.mysql'],
  [{ serverArgs: { mariadb: [] } }, 'options.serverArgs.mariadb'],
  [{ database: 'a`b' }, 'options.database'],
  [{ database: 'mysql' }, "none of the servers' own"],
  [{ database: 'Performance_Schema' }, 'options.database'],
  [{ user: 'root' }, 'options.user'],
  [{ user: "a'b" }, 'options.user'],
  [{ password: '' }, 'options.password'],
  [{ onProgress: true }, 'options.onProgress'],
  [{ signal: {} }, 'options.signal'],
])('%j is refused before anything is started, naming the option', async (options, part) => {
  await expect(startLocalCluster(options as LocalClusterOptions)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining(part),
  });
});

test('a signal that has fired stops it before anything is started', async () => {
  await expect(startLocalCluster({ signal: AbortSignal.abort(new Error('no')) })).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
});

test('the environment says what the servers are, unless the option does', () => {
  const env = { STORMLAMP_DRIVER: 'docker' };
  expect(readLocalClusterOptions({}, env).driver).toBe('docker');
  expect(readLocalClusterOptions({ driver: 'native' }, env).driver).toBe('native');
  expect(readLocalClusterOptions({}, { STORMLAMP_DRIVER: '' }).driver).toBe('native');
  expect(() => readLocalClusterOptions({}, { STORMLAMP_DRIVER: 'podman' })).toThrow(
    "Expected `STORMLAMP_DRIVER` to be one of 'native', 'docker', 'auto', got `podman`",
  );
  expect(() => readLocalClusterOptions({ ptHeartbeat: true }, env)).toThrow('options.ptHeartbeat');
  expect(readLocalClusterOptions({ ptHeartbeat: true, driver: 'auto' }).ptHeartbeat).toBe(true);
});
