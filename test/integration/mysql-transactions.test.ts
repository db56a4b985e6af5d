/** Functions as transactions: commit, rollback, replay after conflicts, savepoints, and the unknown outcome of a lost commit. */
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import type { MysqlConnection } from '../../src/mysql/promise-connection.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { EVERY_CLIENT_DATABASE } from './client-databases.js';
import { eventually } from './eventually.js';

type Row = Record<string, unknown>;

/** The nodes of `options` with several statements per text. */
function withSeveral(options: {
  readonly primary: string;
  readonly replicas: readonly string[];
}): MysqlOptions {
  const several = (url: string): string => `${url}?multipleStatements=true`;
  return { ...options, primary: several(options.primary), replicas: options.replicas.map(several) };
}

describe.each(EVERY_CLIENT_DATABASE)('on $name', ({ flavor, options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;
  let primary: number;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    primary = servers.primary.serverId;
    await servers.primary.query(
      'CREATE TABLE shop.account (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB',
    );
    await servers.primary.query('CREATE PROCEDURE shop.harmless() BEGIN DO 1; END');
    await servers.primary.query('CREATE TABLE shop.dead (i INT)');
    await servers.primary.query(
      "CREATE TRIGGER shop.dies BEFORE INSERT ON shop.dead FOR EACH ROW SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
    );
    await servers.primary.query("CREATE PROCEDURE shop.failing() BEGIN SIGNAL SQLSTATE '45000'; END");
    await servers.waitForReplication();
    cluster = await createMysqlCluster({ ...servers.options().mysql, pool: { max: 4 } });
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  beforeEach(async () => {
    await servers.primary.query('REPLACE INTO shop.account VALUES (1, 100), (2, 100)');
  });

  async function balances(): Promise<unknown[]> {
    const rows = await servers.primary.query('SELECT n FROM shop.account ORDER BY id');
    return rows.map(({ n }) => n);
  }

  async function poolIsIdle(): Promise<void> {
    await eventually('all connections are back', () =>
      cluster.stats().every(({ inFlight, pool }) => inFlight === 0 && pool.borrowed === 0),
    );
  }

  test('what may not be used, or is not there, is refused, and the transaction goes on', async () => {
    const refused = [
      ['USE nowhere', [1044, 1049]],
      ['USE mysql', [1044]],
      ['SELECT * FROM nowhere.t', [1049, 1142, 1146]],
      ["SELECT 1 INTO OUTFILE '/nowhere/x'", [1045, 1227, 1290]],
    ] as const;
    const connection = await cluster.getConnection();
    try {
      for (const [index, [sql, numbers]] of refused.entries()) {
        await connection.query('BEGIN');
        await connection.query('UPDATE account SET n = ? WHERE id = 1', [index]);
        const error = await connection.query(sql).catch((thrown: unknown) => thrown);
        expect(numbers).toContain((error as { errno?: number }).errno);
        await connection.query('COMMIT');
        expect(await balances()).toEqual([index, 100]);
      }
    } finally {
      connection.release();
    }
  });

  test('commits what the function did and gives what it returned', async () => {
    const result = await cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = n - 10 WHERE id = 1');
      await db.query('UPDATE account SET n = n + 10 WHERE id = 2');
      const [rows] = await db.query('SELECT @@server_id AS id');
      return (rows as unknown as Row[])[0]?.['id'];
    });
    expect(result).toBe(primary);
    expect(await balances()).toEqual([90, 110]);
    await poolIsIdle();
  });

  test('rolls back when the function fails, and passes its error on', async () => {
    const refusal = new Error('not enough');
    const work = cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 0');
      throw refusal;
    });
    await expect(work).rejects.toBe(refusal);
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('a read-only transaction runs on a replica and refuses writes', async () => {
    const plain = await createConnection(String(servers.options().mysql.primary));
    await plain.query('START TRANSACTION READ ONLY');
    const refused = await plain.query('UPDATE account SET n = 0').catch((error: object) => ({ ...error }));
    expect(refused).toMatchObject({ errno: 1792, sqlState: '25006' });
    await plain.end();
    const id = await cluster.transaction(
      async (db) => {
        const [rows] = await db.query('SELECT @@server_id AS id');
        // What mysql2 is told by the primary, whatever a replica says first.
        await expect(db.query('UPDATE account SET n = 0')).rejects.toMatchObject(refused);
        await expect(db.execute('UPDATE account SET n = 0')).rejects.toMatchObject(refused);
        return (rows as unknown as Row[])[0]?.['id'];
      },
      { readOnly: true },
    );
    expect(id).toBe(servers.replicas[0]?.serverId);
    expect(await balances()).toEqual([100, 100]);
  });

  test('the isolation level holds for this transaction only', async () => {
    const variable = flavor === 'mysql' ? '@@transaction_isolation' : '@@tx_isolation';
    const seen = await cluster.transaction(
      async (db) => {
        await db.query('SELECT n FROM account WHERE id = 1');
        await servers.primary.query('UPDATE shop.account SET n = 55 WHERE id = 1');
        const [rows] = await db.query('SELECT n FROM account WHERE id = 1');
        return (rows as unknown as Row[])[0]?.['n'];
      },
      { isolation: 'READ COMMITTED' },
    );
    expect(seen).toBe(55);
    const [rows] = await cluster.query(`SELECT ${variable} AS level`);
    expect(rows).toEqual([{ level: 'REPEATABLE-READ' }]);
  });

  test('two transactions that deadlock both succeed, because the victim is run again', async () => {
    const attempts = [0, 0];
    let bothHold: () => void = () => undefined;
    const together = new Promise<void>((resolve) => {
      bothHold = resolve;
    });
    let holders = 0;
    const move = (index: number, from: number, to: number): Promise<void> =>
      cluster.transaction(async (db) => {
        attempts[index] = (attempts[index] ?? 0) + 1;
        await db.query('UPDATE account SET n = n - 1 WHERE id = ?', [from]);
        holders += 1;
        if (holders === 2) bothHold();
        await together;
        await db.query('UPDATE account SET n = n + 1 WHERE id = ?', [to]);
      });
    await Promise.all([move(0, 1, 2), move(1, 2, 1)]);
    expect(attempts.toSorted()).toEqual([1, 2]);
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('after a deadlock nothing of the function is executed outside the transaction', async () => {
    let attempt = 0;
    let bothHold: () => void = () => undefined;
    const together = new Promise<void>((resolve) => {
      bothHold = resolve;
    });
    const other = await cluster.getConnection();
    await other.beginTransaction();
    // More rows make the other side the heavier one, so that the function is the victim.
    await other.query('UPDATE account SET n = n + 0');
    await other.query(
      'REPLACE INTO account SELECT seq, 1 FROM (SELECT 3 AS seq UNION SELECT 4 UNION SELECT 5) s',
    );
    await other.query('ROLLBACK');
    await other.beginTransaction();
    await other.query('REPLACE INTO account VALUES (11, 1), (12, 1), (13, 1), (14, 1)');
    await other.query('UPDATE account SET n = n + 5 WHERE id = 2');
    const work = cluster.transaction(
      async (db) => {
        attempt += 1;
        await db.query('UPDATE account SET n = n + 7 WHERE id = 1');
        bothHold();
        await db.query('UPDATE account SET n = n + 7 WHERE id = 2').catch(async () => {
          // A careless function goes on after the deadlock: this must not become a write of its own.
          await db.query('UPDATE account SET n = 0 WHERE id = 1').catch(() => undefined);
        });
      },
      { retries: 0 },
    );
    const outcome = work.then(
      () => 'committed',
      (error: unknown) => (isStormlampError(error) ? error.code : 'other'),
    );
    await together;
    await other.query('UPDATE account SET n = n + 5 WHERE id = 1');
    await other.query('COMMIT');
    other.release();
    expect(await outcome).toBe('ERR_TRANSACTION_LOST');
    expect(attempt).toBe(1);
    expect((await balances()).slice(0, 2)).toEqual([105, 105]);
    await servers.primary.query('DELETE FROM shop.account WHERE id > 2');
    await poolIsIdle();
  });

  test('a transaction inside a transaction is a savepoint', async () => {
    await cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 1 WHERE id = 1');
      const inner = cluster.transaction(async (same) => {
        await same.query('UPDATE account SET n = 2 WHERE id = 1');
        await same.query('UPDATE account SET n = 2 WHERE id = 2');
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
      await cluster.transaction((same) => same.query('UPDATE account SET n = 3 WHERE id = 2'));
    });
    expect(await balances()).toEqual([1, 3]);
    await poolIsIdle();
  });

  test.each([
    ['fails after it went back to an older savepoint', 'ROLLBACK TO SAVEPOINT older', true],
    ['fails after it released an older savepoint', 'RELEASE SAVEPOINT older', true],
    ['resolves after it released an older savepoint', 'RELEASE SAVEPOINT older', false],
  ])('of a nested transaction that %s nothing is committed', async (_, sql, fails) => {
    const work = cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 1 WHERE id = 2');
      await db.query('SAVEPOINT older');
      const inner = cluster.transaction(async (same) => {
        await same.query(sql);
        await same.query('UPDATE account SET n = 0 WHERE id = 1');
        if (fails) throw new Error('inner');
      });
      if (fails) await expect(inner).rejects.toThrow('inner');
      else await expect(inner).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
      await expect(db.query('UPDATE account SET n = 5 WHERE id = 2')).rejects.toMatchObject({
        code: 'ERR_TRANSACTION_LOST',
      });
    });
    await expect(work).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('the names of the savepoints of nested transactions are reserved', async () => {
    await cluster.transaction(async () => {
      const inner = cluster.transaction(async (same) => {
        await same.query('UPDATE account SET n = 0 WHERE id = 1');
        await expect(same.query('ROLLBACK TO `Stormlamp_1`')).rejects.toMatchObject({
          code: 'ERR_UNSUPPORTED',
        });
        await same.query('SAVEPOINT stormlamp_1');
      });
      await expect(inner).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    });
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('nested transactions that are begun together run one after the other, and one that fails undoes only itself', async () => {
    const order: string[] = [];
    const outcomes = await cluster.transaction(() =>
      Promise.allSettled([
        cluster.transaction(async (db) => {
          order.push('first begins');
          await db.query('UPDATE account SET n = n + 1 WHERE id = 1');
          await cluster.transaction((inner) => inner.query('UPDATE account SET n = n + 1 WHERE id = 1'));
          order.push('first fails');
          throw new Error('first');
        }),
        cluster.transaction(async (db) => {
          order.push('second begins');
          await db.query('UPDATE account SET n = n + 10 WHERE id = 2');
          const inner = [3, 4].map((n) =>
            cluster.transaction(async (same) => {
              await same.query('UPDATE account SET n = n + ? WHERE id = 1', [n]);
              if (n === 3) throw new Error('three');
            }),
          );
          await Promise.allSettled(inner);
          order.push('second ends');
        }),
        cluster.transaction((db) => db.query('UPDATE account SET n = n + 100 WHERE id = 2')),
      ]),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(order).toEqual(['first begins', 'first fails', 'second begins', 'second ends']);
    expect(await balances()).toEqual([104, 210]);
    await poolIsIdle();
  });

  test('a nested transaction that nobody waits for is part of the transaction, or refused', async () => {
    let late: Promise<unknown> = Promise.resolve();
    await cluster.transaction((db) => {
      void cluster.transaction(async (same) => {
        await same.query('UPDATE account SET n = 1 WHERE id = 1');
        await same.query('UPDATE account SET n = 2 WHERE id = 1');
      });
      late = cluster.transaction((same) => same.query('UPDATE account SET n = 3 WHERE id = 1'));
      late.catch(() => undefined);
      return db.query('UPDATE account SET n = 1 WHERE id = 2');
    });
    await expect(late).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect(await balances()).toEqual([2, 1]);
    await poolIsIdle();
  });

  test('a statement that comes when the transaction ends is not executed after it', async () => {
    for (const fails of [false, true]) {
      let late: Promise<unknown> | undefined;
      const work = cluster.transaction(async (db) => {
        const ended = db.query('UPDATE account SET n = n + 1 WHERE id = 1');
        // Comes while the end of the transaction is under way.
        void ended.then(() => {
          setImmediate(() => {
            late = db.query('UPDATE account SET n = 0 WHERE id = 2');
            late.catch(() => undefined);
          });
        });
        await ended;
        if (fails) throw new Error('on purpose');
      });
      await work.catch(() => undefined);
      await eventually('it was called', () => late !== undefined);
      await expect(late).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    }
    expect(await balances()).toEqual([101, 100]);
    await poolIsIdle();
  });

  test('the limit of a nested transaction ends the whole one once it has begun, and nothing before', async () => {
    const waits = cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 1 WHERE id = 1');
      const first = cluster.transaction((same) => same.query('DO SLEEP(0.3)'));
      const second = cluster.transaction((same) => same.query('UPDATE account SET n = 1 WHERE id = 2'), {
        timeoutMs: 20,
      });
      await expect(second).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      await first;
    });
    await waits;
    expect(await balances()).toEqual([1, 100]);
    const begun = cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 5 WHERE id = 2');
      const inner = cluster.transaction((same) => same.query('DO SLEEP(20)'), { timeoutMs: 50 });
      await expect(inner).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      await db.query('SELECT 1');
    });
    await expect(begun).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    expect(await balances()).toEqual([1, 100]);
    await poolIsIdle();
  });

  test('a nested transaction that wants what a savepoint cannot give is refused', async () => {
    const work = cluster.transaction(() =>
      cluster.transaction(() => undefined, { isolation: 'SERIALIZABLE' }),
    );
    await expect(work).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    const token = await cluster.token();
    for (const wish of [{ readOnly: false }, { after: token }]) {
      const inner = cluster.transaction(() => cluster.transaction(() => undefined, wish), { readOnly: true });
      await expect(inner).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    }
    // What it wants it has.
    await cluster.transaction(() => cluster.transaction(() => undefined, { after: token, readOnly: true }));
  });

  test('the deadline ends a function that waits for a lock, and nothing of it stays', async () => {
    const blocker = await cluster.getConnection();
    await blocker.beginTransaction();
    await blocker.query('UPDATE account SET n = 7 WHERE id = 1');
    const work = cluster.transaction(
      async (db) => {
        await db.query('UPDATE account SET n = 8 WHERE id = 2');
        await db.query('UPDATE account SET n = 8 WHERE id = 1');
      },
      { timeoutMs: 300 },
    );
    await expect(work).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    await blocker.rollback();
    blocker.release();
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('a statement may have a limit of its own inside a transaction', async () => {
    const blocker = await cluster.getConnection();
    await blocker.beginTransaction();
    await blocker.query('UPDATE account SET n = 7 WHERE id = 1');
    const work = cluster.transaction(
      async (db) => {
        const sql = 'UPDATE account SET n = 8 WHERE id = 1';
        await expect(db.query({ sql, timeoutMs: 100 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
        await db.query('SELECT 1');
      },
      { timeoutMs: 10_000 },
    );
    // The connection of a statement that was stopped is not used again, and with it goes the transaction.
    await expect(work).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await blocker.rollback();
    blocker.release();
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('a signal ends a function that does not end by itself', async () => {
    const controller = new AbortController();
    const work = cluster.transaction(
      async (db) => {
        await db.query('UPDATE account SET n = 9');
        controller.abort(new Error('enough'));
        await new Promise(() => undefined);
      },
      { signal: controller.signal },
    );
    await expect(work).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('after a statement that would commit first failed, the server tells whether the transaction is still open', async () => {
    await servers.primary.query('CREATE TABLE IF NOT EXISTS shop.there (i INT)');
    const connection = await cluster.getConnection();
    const committed = async (): Promise<unknown> => (await balances())[0];
    // Not understood: nothing was committed, and the transaction goes on.
    await connection.beginTransaction();
    await connection.query('UPDATE account SET n = 1 WHERE id = 1');
    await expect(connection.query('CREATE TABLE there (')).rejects.toMatchObject({ errno: 1064 });
    await connection.query('UPDATE account SET n = 2 WHERE id = 1');
    expect(await committed()).toBe(100);
    await connection.rollback();
    expect(await committed()).toBe(100);
    // Understood and refused: what was before it is committed, and what follows is outside of any transaction.
    await connection.beginTransaction();
    await connection.query('UPDATE account SET n = 3 WHERE id = 1');
    await expect(connection.query('CREATE TABLE there (i INT)')).rejects.toMatchObject({ errno: 1050 });
    expect((await connection.query('SHOW WARNINGS'))[0]).toMatchObject([{ Code: 1050 }]);
    expect(await committed()).toBe(3);
    expect((await connection.query('SELECT n FROM account WHERE id = 1'))[0]).toEqual([{ n: 3 }]);
    await servers.primary.query(`KILL ${connection.threadId}`);
    // Had the transaction been taken for open, it would be lost now.
    const again = eventually('a read is served', () =>
      connection.query('SELECT n FROM account WHERE id = 1').catch((error: { code?: string }) => {
        expect(error.code).not.toBe('ERR_TRANSACTION_LOST');
        return undefined;
      }),
    );
    expect((await again)[0]).toEqual([{ n: 3 }]);
    connection.release();
    await poolIsIdle();
  });

  test('a transaction that is over leaves nothing to be reset, one that is open does', async () => {
    // A reset is one of the commands that are no statements.
    const resets = async (): Promise<number> => {
      const [row] = await servers.primary.query("SHOW GLOBAL STATUS LIKE 'Com_admin_commands'");
      return Number(row?.['Value']);
    };
    const transfer = async (isCommitted: boolean): Promise<void> => {
      const connection = await cluster.getConnection();
      await connection.beginTransaction();
      await connection.query('UPDATE account SET n = n + 1 WHERE id = 1');
      await connection.query('SAVEPOINT here');
      if (isCommitted) await connection.commit();
      connection.release();
      await poolIsIdle();
    };
    const before = await resets();
    for (let number = 0; number < 20; number += 1) await transfer(true);
    const between = await resets();
    expect(between - before).toBeLessThan(10);
    for (let number = 0; number < 20; number += 1) await transfer(false);
    expect((await resets()) - between).toBeGreaterThanOrEqual(20);
    expect(await balances()).toEqual([120, 100]);
  });

  test('what a procedure did before it failed is known, too', async () => {
    await servers.primary.query('DROP PROCEDURE IF EXISTS shop.half');
    await servers.primary.query(
      "CREATE PROCEDURE shop.half() BEGIN START TRANSACTION; UPDATE shop.account SET n = 7 WHERE id = 1; SIGNAL SQLSTATE '45000'; END",
    );
    const connection = await cluster.getConnection();
    await expect(connection.query('CALL half()')).rejects.toMatchObject({ errno: 1644 });
    await connection.query('UPDATE account SET n = 8 WHERE id = 2');
    expect(connection.threadId).toBeDefined();
    expect(await balances()).toEqual([100, 100]);
    await connection.commit();
    expect(await balances()).toEqual([7, 8]);
    connection.release();
    await poolIsIdle();
  });

  test('of several statements that failed, the server tells what they did to the transaction', async () => {
    const several = await createMysqlCluster({
      ...withSeveral(servers.options().mysql),
      pool: { max: 4 },
    });
    const bad = "INSERT INTO account VALUES (1, 'twice')";
    try {
      // A transaction that began inside is open, and stays where it is.
      const connection = await several.getConnection();
      await expect(
        connection.query(`BEGIN; UPDATE account SET n = 1 WHERE id = 1; ${bad}`),
      ).rejects.toMatchObject({ errno: expect.any(Number) });
      await connection.query('UPDATE account SET n = 1 WHERE id = 2');
      expect(await balances()).toEqual([100, 100]);
      await connection.rollback();
      expect(await balances()).toEqual([100, 100]);
      // It is lost with its connection: nothing goes on as if it had never been.
      await connection.query(`BEGIN; UPDATE account SET n = 1 WHERE id = 1; ${bad}`).catch(() => undefined);
      await servers.primary.query(`KILL ${connection.threadId}`);
      await expect(connection.query('UPDATE account SET n = 1 WHERE id = 2')).rejects.toMatchObject({
        code: 'ERR_TRANSACTION_LOST',
      });
      await connection.rollback();
      // A part that was committed inside is not called rolled back.
      await connection.beginTransaction();
      await connection
        .query(`UPDATE account SET n = 55 WHERE id = 1; COMMIT; BEGIN; ${bad}`)
        .catch(() => undefined);
      await servers.primary.query(`KILL ${connection.threadId}`);
      await expect(connection.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
      await connection.rollback();
      connection.release();
      expect(await balances()).toEqual([55, 100]);
    } finally {
      await several.close();
    }
  });

  test('the function cannot end its transaction: the statement is refused and not sent', async () => {
    const several = await createMysqlCluster({ ...withSeveral(servers.options().mysql), pool: { max: 4 } });
    const ends: [string, (db: MysqlConnection) => Promise<unknown>][] = [
      ...[
        'COMMIT',
        'ROLLBACK',
        'BEGIN',
        'START TRANSACTION READ ONLY',
        'SET autocommit = 1',
        'SET autocommit = 0',
        'ALTER TABLE dead COMMENT "x"',
        'LOCK TABLES dead READ',
        'COMMIT; ROLLBACK',
        'COMMIT; SET TRANSACTION READ WRITE',
        'COMMIT; BEGIN; SAVEPOINT a',
        'ROLLBACK; SAVEPOINT a',
      ].map((text): [string, (db: MysqlConnection) => Promise<unknown>] => [text, (db) => db.query(text)]),
      ['commit()', (db) => db.commit()],
      ['rollback()', (db) => db.rollback()],
      ['beginTransaction()', (db) => db.beginTransaction()],
      ['reset()', (db) => db.reset()],
      ['changeUser()', (db) => db.changeUser({ database: 'shop' })],
      ['rollback() of an inner one', () => several.transaction((inner) => inner.rollback())],
    ];
    try {
      for (const [what, end] of ends) {
        let attempts = 0;
        const given = several.transaction(async (db) => {
          attempts += 1;
          await db.query('UPDATE account SET n = n - 10 WHERE id = 1');
          await end(db);
        });
        await expect(given, what).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
        expect([what, attempts, await balances()]).toEqual([what, 1, [100, 100]]);
      }
      // A function that goes on after the refusal has its whole transaction.
      await several.transaction(async (db) => {
        await db.query('UPDATE account SET n = n - 10 WHERE id = 1');
        for (const [, end] of ends) await end(db).catch(() => undefined);
        await db.query('UPDATE account SET n = n + 10 WHERE id = 2');
      });
      expect(await balances()).toEqual([90, 110]);
    } finally {
      await several.close();
    }
    await poolIsIdle();
  });

  test('a transaction that a procedure ended is not taken for a whole one, and not run again', async () => {
    const several = await createMysqlCluster({ ...withSeveral(servers.options().mysql), pool: { max: 4 } });
    const write = 'UPDATE shop.account SET n = n + 1 WHERE id = 2';
    for (const [name, body] of [
      ['commits', 'COMMIT;'],
      ['rolls_back', 'ROLLBACK;'],
      ['halfway', `COMMIT; START TRANSACTION; ${write};`],
      ['anew', `ROLLBACK; START TRANSACTION; ${write};`],
    ]) {
      await servers.primary.query(`DROP PROCEDURE IF EXISTS shop.${name}`);
      await servers.primary.query(`CREATE PROCEDURE shop.${name}() BEGIN ${body} END`);
    }
    const texts = ['CALL commits()', 'CALL rolls_back()', 'CALL halfway()', 'CALL anew()'];
    texts.push('DO 1; CALL commits()', 'ROLLBACK; SET TRANSACTION READ WRITE', "EXECUTE IMMEDIATE 'COMMIT'");
    // MySQL has none; there a prepared COMMIT does the same.
    if (flavor === 'mysql') texts.splice(-1, 1, "PREPARE ends FROM 'COMMIT'; EXECUTE ends");
    try {
      for (const text of texts) {
        const isCommit = !/roll|anew/i.test(text);
        for (const after of ['nothing', 'a write', 'a caught write', 'an inner transaction', 'a deadlock']) {
          let attempts = 0;
          await servers.primary.query('REPLACE INTO shop.account VALUES (1, 100), (2, 100)');
          const work = several.transaction(async (db) => {
            attempts += 1;
            await db.query('UPDATE account SET n = n - 10 WHERE id = 1');
            await db.query(text);
            const second = 'UPDATE account SET n = n + 10 WHERE id = 2';
            if (after === 'a write') await db.query(second);
            if (after === 'a caught write') await db.query(second).catch(() => undefined);
            if (after === 'an inner transaction')
              await several.transaction((inner) => inner.query(second)).catch(() => undefined);
            if (after === 'a deadlock') await db.query('INSERT INTO dead VALUES (1)');
          });
          const what = `${text}, then ${after}`;
          await expect(work, what).rejects.toMatchObject({
            code: text.startsWith('ROLLBACK;') ? 'ERR_TRANSACTION_LOST' : 'ERR_OUTCOME_UNKNOWN',
          });
          expect([what, attempts, await balances()]).toEqual([what, 1, [isCommit ? 90 : 100, 100]]);
        }
      }
      // One that leaves the transaction alone takes nothing away.
      let attempts = 0;
      const work = several.transaction(async (db) => {
        attempts += 1;
        await db.query('CALL harmless()');
        await db.query('INSERT INTO dead VALUES (1)');
      });
      await expect(work).rejects.toMatchObject({ errno: 1213 });
      expect(attempts).toBe(4);
      await several.transaction(async (db) => {
        await db.query('UPDATE account SET n = 8 WHERE id = 1');
        await db.query('CALL harmless()');
      });
      expect((await balances())[0]).toBe(8);
    } finally {
      await several.close();
    }
    await poolIsIdle();
  });

  test('a transaction that a procedure began in the place of another one is not committed for it', async () => {
    await servers.primary.query('DROP PROCEDURE IF EXISTS shop.instead');
    await servers.primary.query(
      "CREATE PROCEDURE shop.instead() BEGIN ROLLBACK; START TRANSACTION; UPDATE shop.account SET n = 9 WHERE id = 2; SIGNAL SQLSTATE '45000'; END",
    );
    const work = cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 9 WHERE id = 1');
      await expect(db.query('CALL instead()')).rejects.toMatchObject({ errno: 1644 });
    });
    await expect(work).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
    expect(await balances()).toEqual([100, 100]);
    // A procedure that fails and leaves it alone takes nothing away.
    await cluster.transaction(async (db) => {
      await db.query('UPDATE account SET n = 8 WHERE id = 1');
      await expect(db.query('CALL failing()')).rejects.toMatchObject({ errno: 1644 });
      await db.query('UPDATE account SET n = 8 WHERE id = 2');
    });
    expect(await balances()).toEqual([8, 8]);
    await poolIsIdle();
  });

  test('a killed session is a lost transaction: later statements are refused, rollback acknowledges it', async () => {
    const connection = await cluster.getConnection();
    await connection.beginTransaction();
    await connection.query('UPDATE account SET n = 5');
    await servers.primary.query(`KILL ${connection.threadId}`);
    const lost = connection.query('UPDATE account SET n = 6');
    await expect(lost).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST', node: servers.primary.id });
    await expect(connection.query('SELECT 1')).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await expect(connection.commit()).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    await connection.rollback();
    const [rows] = await connection.query('SELECT 1 AS one');
    expect(rows).toEqual([{ one: 1 }]);
    connection.release();
    expect(await balances()).toEqual([100, 100]);
    await poolIsIdle();
  });

  test('a function whose session is killed is run again only when that was asked for', async () => {
    const killed = async (retryLostConnection: boolean): Promise<number> => {
      let attempts = 0;
      await cluster.transaction(
        async (db) => {
          attempts += 1;
          await db.query('UPDATE account SET n = n + 1 WHERE id = 1');
          if (attempts === 1) await servers.primary.query(`KILL ${db.threadId}`);
          await db.query('UPDATE account SET n = n + 1 WHERE id = 2');
        },
        { retryLostConnection },
      );
      return attempts;
    };
    await expect(killed(false)).rejects.toMatchObject({ code: 'ERR_TRANSACTION_LOST' });
    expect(await balances()).toEqual([100, 100]);
    expect(await killed(true)).toBe(2);
    expect(await balances()).toEqual([101, 101]);
    await poolIsIdle();
  });

  test('a session that is tied by a temporary table and killed says what is gone', async () => {
    const connection = await cluster.getConnection();
    await connection.query('CREATE TEMPORARY TABLE mine (n INT)');
    await servers.primary.query(`KILL ${connection.threadId}`);
    await expect(connection.query('SELECT * FROM mine')).rejects.toMatchObject({
      code: 'ERR_CONNECTION_LOST',
      message: expect.stringContaining('temp-table'),
    });
    await expect(connection.rollback()).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
    await connection.reset();
    const [rows] = await connection.query('SELECT 1 AS one');
    expect(rows).toEqual([{ one: 1 }]);
    connection.release();
  });

  test('what the last write left is not asked of another connection', async () => {
    const connection = await cluster.getConnection();
    await connection.query('UPDATE account SET n = LAST_INSERT_ID(77) WHERE id = 1');
    await servers.primary.query(`KILL ${connection.threadId}`);
    const [rows] = await connection.query('SELECT n FROM account WHERE id = 1');
    expect(rows).toEqual([{ n: 77 }]);
    await expect(connection.query('SELECT LAST_INSERT_ID() AS id')).rejects.toMatchObject({
      code: 'ERR_CONNECTION_LOST',
    });
    await connection.query('UPDATE account SET n = LAST_INSERT_ID(78) WHERE id = 1');
    expect((await connection.query('SELECT LAST_INSERT_ID() AS id'))[0]).toEqual([{ id: 78 }]);
    connection.release();
    await poolIsIdle();
  });

  test('a commit whose answer is lost has an unknown outcome and is not run again', async () => {
    let attempts = 0;
    const work = cluster.transaction(async (db) => {
      attempts += 1;
      await db.query('UPDATE account SET n = 42 WHERE id = 1');
      servers.primary.faults.partition({ direction: 'to-client' });
      // The commit is sent and executed, its answer never comes; then the connection dies.
      void eventually('it is committed', async () => (await balances())[0] === 42).then(() =>
        servers.primary.faults.reset(),
      );
    });
    try {
      await expect(work).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN', node: servers.primary.id });
    } finally {
      servers.primary.faults.heal();
    }
    expect(attempts).toBe(1);
    expect((await balances())[0]).toBe(42);
    await eventually('the primary is back', () => cluster.topology().writer.kind === 'primary');
  });

  test('a distributed transaction that is left prepared is ended by another session, and nobody else meets it', async () => {
    const session = await cluster.getConnection();
    for (const sql of [
      "XA START 'left'",
      'UPDATE account SET n = n + 1 WHERE id = 1',
      "XA END 'left'",
      "XA PREPARE 'left'",
    ]) {
      await session.query(sql);
    }
    session.release();
    await poolIsIdle();
    await eventually('the server has let it go', () =>
      cluster.query("XA COMMIT 'left'").then(
        () => true,
        (error: { errno?: number }) => {
          // Until the session has ended, nobody else may touch it.
          expect([1397, 1399, 1401]).toContain(error.errno);
          return false;
        },
      ),
    );
    expect(await balances()).toEqual([101, 100]);
    for (let turn = 0; turn < 5; turn += 1) {
      await cluster.transaction((db) => db.query('UPDATE account SET n = n + 1 WHERE id = 2'));
    }
    expect(await balances()).toEqual([101, 105]);
    await poolIsIdle();
  });

  test('the end of a distributed transaction whose answer is lost has an unknown outcome and is not sent again', async () => {
    const prepare = async (xid: string): Promise<void> => {
      const session = await cluster.getConnection();
      await session.query(`XA START '${xid}'`);
      await session.query('UPDATE account SET n = n + 1 WHERE id = 1');
      await session.query(`XA END '${xid}'`);
      await session.query(`XA PREPARE '${xid}'`);
      // On some servers the session that prepared it keeps it until it ends.
      session.destroy();
    };
    const isPrepared = async (xid: string): Promise<boolean> => {
      const rows = await servers.primary.query('XA RECOVER');
      return rows.some((row) => String(row['data']) === xid);
    };
    await prepare('done');
    await eventually('it is free', async () => {
      const rows = await servers.primary.query<{ ID: number }>(
        'SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ?',
        [servers.accounts.app.user],
      );
      return rows.length < 100 && (await isPrepared('done'));
    });
    const sent: string[] = [];
    const listener = ({ sql }: { sql: string }): unknown => sent.push(sql);
    cluster.on('route', listener);
    await cluster.query('SELECT 1 FOR UPDATE');
    servers.primary.faults.partition({ direction: 'to-client' });
    const commit = cluster.query("XA COMMIT 'done'");
    void eventually('it is committed', async () => !(await isPrepared('done'))).then(() =>
      servers.primary.faults.reset(),
    );
    try {
      await expect(commit).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN', node: servers.primary.id });
    } finally {
      servers.primary.faults.heal();
      cluster.off('route', listener);
    }
    expect(sent.filter((sql) => sql.startsWith('XA'))).toEqual(["XA COMMIT 'done'"]);
    expect(await balances()).toEqual([101, 100]);
    await eventually('the primary is back', () => cluster.topology().writer.kind === 'primary');
    await poolIsIdle();
  });

  test('a commit that a demoted primary refuses is a known rollback, and is run again on the new primary', async () => {
    let attempts = 0;
    await cluster.transaction(async (db) => {
      attempts += 1;
      await db.query('UPDATE account SET n = n + 1 WHERE id = 1');
      if (attempts > 1) return;
      await servers.primary.query('SET GLOBAL read_only = 1');
      void eventually('the refusal was seen', () => cluster.topology().writer.kind !== 'primary').then(() =>
        servers.primary.query('SET GLOBAL read_only = 0'),
      );
    });
    expect(attempts).toBeGreaterThan(1);
    expect(await balances()).toEqual([101, 100]);
    await poolIsIdle();
  });
});
