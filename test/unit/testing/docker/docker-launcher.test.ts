import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DockerLauncher } from '../../../../src/testing/docker/docker-launcher.js';
import { startLocalCluster } from '../../../../src/testing/index.js';
import type { LocalProgress } from '../../../../src/testing/local-progress.js';

/** What the engine was asked for, and what it answers. */
const engine = vi.hoisted(() => ({
  answers: true,
  calls: [] as unknown[][],
  env: ['MARIADB_VERSION=1:11.8.2+maria'] as string[],
  exists: false,
  pull: async (_name: unknown): Promise<void> => undefined,
  build: async (): Promise<void> => undefined,
  start: async (): Promise<void> => undefined,
  wait: async (): Promise<{ StatusCode: number }> => ({ StatusCode: 0 }),
}));

vi.mock('testcontainers', () => {
  /** Writes every `with…` down, in order. */
  const recorder = (): object =>
    new Proxy(
      {},
      {
        get: (_target, name) =>
          name === 'start'
            ? async () => {
                await engine.start();
                return { getId: () => 'id1' };
              }
            : (...args: unknown[]) => {
                engine.calls.push([name, ...args]);
                return recorder();
              },
      },
    );
  // A constructor may return another object, as a proxy for itself.
  function GenericContainer(image: string): object {
    engine.calls.push(['image', image]);
    return recorder();
  }
  GenericContainer.fromDockerfile = (context: string) => {
    const text = readFileSync(join(context, 'Dockerfile'), 'utf8');
    return {
      build: async (...args: unknown[]) => {
        engine.calls.push(['build', text, ...args]);
        await engine.build();
      },
    };
  };
  return {
    GenericContainer,
    ImageName: { fromString: (text: string) => ({ text }) },
    Wait: { forAll: (strategies: unknown[]) => ['all', strategies] },
    getContainerRuntimeClient: async () => {
      if (!engine.answers) throw new Error('Could not find a working container runtime strategy');
      return {
        image: {
          pull: (name: unknown) => engine.pull(name),
          exists: async () => engine.exists,
          inspect: async () => ({ Config: { Env: engine.env } }),
        },
        container: {
          getById: () => ({
            wait: () => engine.wait(),
            remove: async () => undefined,
            kill: async () => undefined,
          }),
        },
      };
    },
  };
});

let folder: string;
const progress: LocalProgress[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'docker-'));
  vi.stubEnv('TMPDIR', folder);
  engine.answers = true;
  engine.exists = false;
  engine.calls.length = 0;
  progress.length = 0;
  engine.pull = async () => undefined;
  engine.build = async () => undefined;
  engine.start = async () => undefined;
  engine.wait = async () => ({ StatusCode: 0 });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function open(servers: ('mariadb' | 'php')[], images: Record<string, string>): Promise<DockerLauncher> {
  return DockerLauncher.open({ servers, images, folder, onProgress: (event) => progress.push(event) });
}

function called(name: string): unknown[][] {
  return engine.calls.filter((call) => call[0] === name).map((call) => call.slice(1));
}

test('where no engine answers: one error that says what to do, and nothing is left', async () => {
  engine.answers = false;
  await expect(startLocalCluster({ driver: 'docker' })).rejects.toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: expect.stringMatching(/No Docker engine answers.*DOCKER_HOST.*leave `driver: 'docker'` out/),
    cause: expect.any(Error),
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('an image that cannot be had is named with the option that replaces it', async () => {
  engine.pull = () => Promise.reject(new Error('manifest unknown'));
  await expect(open(['mariadb'], { mariadb: 'mariadb:0' })).rejects.toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: expect.stringMatching(/mariadb:0.*manifest unknown.*images\.mariadb/),
  });
});

test('an image that cannot be built is told with how to see why', async () => {
  engine.build = () => Promise.reject(new Error('Failed to build image'));
  await expect(open(['php'], {})).rejects.toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: expect.stringMatching(/stormlamp-php.*Failed to build.*DEBUG=testcontainers:build.*images\.php/),
  });
});

test('a server runs in the network of the machine, as its user, with its files where they are without containers', async () => {
  const launcher = await open(['mariadb'], { mariadb: 'mariadb:11.8' });
  expect(launcher.versions).toEqual({
    mariadb: { version: '11.8.2', origin: 'docker', from: 'mariadb:11.8' },
  });
  const spec = {
    server: 'mariadb',
    name: 'db1',
    folder,
    logFile: join(folder, 'log'),
    args: ['--port=1'],
  } as const;
  const server = await launcher.launch({ ...spec, shared: ['/data'], env: { A: 'b' } });
  expect(called('withNetworkMode')).toEqual([['host']]);
  expect(called('withBindMounts')).toEqual([
    [[folder, '/data'].map((path) => ({ source: path, target: path, mode: 'rw' }))],
  ]);
  expect(called('withUser')).toEqual([[`${process.getuid?.()}:${process.getgid?.()}`]]);
  expect(called('withEnvironment')).toEqual([[{ A: 'b' }]]);
  expect(called('withEntrypoint')).toEqual([[['/bin/sh']]]);
  expect(called('withCommand')[0]?.[0]).toEqual(
    expect.arrayContaining(['mariadbd', '--port=1', spec.logFile]),
  );
  expect(await server.ended).toBe('exit code 0');
});

test('a container that cannot be started is reported with what is needed', async () => {
  const launcher = await open(['mariadb'], { mariadb: 'mariadb:11.8' });
  engine.start = () => Promise.reject(new Error('mounts denied'));
  const spec = { server: 'mariadb', name: 'db1', folder, logFile: join(folder, 'log'), args: [] } as const;
  await expect(launcher.launch(spec)).rejects.toMatchObject({
    code: 'ERR_SERVER_START',
    message: expect.stringMatching(/db1.*mounts denied.*host networking/),
    node: 'db1',
  });
});

test('an empty database is made by the image that will serve it, and a failure shows the log', async () => {
  const launcher = await open(['mariadb'], { mariadb: 'mariadb:11.8' });
  await launcher.makeData('mariadb', join(folder, 'data'), folder);
  const command = JSON.stringify(called('withCommand')[0]);
  expect(command).toContain('mariadb-install-db');
  expect(command).toContain(`--datadir=${join(folder, 'data')}`);
  engine.wait = async () => ({ StatusCode: 1 });
  await expect(launcher.makeData('mariadb', join(folder, 'data'), folder)).rejects.toMatchObject({
    code: 'ERR_SERVER_START',
    message: expect.stringContaining('exit code 1'),
  });
});

test('an image with PHP and memcached is built once, or taken from the options', async () => {
  await open(['php'], {});
  expect(called('build')[0]?.[0]).toMatch(/^FROM debian.*php-memcached/s);
  engine.calls.length = 0;
  engine.exists = true;
  await open(['php'], {});
  await open(['php'], { php: 'mine/php' });
  expect(called('build')).toEqual([]);
  expect(progress.map((event) => event.message)).toContain('getting the image mine/php');
});
