import { expect, test } from 'vitest';
import { containerCommand, imageVersion } from '../../../../src/testing/docker/container-command.js';
import { ContainerServer, type EngineContainer } from '../../../../src/testing/docker/container-server.js';

/** An engine's container that ends when it is told to, and writes down what it was told. */
function fakeContainer(endsBy: readonly string[]): { container: EngineContainer; told: string[] } {
  const told: string[] = [];
  let end: (result: { StatusCode: number }) => void = () => undefined;
  const ended = new Promise<{ StatusCode: number }>((resolve) => {
    end = resolve;
  });
  const tell = async (what: string): Promise<void> => {
    told.push(what);
    if (what === 'SIGKILL') end({ StatusCode: 137 });
    else if (endsBy.includes(what)) end({ StatusCode: 0 });
  };
  return {
    told,
    container: {
      kill: ({ signal }) => tell(signal),
      stop: async ({ t }) => {
        await tell('SIGTERM');
        if (!endsBy.some((each) => told.includes(each))) {
          told.push(`after ${t} s`);
          await tell('SIGKILL');
        }
      },
      pause: () => tell('pause'),
      unpause: () => tell('unpause'),
      wait: () => ended,
      remove: () => tell('remove'),
    },
  };
}

test('kill is SIGKILL, and the container is removed', async () => {
  const { container, told } = fakeContainer([]);
  const server = new ContainerServer(container, 'db1', 'SIGTERM');
  expect(server.running).toBe(true);
  await server.kill();
  await server.kill();
  expect(told).toEqual(['SIGKILL', 'remove']);
  expect(await server.ended).toBe('signal SIGKILL');
  expect(server.running).toBe(false);
});

test('stop asks with SIGTERM, PHP with SIGINT', async () => {
  const database = fakeContainer(['SIGTERM']);
  await new ContainerServer(database.container, 'db1', 'SIGTERM').stop(3_000);
  expect(database.told).toEqual(['SIGTERM', 'remove']);
  const php = fakeContainer(['SIGINT']);
  await new ContainerServer(php.container, 'web1', 'SIGINT').stop(3_000);
  expect(php.told[0]).toBe('SIGINT');
  expect(php.told).not.toContain('SIGKILL');
});

test('a server that does not stop is killed and reported', async () => {
  const { container, told } = fakeContainer([]);
  const server = new ContainerServer(container, 'db1', 'SIGTERM');
  await expect(server.stop(2_500)).rejects.toMatchObject({ code: 'ERR_TIMEOUT', node: 'db1' });
  expect(told).toEqual(['SIGTERM', 'after 3 s', 'SIGKILL', 'remove']);
});

test('a paused server is woken before it is killed', async () => {
  const { container, told } = fakeContainer([]);
  const server = new ContainerServer(container, 'db1', 'SIGTERM');
  await server.pause();
  await server.pause();
  await server.kill();
  expect(told).toEqual(['pause', 'unpause', 'SIGKILL', 'remove']);
});

test('a container that has ended in this moment is no error, an engine in trouble is', async () => {
  const gone = fakeContainer(['SIGTERM']);
  const refuse = (statusCode: number) => async () => {
    throw Object.assign(new Error('refused'), { statusCode });
  };
  const racing = new ContainerServer({ ...gone.container, kill: refuse(409) }, 'db1', 'SIGTERM');
  void gone.container.stop({ t: 1 });
  await racing.kill();
  const broken = new ContainerServer({ ...fakeContainer([]).container, kill: refuse(500) }, 'db1', 'SIGTERM');
  await expect(broken.kill()).rejects.toThrow('refused');
});

test('a lost container counts as ended', async () => {
  const { container } = fakeContainer([]);
  const server = new ContainerServer(
    { ...container, wait: () => Promise.reject(new Error('lost')) },
    'db1',
    'SIGTERM',
  );
  expect(await server.ended).toBe('the loss of its container');
});

test('output goes to the files that it would go to without containers', () => {
  expect(containerCommand({ logFile: '/c/log' }, ['mariadbd', '--x y']).slice(3)).toEqual([
    'sh',
    '/dev/null',
    '/c/log',
    '/c/log',
    'mariadbd',
    '--x y',
  ]);
  const spec = { logFile: '/c/err', outFile: '/c/out', stdinFile: '/c/in' };
  expect(containerCommand(spec, ['php']).slice(4)).toEqual(['/c/in', '/c/out', '/c/err', 'php']);
});

test('versions are read from what official images say of themselves', () => {
  expect(imageVersion('mariadb', ['PATH=/', 'MARIADB_VERSION=1:11.8.2+maria~ubu2404'])).toBe('11.8.2');
  expect(imageVersion('mysql', ['MYSQL_VERSION=9.4.0-1.el9'])).toBe('9.4.0');
  expect(imageVersion('memcached', ['MEMCACHED_VERSION=1.6.39'])).toBe('1.6.39');
  expect(imageVersion('php', [])).toBe('unknown');
});
