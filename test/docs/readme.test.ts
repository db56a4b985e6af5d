/** What the README says is so, and its commands look at a cluster; its programs are run by new-user.test.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT, stormlamp } from '../support/run-node.js';
import { phpProgram } from './php-program.js';
import { letAppMonitor } from './run-block.js';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
let servers: LocalCluster;
let folder: string;

beforeAll(async () => {
  servers = await startLocalCluster();
  await letAppMonitor(servers);
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

test('the commands that README and docs/operate.md show look at a cluster', async () => {
  const { user, password } = servers.accounts.app;
  const url = ({ id }: { readonly id: string }) =>
    `mysql://${user}:${encodeURIComponent(password)}@${id}/shop`;
  const nodes = servers.memcached.map(({ id }) => id);
  const mysql = { primary: url(servers.primary), replicas: servers.replicas.map(url) };
  writeFileSync(join(folder, 'stormlamp.config.json'), JSON.stringify({ mysql, sessions: { nodes } }));
  expect(await stormlamp(['resync', '--nodes', nodes.join()])).toMatchObject({ code: 0 });
  const phpEnv = await phpProgram(nodes, folder);
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
      env: phpEnv,
      timeoutMs: 60_000,
    });
    expect([line, code, stderr], stdout).toEqual([line, 0, '']);
  }
});
