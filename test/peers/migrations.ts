/**
 * Migrations over replicas that are behind: with the recipe of docs/mysql.md a tool makes its tables and does each migration once,
 * whoever began a moment ago. The replicas apply nothing meanwhile and serve all the same, so that every read of one is late.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate as migrateDrizzle } from 'drizzle-orm/mysql2/migrator';
import knex, { type Knex } from 'knex';
import { Kysely, type Migration, Migrator, MysqlDialect, sql } from 'kysely';
import { DataSource, EntitySchema } from 'typeorm';
import { expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { PeerTrio } from './peer-trio.js';

/** What each migration does: the first one makes a table, each further one writes a row of its number. */
const statementOf = (tool: string, step: number): string =>
  step === 1 ? `CREATE TABLE ${tool}_step (n INT)` : `INSERT INTO ${tool}_step VALUES (${step})`;

/** A deploy: has the tool do its first `count` migrations, as far as they are not done. */
type Deploy = (cluster: MysqlCluster, count: number) => Promise<unknown>;

const steps = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n + 1);

const withKnex: Deploy = (cluster, count) =>
  knex({
    client: 'mysql2',
    version: '8.0',
    connectionPool: cluster.callbackPool() as never,
  }).migrate.latest({
    migrationSource: {
      getMigrations: async () => steps(count).map(String),
      getMigrationName: (name) => name,
      getMigration: async (name) => ({
        up: async (db: Knex) => db.raw(statementOf('knex', Number(name))),
        down: async () => undefined,
      }),
    } satisfies Knex.MigrationSource<string>,
  });

const withKysely: Deploy = async (cluster, count) => {
  const each = steps(count).map((step): [string, Migration] => [
    String(step),
    { up: async (db) => void (await sql.raw(statementOf('kysely', step)).execute(db)) },
  ]);
  const db = new Kysely({ dialect: new MysqlDialect({ pool: cluster.callbackPool() as never }) });
  const provider = { getMigrations: async () => Object.fromEntries(each) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error;
};

const withDrizzle: Deploy = async (cluster, count) => {
  const migrationsFolder = mkdtempSync(join(tmpdir(), 'stormlamp-migrations-'));
  try {
    const entries = steps(count).map((step) => {
      writeFileSync(join(migrationsFolder, `${step}.sql`), statementOf('drizzle', step));
      return { idx: step, version: '5', when: step, tag: String(step), breakpoints: true };
    });
    mkdirSync(join(migrationsFolder, 'meta'));
    const journal = JSON.stringify({ version: '5', dialect: 'mysql', entries });
    writeFileSync(join(migrationsFolder, 'meta/_journal.json'), journal);
    await migrateDrizzle(drizzle({ client: cluster }), { migrationsFolder });
  } finally {
    rmSync(migrationsFolder, { recursive: true });
  }
};

const withTypeorm: Deploy = async (cluster, count) => {
  const source = new DataSource({
    type: 'mysql',
    database: 'shop',
    driver: { createPool: () => cluster.callbackPool() },
    entities: [
      new EntitySchema({ name: 'typeorm_entity', columns: { id: { type: Number, primary: true } } }),
    ],
    synchronize: true,
    migrations: steps(count).map(
      (step) =>
        class {
          readonly name = `M${1_700_000_000_000 + step}`;
          up = (runner: { query(text: string): Promise<unknown> }) =>
            runner.query(statementOf('typeorm', step));
          down = async () => undefined;
        },
    ),
  });
  await source.initialize();
  await source.runMigrations();
};

const TOOLS: readonly (readonly [string, Deploy, readonly string[]])[] = [
  ['Knex', withKnex, ['knex_step', 'knex_migrations', 'knex_migrations_lock']],
  ['Kysely', withKysely, ['kysely_step', 'kysely_migration', 'kysely_migration_lock']],
  ['Drizzle', withDrizzle, ['drizzle_step', '__drizzle_migrations']],
  ['TypeORM', withTypeorm, ['typeorm_step', 'typeorm_entity', 'migrations']],
];

/** How a deploy is told to read from the primary. */
const RECIPES: readonly (readonly [string, object, (cluster: MysqlCluster, deploy: Deploy) => Deploy])[] = [
  [
    "run({ preference: 'primary' })",
    {},
    (cluster, deploy) => (_, count) => cluster.run({ preference: 'primary' }, () => deploy(cluster, count)),
  ],
  ["reads: { preference: 'primary' }", { preference: 'primary' }, (_, deploy) => deploy],
];

export function migrationsStory(trio: () => PeerTrio): void {
  /** What `deploy` does in a process of its own, whose replicas serve however late they are. */
  async function inProcess(reads: object, work: (cluster: MysqlCluster) => Promise<unknown>): Promise<void> {
    const cluster = await trio().openCluster({ reads: { maxLagMs: Number.POSITIVE_INFINITY, ...reads } });
    try {
      await work(cluster);
    } finally {
      await cluster.close();
    }
  }

  async function whileNothingIsApplied(work: () => Promise<unknown>): Promise<void> {
    const { servers } = trio();
    await servers.waitForReplication();
    const word = servers.flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    try {
      for (const replica of servers.replicas) await replica.query(`STOP ${word} SQL_THREAD`);
      await work();
    } finally {
      for (const replica of servers.replicas) await replica.query(`START ${word} SQL_THREAD`);
      await servers.waitForReplication();
    }
  }

  const done = async (tool: string): Promise<readonly number[]> => {
    const { primary } = trio().servers;
    const rows = await primary.query<{ n: number }>(
      `SELECT n FROM shop.${tool.toLowerCase()}_step ORDER BY n`,
    );
    return rows.map(({ n }) => n);
  };

  test.each(TOOLS.flatMap((tool) => RECIPES.map((recipe) => [tool[0], recipe[0], tool, recipe] as const)))(
    '%s with %s: makes its tables, and a deploy right after another one does nothing twice',
    async (_tool, _recipe, [name, deploy, tables], [, reads, on]) => {
      await trio().servers.primary.query(
        `DROP TABLE IF EXISTS ${tables.map((table) => `shop.${table}`).join(', ')}`,
      );
      for (const count of [2, 3])
        await whileNothingIsApplied(async () => {
          for (let process = 0; process < 2; process += 1)
            await inProcess(reads, (cluster) => on(cluster, deploy)(cluster, count));
        });
      expect(await done(name)).toEqual([2, 3]);
    },
  );

  test.each(TOOLS.slice(2))(
    '%s without it does a migration twice: the servers are as late as they should be',
    async (name, deploy) => {
      await whileNothingIsApplied(async () => {
        for (let process = 0; process < 2; process += 1) await inProcess({}, (cluster) => deploy(cluster, 4));
      });
      expect(await done(name)).toEqual([2, 3, 4, 4]);
    },
  );
}
