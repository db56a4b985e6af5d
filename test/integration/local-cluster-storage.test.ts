/** Folders that are full, closed or not there, and users that the system does not know. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startLocalCluster } from '../../src/testing/index.js';
import { cacheRoot } from '../../src/testing/servers/cache-folder.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT } from '../support/run-node.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

let room: MountRoom;
let small: FaultyMount;
let folder: string;
let cache: string;

beforeAll(async () => {
  await resolveServers(['mariadb', 'memcached', 'php']);
  cache = cacheRoot();
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'storage-')));
  room = await MountRoom.open();
  // Room for the folders of the servers, and not for their data.
  small = await room.add('small', '4m');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await room?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => vi.unstubAllEnvs());

test('a folder for temporary files that is too small, closed or missing is named, with TMPDIR', async () => {
  vi.stubEnv('TMPDIR', small.path);
  const refused = (reason: string): Promise<void> =>
    expect(startLocalCluster({ replicas: 0, memcached: 1, php: false })).rejects.toMatchObject({
      code: 'ERR_SERVER_START',
      message: expect.stringMatching(
        new RegExp(`^The folder for temporary files ${process.env['TMPDIR']} ${reason}.* TMPDIR`),
      ),
    });
  await refused('has not enough free space');
  expect(readdirSync(small.path)).toEqual([]);
  await small.readOnly();
  await refused('cannot be written');
  await small.writable();
  vi.stubEnv('TMPDIR', join(folder, 'missing'));
  await refused('is not there');
});

test('a folder for temporary files that is told from the working folder is found by the servers, too', async () => {
  const near = mkdtempSync(join(ROOT, '.stormlamp-near-'));
  vi.stubEnv('TMPDIR', relative(process.cwd(), near));
  try {
    const cluster = await startLocalCluster({ replicas: 0, memcached: 1, php: false });
    expect(dirname(cluster.folder)).toBe(near);
    expect(await cluster.primary.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await cluster.close();
    expect(readdirSync(near)).toEqual([]);
  } finally {
    rmSync(near, { recursive: true, force: true });
  }
});

/** Starts a cluster in a process of its own, in new namespaces, after the shell has run `before`. */
async function startApart(
  namespaces: readonly string[],
  before: string,
  cluster: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const entry = pathToFileURL(join(ROOT, 'dist', 'testing', 'index.js')).href;
  const script = `import { startLocalCluster } from '${entry}';
    try {
      const servers = await startLocalCluster(${cluster});
      for (const node of servers.nodes) console.log(node.name, node.state);
      await servers.close();
    } catch (error) {
      console.error(error.code + ': ' + error.message);
      process.exitCode = 1;
    }`;
  const command = `${before} exec "$0" --input-type=module -e "$1"`;
  const args = [...namespaces, '/bin/sh', '-c', command, process.execPath, script];
  return await runProgram('unshare', args, { timeoutMs: 50_000 });
}

test('a cache that is only read serves servers; the empty database is then made for the cluster alone', async () => {
  const data = join(cache, 'data');
  mkdirSync(data, { recursive: true });
  const closed = `mount -t tmpfs -o ro none '${data}' && export STORMLAMP_CACHE='${cache}' &&`;
  expect(await startApart(['-rm'], closed, '{ replicas: 1, memcached: 0, php: false }')).toMatchObject({
    code: 0,
    stdout: 'db1 running\ndb2 running\n',
    stderr: '',
  });
});

test('a user without an account and without a home can start servers, or is told about STORMLAMP_CACHE', async () => {
  const unknown = ['-U', '--map-user=54321'];
  const homeless = 'unset HOME XDG_CACHE_HOME STORMLAMP_CACHE;';
  const own = `${homeless} export STORMLAMP_CACHE='${cache}';`;
  expect(await startApart(unknown, own, '{ replicas: 0, memcached: 1 }')).toMatchObject({
    code: 0,
    stdout: 'db1 running\ncache1 running\n',
    stderr: '',
  });
  const { code, stderr } = await startApart(
    unknown,
    homeless,
    '{ databases: false, memcached: 1, php: false }',
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^ERR_SERVER_MISSING: There is no folder for the cache: HOME is not set.*STORMLAMP_CACHE/,
  );
});

test.each([':', ';', '"'])(
  'a cache folder with %s in its name is refused before anything is got',
  async (character) => {
    const path = join(folder, `a${character}b`);
    mkdirSync(path);
    vi.stubEnv('STORMLAMP_CACHE', path);
    // Not what is installed on this machine.
    vi.stubEnv('PATH', '/usr/bin');
    await expect(resolveServers(['mysql'])).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringMatching(/the character ".*" in its name .*; set STORMLAMP_CACHE/),
    });
    expect(readdirSync(path)).toEqual([]);
  },
);
