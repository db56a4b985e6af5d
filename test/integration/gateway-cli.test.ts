/** `stormlamp gateway` as a user starts it: flags, environment, file, one JSON document, an end in good order. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT, type RunningNode, startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';

const PROGRAM = join(ROOT, 'dist', 'cli', 'main.js');
let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

const nodes = (): string => servers.memcached.map(({ id }) => id).join(',');

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
  const sessions = { nodes: servers.memcached.map(({ id }) => id), copies: 2 };
  writeFileSync(file, JSON.stringify({ sessions, gateway: { host: '127.0.0.1', port: 1 } }));
  const { address, code } = await useAndStop(run(['--listen', '127.0.0.1:0', '--json']));
  expect(code).toBe(0);
  expect(address).not.toBe('127.0.0.1:1');
  rmSync(file);
});

test.each<[string, readonly string[], RegExp]>([
  ['no nodes', [], /--nodes/],
  ['a wrong acks', ['--nodes', 'a:1', '--acks', 'some'], /one of 'one', 'majority', 'all'/],
  ['a wrong address', ['--nodes', 'a:1', '--listen', 'nowhere'], /--listen/],
  ['a login without its password', ['--nodes', 'a:1', '--username', 'x'], /STORMLAMP_GATEWAY_PASSWORD/],
  ['a file that is not there', ['--config', 'none.json'], /--config/],
  ['an unknown flag', ['--port', '1'], /--port/],
  ['a further word', ['start', '--nodes', 'a:1'], /further words/],
])('%s is refused with the name of what is wrong', async (_name, args, message) => {
  const { code, stderr } = await run(args).finished;
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test('nodes that cannot be reached are named', async () => {
  const { code, stderr, stdout } = await run(['--nodes', '127.0.0.1:1', '--json']).finished;
  expect(code).toBe(1);
  expect(stderr).toMatch(/127\.0\.0\.1:1/);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_STORE_DOWN' } });
});
