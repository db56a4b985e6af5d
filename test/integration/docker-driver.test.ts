/**
 * `driver: 'docker'` through testcontainers itself, with an engine whose containers are processes of this machine. What the
 * images hold is not seen here, nor what a real engine does beside that. With databases: test/chaos.
 */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createSessionStore } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';
import { useProcessEngine } from '../support/use-process-engine.js';

const engine = useProcessEngine();

test('containers do what processes do', async () => {
  const servers = await startLocalCluster({ driver: 'docker', databases: false });
  try {
    expect(servers.versions).toMatchObject({
      memcached: { version: '1.6.39', origin: 'docker', from: 'memcached:1.6' },
      php: { version: '8.2' },
    });
    const store = await createSessionStore({ nodes: servers.memcached.map(({ id }) => id) });
    const session = store.create();
    session.data['user'] = 'ada';
    await store.save(session);
    await store.close();
    const { stdout, exitCode } = await servers.php(
      `<?php session_id('${session.id}'); session_start(); echo $_SESSION['user'], ' ', $argv[1], stream_get_contents(STDIN); exit(3);`,
      { args: ['and'], stdin: ' others' },
    );
    expect([stdout, exitCode]).toEqual(['ada and others', 3]);
    const site = await servers.phpSite("<?php echo getenv('WHO');", { env: { WHO: 'site' } });
    expect(await (await fetch(site.url)).text()).toBe('site');
    await site.stop();
    const [cache] = servers.memcached;
    await cache?.pause();
    await cache?.resume();
    await cache?.restart();
    await cache?.kill();
    expect(cache?.state).toBe('stopped');
  } finally {
    await servers.close();
  }
  expect([engine().unknown, engine().left, existsSync(servers.folder)]).toEqual([[], [], false]);
  const user = `${process.getuid?.()}:${process.getgid?.()}`;
  for (const { User, HostConfig, WorkingDir } of engine().asked) {
    expect([User, HostConfig.NetworkMode]).toEqual([user, 'host']);
    expect(HostConfig.Binds?.[0]).toBe(`${servers.folder}:${servers.folder}:rw`);
    expect(WorkingDir.startsWith(servers.folder)).toBe(true);
  }
});
