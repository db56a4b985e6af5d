/** The commands of docs/replication.md, docs/testing.md, docs/performance.md and examples/README.md do what they say. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createSessionStore } from '../../src/index.js';
import { startLocalCluster } from '../../src/testing/index.js';
import { LOCAL_CLUSTER_DEFAULTS } from '../../src/testing/local-cluster-options.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { MemcachedServers } from '../integration/memcached-servers.js';
import { ROOT, startNode } from '../support/run-node.js';
import { blocksOf } from './run-block.js';
import { packStormlamp, userShell } from './user-shell.js';

const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-commands-')));
});
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

test('docs/replication.md: both nodes are restarted, one after the other, and every session is there', async () => {
  const [code = '', ...others] = blocksOf('docs/replication.md', 'sh');
  expect(others).toEqual([]);
  await using servers = await MemcachedServers.open();
  const hosts = new Map([
    ['cache1', await servers.start()],
    ['cache2', await servers.start()],
  ]);
  const idOf = (name: string): string => `${hosts.get(name)?.host}:${hosts.get(name)?.port}`;
  const nodes = [...hosts.keys()].map(idOf);
  const restarted: string[] = [];
  // What the commands reach on servers: the service manager of the host on which they are given.
  const manager = createServer((request, response) => {
    const name = request.url?.slice(1) ?? '';
    restarted.push(name);
    void (hosts.get(name)?.restart() ?? Promise.reject(new Error(name))).then(() => response.end());
  });
  await new Promise<void>((done) => manager.listen(0, '127.0.0.1', done));
  const { port } = manager.address() as AddressInfo;
  try {
    const store = await createSessionStore({ nodes, resync: false });
    const ids: string[] = [];
    for (let count = 0; count < 50; count += 1) {
      const session = store.create();
      session.data['n'] = count;
      await store.save(session);
      ids.push(session.id);
    }
    await store.close();
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    const call = `fetch('http://127.0.0.1:${port}/' + process.argv[1]).then(({ ok }) => process.exit(ok ? 0 : 1))`;
    program(
      join(bin, 'systemctl'),
      `test "$*" = 'restart memcached' && exec '${process.execPath}' -e "${call}" "$HOST"`,
    );
    program(join(bin, 'ssh'), 'export HOST="$1"; shift; exec "$@"');
    program(join(bin, 'stormlamp'), `exec '${process.execPath}' '${MAIN}' "$@"`);
    const text = code.replace('cache1:11211', idOf('cache1')).replace('cache2:11211', idOf('cache2'));
    const env = { PATH: [bin, process.env['PATH']].join(delimiter), HOST: 'cache1' };
    const {
      code: exit,
      stdout,
      stderr,
    } = await runProgram('bash', ['-ec', text], { env, timeoutMs: 120_000 });
    expect([exit, restarted], stdout + stderr).toEqual([0, ['cache1', 'cache2']]);
    await using later = await createSessionStore({ nodes });
    const found = await Promise.all(ids.map(async (id) => (await later.load(id)).data['n']));
    expect(found).toEqual(ids.map((_id, index) => index));
  } finally {
    await new Promise((done) => manager.close(done));
  }
});

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function stepsOf(yaml: string): readonly Step[] {
  return (parse(yaml) as { jobs: { test: { steps: readonly Step[] } } }).jobs.test.steps;
}

/** A project as the page's reader has one: the package as it is published, one test of the page, a lock file. */
async function project(
  name: string,
): Promise<(command: string, env?: Record<string, string>) => Promise<string>> {
  const path = join(folder, name);
  mkdirSync(path);
  const tests = blocksOf('docs/testing.md', 'js').filter((block) => block.includes("from 'node:test'"));
  writeFileSync(join(path, 'cart.test.mjs'), tests[0] ?? '');
  writeFileSync(join(path, 'servers.test.mjs'), SERVERS_TEST);
  const shell = userShell(path);
  const dependencies = { stormlamp: `file:${await packStormlamp(folder)}` };
  const scripts = { test: 'node --test' };
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name, private: true, scripts, dependencies }));
  await shell('npm install --package-lock-only');
  return shell;
}

const SERVERS_TEST = `
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLocalCluster } from 'stormlamp/testing';
test('a query on real servers', async () => {
  const servers = await startLocalCluster();
  try {
    const cluster = await (await import('stormlamp')).createCluster(servers.options());
    assert.deepEqual((await cluster.mysql.query('SELECT 1 AS one'))[0], [{ one: 1 }]);
    await cluster.close();
  } finally {
    await servers.close();
  }
});`;

test('docs/testing.md: the steps of the recipe without Docker, one after the other in a project', async () => {
  const [yaml = ''] = blocksOf('docs/testing.md', 'yaml');
  const shell = await project('without-docker');
  const ran: string[] = [];
  for (const { run, env } of stepsOf(yaml)) {
    // The others are GitHub's: they fetch the project, Node and what was kept.
    if (run === undefined) continue;
    const text = await shell(run, env);
    ran.push(run);
    if (run === 'npm test') expect(text).toMatch(/^(# |ℹ )pass 2$/m);
  }
  expect(ran).toEqual(['npm ci', 'npx stormlamp servers install mariadb memcached php', 'npm test']);
});

// A Docker engine is not to be had here: what the recipe has beside it is run, and its images are the ones that are used.
test('docs/testing.md: the recipe with Docker pulls the images of the driver, and says that it needs an engine', async () => {
  const [, yaml = '', ...others] = blocksOf('docs/testing.md', 'yaml');
  expect(others).toEqual([]);
  const steps = stepsOf(yaml).filter(({ run }) => run !== undefined);
  const [install, pull, tests] = steps;
  expect([install?.run, tests?.run]).toEqual(['npm ci', 'npm test']);
  const pulled = [...(pull?.run ?? '').matchAll(/docker pull (\S+)/g)].map(([, image]) => image);
  const { images } = LOCAL_CLUSTER_DEFAULTS;
  expect(pulled).toEqual([images.mariadb, images.memcached]);
  const env = { ...tests?.env, DOCKER_HOST: 'tcp://127.0.0.1:1' };
  const shell = await project('with-docker');
  await shell('npm ci', env);
  await expect(shell('npm test', env)).rejects.toThrow(/testcontainers|Docker/);
});

test('docs/performance.md: every suite, run and option is there', async () => {
  const usage = readFileSync(join(ROOT, 'scripts', 'bench.mjs'), 'utf8');
  const { stdout: help } = await startNode([join(ROOT, 'scripts', 'bench.mjs'), '--help']).finished;
  expect(usage).toContain('USAGE');
  const commands = blocksOf('docs/performance.md', 'sh').join('').trim().split('\n');
  expect(commands.length).toBeGreaterThan(6);
  for (const command of commands) {
    const [line = ''] = command.split('#');
    const [, script, words = ''] = /^npm run (\w+)(?: -- (.*))?$/.exec(line.trim()) ?? [];
    const given = words.split(' ').filter((word) => word !== '');
    if (script === 'bench') for (const word of given) expect(help, command).toContain(word);
    else {
      expect([command, script]).toEqual([command, 'chaos']);
      const [story = '', ...options] = given;
      expect(existsSync(join(ROOT, 'test', 'chaos', `${story}.test.ts`)), command).toBe(true);
      const { stderr, code } = await startNode([join(ROOT, 'scripts', 'chaos.mjs'), 'none']).finished;
      expect(code).toBe(2);
      for (const option of options) expect(stderr, command).toContain(option.replace(/=\d+$/, '=N'));
    }
  }
});

test('examples/README.md: its commands run the first example', async () => {
  const [code = '', ...others] = blocksOf('examples/README.md', 'sh');
  expect(others).toEqual([]);
  await using servers = await startLocalCluster({ php: false });
  await servers.primary.query('USE shop');
  await servers.primary.query(blocksOf('examples/README.md', 'sql')[0] ?? '');
  const grant = servers.flavor === 'mysql' ? 'REPLICATION CLIENT' : 'REPLICA MONITOR';
  const { user, password } = servers.accounts.app;
  await servers.primary.query(`GRANT ${grant} ON *.* TO '${user}'@'%'`);
  await servers.waitForReplication();
  let text = code;
  for (const { name, id } of servers.databases)
    text = text.replace(`app:secret@${name}/`, `${user}:${encodeURIComponent(password)}@${id}/`);
  for (const { name, id } of servers.memcached) text = text.replace(`${name}:11211`, id);
  expect(text).not.toMatch(/@db\d|cache\d:/);
  const {
    code: exit,
    stdout,
    stderr,
  } = await runProgram('bash', ['-ec', `cd '${ROOT}'; ${text}`], {
    timeoutMs: 60_000,
  });
  expect([exit, stderr], stdout).toEqual([0, '']);
});
