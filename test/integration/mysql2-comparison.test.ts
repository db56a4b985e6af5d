/** The page that compares the cluster with a pool of mysql2, row by row, with mysql2 itself as the reference. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql, { type PoolOptions } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MysqlNodeOptions } from '../../src/mysql/connection-options.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { ROOT } from '../support/run-node.js';
import { ONE_CLIENT_DATABASE } from './client-databases.js';
import type { Rows, Side, Sides } from './mysql2/comparison.js';
import { CALLBACK_CONNECTION, CALLBACK_POOL, CONNECTION, EVENTS, POOL } from './mysql2/method-rows.js';
import { OPTIONS, STATEMENT_OPTIONS } from './mysql2/option-rows.js';
import { createTlsFolder } from './tls-certificate.js';

/** The tables of the page by their headings. */
const TABLES: Readonly<Record<string, Rows>> = {
  'Promise pool': POOL,
  'Promise connection': CONNECTION,
  'Callback pool': CALLBACK_POOL,
  'Callback connection': CALLBACK_CONNECTION,
  Events: EVENTS,
  'Options of pools and connections': OPTIONS,
  'Options of a statement': STATEMENT_OPTIONS,
};

const PAGE = readFileSync(join(ROOT, 'docs', 'mysql2.md'), 'utf8');

let servers: LocalCluster;
let base: { host: string; port: number; user: string; password: string; database: string };
let sides: Sides;
const tls = createTlsFolder();

const sideOf = (pool: MysqlCluster | mysql.Pool): Side => ({ pool, callbacks: pool.pool });

async function openOurs(option: object): Promise<MysqlCluster> {
  const replicas = servers.replicas.map(({ port }) => ({ ...base, port, ...option }));
  // On a busy machine a server is slow and not down.
  const monitor = { ...servers.options().mysql.monitor, timeoutMs: 10_000 };
  return createMysqlCluster({ primary: { ...base, ...option }, replicas, monitor, startTimeoutMs: 60_000 });
}

beforeAll(async () => {
  servers = await startLocalCluster({
    ...ONE_CLIENT_DATABASE.options,
    serverArgs: { mysql: ['--performance-schema=ON', ...tls.serverArgs] },
    replicas: 1,
    memcached: 0,
    php: false,
  });
  const { user, password } = servers.accounts.app;
  base = { host: '127.0.0.1', port: servers.primary.port, user, password, database: 'shop' };
  await servers.primary.query(
    'CREATE TABLE shop.book (id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(100))',
  );
  await servers.primary.query('INSERT INTO shop.book VALUES (1, "first")');
  await servers.primary.query('CREATE TABLE shop.json_book (doc JSON)');
  await servers.primary.query('INSERT INTO shop.json_book VALUES (\'{"a": 1}\')');
  await servers.primary.query('SET GLOBAL local_infile = 1');
  await servers.waitForReplication();
  const cluster = await openOurs({});
  sides = {
    ours: { ...sideOf(cluster), cluster },
    theirs: sideOf(mysql.createPool(base)),
    port: base.port,
    withOption: async (option, probe) => {
      const [ours, theirs] = [
        await openOurs(option),
        mysql.createPool({ ...base, ...option } as PoolOptions),
      ];
      try {
        return { theirs: await probe(sideOf(theirs)), ours: await probe(sideOf(ours)) };
      } finally {
        await ours.close();
        await theirs.end().catch(() => undefined);
      }
    },
    refusalOf: async (option) => {
      const primary = { ...base, ...option } as MysqlNodeOptions;
      const opening = createMysqlCluster({ primary, startTimeoutMs: 3_000 });
      const outcome = await opening.catch((error: Error) => error);
      if (outcome instanceof Error) return outcome;
      await outcome.close();
      throw new Error('The option was taken');
    },
  };
});

afterAll(async () => {
  await sides?.ours.cluster.close();
  await sides?.theirs.pool.end();
  await servers?.close();
  tls.remove();
});

/** Name and verdict of each row under a heading of the page. */
function listed(heading: string): readonly (readonly [string, string])[] {
  const part = PAGE.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...part.matchAll(/^\| `([^`]+)` \| (same|different|not supported|passed on) \| (.*) \|$/gm)].map(
    ([, name = '', verdict = '', why = '']) => {
      if (verdict !== 'same' && why.trim() === '') throw new Error(`${heading}: ${name} says not why`);
      return [name, verdict];
    },
  );
}

describe.each(Object.entries(TABLES))('%s', (heading, table) => {
  test('the page has every row, with the verdict that is shown here', () => {
    const shown = Object.entries(table).map(([name, { verdict }]) => [name, verdict]);
    expect(listed(heading).toSorted()).toEqual(shown.toSorted());
  });

  test.each(Object.entries(table))('%s', async (_name, row) => {
    if ('check' in row) await row.check(sides);
    else expect(await row.probe(sides.ours)).toEqual(await row.probe(sides.theirs));
  });
});
