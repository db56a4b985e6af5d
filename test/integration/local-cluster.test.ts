/** A cluster of real servers: every handle does what it says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type LocalCluster,
  type LocalDatabaseNode,
  type LocalNode,
  type LocalProgress,
  startLocalCluster,
} from '../../src/testing/index.js';
import { processState } from '../../src/testing/process/process-stat.js';
import { eventually } from './eventually.js';
import { Wire } from './wire.js';

let cluster: LocalCluster;
const progress: LocalProgress[] = [];

beforeAll(async () => {
  cluster = await startLocalCluster({ onProgress: (event) => progress.push(event) });
  await cluster.primary.query('CREATE TABLE shop.notes (id INT PRIMARY KEY, text VARCHAR(100))');
  await cluster.waitForReplication();
});
afterAll(async () => {
  await cluster?.close();
});
afterEach(async () => {
  cluster.faults.heal();
  for (const node of cluster.nodes) {
    if (node.state === 'paused') await node.resume();
    await node.start();
  }
});

let lastId = 0;
function newId(): number {
  lastId += 1;
  return lastId;
}

/** Runs one statement as a client of the node's URL. */
async function asUser(url: string, sql: string): Promise<unknown> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query(sql);
    return rows;
  } finally {
    connection.destroy();
  }
}

async function texts(node: LocalDatabaseNode): Promise<unknown[]> {
  const rows = await node.query<{ text: string }>('SELECT text FROM shop.notes ORDER BY id');
  return rows.map((row) => row.text);
}

/** What a memcached node holds under `key`. */
async function item(node: LocalNode, key: string): Promise<string> {
  const wire = await Wire.open(node.realPort);
  wire.send(`get ${key}\r\n`);
  const answer = await wire.gets('END\r\n');
  wire.close();
  return answer;
}

describe('replication', () => {
  test('what the application writes on the primary appears on every replica', async () => {
    const { primary, replicas } = cluster.options().mysql;
    const id = newId();
    await asUser(primary, `INSERT INTO notes VALUES (${id}, 'replicated')`);
    await cluster.waitForReplication();
    expect(replicas).toHaveLength(2);
    for (const url of replicas)
      expect(await asUser(url, `SELECT text FROM notes WHERE id=${id}`)).toEqual([{ text: 'replicated' }]);
  });

  test('the application cannot write on a replica, and has no global privilege that would let it', async () => {
    const { primary, replicas } = cluster.options().mysql;
    await expect(asUser(replicas[0] ?? '', "INSERT INTO notes VALUES (999, 'x')")).rejects.toMatchObject({
      errno: 1290,
    });
    const grants = JSON.stringify(await asUser(primary, 'SHOW GRANTS'));
    expect(grants).toContain('GRANT USAGE ON *.*');
    expect(grants).toMatch(/LOCK TABLES.* ON `shop`\.\*/);
  });

  test('the monitor sees replication and nothing else', async () => {
    const { user, password } = cluster.options().mysql.monitor.credentials;
    const replica = cluster.replicas[0];
    const url = `mysql://${user}:${password}@${replica?.id}`;
    const [status] = (await asUser(url, 'SHOW REPLICA STATUS')) as Record<string, unknown>[];
    expect(status).toMatchObject({ Slave_IO_Running: 'Yes', Slave_SQL_Running: 'Yes' });
    await expect(asUser(url, 'SELECT * FROM shop.notes')).rejects.toMatchObject({ errno: 1142 });
  });

  test('servers know each other by the addresses that clients use', async () => {
    for (const replica of cluster.replicas) {
      const [status] = await replica.query('SHOW REPLICA STATUS');
      expect(`${status?.['Master_Host']}:${status?.['Master_Port']}`).toBe(cluster.primary.id);
    }
    const hosts = await cluster.primary.query<{ Host: string; Port: number }>('SHOW REPLICA HOSTS');
    expect(hosts.map(({ Host, Port }) => `${Host}:${Port}`).sort()).toEqual(
      cluster.replicas.map((replica) => replica.id).sort(),
    );
  });

  test('waiting for a replica that does not replicate ends with its name and the reason', async () => {
    const replica = cluster.replicas[1];
    await replica?.query('STOP SLAVE SQL_THREAD');
    await cluster.primary.query('INSERT INTO shop.notes VALUES (?, ?)', [newId(), 'late']);
    await expect(cluster.waitForReplication({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
      node: replica?.id,
      message: expect.stringMatching(/db\d.*200 ms.*Slave_SQL_Running: No/s),
    });
    await replica?.query('START SLAVE SQL_THREAD');
    await cluster.waitForReplication();
  });
});

describe('the life of a node', () => {
  test('kill is a power cut: connections are refused; start brings the same data back under the same address', async () => {
    const { primary } = cluster;
    const before = { pid: primary.pid, id: primary.id };
    await primary.query('INSERT INTO shop.notes VALUES (?, ?)', [newId(), 'before the cut']);
    await primary.kill();
    expect({ state: primary.state, running: primary.running, pid: primary.pid }).toEqual({
      state: 'stopped',
      running: false,
      pid: undefined,
    });
    expect((await Wire.open(primary.port)).failure).toBe('ECONNREFUSED');
    await expect(primary.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    await primary.start();
    expect(primary.id).toBe(before.id);
    expect(primary.pid).not.toBe(before.pid);
    expect(await texts(primary)).toContain('before the cut');
    await primary.query('INSERT INTO shop.notes VALUES (?, ?)', [newId(), 'after the cut']);
    await cluster.waitForReplication();
    for (const replica of cluster.replicas) expect(await texts(replica)).toContain('after the cut');
  });

  test('stop is a clean shutdown, and what is done already is done again without harm', async () => {
    const replica = cluster.node('db2');
    await replica.stop();
    await replica.stop();
    await replica.kill();
    expect(replica.log()).toMatch(/Shutdown complete/);
    await replica.start();
    await replica.start();
    await replica.restart();
    expect(replica.running).toBe(true);
  });

  test('a paused node accepts connections and answers nobody until it is resumed', async () => {
    const [cache] = cluster.memcached;
    if (cache === undefined) throw new Error('no memcached');
    await cache.pause();
    expect({ state: cache.state, running: cache.running }).toEqual({ state: 'paused', running: false });
    expect(processState(cache.pid ?? 0)).toBe('T');
    const wire = await Wire.open(cache.port);
    wire.send('version\r\n');
    const other = cluster.memcached[1];
    await item(other as LocalNode, 'nothing');
    expect({ received: wire.received, failure: wire.failure }).toEqual({ received: '', failure: undefined });
    await cache.resume();
    expect(await wire.gets('\r\n')).toMatch(/^VERSION /);
    wire.close();
    await cache.pause();
    await cache.stop();
    expect(cache.state).toBe('stopped');
  });

  test('a memcached node that was started again is empty', async () => {
    const [cache] = cluster.memcached;
    if (cache === undefined) throw new Error('no memcached');
    const wire = await Wire.open(cache.port);
    wire.send('set here 0 0 3\r\nyes\r\n');
    await wire.gets('STORED\r\n');
    expect(await item(cache, 'here')).toContain('yes');
    wire.close();
    await cache.restart();
    expect(await item(cache, 'here')).toBe('END\r\n');
  });

  test('a server that ends by itself is seen as stopped', async () => {
    const replica = cluster.node('db3');
    process.kill(replica.pid ?? 0, 'SIGKILL');
    await eventually('the node is stopped', () => replica.state === 'stopped');
    expect((await Wire.open(replica.port)).failure).toBe('ECONNREFUSED');
  });

  test('what a node without a process cannot do is an error that says what to do first', async () => {
    const replica = cluster.node('db3');
    await replica.kill();
    for (const attempt of [replica.pause(), replica.resume()]) {
      await expect(attempt).rejects.toMatchObject({
        code: 'ERR_NODE_UNREACHABLE',
        message: expect.stringContaining('start() it first'),
      });
    }
    expect(() => cluster.node('db9')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  });
});

describe('PHP', () => {
  const LOGIN =
    "<?php session_id('abcdefghijklmnopqrstuv0001'); session_start(); $_SESSION['user'] = 'ada'; echo session_id();";

  test('a session lands on both memcached nodes', async () => {
    const { stdout, stderr, exitCode } = await cluster.php(LOGIN);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: 'abcdefghijklmnopqrstuv0001',
      stderr: '',
      exitCode: 0,
    });
    for (const cache of cluster.memcached) {
      expect(await item(cache, 'memc.sess.key.abcdefghijklmnopqrstuv0001')).toContain('user|s:3:"ada";');
    }
  });

  test('arguments, input, environment and settings reach the script; its exit code and messages come back', async () => {
    const script = `<?php fwrite(STDERR, 'complaint'); echo $argv[1], '|', stream_get_contents(STDIN), '|', getenv('COLOUR'), '|', ini_get('precision'), '|', ini_get('session.save_path'), "\\xff"; exit(3);`;
    const result = await cluster.php(script, {
      args: ['--first'],
      stdin: 'input',
      env: { COLOUR: 'green' },
      ini: { precision: 5, 'session.save_path': 'elsewhere:1' },
    });
    expect(result.stdoutBytes.toString('latin1')).toBe('--first|input|green|5|elsewhere:1\xff');
    expect({ stderr: result.stderr, exitCode: result.exitCode }).toEqual({
      stderr: 'complaint',
      exitCode: 3,
    });
  });

  test('a script that does not end is killed at its deadline', async () => {
    await expect(cluster.php('<?php while (true) usleep(1000);', { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    for (const script of ['echo 1;', 3 as never, undefined as never]) {
      await expect(cluster.php(script)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('`<?php`'),
      });
    }
    await expect(cluster.php('<?php', { colour: 1 } as object)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
  });

  test('a script that still runs when the cluster is closed is killed', async () => {
    const other = await startLocalCluster({ databases: false, memcached: 0 });
    const running = other.php('<?php echo getmypid(); flush(); sleep(600);');
    const told = expect(running).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const pid = await eventually('it runs', () => {
      const [script] = readdirSync(other.folder).filter((name) => name.startsWith('php-'));
      const file = join(other.folder, script ?? '', 'stdout');
      return script !== undefined && existsSync(file) && Number(readFileSync(file, 'utf8'));
    });
    await other.close();
    await told;
    expect(processState(Number(pid))).toBeUndefined();
  });

  test('a site of one script answers every request with the same sessions', async () => {
    const site = await cluster.phpSite(
      "<?php session_id('abcdefghijklmnopqrstuv0002'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SERVER['REQUEST_URI'], ' ', $_SESSION['n'];",
    );
    expect(await (await fetch(`${site.url}/a`)).text()).toBe('/a 1');
    expect(await (await fetch(`${site.url}/b`)).text()).toBe('/b 2');
    expect(cluster.node(site.name)).toBe(site);
    await site.kill();
    await expect(fetch(site.url)).rejects.toThrow();
    await site.start();
    expect(await (await fetch(`${site.url}/c`)).text()).toBe('/c 3');
    await site.stop();
  });

  test('a site can be a folder', async () => {
    const dir = join(cluster.folder, 'pages');
    await mkdir(dir);
    await writeFile(
      join(dir, 'hello.php'),
      "<?php echo 'hello ', ini_get('session.gc_maxlifetime'), getenv('X');",
    );
    const site = await cluster.phpSite(
      { dir },
      { ini: { 'session.gc_maxlifetime': 60 }, env: { X: '!' }, workers: 1 },
    );
    expect(await (await fetch(`${site.url}/hello.php`)).text()).toBe('hello 60!');
    await site.stop();
    await expect(cluster.phpSite('/nope')).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    await expect(cluster.phpSite({ dir: 'pages' })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  });

  test('PHP and Node are given the same nodes in the same words', () => {
    const nodes = cluster.options().sessions.nodes;
    expect(cluster.phpIni()).toContain(`session.save_path = "${nodes.join(',')}"\n`);
    expect(cluster.phpIni()).toContain('memcached.sess_number_of_replicas = 1\n');
    expect(nodes).toEqual(cluster.memcached.map((node) => node.id));
  });
});

describe('promotion by somebody else', () => {
  test('with a living primary: it becomes a replica, and writes go on elsewhere', async () => {
    const [old, next] = [cluster.primary, cluster.node('db2') as LocalDatabaseNode];
    await old.query('INSERT INTO shop.notes VALUES (?, ?)', [newId(), 'last of the old']);
    await cluster.promote(next);
    expect(cluster.primary).toBe(next);
    expect(cluster.options().mysql.primary).toContain(`@${next.id}/`);
    await asUser(
      cluster.options().mysql.primary,
      `INSERT INTO notes VALUES (${newId()}, 'first of the new')`,
    );
    await cluster.waitForReplication();
    expect(await texts(old)).toEqual(await texts(next));
    expect(await texts(old)).toEqual(expect.arrayContaining(['last of the old', 'first of the new']));
    await expect(
      asUser(cluster.options().mysql.replicas[0] ?? '', 'DELETE FROM notes'),
    ).rejects.toMatchObject({ errno: 1290 });
    // Its configuration was changed too.
    await old.restart();
    expect(await old.query('SELECT @@read_only AS r')).toEqual([{ r: 1 }]);
  });

  test('with a dead primary: it comes back believing that it is the primary, until it rejoins', async () => {
    const old = cluster.primary;
    await old.kill();
    const next = cluster.replicas.find((replica) => replica.running);
    if (next === undefined) throw new Error('no replica');
    await cluster.promote(next);
    const id = newId();
    await next.query('INSERT INTO shop.notes VALUES (?, ?)', [id, 'while it was dead']);
    await old.start();
    expect(await old.query('SELECT @@read_only AS r')).toEqual([{ r: 0 }]);
    expect(await old.query('SHOW REPLICA STATUS')).toEqual([]);
    await cluster.rejoin(old);
    await cluster.waitForReplication();
    expect(await texts(old)).toContain('while it was dead');
    await cluster.rejoin(cluster.primary);
    expect(await cluster.primary.query('SHOW REPLICA STATUS')).toEqual([]);
  });

  test('a node that does not run cannot be promoted', async () => {
    const replica = cluster.replicas[0] as LocalDatabaseNode;
    await replica.kill();
    await expect(cluster.promote(replica)).rejects.toMatchObject({
      code: 'ERR_NODE_UNREACHABLE',
      node: replica.id,
    });
    await expect(cluster.rejoin(replica)).rejects.toMatchObject({ code: 'ERR_NODE_UNREACHABLE' });
    await replica.start();
  });
});

describe('the cluster', () => {
  test('it says what it does and which servers it uses', () => {
    expect(progress.map((event) => event.phase)).toEqual(expect.arrayContaining(['start', 'ready']));
    for (const server of ['mariadb', 'memcached', 'php'] as const) {
      expect(cluster.versions[server]).toMatchObject({
        version: expect.stringMatching(/^\d+\.\d+/),
        from: expect.stringContaining('/'),
      });
    }
  });

  test('two of them do not meet, and closing one leaves nothing of it and all of the other', async () => {
    const second = await startLocalCluster({ replicas: 0, memcached: 1, php: false });
    const pids = second.nodes.map((node) => node.pid ?? 0);
    expect(second.replicas).toEqual([]);
    expect(second.folder).not.toBe(cluster.folder);
    await expect(second.promote(cluster.primary)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    const hanging = Wire.open(second.primary.port);
    await Promise.all([second.close(), second.close()]);
    (await hanging).close();
    await second[Symbol.asyncDispose]();
    expect(pids.map((pid) => processState(pid))).toEqual([undefined, undefined]);
    expect(existsSync(second.folder)).toBe(false);
    await expect(second.php('<?php')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(second.primary.start()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(second.promote(second.primary)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(second.rejoin(second.primary)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await expect(second.waitForReplication()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    expect(() => second.isolate(second.primary)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    expect(await cluster.primary.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});
