/** What docs/gateway.md shows works when it is pasted. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { gatewayConfig } from '../../src/cli/gateway-config.js';
import { resolveGatewayOptions } from '../../src/gateway/gateway-options.js';
import { resolveSessionOptions } from '../../src/session/session-options.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { docBlocks } from '../support/doc-blocks.js';
import { ROOT, startNode } from '../support/run-node.js';

let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 3 });
  folder = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await servers?.close();
});

test('its program runs', async () => {
  const [code = ''] = docBlocks('gateway.md', 'js');
  const [first, second] = servers.memcached;
  const file = join(folder, 'gateway.mjs');
  writeFileSync(
    file,
    code.replace('cache1:11211', first?.id ?? '').replace('cache2:11211', second?.id ?? ''),
  );
  expect(await startNode([file]).finished).toMatchObject({
    code: 0,
    stdout: 'listening: true\n',
    stderr: '',
  });
});

test('its configuration file is taken', async () => {
  const [json = '', change = ''] = docBlocks('gateway.md', 'json');
  const file = join(folder, 'stormlamp.config.json');
  writeFileSync(file, json);
  const { sessions, gateway } = await gatewayConfig({}, {}, folder);
  expect(resolveSessionOptions(sessions)).toMatchObject({ lifetimeMs: 1_440_000, copies: 2 });
  expect(resolveGatewayOptions(gateway)).toMatchObject({ maxConnections: 500 });
  writeFileSync(file, change);
  const later = await gatewayConfig({}, {}, folder);
  expect(resolveGatewayOptions(later.gateway)).toMatchObject({ listen: { mode: 0o600 } });
  expect(later.nodeChange).toMatchObject({ step: 'prepare' });
  expect(later.nodeChange?.nodes).toHaveLength(3);
});

test('its commands: the gateway serves PHP over the socket, and a node is added while it does', async () => {
  const ids = servers.memcached.map(({ id }) => id);
  const socket = join(folder, 'gateway.sock');
  /** A block of the page with the nodes of this test and a socket that its user may make. */
  const here = (text: string): string =>
    ids
      .reduce((all, id, index) => all.replaceAll(`cache${index + 1}:11211`, id), text)
      .replaceAll('/run/stormlamp/gateway.sock', socket);
  const [start = '', addNode = '', ...others] = docBlocks('gateway.md', 'sh').map(here);
  const [, change = ''] = docBlocks('gateway.md', 'json').map(here);
  expect(others).toEqual([]);
  const config = join(folder, 'stormlamp.config.json');
  writeFileSync(config, here(docBlocks('gateway.md', 'json')[0] ?? ''));
  const words = start.trim().split(' ').slice(2);
  expect(start).toMatch(/^npx stormlamp gateway /);
  const gateway = startNode([join(ROOT, 'dist', 'cli', 'main.js'), ...words], { cwd: folder });
  try {
    await expect.poll(() => gateway.output()).toContain(`Listening on ${socket}`);
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    const ini = Object.fromEntries(
      (docBlocks('gateway.md', 'ini')[0] ?? '')
        .trim()
        .split('\n')
        .map((line) =>
          here(line)
            .split(' = ')
            .map((word) => word.replaceAll('"', '')),
        ),
    ) as Record<string, string>;
    const login = "<?php session_start(); $_SESSION['user'] = 'ada'; echo session_id();";
    const { stdout: id, stderr } = await servers.php(login, { ini });
    expect(stderr).toBe('');
    writeFileSync(config, change);
    // What the block calls on a server: the service is this process, and `nc -U` a connection to a unix socket.
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    program(
      join(bin, 'systemctl'),
      `test "$*" = 'reload stormlamp-gateway' && kill -HUP ${gateway.child.pid}`,
    );
    const dial =
      "const s = require('net').connect(process.argv[1]); process.stdin.pipe(s).pipe(process.stdout)";
    program(join(bin, 'nc'), `test "$1" = -U && exec '${process.execPath}' -e "${dial}" "$2"`);
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    const { code } = await runProgram('bash', ['-c', addNode], { env, timeoutMs: 60_000 });
    expect([code, gateway.output()]).toEqual([0, expect.stringContaining('prepare')]);
    const look = `<?php session_id('${id}'); session_start(); echo $_SESSION['user'];`;
    expect((await servers.php(look, { ini })).stdout).toBe('ada');
  } finally {
    gateway.child.kill();
    await gateway.finished;
  }
});

function program(path: string, line: string): void {
  writeFileSync(path, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

/** Of systemctl and npm. */
const OF_OTHER_COMMANDS = new Set(['--now', '--global']);

test('its PHP settings, and the flags of its command and of the unit, exist', async () => {
  const [ini = ''] = docBlocks('gateway.md', 'ini');
  const settings = Object.fromEntries(
    ini
      .trim()
      .split('\n')
      .map((line) => line.split(' = ').map((word) => word.replaceAll('"', ''))),
  ) as Record<string, string>;
  const names = JSON.stringify(Object.keys(settings));
  const { stdout } = await servers.php(
    `<?php foreach (json_decode('${names}') as $n) echo $n, ini_get($n) === false ? ' unknown' : '', "\\n";`,
    {
      ini: settings,
    },
  );
  expect(stdout.trim().split('\n')).toEqual(Object.keys(settings));
  const { stdout: help } = await startNode([join(ROOT, 'dist', 'cli', 'main.js'), 'gateway', '--help'])
    .finished;
  const unit = readFileSync(join(ROOT, 'examples', 'stormlamp-gateway.service'), 'utf8');
  const command = docBlocks('gateway.md', 'sh').join('\n');
  for (const [flag] of `${command} ${unit}`.matchAll(/--[a-z][a-z-]+/g)) {
    if (!OF_OTHER_COMMANDS.has(flag)) expect(help).toContain(flag);
  }
});

test('the unit waits until the gateway listens, however long, but not for one that has ended', async () => {
  const unit = readFileSync(join(ROOT, 'examples', 'stormlamp-gateway.service'), 'utf8');
  expect(unit).toMatch(/^TimeoutStartSec=infinity$/m);
  const wait = /^ExecStartPost=\/bin\/sh -c '(.*)'$/m.exec(unit)?.[1] ?? '';
  const socket = join(folder, 'listens.sock');
  const run = (pid: number | undefined): ChildProcess =>
    spawn('/bin/sh', ['-c', wait.replaceAll('/run/stormlamp/gateway.sock', socket)], {
      env: { ...process.env, MAINPID: String(pid) },
      stdio: 'ignore',
    });
  expect((await once(run(spawnSync('true').pid), 'exit'))[0]).toBe(1);
  const waiting = once(run(process.pid), 'exit');
  const server = createServer().listen(socket);
  try {
    expect((await waiting)[0]).toBe(0);
  } finally {
    server.close();
  }
});
