/**
 * A replica that cannot follow any more, because it has transactions of its own or its source has no such logs any more: what only
 * it has is saved, its data is made anew from the primary, and it follows again.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { expect } from 'vitest';
import { placeOf, startTool, withLoginFile } from '../../src/failover/rebuild/server-tool.js';
import {
  type Cluster,
  cloneRebuild,
  createCluster,
  dumpRebuild,
  type FailoverHooks,
} from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { clientProgram } from './client-programs.js';

type Flavor = DatabaseCase['flavor'];

/** Text that every layer might get wrong. */
const AWKWARD = 'it\'s \\ "quoted"; über -- 漢';

/** Plays it on servers of one kind; resolves with how long the rebuild took, milliseconds. */
export async function rebuildStory(
  { flavor, options }: DatabaseCase,
  why: 'errant' | 'purged',
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-rebuild-'));
  const servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  try {
    return await play(servers, flavor, folder, why);
  } finally {
    await servers.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both replicas of a primary need logs that it does not have any more; resolves when both follow again, with how long that took. */
export async function rebuildBothStory({ flavor, options }: DatabaseCase): Promise<number> {
  const servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  const { primary, replicas } = servers;
  let cluster: Cluster | undefined;
  try {
    await primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY, text VARCHAR(100), raw VARBINARY(20))');
    for (const node of replicas) {
      await eventually('it has the table', () =>
        countOf(node, 'shop.kept').then(
          () => true,
          () => false,
        ),
      );
    }
    // They go on to vote for it: a majority of voters without a source would leave nobody to put them right.
    const what = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    for (const node of replicas) await node.query(`STOP ${what}`);
    await throwLogsAway(primary);
    for (const node of replicas) await node.query(`START ${what}`);
    const since = performance.now();
    cluster = await open(servers, flavor, undefined, true);
    for (const node of replicas) await eventually('it follows', () => follows(node, primary), 200_000);
    const journal = await cluster.failover.history(100);
    const rebuilt = journal
      .filter(({ kind }) => kind === 'node-rebuilt')
      .flatMap(({ nodes }) => nodes[0] ?? []);
    expect(rebuilt.sort()).toEqual(replicas.map(({ id }) => id).sort());
    return performance.now() - since;
  } finally {
    await cluster?.close();
    await servers.close();
  }
}

/**
 * Both replicas need logs that are gone, and an operator's process makes one of them anew already: the other one waits for it, and in
 * the end the elected process has made both anew.
 */
export async function rebuildBesideStory({ flavor, options }: DatabaseCase): Promise<void> {
  const servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
  const { primary, replicas } = servers;
  const [one, two] = replicas;
  const opened: Cluster[] = [];
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  try {
    if (one === undefined || two === undefined) throw new Error('two replicas are needed');
    await primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY, text VARCHAR(100), raw VARBINARY(20))');
    await servers.waitForReplication();
    const what = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    for (const node of replicas) await node.query(`STOP ${what}`);
    await throwLogsAway(primary);
    for (const node of replicas) await node.query(`START ${what}`);
    let begun = false;
    const hold = async (): Promise<'skipped'> => {
      begun = true;
      await ended;
      return 'skipped';
    };
    const operator = await open(servers, flavor, undefined, false, hold);
    opened.push(operator);
    let rebuilding: Promise<unknown> | undefined;
    await eventually('it has begun', async () => {
      rebuilding ??= operator.failover.rebuild(one.id).catch(() => {
        rebuilding = undefined;
      });
      await Promise.race([rebuilding, setTimeout(100)]);
      return begun;
    });
    const elected = await open(servers, flavor, undefined, true);
    opened.push(elected);
    const journal = async (): Promise<string> =>
      (await elected.failover.history(100)).map(({ kind, message }) => `${kind} ${message}`).join('\n');
    const why = `rebuild-waits ${two.id} is made anew later: ${one.id} is being made anew from ${primary.id}`;
    await eventually(
      'the journal says what it waits for',
      async () => (await journal()).includes(why),
      60_000,
    );
    end();
    for (const node of replicas)
      await eventually('it follows', () => follows(node, primary), 200_000).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await journal()}`);
      });
  } finally {
    end();
    await Promise.all(opened.map((cluster) => cluster.close()));
    await servers.close();
  }
}

async function play(
  servers: LocalCluster,
  flavor: Flavor,
  folder: string,
  why: 'errant' | 'purged',
): Promise<number> {
  const [node] = servers.replicas;
  if (node === undefined) throw new Error('a replica is needed');
  const { primary } = servers;
  await primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY, text VARCHAR(100), raw VARBINARY(20))');
  await primary.query("INSERT INTO shop.kept VALUES (1, ?, X'00FF27')", [AWKWARD]);
  await primary.query('CREATE PROCEDURE shop.two() SELECT 2 AS two');
  await eventually('the replica has it', async () => (await countOf(node, 'shop.kept').catch(() => 0)) === 1);
  if (flavor === 'mariadb') await writeAsFormerPrimary(servers);
  if (why === 'errant') await refuseUnsaved(servers, node, flavor);
  else await losePlace(node, primary, flavor);

  const since = performance.now();
  const careful = await open(servers, flavor, folder, true);
  try {
    const { checks } = await careful.failover.preflight();
    expect(checks.filter(({ name, result }) => name.startsWith('rebuild-') && result !== 'pass')).toEqual([]);
    expect(checks.filter(({ name }) => name === 'rebuild-privileges').length).toBe(servers.databases.length);
    const told: { readonly node: string }[] = [];
    careful.failover.on('rebuild-needed', (event) => told.push(event));
    // One whose logs are missing follows for a moment, until the primary tells it so.
    await eventually('it is told', () => told.some((event) => event.node === node.id));
    await eventually(
      'it follows again, without what it had of its own',
      async () => {
        // It shuts down and comes back in between.
        const sql = 'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA';
        const databases = await node.query<{ name: string }>(sql).catch(() => [{ name: 'errant' }]);
        return !databases.some(({ name }) => name === 'errant') && (await follows(node, primary));
      },
      120_000,
    ).catch(async (error: unknown) => {
      const journal = await careful.failover.history(40);
      throw new Error(
        `${String(error)}\n${journal.map(({ kind, message }) => `${kind} ${message}`).join('\n')}`,
      );
    });
    expect(told).toContainEqual(expect.objectContaining({ node: node.id, from: primary.id, why }));
    const took = performance.now() - since;
    await primary.query('INSERT INTO shop.kept VALUES (2, ?, NULL)', [AWKWARD]);
    await eventually('new rows come', async () => (await countOf(node, 'shop.kept')) === 2);
    const rows = 'SELECT id, text, HEX(raw) AS bytes FROM shop.kept ORDER BY id';
    expect(await node.query(rows)).toEqual(await primary.query(rows));
    expect(await node.query('CALL shop.two()')).toBeDefined();
    if (flavor === 'mariadb') {
      const history = await stateOf(primary);
      expect(history).toContain('0-77');
      expect(await stateOf(node)).toEqual(expect.arrayContaining([...history]));
    }
    // It has everything, and can prove it.
    await eventually('it can become the primary', async () => {
      const plan = await careful.failover.plan('switchover', node.id).catch(() => undefined);
      return plan?.to === node.id;
    });
    if (why === 'errant') await bringBack(servers, flavor, folder);
    return took;
  } finally {
    await careful.close();
  }
}

/** The histories of all servers that ever wrote here: what the copy contains, too. */
async function stateOf(node: LocalDatabaseNode): Promise<readonly string[]> {
  const [row] = await node.query<{ state: string }>('SELECT @@GLOBAL.gtid_binlog_state AS state');
  return String(row?.state)
    .split(',')
    .map((gtid) => gtid.trim().split('-').slice(0, 2).join('-'));
}

/** As if another server had been the primary before. */
async function writeAsFormerPrimary({ primary, accounts }: LocalCluster): Promise<void> {
  const { user, password } = accounts.admin;
  const connection = await createConnection({ host: '127.0.0.1', port: primary.port, user, password });
  await connection.query('SET SESSION server_id=77');
  await connection.query("INSERT INTO shop.kept VALUES (99, 'former', NULL)");
  connection.destroy();
  await primary.query('DELETE FROM shop.kept WHERE id=99');
}

/** Its own transactions are not thrown away unsaved, nor is the primary. */
async function refuseUnsaved(servers: LocalCluster, node: LocalDatabaseNode, flavor: Flavor): Promise<void> {
  await misbehave(node, flavor);
  const careless = await open(servers, flavor, undefined, false);
  try {
    await eventually('a primary is known, and nothing is thrown away unsaved', async () => {
      const said = await careless.failover.rebuild(node.id).catch((error: Error) => error.message);
      return said.includes('saveTo');
    });
    await expect(careless.failover.rebuild(servers.primary.id)).rejects.toThrow('is the primary');
  } finally {
    await careless.close();
  }
  expect(await countOf(node, 'errant.own')).toBe(1);
}

/** The primary goes on without it, and throws away the logs that it would need. */
async function losePlace(node: LocalDatabaseNode, primary: LocalDatabaseNode, flavor: Flavor): Promise<void> {
  await forget(node, flavor);
  await throwLogsAway(primary);
}

async function throwLogsAway(primary: LocalDatabaseNode): Promise<void> {
  for (let index = 10; index < 15; index += 1)
    await primary.query('INSERT INTO shop.kept VALUES (?, NULL, NULL)', [index]);
  await primary.query('DELETE FROM shop.kept WHERE id > 9');
  await primary.query('FLUSH BINARY LOGS');
  const logs = await primary.query<{ Log_name: string }>('SHOW BINARY LOGS');
  await eventually('the old logs are gone', async () => {
    await primary.query('PURGE BINARY LOGS TO ?', [logs.at(-1)?.Log_name]);
    return (await primary.query('SHOW BINARY LOGS')).length < logs.length;
  });
}

async function forget(node: LocalDatabaseNode, flavor: Flavor): Promise<void> {
  const what = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  await node.query(`STOP ${what}`);
  await node.query(`RESET ${what} ALL`);
}

/** What an administrator does by mistake on a replica. */
async function misbehave(node: LocalDatabaseNode, flavor: Flavor): Promise<void> {
  if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only=0');
  await forget(node, flavor);
  await node.query('CREATE DATABASE errant');
  await node.query('CREATE TABLE errant.own (text VARCHAR(100)) DEFAULT CHARSET=utf8mb4');
  await node.query('INSERT INTO errant.own VALUES (?)', [AWKWARD]);
}

async function open(
  servers: LocalCluster,
  flavor: Flavor,
  saveTo: string | undefined,
  automatic: boolean,
  hook?: FailoverHooks['rebuild'],
): Promise<Cluster> {
  const { admin, repl } = servers.accounts;
  const common = { credentials: admin, ...(saveTo === undefined ? {} : { saveTo }) };
  const rebuild: FailoverHooks['rebuild'] =
    hook ??
    (flavor === 'mysql'
      ? cloneRebuild({
          ...common,
          programs: { binlog: await clientProgram('mysql', 'mysqlbinlog') },
          restart: async (id) => {
            const node = servers.databases.find((each) => each.id === id);
            await eventually('it has shut down', () => node?.running === false);
            await node?.start();
          },
        })
      : dumpRebuild({
          ...common,
          programs: {
            dump: await clientProgram('mariadb', 'mariadb-dump'),
            client: await clientProgram('mariadb', 'mariadb'),
            binlog: await clientProgram('mariadb', 'mariadb-binlog'),
          },
        }));
  return await createCluster({
    mysql: servers.options().mysql,
    failover: {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      maxLoss: 'any',
      leaseMs: 3_000,
      automatic,
      hooks: { rebuild },
    },
  });
}

/** Executes what was saved on the primary: a person who has looked at it may want it back. */
async function bringBack(servers: LocalCluster, flavor: Flavor, folder: string): Promise<void> {
  const [file = '', ...more] = readdirSync(folder);
  expect(more).toEqual([]);
  const sql = readFileSync(join(folder, file));
  expect(sql.toString()).toContain('### INSERT INTO `errant`.`own`');
  expect(sql.toString()).not.toContain('`shop`');
  // MariaDB's client, the only one here, cannot log in to MySQL.
  if (flavor === 'mysql') return;
  const client = await clientProgram('mariadb', 'mariadb');
  const { primary, accounts } = servers;
  await withLoginFile(accounts.admin, async (login) => {
    const tool = startTool(client, placeOf(login, primary.id), new AbortController().signal);
    tool.stdout.resume();
    await pipeline(Readable.from([sql]), tool.stdin);
    await tool.ended;
  });
  expect(await primary.query('SELECT text FROM errant.own')).toEqual([{ text: AWKWARD }]);
}

async function countOf(node: LocalDatabaseNode, table: string): Promise<number> {
  const rows = await node.query<{ count: number }>(`SELECT COUNT(*) AS count FROM ${table}`);
  return Number(rows[0]?.count);
}

async function follows(node: LocalDatabaseNode, primary: LocalDatabaseNode): Promise<boolean> {
  if (!node.running) return false;
  const mysql = (await node.query<{ version: string }>('SELECT VERSION() AS version').catch(() => []))[0];
  if (mysql === undefined) return false;
  const sql = /mariadb/i.test(mysql.version) ? 'SHOW SLAVE STATUS' : 'SHOW REPLICA STATUS';
  const [status] = await node.query(sql);
  const port = Number(status?.['Source_Port'] ?? status?.['Master_Port'] ?? 0);
  return (
    port === primary.port &&
    (status?.['Replica_IO_Running'] ?? status?.['Slave_IO_Running']) === 'Yes' &&
    (status?.['Replica_SQL_Running'] ?? status?.['Slave_SQL_Running']) === 'Yes'
  );
}
