/**
 * The ready rebuild hooks throw nothing away before they know that a copy can be made: each thing that may be wrong, one after the
 * other, leaves the node as it was, with an account that has nothing but what a refusal names.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { RebuildOptions, RebuildPrograms } from '../../src/failover/rebuild/rebuild-options.js';
import { cloneRebuild, dumpRebuild, type RebuildRequest } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';
import { clientProgram } from './client-programs.js';

/** The account that rebuilds. */
const ACCOUNT = { user: 'maker', password: 'maker secret' };
/** More than half of the largest packet by default: twice as long in a dump. */
const LONG = 9 * 1_048_576;

/** What the parts of the story have at hand. */
interface Scene {
  readonly servers: LocalCluster;
  readonly node: LocalDatabaseNode;
  readonly folder: string;
  readonly logged: string[];
  /** Calls the hook as the manager does, whose look was a while ago and found nothing. */
  rebuild(options?: Partial<RebuildOptions>): Promise<string>;
  /** That the hook refuses, and that the node is as it was. */
  refuses(why: RegExp, options?: Partial<RebuildOptions>): Promise<string>;
}

/** Plays it on servers of one kind. `saves`: the programs at hand read its binary logs. */
export async function carefulRebuild({ flavor, options }: DatabaseCase, saves = true): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-careful-'));
  const servers = await startLocalCluster({ ...options, replicas: 1, php: false, memcached: 0 });
  try {
    const [node] = servers.replicas;
    if (node === undefined) throw new Error('a replica is needed');
    const scene = await sceneOf(servers, node, flavor, folder);
    await fill(servers.primary, flavor);
    await servers.waitForReplication();
    await (flavor === 'mysql' ? refuseClone(scene) : refuseDump(scene));
    await makeAnew(scene, flavor, saves);
  } finally {
    await servers.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sceneOf(
  servers: LocalCluster,
  node: LocalDatabaseNode,
  flavor: DatabaseCase['flavor'],
  folder: string,
): Promise<Scene> {
  const names = flavor === 'mysql' ? ['mysqlbinlog'] : ['mariadb-binlog', 'mariadb-dump', 'mariadb'];
  const [binlog, dump, client] = await Promise.all(names.map((name) => clientProgram(flavor, name)));
  const programs: RebuildPrograms = { binlog, dump: dump && [...dump, '--compress'], client };
  const logged: string[] = [];
  const restart = async (): Promise<void> => {
    await eventually('it has shut down', () => !node.running);
    await node.start();
  };
  const rebuild: Scene['rebuild'] = async (more = {}) => {
    const given = { credentials: ACCOUNT, ...more, programs: { ...programs, ...more.programs } };
    const hook = flavor === 'mysql' ? cloneRebuild({ ...given, restart }) : dumpRebuild(given);
    const request: RebuildRequest = {
      node: node.id,
      from: servers.primary.id,
      why: 'errant',
      gtids: '',
      signal: AbortSignal.timeout(120_000),
      deadline: 0,
      log: (message) => logged.push(message),
    };
    return await hook(request);
  };
  const refuses: Scene['refuses'] = async (why, more) => {
    const before = await stateOf(node, flavor);
    const said = await rebuild(more).then(
      () => 'it was rebuilt',
      (error: Error) => error.message,
    );
    expect(said).toMatch(why);
    expect(await stateOf(node, flavor)).toEqual(before);
    return said;
  };
  return { servers, node, folder, logged, rebuild, refuses };
}

/** What a node has, and whether it follows and takes writes. */
async function stateOf(node: LocalDatabaseNode, flavor: DatabaseCase['flavor']): Promise<unknown> {
  const closed = flavor === 'mysql' ? '@@GLOBAL.super_read_only' : '@@GLOBAL.read_only';
  const [status] = await node.query(flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS');
  return {
    variables: await node.query(`SELECT ${closed} AS closed, @@GLOBAL.read_only AS read_only`),
    follows: status?.['Replica_IO_Running'] ?? status?.['Slave_IO_Running'],
    tables: await node.query(
      "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1, 2",
    ),
    rows: await node.query('SELECT id FROM shop.kept ORDER BY id'),
  };
}

/** All kinds of things that a database has. */
async function fill(primary: LocalDatabaseNode, flavor: DatabaseCase['flavor']): Promise<void> {
  await primary.query(`CREATE USER '${ACCOUNT.user}'@'%' IDENTIFIED BY '${ACCOUNT.password}'`);
  await primary.query('CREATE TABLE shop.kept (id INT PRIMARY KEY, text VARCHAR(100), FULLTEXT (text))');
  await primary.query('CREATE TABLE shop.part (id INT PRIMARY KEY, kept INT REFERENCES shop.kept (id))');
  await primary.query("INSERT INTO shop.kept VALUES (1, 'one')");
  await primary.query('CREATE FUNCTION shop.two() RETURNS INT DETERMINISTIC NO SQL RETURN 2');
  await primary.query('CREATE PROCEDURE shop.all_of_it() SELECT * FROM shop.kept');
  await primary.query('CREATE VIEW shop.seen AS SELECT id, shop.two() AS two FROM shop.kept');
  await primary.query('CREATE TRIGGER shop.before_it BEFORE INSERT ON shop.part FOR EACH ROW SET NEW.kept=1');
  await primary.query('CREATE EVENT shop.later ON SCHEDULE EVERY 1 YEAR DO DELETE FROM shop.part');
  if (flavor === 'mariadb') await primary.query('CREATE SEQUENCE shop.numbers');
}

/** Grants what refusals name until there is another reason, which is resolved with. */
async function grantWhatIsNamed(scene: Scene, options?: Partial<RebuildOptions>): Promise<string> {
  const asked: string[] = [];
  for (;;) {
    const said = await scene.refuses(/./, options);
    const grants = said.match(/GRANT [^;]*/g) ?? [];
    if (grants.length === 0) {
      expect(asked).not.toEqual([]);
      return said;
    }
    expect(said).toMatch(/^The account that rebuilds lacks /);
    expect(grants.filter((sql) => asked.includes(sql))).toEqual([]);
    asked.push(...grants);
    for (const sql of grants) await scene.servers.primary.query(sql);
    await scene.servers.waitForReplication();
  }
}

async function refuseDump(scene: Scene): Promise<void> {
  const { servers, node, refuses, logged } = scene;
  const { primary } = servers;
  const missing = await grantWhatIsNamed(scene, { programs: { dump: ['no-such-dump'] } });
  expect(missing).toContain('`no-such-dump` is not there');
  const [dump, client] = await Promise.all(
    ['mariadb-dump', 'mariadb'].map((name) => clientProgram('mariadb', name)),
  );
  await refuses(/no-such-option/, { programs: { dump: [...(dump ?? []), '--no-such-option'] } });
  await refuses(/no-such-option/, { programs: { client: [...(client ?? []), '--no-such-option'] } });
  await refuses(/no-such-client. is not there/, { programs: { client: ['no-such-client'] } });

  await primary.query('CREATE TABLE shop.gone (id INT)');
  await primary.query('CREATE VIEW shop.broken AS SELECT * FROM shop.gone');
  await primary.query('DROP TABLE shop.gone');
  await servers.waitForReplication();
  await refuses(/broken/);
  await primary.query('DROP VIEW shop.broken');

  await primary.query('CREATE TABLE shop.files (id INT PRIMARY KEY, data LONGBLOB)');
  await primary.query(`INSERT INTO shop.files VALUES (1, REPEAT('x', ${LONG}))`);
  await servers.waitForReplication();
  await refuses(/`shop`\.`files` may take \d+ bytes in a dump.*max_allowed_packet=1073741824/);
  await node.query('SET GLOBAL max_allowed_packet=1073741824');

  await primary.query('CREATE TABLE shop.plain (id INT PRIMARY KEY) ENGINE=MyISAM');
  await servers.waitForReplication();
  await refuses(/no-such-dump/, { programs: { dump: ['no-such-dump'] } });
  expect(logged).toContainEqual(expect.stringContaining('shop.plain (MyISAM)'));

  // What other programs leave in a data directory.
  const [row] = await node.query<{ folder: string }>('SELECT @@datadir AS folder');
  mkdirSync(join(row?.folder ?? '', 'lost+found'));
  writeFileSync(join(row?.folder ?? '', 'shop', 'notes.txt'), 'of somebody');
}

async function refuseClone(scene: Scene): Promise<void> {
  const { primary } = scene.servers;
  await primary.query('CREATE TABLE shop.plain (id INT PRIMARY KEY) ENGINE=MyISAM');
  await scene.servers.waitForReplication();
  expect(await grantWhatIsNamed(scene)).toMatch(/would be empty on .*: shop\.plain \(MyISAM\)/);
  await primary.query('DROP TABLE shop.plain');
  await scene.servers.waitForReplication();
}

/** What somebody wrote since the last look is saved, and the node has what the primary has. */
async function makeAnew(scene: Scene, flavor: DatabaseCase['flavor'], saves: boolean): Promise<void> {
  const { servers, node, folder, refuses, rebuild } = scene;
  const { primary } = servers;
  const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
  await node.query(`STOP ${word}`);
  await node.query(`RESET ${word} ALL`);
  if (flavor === 'mysql') await node.query('SET GLOBAL super_read_only=0');
  await node.query('SET GLOBAL read_only=0');
  if (saves) {
    await node.query('INSERT INTO shop.kept VALUES (77, "its own")');
    await refuses(/transactions that nobody else has .* set `saveTo`/);
  }
  expect(await rebuild({ saveTo: folder })).toBe('rebuilt');
  if (saves) {
    const [file = '', ...more] = readdirSync(folder);
    expect(more).toEqual([]);
    expect(readFileSync(join(folder, file), 'utf8')).toContain('### INSERT INTO `shop`.`kept`');
  }
  const [row] = await node.query('SELECT @@GLOBAL.read_only AS closed');
  expect(row).toEqual({ closed: 1 });
  for (const sql of [
    'SELECT id, text FROM shop.kept ORDER BY id',
    'SELECT * FROM shop.seen',
    'SHOW CREATE PROCEDURE shop.all_of_it',
    "SELECT DEFINER, TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA='shop'",
    'SHOW CREATE DATABASE shop',
    "SELECT DEFINER, EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA='shop'",
    ...(flavor === 'mysql'
      ? []
      : ['SELECT id, MD5(data) AS sum FROM shop.files', 'SHOW CREATE TABLE shop.numbers']),
  ])
    expect(await node.query(sql), sql).toEqual(await primary.query(sql));
}
