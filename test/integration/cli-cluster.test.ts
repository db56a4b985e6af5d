/** The commands that look at a cluster, on a real one, as a user meets them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TopReport } from '../../src/cli/top/top-report.js';
import { TopSampler } from '../../src/cli/top/top-sampler.js';
import { createCluster } from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { startNode, stormlamp } from '../support/run-node.js';
import { atTerminal, ESCAPES, linesOf } from '../support/terminal.js';
import { Wire } from './wire.js';

let servers: LocalCluster;
let folder: string;
let config: string;
let id: string;

beforeAll(async () => {
  servers = await startLocalCluster();
  folder = mkdtempSync(join(tmpdir(), 'cli-cluster-'));
  config = join(folder, 'stormlamp.config.mjs');
  writeFileSync(config, `export default () => (${JSON.stringify(servers.options())});\n`);
  // A store that runs marks its nodes as filled.
  await (await createCluster(servers.options())).close();
  const script =
    "<?php session_start(); $_SESSION['user'] = ['name' => 'ada', 'big' => PHP_INT_MAX]; $_SESSION['n'] = 1.0; echo session_id();";
  id = (await servers.php(script)).stdout;
});
afterAll(async () => {
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(args: readonly string[]): Promise<{ code: number | null; text: string; json: never }> {
  const plain = await stormlamp([...args, '--config', config]);
  const asJson = await stormlamp([...args, '--config', config, '--json']);
  expect(plain.stderr).toBe('');
  expect(asJson.code).toBe(plain.code);
  return { code: plain.code, text: plain.stdout, json: JSON.parse(asJson.stdout) as never };
}

test('status shows who follows whom, lag with its age, and the session nodes', async () => {
  const { code, text, json } = await run(['status']);
  expect(text).toMatch(/^Everything is well\.\n/);
  expect(text).toContain(`├ ${servers.replicas[0]?.id}`);
  expect(text).toContain(`└ ${servers.replicas[1]?.id}`);
  expect(text).toMatch(/\d+ ms \(\d+ ms\)/);
  expect(code).toBe(0);
  expect(json).toMatchObject({
    ok: true,
    config,
    mysql: {
      writer: { kind: 'primary', node: servers.primary.id },
      nodes: [
        { node: servers.primary.id, role: 'primary', up: true, lagMs: null, readOnly: false, upstream: [] },
        { node: servers.replicas[0]?.id, role: 'replica', readOnly: true, upstream: [servers.primary.id] },
        { node: servers.replicas[1]?.id, role: 'replica', readOnly: true, upstream: [servers.primary.id] },
      ],
    },
    sessions: {
      kind: 'memcached',
      copies: 2,
      places: servers.memcached.map((node) => ({ node: node.id, up: true, standing: 'filled' })),
    },
  });
});

test('status names what is down first, and ends with 1', async () => {
  await servers.replicas[1]?.kill();
  await servers.memcached[1]?.kill();
  try {
    const { code, text, json } = await run(['status']);
    expect(code).toBe(1);
    expect(text).toMatch(/^Problems:\n/);
    expect(text).toContain(`  - ${servers.replicas[1]?.id} is down (refused): `);
    expect(text).toContain(`  - ${servers.memcached[1]?.id} holds no sessions (down): `);
    expect(json).toMatchObject({ ok: false });
  } finally {
    await servers.replicas[1]?.start();
    await servers.memcached[1]?.start();
  }
  // It came back empty: until a running store fills it, its misses mean nothing.
  expect((await run(['status'])).text).toContain(`${servers.memcached[1]?.id} is warming`);
});

test('status tells that the other nodes cannot be asked for, and the GRANT that is missing', async () => {
  const { mysql } = servers.options();
  const file = join(folder, 'unlisted.json');
  const monitor = { ...mysql?.monitor, credentials: servers.accounts.monitor };
  writeFileSync(file, JSON.stringify({ mysql: { nodes: [mysql?.primary], monitor } }));
  const { code, stdout } = await stormlamp(['status', '--config', file, '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    mysql: {
      nodes: [{ node: servers.primary.id, role: 'primary' }],
      troubles: [
        {
          event: 'discovery-failed',
          node: servers.primary.id,
          message: expect.stringContaining('GRANT REPLICATION MASTER ADMIN'),
        },
      ],
    },
  });
});

test('a node that is no database server hides nothing of the others, in status and in top', async () => {
  // Something else listens where a replica should be.
  const impostor = createServer((socket) =>
    socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'),
  );
  await once(impostor.listen(0, '127.0.0.1'), 'listening');
  const wrong = `127.0.0.1:${(impostor.address() as AddressInfo).port}`;
  const { mysql } = servers.options();
  const { user, password } = servers.accounts.app;
  const replicas = [...(mysql?.replicas ?? []), `mysql://${user}:${password}@${wrong}/shop`];
  const file = join(folder, 'impostor.json');
  writeFileSync(file, JSON.stringify({ mysql: { ...mysql, replicas } }));
  try {
    const status = await stormlamp(['status', '--config', file, '--json']);
    expect(status.code).toBe(1);
    expect(JSON.parse(status.stdout)).toMatchObject({
      ok: false,
      mysql: {
        writer: { kind: 'primary', node: servers.primary.id },
        nodes: [
          { role: 'primary', up: true },
          { role: 'replica', up: true },
          { role: 'replica', up: true },
          {
            node: wrong,
            up: false,
            failure: { kind: 'protocol', message: expect.stringMatching(/check its port/) },
          },
        ],
      },
    });
    const top = await stormlamp(['top', '--interval', '200', '--config', file]);
    expect(top.code).toBe(1);
    expect(top.stdout).toMatch(new RegExp(`${servers.primary.id} +primary +\\d+`));
    expect(top.stdout).toMatch(new RegExp(`${wrong} +down`));
    expect(top.stdout).toMatch(new RegExp(`${wrong}: .*check its port`));
  } finally {
    impostor.close();
  }
});

test('top shows an outage of everything, and does not end by it', async () => {
  const file = join(folder, 'outage.json');
  const mysql = { primary: 'mysql://app:pw@127.0.0.1:1/shop', replicas: ['mysql://app:pw@127.0.0.1:2/shop'] };
  writeFileSync(file, JSON.stringify({ mysql, sessions: { nodes: ['127.0.0.1:3', '127.0.0.1:4'] } }));
  const top = await stormlamp(['top', '--json', '--interval', '200', '--config', file]);
  expect([top.code, top.stderr]).toEqual([1, expect.not.stringContaining('ERR_INTERNAL')]);
  expect(JSON.parse(top.stdout)).toMatchObject({
    ok: false,
    databases: [{ role: 'down' }, { role: 'down' }],
  });
});

test.each([
  ['doctor', '--no-php'],
  ['top', '--interval', '600000'],
])('%s that is interrupted says so in its one document, and nothing else', async (...words) => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = silent.address() as AddressInfo;
    const file = join(folder, 'silent.json');
    writeFileSync(file, JSON.stringify({ mysql: { primary: `mysql://app:pw@127.0.0.1:${port}/shop` } }));
    const connected = once(silent, 'connection');
    const { child, finished } = startNode(['dist/cli/main.js', ...words, '--json', '--config', file]);
    await connected;
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect([code, JSON.parse(stdout)]).toEqual([
      130,
      { ok: false, error: { code: 'ERR_ABORTED', message: 'interrupted' } },
    ]);
  } finally {
    silent.close();
  }
});

test('an account of the statements that a node refuses is told beside what the monitor sees', async () => {
  const { mysql } = servers.options();
  const nodes = [servers.primary, ...servers.replicas].map(({ id }) => `mysql://nobody:wrong@${id}/shop`);
  const file = join(folder, 'refused.json');
  writeFileSync(
    file,
    JSON.stringify({
      mysql: { nodes, monitor: { ...mysql?.monitor, credentials: servers.accounts.monitor } },
    }),
  );
  const { code, stdout } = await stormlamp(['status', '--config', file, '--json']);
  expect(code).toBe(1);
  const report = JSON.parse(stdout) as { mysql: { nodes: readonly object[] } };
  expect(report.mysql.nodes).toHaveLength(3);
  for (const node of report.mysql.nodes) {
    expect(node).toMatchObject({
      up: true,
      refusal: { code: 'ERR_ACCESS_DENIED', message: expect.stringMatching(/nobody/) },
    });
  }
});

test('explain tells where a statement goes and why the others are not taken', async () => {
  const read = await run(['explain', 'SELECT 1']);
  expect(read.json).toMatchObject({ ok: true, kind: 'read', role: 'replica' });
  expect(read.text).toMatch(/^read\ngoes to 127\.0\.0\.1:\d+ \(replica\)\nbecause /);
  const write = await run(['explain', 'INSERT INTO t VALUES (1)']);
  expect(write.json).toMatchObject({ ok: true, kind: 'write', node: servers.primary.id });
});

test('commands that only look write no heartbeat, take no part in a shared monitor, and leave nothing on any server', async () => {
  const { mysql, sessions } = servers.options();
  const { app, admin, repl, monitor: watcher } = servers.accounts;
  await servers.primary.query(`GRANT CREATE, INSERT, UPDATE, DELETE ON shop.* TO '${app.user}'@'%'`);
  await servers.primary.query(`GRANT SELECT ON shop.* TO '${watcher.user}'@'%'`);
  await servers.waitForReplication();
  const lagSource = { heartbeat: { table: 'shop.beat', write: true, intervalMs: 50 } };
  const looking = { ...mysql, monitor: { ...mysql?.monitor, lagSource, share: true } };
  const file = join(folder, 'looking.json');
  const failover = { credentials: admin, replication: repl };
  writeFileSync(file, JSON.stringify({ mysql: looking, sessions, failover }));
  const standing = async () => [
    await servers.primary.query('SELECT @@gtid_binlog_pos AS at'),
    await servers.primary.query("SHOW TABLES FROM shop LIKE 'beat'"),
    await Promise.all(servers.memcached.map(({ realPort }) => countSets(realPort))),
  ];
  const before = await standing();
  const looks = [
    ['status'],
    ['top', '--once', '--interval', '300'],
    ['doctor', '--no-php'],
    ['explain', 'SELECT 1'],
    ['failover', 'preflight'],
  ];
  const done = await Promise.all(looks.map((words) => stormlamp([...words, '--json', '--config', file])));
  for (const [at, { stdout, stderr }] of done.entries())
    expect(stdout + stderr, looks[at]?.join(' ')).not.toMatch(/ERR_INVALID_OPTION|ERR_INTERNAL/);
  expect(await standing()).toEqual(before);
});

/** How often something was stored in a memcached. */
async function countSets(port: number): Promise<string | undefined> {
  const wire = await Wire.open(port);
  wire.send('stats\r\n');
  const text = await wire.gets('END\r\n');
  wire.close();
  return /STAT cmd_set (\d+)/.exec(text)?.[1];
}

test('session get shows both copies, and what differs between them', async () => {
  const store = await createCluster(servers.options());
  await store.sessions.resync();
  const session = await store.sessions.load(id);
  session.data['seen'] = true;
  await store.sessions.save(session);
  await store.close();
  const same = await run(['session', 'get', id]);
  expect(same.json).toMatchObject({
    ok: true,
    same: true,
    data: { user: { name: 'ada', big: '9223372036854775807' }, n: 1, seen: true },
    differences: [],
  });
  expect(same.text).toContain('user = {"name":"ada","big":"9223372036854775807"}');
  const second = servers.memcached.find(
    (node) => node.id === (same.json as { copies: { node: string }[] }).copies[1]?.node,
  );
  const wire = await Wire.open(second?.realPort ?? 0);
  wire.send(`set memc.sess.key.${id} 0 0 6\r\nn|d:2;\r\n`);
  await wire.gets('STORED\r\n');
  wire.close();
  const { code, text, json } = await run(['session', 'get', id]);
  expect(code).toBe(1);
  expect(text).toContain('n differs:');
  expect(json).toMatchObject({ ok: false, same: false });
  const { differences } = json as { differences: { variable: string; values: object }[] };
  expect(differences.map(({ variable }) => variable).sort()).toEqual(['n', 'seen', 'user']);
});

test('session get of an id that nobody has ends with 1; of one that cannot be, with one message', async () => {
  const missing = await run(['session', 'get', 'a'.repeat(32)]);
  expect(missing.text).toContain('There is no such session.');
  expect(missing).toMatchObject({ code: 1, json: { ok: false, data: null } });
  const wrong = await stormlamp(['session', 'get', 'a b', '--config', config]);
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/^ERR_SESSION_ID: /);
});

test('session get counts the variables that it cannot name, and calls no copies alike that differ in one', async () => {
  const other = 'b'.repeat(32);
  for (const [at, { realPort }] of servers.memcached.entries()) {
    const wire = await Wire.open(realPort);
    wire.send(`set memc.sess.key.${other} 0 0 6\r\n\xff|i:${at};\r\n`);
    await wire.gets('STORED\r\n');
    wire.close();
  }
  const { code, text, json } = await run(['session', 'get', other]);
  expect(code).toBe(1);
  expect(json).toMatchObject({ same: false, data: {}, unnamed: 1, differences: [] });
  expect(text).toContain('Not shown: variables whose names are not UTF-8 (1).');
  expect(text).toContain('The copies differ, and all variables are alike that can be shown.');
  expect(text).not.toContain('No variables');
});

test('session decode reads a file as PHP stored it', async () => {
  const file = join(folder, 'sess_x');
  writeFileSync(file, 'n|d:1;b|s:2:"\xff\xfe";'.replace('\xff\xfe', 'hi'));
  const { stdout } = await stormlamp(['session', 'decode', file, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, handler: 'php', data: { n: 1, b: 'hi' } });
  writeFileSync(file, 'n|d:');
  const broken = await stormlamp(['session', 'decode', file]);
  expect(broken.code).toBe(1);
  expect(broken.stderr).toMatch(/^ERR_PHP_SYNTAX: /);
});

test('top tells what every server does, from two looks', async () => {
  const { code, text, json } = await run(['top', '--interval', '200']);
  expect(code).toBe(0);
  expect(text).toMatch(new RegExp(`${servers.primary.id} +primary +\\d+`));
  expect(json).toMatchObject({
    ok: true,
    databases: servers.databases.map((node) => ({ node: node.id, queriesPerSecond: expect.any(Number) })),
    caches: servers.memcached.map((node) => ({
      node: node.id,
      up: true,
      standing: expect.stringMatching(/^(filled|warming)$/),
      items: expect.any(Number),
    })),
  });
});

test('top shows a node that is not listed', async () => {
  const { mysql } = servers.options();
  const [one] = servers.replicas;
  const file = join(folder, 'one.json');
  const { primary: _, replicas, ...rest } = { ...mysql };
  writeFileSync(file, JSON.stringify({ mysql: { ...rest, nodes: [replicas?.[0]] } }));
  const { code, stdout } = await stormlamp(['top', '--interval', '200', '--config', file, '--json']);
  expect(code).toBe(0);
  const { databases } = JSON.parse(stdout) as TopReport;
  expect(databases.map(({ node, role, queriesPerSecond }) => [node, role, queriesPerSecond])).toEqual([
    [one?.id, 'replica', expect.any(Number)],
    [servers.primary.id, 'primary', expect.any(Number)],
  ]);
});

test('top counts every kind of write for the primary, and what a replica applies as such; and how long statements took', async () => {
  const { primary } = servers;
  for (const sql of [
    'CREATE TABLE shop.top_a (id INT PRIMARY KEY AUTO_INCREMENT, v INT)',
    'CREATE TABLE shop.top_b LIKE shop.top_a',
    'INSERT INTO shop.top_a (v) VALUES (1), (2)',
    "INSTALL SONAME 'query_response_time'",
    'SET GLOBAL query_response_time_stats = ON',
  ])
    await primary.query(sql);
  const config = { options: servers.options(), source: 'the test' };
  const sampler = await TopSampler.open(config);
  try {
    await sampler.sample();
    for (const sql of [
      'INSERT INTO shop.top_b (v) SELECT v FROM shop.top_a',
      'REPLACE INTO shop.top_b (v) SELECT v FROM shop.top_a',
      'UPDATE shop.top_a JOIN shop.top_b USING (id) SET shop.top_a.v = 9',
      'DELETE shop.top_b FROM shop.top_b',
    ])
      await primary.query(sql);
    await servers.waitForReplication();
    await sampler.sample();
    const [first, ...replicas] = sampler.report().databases;
    expect(first).toMatchObject({
      role: 'primary',
      writesPerSecond: expect.any(Number),
      appliedPerSecond: null,
      queryP50Ms: expect.any(Number),
    });
    expect(first?.writesPerSecond).toBeGreaterThan(0);
    for (const each of replicas) {
      expect(each).toMatchObject({ role: 'replica', writesPerSecond: null, queryP50Ms: null });
      expect(each.appliedPerSecond).toBeGreaterThan(0);
    }
  } finally {
    await sampler.close();
    await primary.query("UNINSTALL SONAME 'query_response_time'");
  }
});

describe('in a terminal', () => {
  const terminal = (columns: number, args: readonly string[], variables = ''): Promise<string> =>
    atTerminal(columns, args[0] === 'servers' ? args : [...args, '--config', config], variables);

  test.each([80, 40])('of %i columns no line is wider, and there are colours', async (columns) => {
    const shown = await terminal(columns, ['status']);
    expect(shown).toMatch(ESCAPES);
    const lines = linesOf(shown);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    expect(lines.join('\n')).toContain(servers.primary.id);
  });

  const looks = [
    ['doctor', '--no-php'],
    ['explain', '"SELECT name FROM cart WHERE owner = 1 ORDER BY name"'],
    ['top', '--once'],
    ['session', 'get', 'ID'],
    ['servers', 'list'],
  ];
  test.each([80, 40].flatMap((columns) => looks.map((args) => [columns, args] as const)))(
    'of %i columns no line of %j is wider',
    async (columns, args) => {
      const shown = await terminal(
        columns,
        args.map((word) => (word === 'ID' ? id : word)),
      );
      const lines = linesOf(shown);
      expect(lines.join('').length).toBeGreaterThan(100);
      // Nothing is cut; the doctor says so what it waits for.
      if (args[0] !== 'doctor') expect(shown).not.toContain('…');
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    },
  );

  test('NO_COLOR switches the colours off', async () => {
    expect(await terminal(80, ['status'], 'NO_COLOR=1')).not.toMatch(ESCAPES);
  });
});

test('the environment stands in for the file', async () => {
  const { user, password } = servers.accounts.monitor;
  const env = { STORMLAMP_MYSQL_PRIMARY: `mysql://${user}:${password}@${servers.primary.id}` };
  const { stdout } = await stormlamp(['explain', 'INSERT INTO t VALUES (1)', '--json'], { env });
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, node: servers.primary.id });
});

test.each([
  [
    ['status', '--config', '/nowhere.json'],
    'The configuration /nowhere.json is not there; correct `--config`',
  ],
  [['status', 'now'], 'Expected `status <argument>` to be left out'],
  [['explain'], 'Expected `explain <sql>` to be a statement'],
  [['session', 'show'], "Expected `session <action>` to be 'get' or 'decode'"],
  [['session', 'decode', '/nowhere'], 'a file that can be read'],
])('%j is wrong usage: exit code 2, one message', async (args, told) => {
  const { code, stderr } = await stormlamp(args);
  expect(code).toBe(2);
  expect(stderr).toContain(told);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
