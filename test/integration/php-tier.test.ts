/** PHP and HAProxy follow the cluster: real PHP reads the topology file, a real HAProxy asks the agent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster, startHaproxyAgent, startTopologyFile } from '../../src/index.js';
import {
  type LocalCluster,
  type LocalDatabaseNode,
  type LocalPhpSite,
  startLocalCluster,
} from '../../src/testing/index.js';
import { freePort } from '../../src/testing/process/free-port.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let cluster: Cluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster({ memcached: 0 });
  await servers.waitForReplication();
  cluster = await createCluster({ mysql: servers.options().mysql });
  folder = await mkdtemp(join(tmpdir(), 'stormlamp-php-tier-'));
});
afterAll(async () => {
  await cluster?.close();
  await servers?.close();
  await rm(folder, { recursive: true, force: true });
});

/** What PHP makes of the file: the reader that the documentation shows. */
const READER = `<?php
function topology(string $file): ?array {
  $topology = str_ends_with($file, '.json') ? json_decode(file_get_contents($file), true) : include $file;
  return is_array($topology) && microtime(true) < $topology['valid_until'] ? $topology : null;
}
`;
interface Read {
  readonly epoch: number;
  readonly primary: { readonly id: string; readonly host: string; readonly port: number } | null;
  readonly replicas: readonly { readonly id: string }[];
}
async function readInPhp(file: string): Promise<Read | null> {
  const { stdout, stderr, exitCode } = await servers.php(`${READER}echo json_encode(topology('${file}'));`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout) as Read | null;
}
function idle(): LocalDatabaseNode {
  const [next] = servers.replicas.filter(({ running }) => running);
  if (next === undefined) throw new Error('there is no replica');
  return next;
}

test.each(['php', 'json'])(
  'PHP reads a %s file, connects to the primary in it, and follows a promotion',
  async (ending) => {
    const file = join(folder, `topology.${ending}`);
    const keeper = await startTopologyFile(cluster, { file, cluster: 'shop' });
    try {
      const before = servers.primary;
      const first = await eventually('the replicas are fit', async () => {
        const read = await readInPhp(file);
        return read?.replicas.length === 2 ? read : undefined;
      });
      expect(first.primary).toMatchObject({ id: before.id, host: before.host, port: before.port });
      expect((await stat(file)).mode & 0o777).toBe(0o644);
      const text = await readFile(file, 'utf8');
      for (const { password } of Object.values(servers.accounts)) expect(text).not.toContain(password);
      const { user, password } = servers.accounts.app;
      const write = `${READER}$t = topology('${file}');
      mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
      $db = new mysqli($t['primary']['host'], '${user}', '${password}', '${servers.database}', $t['primary']['port']);
      $db->query('CREATE TABLE IF NOT EXISTS from_php (id INT)');
      echo $db->query('SELECT @@server_id')->fetch_row()[0];`;
      expect(Number((await servers.php(write)).stdout)).toBe(before.serverId);

      const next = idle();
      await servers.promote(next);
      const second = await eventually('PHP sees the next primary', async () => {
        const read = await readInPhp(file);
        return read?.primary?.id === next.id ? read : undefined;
      });
      expect(second.epoch).toBeGreaterThan(first.epoch);
      expect(Number((await servers.php(write)).stdout)).toBe(next.serverId);
    } finally {
      await keeper.close();
    }
  },
);

/** Reads a JSON file again and again for two seconds; tells how often, and how often it was not whole. */
async function hammer(file: string): Promise<{ readonly reads: number; readonly bad: number }> {
  const { stdout } = await servers.php(`<?php $bad = 0; $n = 0; $until = microtime(true) + 2;
    while (microtime(true) < $until) {
      $t = json_decode((string) @file_get_contents('${file}'), true); $n++;
      if (!is_array($t) || !array_key_exists('failure', $t)) $bad++;
    }
    echo "$n $bad";`);
  const [reads = 0, bad = -1] = stdout.split(' ').map(Number);
  return { reads, bad };
}

test('readers never see a part, nor a file that is not there, while it is written again and again', async () => {
  const file = join(folder, 'busy.json');
  const keeper = await startTopologyFile(cluster, { file, validForMs: 1_000 });
  let writes = 0;
  keeper.on('file-written', () => {
    writes += 1;
  });
  try {
    const { reads, bad } = await hammer(file);
    expect(reads).toBeGreaterThan(100);
    expect(bad).toBe(0);
    expect(writes).toBeGreaterThan(1);
  } finally {
    await keeper.close();
  }
});

test('the same reader does see parts of a file that is written in place', async () => {
  const file = join(folder, 'in-place.json');
  const text = JSON.stringify({ padding: 'x'.repeat(200_000), failure: null });
  await writeFile(file, text);
  let over = false;
  const writing = (async () => {
    while (!over) await writeFile(file, text);
  })();
  const { bad } = await hammer(file);
  over = true;
  await writing;
  expect(bad).toBeGreaterThan(0);
});

test('PHP with opcache sees the next file when it checks time stamps, and never when it does not', async () => {
  const file = join(folder, 'opcache.php');
  const keeper = await startTopologyFile(cluster, { file });
  const script = `<?php $t = include '${file}';
    $cached = isset(opcache_get_status(true)['scripts'][realpath('${file}')]);
    echo json_encode([count($t['replicas']), $cached]);`;
  const site = (validate: '1' | '0'): Promise<LocalPhpSite> =>
    servers.phpSite(script, {
      workers: 1,
      ini: {
        zend_extension: 'opcache',
        'opcache.enable_cli': '1',
        'opcache.validate_timestamps': validate,
        'opcache.revalidate_freq': '1',
        'opcache.file_update_protection': '0',
      },
    });
  const sites = [await site('1'), await site('0')];
  const read = async (site: number): Promise<readonly [number, boolean]> =>
    (await (await fetch(sites[site]?.url ?? '')).json()) as [number, boolean];
  try {
    for (const n of [0, 1]) await eventually(`site ${n} has it in its cache`, async () => (await read(n))[1]);
    const [before] = await read(1);
    const hold = cluster.failover.isolate(idle().id);
    await eventually('the site that checks sees it', async () => (await read(0))[0] < before);
    expect(await read(1)).toEqual([before, true]);
    hold[Symbol.dispose]();
  } finally {
    await keeper.close();
    for (const each of sites) await each.kill();
  }
});

test('a file that nobody writes any more is not believed', async () => {
  const file = join(folder, 'old.json');
  const keeper = await startTopologyFile(cluster, { file, validForMs: 1_000 });
  expect(await readInPhp(file)).not.toBeNull();
  await keeper.close();
  await eventually('PHP does not believe it any more', async () => (await readInPhp(file)) === null);
});

test('a file of a cluster that was closed grows old although nobody closed it', async () => {
  const file = join(folder, 'closed.json');
  const other = await createCluster({ mysql: servers.options().mysql });
  const keeper = await startTopologyFile(other, { file, validForMs: 1_000 });
  await other.close();
  await eventually('PHP does not believe it any more', async () => (await readInPhp(file)) === null);
  await keeper.close();
});

test('one of two processes writes, and the other takes over when it stops', async () => {
  const file = join(folder, 'shared.json');
  const options = { file, validForMs: 1_500 };
  const first = await startTopologyFile(cluster, options);
  const second = await startTopologyFile(cluster, options);
  expect(first.document).toBeDefined();
  expect(second.document).toBeUndefined();
  await first.close();
  await eventually('the second one writes', () => second.document !== undefined);
  expect(second.document?.epoch).toBe(first.document?.epoch);
  await second.close();
});

test('a file that cannot be written is one clear error', async () => {
  await expect(
    startTopologyFile(cluster, { file: join(folder, 'no/such/folder.php') }),
  ).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: expect.stringContaining('no/such/folder.php'),
  });
});

test('HAProxy sends writes to the primary and reads to the replicas, and follows a promotion', async () => {
  const { haproxy } = await resolveServers(['haproxy']);
  if (haproxy === undefined) throw new Error('HAProxy is missing in the answer');
  await using agent = await startHaproxyAgent(cluster, { port: 0 });
  const [writePort, readPort] = [await freePort(), await freePort()];
  const lines = (role: 'write' | 'read'): string =>
    servers.databases
      .map(
        ({ name, host, port, id }) =>
          `  server ${name} ${host}:${port} check inter 200ms fall 1 rise 1 agent-check agent-inter 200ms ` +
          `agent-addr 127.0.0.1 agent-port ${agent.port} agent-send "${id} ${role}\\n"`,
      )
      .join('\n');
  const configuration = `global
  maxconn 200
defaults
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
listen writes
  bind 127.0.0.1:${writePort}
  option redispatch
${lines('write')}
listen reads
  bind 127.0.0.1:${readPort}
  balance roundrobin
  option redispatch
${lines('read')}
`;
  const path = join(folder, 'haproxy.cfg');
  await writeFile(path, configuration);
  const child: ChildProcess = spawn(haproxy.command, [...haproxy.prefixArgs, '-db', '-f', path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...haproxy.env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (piece) => (said += String(piece)));
  try {
    const { user, password } = servers.accounts.app;
    const whoIs = async (port: number): Promise<number | undefined> => {
      const script = `<?php mysqli_report(MYSQLI_REPORT_OFF);
        $db = @mysqli_connect('127.0.0.1', '${user}', '${password}', '${servers.database}', ${port});
        echo $db ? $db->query('SELECT @@server_id')->fetch_row()[0] : 0;`;
      const id = Number((await servers.php(script)).stdout);
      return id > 0 ? id : undefined;
    };
    const settle = async (what: string): Promise<void> => {
      const replicas = servers.replicas.filter(({ running }) => running).map(({ serverId }) => serverId);
      await eventually(
        `${what}: writes reach the primary and reads every replica; HAProxy said: ${said}`,
        async () => {
          if ((await whoIs(writePort)) !== servers.primary.serverId) return false;
          const read = await Promise.all([1, 2, 3, 4].map(() => whoIs(readPort)));
          return (
            replicas.every((id) => read.includes(id)) && read.every((id) => id !== servers.primary.serverId)
          );
        },
      );
    };
    await settle('at first');
    await servers.promote(idle());
    await settle('after a promotion');
    const hold = cluster.failover.isolate(idle().id);
    const left = servers.replicas.filter(({ serverId }) => serverId !== idle().serverId);
    await eventually('an isolated node gets nothing', async () => {
      const read = await Promise.all([1, 2, 3, 4].map(() => whoIs(readPort)));
      return read.every((id) => left.some(({ serverId }) => serverId === id));
    });
    hold[Symbol.dispose]();
    await settle('after the release');
  } finally {
    child.kill('SIGKILL');
  }
});

test('the agent answers what is no question, and closes on what is too long', async () => {
  await using agent = await startHaproxyAgent(cluster, { port: 0 });
  const ask = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(agent.port, '127.0.0.1', () => socket.write(text));
      socket.on('data', (piece) => (answer += String(piece)));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  expect(await ask('hello\n')).toContain('agent-send');
  expect(await ask('x'.repeat(1_000))).toBe('');
  expect(await ask(`${servers.primary.id} write\n`)).toBe('up ready 100%\n');
});
