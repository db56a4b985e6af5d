/** `stormlamp gateway` as a user starts it: flags, environment, file, one JSON document, other nodes while it runs, an end in good order. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leaseKey } from '../../src/memcached/copies/copy-key.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT, type RunningNode, startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';
import { exchange } from './gateway/same-bytes.js';
import { sessionKeysOn } from './session-keys-on.js';

const PROGRAM = join(ROOT, 'dist', 'cli', 'main.js');
let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

const names = (count: number): readonly string[] => servers.memcached.slice(0, count).map(({ id }) => id);
const nodes = (): string => names(2).join(',');

function run(args: readonly string[], env: Record<string, string> = {}): RunningNode {
  return startNode([PROGRAM, 'gateway', ...args], { cwd: folder, env, timeoutMs: 60_000 });
}

/** Waits for the document, lets PHP use the gateway, ends it. */
async function useAndStop(
  running: RunningNode,
): Promise<{ address: string; stdout: string; code: number | null }> {
  try {
    const address = await eventually('it listens', () => /"address": "([^"]+)"/.exec(running.output())?.[1]);
    const { stdout } = await servers.php(
      '<?php session_start(); $_SESSION["a"] = 1; echo session_write_close() ? "saved" : "";',
      {
        ini: {
          'session.save_handler': 'memcached',
          'session.save_path': address,
          'memcached.sess_number_of_replicas': 0,
        },
      },
    );
    expect(stdout).toBe('saved');
    running.child.kill('SIGTERM');
    const { code, stdout: printed } = await running.finished;
    return { address, stdout: printed, code };
  } finally {
    running.child.kill('SIGKILL');
  }
}

test('with flags: one JSON document, and a good end on SIGTERM', async () => {
  const socket = join(folder, 'gateway.sock');
  const { stdout, code } = await useAndStop(
    run(['--nodes', nodes(), '--listen', socket, '--socket-mode', '660', '--json']),
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, address: socket, nodes: nodes().split(',') });
});

test('with the environment, and with a file that flags overrule', async () => {
  const byEnvironment = run(['--listen', '127.0.0.1:0', '--json'], { STORMLAMP_MEMCACHED: nodes() });
  expect((await useAndStop(byEnvironment)).code).toBe(0);
  const file = join(folder, 'stormlamp.config.json');
  const sessions = { nodes: names(2), copies: 2 };
  writeFileSync(file, JSON.stringify({ sessions, gateway: { host: '127.0.0.1', port: 1 } }));
  const { address, code } = await useAndStop(run(['--listen', '127.0.0.1:0', '--json']));
  expect(code).toBe(0);
  expect(address).not.toBe('127.0.0.1:1');
  rmSync(file);
});

test.each<[string, readonly string[], RegExp, Record<string, string>?]>([
  ['no nodes', [], /--nodes/],
  ['a wrong acks', ['--nodes', 'a:1', '--acks', 'some'], /one of 'one', 'majority', 'all'/],
  ['a wrong address', ['--nodes', 'a:1', '--listen', 'nowhere'], /--listen/],
  ['a port that there is not', ['--nodes', 'a:1', '--listen', '127.0.0.1:70000'], /--listen.*at most 65535/],
  ['a login without its password', ['--nodes', 'a:1', '--username', 'x'], /STORMLAMP_GATEWAY_PASSWORD/],
  ['a password for nobody', ['--nodes', 'a:1'], /--username/, { STORMLAMP_GATEWAY_PASSWORD: 'x' }],
  ['a file that is not there', ['--config', 'none.json'], /--config/],
  ['an unknown flag', ['--port', '1'], /--port/],
  ['a further word', ['start', '--nodes', 'a:1'], /further words/],
])('%s is refused with the name of what is wrong', async (_name, args, message, env) => {
  const { code, stderr } = await run(args, env).finished;
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test('where it cannot listen is told with the cause and the remedy', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  const file = join(folder, 'no-socket');
  writeFileSync(file, '');
  // Nor is any node asked before that is known: here there is none.
  const told = async (listen: string, exit = 2): Promise<string> => {
    const { code, stderr } = await run(['--nodes', '127.0.0.1:1', '--listen', listen]).finished;
    expect([listen, code]).toEqual([listen, exit]);
    return stderr;
  };
  try {
    expect(await told(`127.0.0.1:${port}`, 1)).toMatch(`127.0.0.1:${port}: another process does; stop it`);
    expect(await told('192.0.2.1:11311')).toMatch(/no such address; name one of its own/);
    expect(await told(join(folder, 'none', 'a.sock'))).toMatch(/folder does not exist; make the folder/);
    expect(await told(join(file, 'a.sock'))).toMatch(/no folder; correct the path/);
    expect(await told(file, 1)).toMatch(/is no socket; stop it, remove the file/);
    expect(await told(`/${'x'.repeat(200)}`)).toMatch(/too long for a socket|at most 107 bytes/);
  } finally {
    taken.close();
    rmSync(file);
  }
});

test('nodes that cannot be reached are named', async () => {
  const { code, stderr, stdout } = await run(['--nodes', '127.0.0.1:1', '--json']).finished;
  expect(code).toBe(1);
  expect(stderr).toMatch(/127\.0\.0\.1:1/);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_STORE_DOWN' } });
});

const SESSIONS = 30;

/** PHP counts in sessions, or reads them, through the gateway at `address`. */
async function php(address: string, what: 'count' | 'read'): Promise<readonly number[]> {
  const options = what === 'read' ? "['read_and_close' => true]" : '';
  const script = `<?php $seen = [];
    for ($n = 0; $n < ${SESSIONS}; $n++) {
      session_id("changing$n"); session_start(${options});
      $seen[] = $_SESSION['n'] ?? 0;
      ${what === 'read' ? '' : "$_SESSION['n'] = 1 + ($_SESSION['n'] ?? 0); session_write_close();"}
      $_SESSION = [];
    }
    echo json_encode($seen);`;
  const { stdout, stderr } = await servers.php(script, {
    ini: {
      'session.save_handler': 'memcached',
      'session.save_path': address,
      'session.use_cookies': false,
      'session.cache_limiter': '',
      'memcached.sess_number_of_replicas': 0,
    },
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as readonly number[];
}

const addressOf = (running: RunningNode): Promise<string> =>
  eventually('it listens', () => /"address": "([^"]+)"/.exec(running.output())?.[1]);
const statsOf = async (address: string): Promise<string> =>
  (await exchange(Number(address.split(':')[1]), [Buffer.from('stats\r\n')])).toString();
const all = (value: number): readonly number[] => Array.from({ length: SESSIONS }, () => value);

test('copies that a change missed are told, once for each node in a while', async () => {
  const gateway = run(['--nodes', nodes(), '--listen', '127.0.0.1:0', '--json']);
  const [, second] = servers.memcached;
  try {
    const port = Number((await addressOf(gateway)).split(':')[1]);
    await second?.kill();
    for (let count = 0; count < 5; count += 1) {
      const stored = await exchange(port, [Buffer.from(`set memc.sess.key.missed${count} 0 60 1\r\nx\r\n`)]);
      expect(stored.toString()).toBe('STORED\r\n');
    }
    const told = await eventually(
      'it is told',
      () => /node (\S+): a copy was missed by a save \(ERR_/.exec(gateway.output())?.[1],
    );
    expect(told).toBe(second?.id);
    expect(gateway.output().split('was missed by a save')).toHaveLength(2);
  } finally {
    gateway.child.kill('SIGTERM');
    await gateway.finished;
    await second?.start();
  }
});

test('a node is added while two gateways run, by steps in their file and SIGHUP; one that starts in between catches up', async () => {
  // The kind of file that Node itself reads once only.
  const file = join(folder, 'nodes.cjs');
  const write = (nodeChange?: object): void => {
    const gateway = { host: '127.0.0.1', port: 0, ...(nodeChange && { nodeChange }) };
    const sessions = { nodes: names(2), monitorIntervalMs: 200 };
    writeFileSync(file, `module.exports = ${JSON.stringify({ sessions, gateway })};`);
  };
  const start = (): RunningNode => run(['--config', file, '--json']);
  write();
  const running = [start(), start()];
  try {
    const addresses = await Promise.all(running.map(addressOf));
    expect(await php(addresses[0] ?? '', 'count')).toEqual(all(0));
    let counted = 1;
    for (const step of ['prepare', 'switch', 'finish']) {
      write({ nodes: names(3), step });
      for (const [index, one] of running.entries()) {
        one.child.kill('SIGHUP');
        await eventually(`${step} is taken`, () => one.output().includes(`step '${step}' is taken`));
        // One is a step ahead of the other here.
        expect(await php(addresses[(index + 1) % addresses.length] ?? '', 'count')).toEqual(all(counted));
        counted += 1;
      }
      if (step !== 'switch') continue;
      const late = start();
      running.push(late);
      addresses.push(await addressOf(late));
      expect(await statsOf(addresses[2] ?? '')).toContain('STAT node_change switch\r\n');
      expect(await php(addresses[2] ?? '', 'count')).toEqual(all(counted));
      counted += 1;
    }
    for (const address of addresses) {
      expect(await php(address, 'read')).toEqual(all(counted));
      const stats = await statsOf(address);
      expect(stats).toContain(`STAT nodes ${names(3).join(',')}\r\n`);
      expect(stats).toContain('STAT node_change none\r\n');
    }
    const [, , third] = servers.memcached;
    if (third === undefined) throw new Error('there is a third node');
    expect((await sessionKeysOn(third)).length).toBeGreaterThan(0);

    write({ nodes: names(2), step: 'switch' });
    running[0]?.child.kill('SIGHUP');
    await eventually('it says why not', () =>
      /step 'switch' is not taken.*order/.test(running[0]?.output() ?? ''),
    );
    write({ nodes: names(3), step: 'finish' });
    const after = start();
    running.push(after);
    expect(await php(await addressOf(after), 'read')).toEqual(all(counted));
  } finally {
    for (const { child } of running) child.kill('SIGTERM');
    await Promise.all(running.map(({ finished }) => finished));
    rmSync(file);
  }
});

test('a step that waits for somebody else ends when the file names another one', async () => {
  const file = join(folder, 'waiting.json');
  const write = (step: string): void => {
    const gateway = { host: '127.0.0.1', port: 0, nodeChange: { nodes: names(3), step } };
    writeFileSync(file, JSON.stringify({ sessions: { nodes: names(2), monitorIntervalMs: 200 }, gateway }));
  };
  const [, , third] = servers.memcached;
  if (third === undefined) throw new Error('there is a third node');
  // By the nodes of another test the list was replaced already.
  for (const { port } of servers.memcached) await exchange(port, [Buffer.from('flush_all\r\n')]);
  write('prepare');
  const one = run(['--config', file, '--json']);
  try {
    await addressOf(one);
    // Another process has it, and is not done.
    const lease = `set ${leaseKey(third.id)} 0 600 1\r\n1\r\n`;
    expect((await exchange(third.port, [Buffer.from(lease)])).toString()).toContain('STORED');
    write('switch');
    one.child.kill('SIGHUP');
    await eventually('it has begun', () => one.output().includes("step 'switch' begins"));
    write('cancel');
    one.child.kill('SIGHUP');
    await eventually('that one is taken', () => one.output().includes("step 'cancel' is taken"));
    expect(one.output()).toContain('the file names another one now');
  } finally {
    await exchange(third.port, [Buffer.from(`delete ${leaseKey(third.id)}\r\n`)]);
    one.child.kill('SIGTERM');
    await one.finished;
    rmSync(file);
  }
});
