/** Drizzle: its mysql2 driver over the cluster itself, which is a promise pool. */
import { eq, sql } from 'drizzle-orm';
import { alias, int, mysqlTable, varchar } from 'drizzle-orm/mysql-core';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import { expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { DIGITS, endsAtTheLimit, endsWhenLeft, type PeerTrio } from './peer-trio.js';

const nodeOf = mysqlTable('node_of', { id: int().primaryKey(), server: int() });
const digit = mysqlTable('digit', { n: int().primaryKey() });
const book = mysqlTable('book', {
  id: int().autoincrement().primaryKey(),
  title: varchar({ length: 100 }).notNull(),
  writtenOn: int(),
});
const schema = { nodeOf, digit, book };
const SERVER = sql<number>`@@server_id`;

export function drizzleStory(trio: () => PeerTrio): void {
  const over = (cluster: MysqlCluster): MySql2Database<typeof schema> =>
    drizzle({ client: cluster, schema, mode: 'default' });
  const open = (): MySql2Database<typeof schema> => over(trio().cluster);
  const [b, c] = [alias(digit, 'b'), alias(digit, 'c')];
  const digits = (cluster: MysqlCluster) =>
    over(cluster).select({ n: digit.n }).from(digit).crossJoin(b).crossJoin(c).$dynamic();
  const seven = async (cluster: MysqlCluster): Promise<void> => {
    expect(await over(cluster).select().from(digit).where(eq(digit.n, 7))).toEqual([{ n: 7 }]);
  };

  test('reads land on the replicas', async () => {
    const db = open();
    const seen = new Set<number | null>();
    for (let read = 0; read < 12; read += 1) {
      const row = await db.query.nodeOf.findFirst();
      seen.add(row?.server ?? null);
    }
    expect([...seen].sort()).toEqual([...trio().replicas].sort());
    const prepared = db.select({ server: nodeOf.server }).from(nodeOf).prepare();
    expect(trio().replicas).toContain((await prepared.execute())[0]?.server);
  });

  test('writes land on the primary', async () => {
    const db = open();
    const [{ id } = { id: 0 }] = await db.insert(book).values({ title: 'drizzle' }).$returningId();
    expect(id).toBeGreaterThan(0);
    await db.update(book).set({ title: 'drizzle 2' }).where(eq(book.id, id));
    expect(await trio().books()).toContainEqual({ title: 'drizzle 2', writtenOn: trio().primary });
  });

  test('a transaction is on the primary from its first read on; one that fails leaves nothing', async () => {
    const db = open();
    await db.transaction(async (tx) => {
      expect(await tx.select({ server: nodeOf.server }).from(nodeOf)).toEqual([{ server: trio().primary }]);
      await tx.insert(book).values({ title: 'drizzle kept' });
      expect(await tx.$count(book, eq(book.title, 'drizzle kept'))).toBe(1);
      const inner = tx.transaction(async (nested) => {
        await nested.insert(book).values({ title: 'drizzle inner' });
        nested.rollback();
      });
      await expect(inner).rejects.toThrow();
    });
    const failing = db.transaction(async (tx) => {
      await tx.insert(book).values({ title: 'drizzle not kept' });
      tx.rollback();
    });
    await expect(failing).rejects.toThrow();
    const titles = (await trio().books()).map(({ title }) => title);
    expect(titles).toContain('drizzle kept');
    expect(titles).not.toContain('drizzle inner');
    expect(titles).not.toContain('drizzle not kept');
    const readOnly = await db.transaction((tx) => tx.select({ server: nodeOf.server }).from(nodeOf), {
      accessMode: 'read only',
      isolationLevel: 'repeatable read',
    });
    expect(trio().replicas).toContain(readOnly[0]?.server);
  });

  test('a stream comes whole from one replica, and one that is left frees its connection', async () => {
    const db = open();
    const rows: { n: number; server: number }[] = [];
    const query = db.select({ n: digit.n, server: SERVER }).from(digit).orderBy(digit.n).prepare();
    for await (const row of query.iterator()) rows.push(row);
    expect(rows).toHaveLength(DIGITS);
    const seen = new Set(rows.map(({ server }) => server));
    expect(seen.size).toBe(1);
    expect(trio().replicas).toContain([...seen][0]);
  });

  test('a stream that is left ends on the server', () =>
    endsWhenLeft(
      trio(),
      async (cluster) => {
        for await (const _ of digits(cluster).prepare().iterator()) break;
      },
      seven,
    ));

  test('a statement that takes too long ends for its caller and on the server', () =>
    endsAtTheLimit(
      trio(),
      (cluster) => digits(cluster).where(sql`${digit.n} + ${b.n} + ${c.n} < 0`).execute(),
      seven,
    ));

  test('a statement that the server refuses fails with its number, and the pool serves on', async () => {
    const db = open();
    const refused = db.execute(sql`SELECT * FROM no_such_table`);
    await expect(refused).rejects.toMatchObject({ cause: { errno: 1146 } });
    expect(await db.select().from(digit).where(eq(digit.n, 7))).toEqual([{ n: 7 }]);
    await trio().idle();
  });
}
