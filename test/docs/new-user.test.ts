/**
 * The way of a new user, with nothing but the README.md: an empty folder outside of the project, the package as it
 * would be published, and every command and program as it stands there. How long each step took is printed.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT, startNode } from '../support/run-node.js';
import { phpProgram } from './php-program.js';
import { blocksOf, letAppMonitor } from './run-block.js';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const SHELL = blocksOf('README.md', 'sh');
const [TRY = '', USE = '', ...OTHERS] = blocksOf('README.md', 'js');
const [TABLE = ''] = blocksOf('README.md', 'sql');
const took: string[] = [];
let folder: string;
let shop: string;
let tarball: string;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-new-user-')));
  shop = join(folder, 'shop');
  mkdirSync(shop);
  await run(`npm pack --ignore-scripts --pack-destination '${folder}'`, { cwd: ROOT });
  const [name = 'none'] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
  tarball = join(folder, name);
});
afterAll(() => {
  console.log(['The way of a new user took:', ...took].join('\n  '));
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** What a shell that nobody started from this project does not have in its environment. */
function foreign(): string[] {
  const own =
    /^(npm_(package|lifecycle|config_(local|call|yes)|command|execpath)|NODE_(ENV|OPTIONS|PATH)$|VITEST|TEST$|INIT_CWD$)/;
  return Object.keys(process.env).filter((name) => own.test(name));
}

const USER_ENV = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((part) => !part.startsWith(ROOT))
    .join(delimiter),
  NO_COLOR: '1',
  // What npm has in its cache will do: then this works without a registry.
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_update_notifier: 'false',
};

/** What `command` wrote in the user's folder. Throws, with all of that, where its exit code is not 0. */
async function run(
  command: string,
  { cwd = shop, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const started = performance.now();
  // Not synchronously: the way to the servers leads through this process.
  const words = [...foreign().flatMap((name) => ['-u', name]), 'bash', '-c', `cd '${cwd}' && ${command}`];
  const { code, stdout, stderr } = await runProgram('env', words, {
    env: { ...USER_ENV, ...env },
    timeoutMs: 200_000,
  });
  note(command, performance.now() - started);
  const hint = /^npm install/m.test(command)
    ? '\nIt needs the npm registry once; later what is in the cache of npm will do.'
    : '';
  if (code !== 0)
    throw new Error(
      `A new user is stuck at "${command.trim()}", exit code ${code}.${hint}\n${stdout}\n${stderr}`,
    );
  return stdout;
}

function note(what: string, ms: number): void {
  took.push(`${(ms / 1_000).toFixed(1).padStart(5)} s  ${what.trim().split('#')[0]?.trim()}`);
}

/** The lines of the README's shell block that has `line`, with the package of this folder in the registry's place. */
function commands(line: RegExp): string[] {
  const found = SHELL.filter((block) => line.test(block));
  expect(found, `shell blocks of the README with ${line}`).toHaveLength(1);
  return (found[0] ?? '')
    .split('\n')
    .filter((command) => command.trim() !== '')
    .map((command) => command.replace(/^npm install stormlamp(?= |$)/, `npm install '${tarball}'`));
}

test('Try it: from an empty folder to a routed query and a session shared with PHP', async () => {
  const lines = commands(/^npm init -y$/m);
  expect(lines.some((line) => line.includes(tarball))).toBe(true);
  for (const line of lines) await run(line);
  writeFileSync(join(shop, 'try.mjs'), TRY);
  const stdout = await run('node try.mjs');
  expect(stdout).toMatch(/^INSERT INTO cart .* went to \S+, a primary$/m);
  expect(stdout).toMatch(/^SELECT item FROM cart went to \S+, a (replica|primary)$/m);
  expect(stdout).toContain("[ { item: 'lamp' } ]");
  expect(stdout).toContain('PHP logged in ada\n');
  expect(stdout).toContain('PHP sees {"user":"ada","cart":["lamp"]}\n');
  // Without --once the shop stays open until Ctrl-C; the exit code says that every step was verified.
  expect(README).toContain('`npx stormlamp demo` plays a longer story');
  await run('npx stormlamp demo --once');
});

test('Use it: the program serves a PHP login and the cart; Look at it: every command finds the cluster well', async () => {
  expect(OTHERS).toEqual([]);
  for (const line of commands(/^npm install stormlamp express$/m)) await run(line);
  const servers = await startLocalCluster();
  try {
    await servers.primary.query('USE shop');
    await servers.primary.query(TABLE);
    await letAppMonitor(servers);
    await serve(servers);
    await look(servers);
  } finally {
    await servers.close();
  }
});

function urlOf(servers: LocalCluster, { id }: { readonly id: string }): string {
  const { user, password } = servers.accounts.app;
  return `mysql://${user}:${encodeURIComponent(password)}@${id}/shop`;
}

/** Pastes the program with the servers' addresses and a free port, and is a browser that logged in at PHP. */
async function serve(servers: LocalCluster): Promise<void> {
  let program = USE.replace(
    'app.listen(3000)',
    "const server = app.listen(0, '127.0.0.1', () => console.log('port=' + server.address().port))",
  );
  for (const node of servers.databases)
    program = program.replace(`mysql://app:secret@${node.name}/shop`, urlOf(servers, node));
  for (const { name, id } of servers.memcached) program = program.replace(`${name}:11211`, id);
  expect(program).not.toMatch(/@db\d|cache\d:/);
  writeFileSync(join(shop, 'app.mjs'), program);
  const started = performance.now();
  const app = startNode(['app.mjs'], { cwd: shop });
  try {
    await expect.poll(() => app.output()).toMatch(/port=\d+/);
    note('node app.mjs, until it listens', performance.now() - started);
    const port = /port=(\d+)/.exec(app.output())?.[1];
    const { stdout: id } = await servers.php(
      "<?php session_start(); $_SESSION['user'] = ['name' => 'ada']; echo session_id();",
    );
    const headers = { cookie: `PHPSESSID=${id}` };
    const me = await fetch(`http://127.0.0.1:${port}/me`, { headers });
    expect(await me.json()).toEqual({ user: { name: 'ada' } });
    const cart = await fetch(`http://127.0.0.1:${port}/cart/lamp`, { method: 'POST', headers });
    expect([cart.status, await cart.json()]).toEqual([200, { items: 1 }]);
    const rows = await servers.primary.query('SELECT owner, item FROM shop.cart');
    expect(rows).toEqual([{ owner: 'ada', item: 'lamp' }]);
  } finally {
    app.child.kill();
    await app.finished;
  }
}

/** Runs the commands with the options in the environment. */
async function look(servers: LocalCluster): Promise<void> {
  const nodes = servers.memcached.map(({ id }) => id);
  const env = {
    STORMLAMP_MYSQL_PRIMARY: urlOf(servers, servers.primary),
    STORMLAMP_MYSQL_REPLICAS: servers.replicas.map((node) => urlOf(servers, node)).join(','),
    STORMLAMP_MEMCACHED: nodes.join(','),
    ...(await phpProgram(nodes, folder)),
  };
  const { stdout: id } = await servers.php("<?php session_start(); $_SESSION['n'] = 1; echo session_id();");
  const lines = commands(/^npx stormlamp status/m);
  expect(lines.length).toBeGreaterThan(4);
  for (const line of lines) expect(await run(line.replace('<id>', id), { env })).not.toBe('');
}
