/**
 * The way of a new user, with nothing but the README.md: an empty folder outside of the project, the package as it
 * would be published, and every command and program as it stands there. How long each step took is printed.
 */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT, startNode } from '../support/run-node.js';
import { phpProgram } from './php-program.js';
import { blocksOf, letAppMonitor } from './run-block.js';
import { packStormlamp, type UserShell, userShell } from './user-shell.js';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const SHELL = blocksOf('README.md', 'sh');
const [TRY = '', USE = '', ...OTHERS] = blocksOf('README.md', 'js');
const [TABLE = ''] = blocksOf('README.md', 'sql');
const took: string[] = [];
let folder: string;
let shop: string;
let tarball: string;
let run: UserShell;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-new-user-')));
  shop = join(folder, 'shop');
  mkdirSync(shop);
  tarball = await packStormlamp(folder);
  run = userShell(shop, note);
});
afterAll(() => {
  console.log(['The way of a new user took:', ...took].join('\n  '));
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

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
  for (const line of lines) expect(await run(line.replace('<id>', id), env)).not.toBe('');
}
