import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { DockerLauncher } from '../../../src/testing/docker/docker-launcher.js';
import {
  type LocalClusterOptions,
  readLocalClusterOptions,
} from '../../../src/testing/local-cluster-options.js';
import { openLauncher } from '../../../src/testing/open-launcher.js';
import type { Guardian } from '../../../src/testing/process/guardian.js';
import { NativeLauncher } from '../../../src/testing/process/native-launcher.js';
import type { ServerLauncher } from '../../../src/testing/process/server-launcher.js';

const engine = vi.hoisted(() => ({ answers: true }));

vi.mock('testcontainers', () => ({
  ImageName: { fromString: (text: string) => text },
  getContainerRuntimeClient: async () => {
    if (!engine.answers) throw new Error('no socket');
    return { image: { pull: async () => undefined, inspect: async () => ({ Config: { Env: [] } }) } };
  },
}));

const missing = new StormlampError(ErrorCode.SERVER_MISSING, 'No memcached here.');
/** What the search for programs ends with. */
let search: Error | undefined;

beforeEach(() => {
  engine.answers = true;
  search = missing;
  for (const name of ['STORMLAMP_DRIVER', 'STORMLAMP_MEMCACHED_BINARY']) vi.stubEnv(name, '');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function open(options: LocalClusterOptions): Promise<ServerLauncher> {
  const resolved = readLocalClusterOptions({ databases: false, php: false, ...options });
  return openLauncher(resolved, '/nowhere', {} as Guardian, async () => {
    if (search !== undefined) throw search;
    return {};
  });
}

test('programs of this machine come first', async () => {
  search = undefined;
  expect(await open({ driver: 'auto' })).toBeInstanceOf(NativeLauncher);
});

test('where programs cannot be had, and that is allowed, Docker takes their place', async () => {
  expect(await open({ driver: 'auto' })).toBeInstanceOf(DockerLauncher);
  await expect(open({})).rejects.toBe(missing);
  await expect(open({ driver: 'native' })).rejects.toBe(missing);
});

test('where no engine answers either, the error tells both', async () => {
  engine.answers = false;
  await expect(open({ driver: 'auto' })).rejects.toMatchObject({
    code: 'ERR_SERVER_MISSING',
    message: 'No memcached here. Docker cannot be used instead (no socket).',
    cause: missing,
  });
});

test('Docker hides no wrong path, no release that was asked for, and no other failure', async () => {
  await expect(open({ driver: 'auto', binaries: { memcached: '/wrong' } })).rejects.toBe(missing);
  await expect(open({ driver: 'auto', versions: { memcached: 'newest' } })).rejects.toBe(missing);
  await expect(open({ driver: 'auto', ptHeartbeat: true })).rejects.toBe(missing);
  vi.stubEnv('STORMLAMP_MEMCACHED_BINARY', '/wrong');
  await expect(open({ driver: 'auto' })).rejects.toBe(missing);
  vi.stubEnv('STORMLAMP_MEMCACHED_BINARY', '');
  search = new StormlampError(ErrorCode.ABORTED, 'enough');
  await expect(open({ driver: 'auto' })).rejects.toBe(search);
});
