/** Kysely: its own MySQL dialect over the callback pool. */
import { type Generated, Kysely, MysqlDialect, sql } from 'kysely';
import { expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { DIGITS, endsAtTheLimit, endsWhenLeft, type PeerTrio } from './peer-trio.js';

interface Shop {
  readonly node_of: { readonly id: number; readonly server: number };
  readonly book: { id: Generated<number>; title: string; writtenOn: Generated<number> };
  readonly digit: { readonly n: number };
}

const SERVER = sql<number>`@@server_id`.as('server');

export function kyselyStory(trio: () => PeerTrio): void {
  const over = (cluster: MysqlCluster): Kysely<Shop> =>
    new Kysely<Shop>({ dialect: new MysqlDialect({ pool: cluster.callbackPool() }) });
  const open = (): Kysely<Shop> => over(trio().cluster);
  const digits = (cluster: MysqlCluster) =>
    over(cluster).selectFrom(['digit as a', 'digit as b', 'digit as c']).select('a.n');
  const seven = async (cluster: MysqlCluster): Promise<void> => {
    const found = await over(cluster).selectFrom('digit').select('n').where('n', '=', 7).execute();
    expect(found).toEqual([{ n: 7 }]);
  };

  test('reads land on the replicas', async () => {
    const db = open();
    const seen = new Set<number>();
    for (let read = 0; read < 12; read += 1) {
      const { server } = await db.selectFrom('node_of').select('server').executeTakeFirstOrThrow();
      seen.add(server);
    }
    expect([...seen].sort()).toEqual([...trio().replicas].sort());
  });

  test('writes land on the primary, and what follows on the same connection, too', async () => {
    const db = open();
    const { insertId } = await db.insertInto('book').values({ title: 'kysely' }).executeTakeFirstOrThrow();
    expect(insertId).toBeGreaterThan(0n);
    const servers = await db.connection().execute(async (own) => {
      const before = await own.selectFrom('node_of').select('server').executeTakeFirstOrThrow();
      await own.updateTable('book').set({ title: 'kysely 2' }).where('title', '=', 'kysely').execute();
      const after = await own
        .selectFrom('book')
        .select(['title', SERVER])
        .where('id', '=', Number(insertId))
        .executeTakeFirstOrThrow();
      return { before: before.server, after };
    });
    expect(trio().replicas).toContain(servers.before);
    expect(servers.after).toEqual({ title: 'kysely 2', server: trio().primary });
    expect(await trio().books()).toContainEqual({ title: 'kysely 2', writtenOn: trio().primary });
  });

  test('a transaction is on the primary from its first read on; one that fails leaves nothing', async () => {
    const db = open();
    const servers = await db.transaction().execute(async (trx) => {
      const read = await trx.selectFrom('node_of').select('server').executeTakeFirstOrThrow();
      await trx.insertInto('book').values({ title: 'kept' }).execute();
      const own = await trx.selectFrom('book').select('id').where('title', '=', 'kept').execute();
      return [read.server, own.length];
    });
    expect(servers).toEqual([trio().primary, 1]);
    const failing = db.transaction().execute(async (trx) => {
      await trx.insertInto('book').values({ title: 'not kept' }).execute();
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    const titles = (await trio().books()).map(({ title }) => title);
    expect(titles).toContain('kept');
    expect(titles).not.toContain('not kept');
    const readOnly = await db
      .transaction()
      .setAccessMode('read only')
      .setIsolationLevel('repeatable read')
      .execute((trx) => trx.selectFrom('node_of').select('server').executeTakeFirstOrThrow());
    expect(trio().replicas).toContain(readOnly.server);
  });

  test('a stream comes whole from one replica, and one that is left frees its connection', async () => {
    const db = open();
    const rows: number[] = [];
    const seen = new Set<number>();
    for await (const { n, server } of db.selectFrom('digit').select(['n', SERVER]).orderBy('n').stream(100)) {
      rows.push(n);
      seen.add(server);
    }
    expect(rows).toHaveLength(DIGITS);
    expect(seen.size).toBe(1);
    expect(trio().replicas).toContain([...seen][0]);
  });

  test('a stream that is left ends on the server', () =>
    endsWhenLeft(
      trio(),
      async (cluster) => {
        for await (const _ of digits(cluster).stream(10)) break;
      },
      seven,
    ));

  test('a statement that takes too long ends for its caller and on the server', () =>
    endsAtTheLimit(
      trio(),
      (cluster) => digits(cluster).where(sql<boolean>`a.n + b.n + c.n < 0`).execute(),
      seven,
    ));

  test('a statement that the server refuses fails as with mysql2, and the pool serves on', async () => {
    const db = open();
    await expect(sql`SELECT * FROM no_such_table`.execute(db)).rejects.toMatchObject({ errno: 1146 });
    expect(await db.selectFrom('digit').select('n').where('n', '=', 7).execute()).toEqual([{ n: 7 }]);
    await trio().idle();
  });
}
