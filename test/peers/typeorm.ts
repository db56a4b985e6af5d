/** TypeORM: its mysql driver, whose pool is the callback pool. */
import { DataSource, EntitySchema, type SelectQueryBuilder } from 'typeorm';
import { expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { connectionsAreBack, DIGITS, endsAtTheLimit, endsWhenLeft, type PeerTrio } from './peer-trio.js';

interface Book {
  id: number;
  title: string;
  writtenOn: number | null;
}

const NodeOf = new EntitySchema<{ id: number; server: number }>({
  name: 'node_of',
  columns: { id: { type: Number, primary: true }, server: { type: Number } },
});
const Digit = new EntitySchema<{ n: number }>({
  name: 'digit',
  columns: { n: { type: Number, primary: true } },
});
const BookEntity = new EntitySchema<Book>({
  name: 'book',
  columns: {
    id: { type: Number, primary: true, generated: true },
    title: { type: String, length: 100 },
    writtenOn: { type: Number, nullable: true },
  },
});

function sourceOver(cluster: MysqlCluster): Promise<DataSource> {
  const source = new DataSource({
    type: 'mysql',
    database: 'shop',
    driver: { createPool: () => cluster.callbackPool() },
    entities: [NodeOf, Digit, BookEntity],
  });
  return source.initialize();
}

/** Every digit with every other one. */
const digits = (source: DataSource): SelectQueryBuilder<{ n: number }> =>
  source
    .getRepository(Digit)
    .createQueryBuilder('a')
    .innerJoin('digit', 'b', 'b.n <> a.n')
    .innerJoin('digit', 'c', 'c.n <> b.n');

async function seven(cluster: MysqlCluster): Promise<void> {
  const source = await sourceOver(cluster);
  expect(await source.getRepository(Digit).findBy({ n: 7 })).toEqual([{ n: 7 }]);
}

export function typeormStory(trio: () => PeerTrio): void {
  async function withSource<T>(work: (source: DataSource) => Promise<T>): Promise<T> {
    // Destroying the data source closes its pool, so it gets a cluster of its own.
    const cluster = await trio().openCluster();
    const source = await sourceOver(cluster);
    try {
      const result = await work(source);
      await connectionsAreBack(cluster);
      return result;
    } finally {
      await source.destroy();
      await expect(cluster.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    }
  }

  test('reads land on the replicas', () =>
    withSource(async (source) => {
      const seen = new Set<number>();
      const nodes = source.getRepository(NodeOf);
      for (let read = 0; read < 12; read += 1) seen.add((await nodes.findOneByOrFail({ id: 1 })).server);
      expect([...seen].sort()).toEqual([...trio().replicas].sort());
    }));

  test('writes land on the primary', () =>
    withSource(async (source) => {
      const books = source.getRepository(BookEntity);
      const saved = await books.save({ title: 'typeorm' });
      expect(saved.id).toBeGreaterThan(0);
      await books.update({ id: saved.id }, { title: 'typeorm 2' });
      expect(await trio().books()).toContainEqual({ title: 'typeorm 2', writtenOn: trio().primary });
    }));

  test('a transaction is on the primary from its first read on; one that fails leaves nothing', () =>
    withSource(async (source) => {
      await source.transaction('REPEATABLE READ', async (manager) => {
        const { server } = await manager.findOneByOrFail(NodeOf, { id: 1 });
        expect(server).toBe(trio().primary);
        await manager.save(BookEntity, { title: 'typeorm kept' });
        expect(await manager.countBy(BookEntity, { title: 'typeorm kept' })).toBe(1);
        const inner = manager.transaction(async (nested) => {
          await nested.save(BookEntity, { title: 'typeorm inner' });
          throw new Error('inside');
        });
        await expect(inner).rejects.toThrow('inside');
      });
      const runner = source.createQueryRunner();
      await runner.startTransaction();
      await runner.manager.save(BookEntity, { title: 'typeorm not kept' });
      await runner.rollbackTransaction();
      await runner.release();
      const titles = (await trio().books()).map(({ title }) => title);
      expect(titles).toContain('typeorm kept');
      expect(titles).not.toContain('typeorm inner');
      expect(titles).not.toContain('typeorm not kept');
    }));

  test('a stream comes whole from one replica, and one that is left frees its connection', () =>
    withSource(async (source) => {
      const query = source
        .getRepository(Digit)
        .createQueryBuilder('d')
        .select('d.n', 'n')
        .addSelect('@@server_id', 'server');
      const rows: { n: number; server: number }[] = [];
      for await (const row of await query.stream())
        rows.push(row as unknown as { n: number; server: number });
      expect(rows).toHaveLength(DIGITS);
      const seen = new Set(rows.map(({ server }) => server));
      expect(seen.size).toBe(1);
      expect(trio().replicas).toContain([...seen][0]);
    }));

  test('a stream that is left ends on the server', () =>
    endsWhenLeft(
      trio(),
      async (cluster) => {
        const query = digits(await sourceOver(cluster)).select('a.n', 'n');
        for await (const _ of await query.stream()) break;
      },
      seven,
    ));

  test('a statement that takes too long ends for its caller and on the server', () =>
    endsAtTheLimit(
      trio(),
      async (cluster) => {
        await digits(await sourceOver(cluster))
          .where('a.n + b.n + c.n < 0')
          .getCount();
      },
      seven,
    ));

  test('a statement that the server refuses fails with its number, and the pool serves on', () =>
    withSource(async (source) => {
      await expect(source.query('SELECT * FROM no_such_table')).rejects.toMatchObject({ errno: 1146 });
      expect(await source.getRepository(Digit).findBy({ n: 7 })).toEqual([{ n: 7 }]);
    }));
}
