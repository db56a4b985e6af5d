/** The objects in which a statement may come, and that in which it is handed back: as mysql2 takes and gives them. */
import * as driver from 'mysql2';
import { createPool, type Query, type QueryOptions } from 'mysql2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallbackConnection } from '../../src/mysql/callback-connection.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { CLIENT_DATABASES } from './client-databases.js';

/** What mysql2 exports, and its types do not say. */
const { createQuery } = driver as unknown as {
  createQuery(sql: string, values: unknown[], callback: () => void, config: object): unknown;
};

/** As template libraries make it: what the driver reads are getters of the class. */
class Tagged {
  readonly #text: string;
  readonly #given: number[];
  constructor(text: string, given: number[]) {
    this.#text = text;
    this.#given = given;
  }
  get sql(): string {
    return this.#text;
  }
  get values(): number[] {
    return this.#given;
  }
}

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    await servers.primary.query('CREATE TABLE shop.t (id INT PRIMARY KEY)');
    await servers.primary.query('INSERT INTO shop.t VALUES (1), (2)');
    await servers.waitForReplication();
    cluster = await createMysqlCluster(servers.options().mysql);
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  const tagged = (): QueryOptions => new Tagged('SELECT id FROM t WHERE id = ?', [2]);

  test('with getters of their class', async () => {
    await using db = await cluster.getConnection();
    for (const on of [cluster, db]) {
      expect((await on.query(tagged()))[0]).toEqual([{ id: 2 }]);
      expect((await on.execute(tagged()))[0]).toEqual([{ id: 2 }]);
    }
    const statement = await db.prepare(tagged());
    expect((await statement.execute([1]))[0]).toEqual([{ id: 1 }]);
    await statement.close();
    for (const mode of ['query', 'execute'] as const) {
      const rows = await new Promise((resolve, reject) => {
        cluster.callbackPool()[mode](tagged(), (error, found) => (error ? reject(error) : resolve(found)));
      });
      expect(rows).toEqual([{ id: 2 }]);
    }
  });

  test("a command of mysql2's createQuery() is refused: it would be run and never call back", async () => {
    await using db = await cluster.getConnection();
    const callback = (): void => undefined;
    const command = (): string => createQuery('INSERT INTO t VALUES (?)', [3], callback, {}) as string;
    const face = db.connection as unknown as CallbackConnection;
    expect(() => face.query(command())).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED' }));
    await expect(db.query(command())).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect(await servers.primary.query('SELECT id FROM shop.t WHERE id = 3')).toEqual([]);
  });

  test("the returned command shows text and values as mysql2's does", async () => {
    const plain = createPool({ uri: String(servers.options().mysql.primary) });
    type Side = Pick<typeof plain, 'query' | 'execute'>;
    const shown = (run: (done: () => void) => Query): Promise<unknown> =>
      new Promise((resolve) => {
        const command = run(() => resolve([command.sql, (command as { values?: unknown }).values]));
      });
    const stories: ((on: Side, done: () => void) => Query)[] = [
      (on, done) => on.query('SELECT ? AS a', [1], done),
      (on, done) => on.query('SELECT 1 AS a', done),
      (on, done) => on.query({ sql: 'SELECT ? AS a', values: [2] }, done),
      (on, done) => on.query({ sql: 'SELECT ? AS a', values: [2] }, [3], done),
      (on, done) => on.query(tagged(), done),
      (on, done) => on.query('SELECT :a AS a', { a: 1 }, done),
    ];
    for (const story of stories) {
      const expected = await shown((done) => story(plain, done));
      expect(await shown((done) => story(cluster.callbackPool() as unknown as Side, done))).toEqual(expected);
    }
    plain.end();
  });
});
