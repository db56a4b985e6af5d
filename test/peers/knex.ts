/** Knex: its mysql2 dialect over the callback pool, given as `connectionPool`. */
import knex, { type Knex } from 'knex';
import { expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { killSessions } from '../support/kill-sessions.js';
import { DIGITS, endsAtTheLimit, endsWhenLeft, type PeerTrio } from './peer-trio.js';

export function knexStory(trio: () => PeerTrio): void {
  const over = (cluster: MysqlCluster): Knex =>
    knex({ client: 'mysql2', version: '8.0', connectionPool: cluster.callbackPool() as never });
  const open = (): Knex => over(trio().cluster);
  const digits = (cluster: MysqlCluster): Knex.QueryBuilder =>
    over(cluster)('digit as a').joinRaw('CROSS JOIN digit b CROSS JOIN digit c').select('a.n');
  const seven = async (cluster: MysqlCluster): Promise<void> => {
    expect(await over(cluster)('digit').where({ n: 7 })).toEqual([{ n: 7 }]);
  };

  test('reads land on the replicas', async () => {
    const db = open();
    const seen = new Set<number>();
    for (let read = 0; read < 12; read += 1) {
      seen.add((await db('node_of').first<{ server: number }>('server')).server);
    }
    expect([...seen].sort()).toEqual([...trio().replicas].sort());
    await db.destroy();
  });

  test('writes land on the primary', async () => {
    const db = open();
    const [id] = await db('book').insert({ title: 'knex' });
    expect(id).toBeGreaterThan(0);
    expect(await db('book').where({ title: 'knex' }).update({ title: 'knex 2' })).toBe(1);
    expect(await trio().books()).toContainEqual({ title: 'knex 2', writtenOn: trio().primary });
  });

  test('a transaction is on the primary from its first read on; one that fails leaves nothing', async () => {
    const db = open();
    await db.transaction(async (trx) => {
      expect(await trx('node_of').first('server')).toEqual({ server: trio().primary });
      await trx('book').insert({ title: 'knex kept' });
      expect(await trx('book').where({ title: 'knex kept' })).toHaveLength(1);
      // A transaction inside is a savepoint.
      await expect(
        trx.transaction(async (inner) => {
          await inner('book').insert({ title: 'knex inner' });
          throw new Error('inside');
        }),
      ).rejects.toThrow('inside');
    });
    await expect(
      db.transaction(async (trx) => {
        await trx('book').insert({ title: 'knex not kept' });
        throw new Error('on purpose');
      }),
    ).rejects.toThrow('on purpose');
    const titles = (await trio().books()).map(({ title }) => title);
    expect(titles).toContain('knex kept');
    expect(titles).not.toContain('knex inner');
    expect(titles).not.toContain('knex not kept');
    const readOnly = await db.transaction((trx) => trx('node_of').first('server'), { readOnly: true });
    expect(trio().replicas).toContain(readOnly.server);
  });

  test('a stream comes whole from one replica, and one that is left frees its connection', async () => {
    const db = open();
    const rows: { n: number; server: number }[] = [];
    const query = db('digit').select('n', db.raw('@@server_id AS server')).orderBy('n');
    for await (const row of query.stream({ highWaterMark: 10 })) rows.push(row);
    expect(rows).toHaveLength(DIGITS);
    const seen = new Set(rows.map(({ server }) => server));
    expect(seen.size).toBe(1);
    expect(trio().replicas).toContain([...seen][0]);
  });

  test('a stream that is left ends on the server', () =>
    endsWhenLeft(
      trio(),
      async (cluster) => {
        for await (const _ of digits(cluster).stream()) break;
      },
      seven,
    ));

  test('a statement that takes too long ends for its caller and on the server', () =>
    endsAtTheLimit(trio(), (cluster) => digits(cluster).whereRaw('a.n + b.n + c.n < 0'), seven));

  test('a limit of time ends a statement for its caller, and the pool serves on', async () => {
    const db = open();
    const slow = db
      .raw('SELECT COUNT(*) FROM digit a JOIN digit b JOIN digit c WHERE a.n + b.n + c.n < 0')
      .timeout(50);
    await expect(slow).rejects.toMatchObject({ name: 'KnexTimeoutError' });
    expect(await db('digit').where({ n: 7 })).toEqual([{ n: 7 }]);
    // Knex itself leaves such a statement running; it is ended here so that the next test need not wait for it.
    for (const node of trio().servers.databases) {
      await killSessions(node, "INFO LIKE 'SELECT COUNT(*) FROM digit a%'", [], 'QUERY');
    }
    await trio().idle();
  });
}
