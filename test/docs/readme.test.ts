/** What the README shows works when it is pasted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { iniArgs, sessionIni } from '../../src/testing/php/php-ini.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT, startNode } from '../support/run-node.js';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster();
  // Inside the project, so that `stormlamp` and `express` are found as in an application that installed them.
  folder = mkdtempSync(join(ROOT, '.stormlamp-readme-'));
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await servers?.close();
});

function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap((match) =>
    match[1] === language ? [match[2] ?? ''] : [],
  );
}

test('every npm script that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [, name] of README.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([name ?? '']);
  expect(blocks('sh').length).toBeGreaterThan(0);
});

test('it has no figure left to fill in, and says master/slave once', () => {
  expect(README).not.toMatch(/@[A-Z_]+@/);
  expect(README.match(/master|slave/gi)).toHaveLength(2);
});

test('its requests are scopes also where something reads their bodies by events', () => {
  const [, served = ''] = blocks('js');
  expect(served).toContain('app.use(scope(cluster));');
  expect(served).not.toMatch(/\.run\(\{.*\}, next\)/);
});

test('what is to be tried shows a routed query and a shared session', async () => {
  const file = join(folder, 'try.mjs');
  writeFileSync(file, blocks('js')[0] ?? '');
  const { code, stdout, stderr } = await startNode([file]).finished;
  expect([code, stderr], stdout).toEqual([0, '']);
  expect(stdout).toMatch(/^INSERT INTO cart .* went to \S+, a primary$/m);
  expect(stdout).toMatch(/^SELECT item FROM cart went to \S+, a (replica|primary)$/m);
  expect(stdout).toContain("[ { item: 'lamp' } ]");
  expect(stdout).toContain('PHP logged in ada\n');
  expect(stdout).toContain('PHP sees {"user":"ada","cart":["lamp"]}\n');
});

test('the code block serves a PHP login and the cart', async () => {
  const [, code, ...more] = blocks('js');
  expect(more).toEqual([]);
  const [table = '', ...others] = blocks('sql');
  expect(others).toEqual([]);
  await servers.primary.query('USE shop');
  await servers.primary.query(table);
  await servers.waitForReplication();
  const { user, password } = servers.accounts.app;
  // The pasted code has the application's own hosts; everything else stays as it is.
  await servers.primary.query(
    `GRANT ${servers.flavor === 'mysql' ? 'REPLICATION CLIENT' : 'REPLICA MONITOR'} ON *.* TO '${user}'@'%'`,
  );
  const url = (node: { id: string }): string =>
    `mysql://${user}:${encodeURIComponent(password)}@${node.id}/shop`;
  const [db1, db2, db3] = servers.databases;
  const [cache1, cache2] = servers.memcached;
  if (!code || !db1 || !db2 || !db3 || !cache1 || !cache2)
    throw new Error('the example or the cluster is not what this test expects');
  const program = code
    .replace('mysql://app:secret@db1/shop', url(db1))
    .replace('mysql://app:secret@db2/shop', url(db2))
    .replace('mysql://app:secret@db3/shop', url(db3))
    .replace('cache1:11211', cache1.id)
    .replace('cache2:11211', cache2.id)
    .replace(
      'app.listen(3000)',
      "const server = app.listen(0, '127.0.0.1', () => console.log('port=' + server.address().port))",
    );
  const file = join(folder, 'app.mjs');
  writeFileSync(file, program);
  await servers.waitForReplication();
  const app = startNode([file]);
  try {
    await expect.poll(() => /port=\d+/.test(app.output())).toBe(true);
    const port = /port=(\d+)/.exec(app.output())?.[1];
    const { stdout: id } = await servers.php(
      "<?php session_start(); $_SESSION['user'] = ['name' => 'ada']; echo session_id();",
    );
    const headers = { cookie: `PHPSESSID=${id}` };
    const me = await fetch(`http://127.0.0.1:${port}/me`, { headers });
    expect(await me.json()).toEqual({ user: { name: 'ada' } });
    const cart = await fetch(`http://127.0.0.1:${port}/cart/lamp`, { method: 'POST', headers });
    expect(cart.status).toBe(200);
    expect(await cart.json()).toEqual({ items: 1 });
    expect(await servers.primary.query('SELECT owner, item FROM shop.cart')).toEqual([
      { owner: 'ada', item: 'lamp' },
    ]);
  } finally {
    app.child.kill();
    await app.finished;
  }
});

test('the commands that README and docs/operate.md show look at a cluster', async () => {
  const { user, password } = servers.accounts.app;
  const url = ({ id }: { readonly id: string }) =>
    `mysql://${user}:${encodeURIComponent(password)}@${id}/shop`;
  const nodes = servers.memcached.map(({ id }) => id);
  const mysql = { primary: url(servers.primary), replicas: servers.replicas.map(url) };
  writeFileSync(join(folder, 'stormlamp.config.json'), JSON.stringify({ mysql, sessions: { nodes } }));
  const { php } = await resolveServers(['php']);
  if (php === undefined) throw new Error('PHP was not resolved');
  const words = [...php.cli.prefixArgs, ...php.extensionArgs, ...iniArgs(sessionIni(nodes, folder))];
  const program = join(folder, 'php');
  const quoted = [php.cli.command, ...words].map((word) => `'${word}'`).join(' ');
  writeFileSync(program, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  const ini = join(folder, 'php.ini');
  writeFileSync(ini, '');
  const { stdout: id } = await servers.php("<?php session_start(); $_SESSION['n'] = 1; echo session_id();");
  const sources = [README, readFileSync(join(ROOT, 'docs/operate.md'), 'utf8')].join('\n');
  const lines = [...sources.matchAll(/^npx (stormlamp (?:status|doctor|top|explain|session) ?.*)$/gm)].map(
    ([, line = '']) => line,
  );
  expect(lines.length).toBeGreaterThan(7);
  for (const line of new Set(lines)) {
    const text = line
      .replace('stormlamp', `"${process.execPath}" "${join(ROOT, 'dist/cli/main.js')}"`)
      .replace('<id>', id)
      .replace('/etc/php/8.2/fpm/php.ini', ini);
    // Not synchronously: the way to the servers leads through this process.
    const { code, stdout, stderr } = await runProgram('bash', ['-c', `cd '${folder}' && ${text}`], {
      env: { ...php.cli.env, STORMLAMP_PHP: program },
      timeoutMs: 60_000,
    });
    expect([line, code, stderr], stdout).toEqual([line, 0, '']);
  }
});
