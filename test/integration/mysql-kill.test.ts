/** What ends a statement from the side: `KILL` of the number of a connection, and the limit of a call after its account has changed. */
import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { firstReplica } from '../support/first-replica.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

/** A session on some server, and how to make another one there instead, with a higher number. */
interface Numbered {
  readonly threadId: number;
  again(): Promise<Numbered>;
  close(): void;
}

describe.each(CLIENT_DATABASES)('on $name', ({ options }) => {
  let servers: LocalCluster;
  let cluster: MysqlCluster;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
    for (const sql of [
      'CREATE TABLE shop.t (id INT)',
      ...['old', 'new'].flatMap((user) => [
        `CREATE USER ${user}_app@'%' IDENTIFIED BY 'x'`,
        `GRANT SELECT, INSERT ON shop.* TO ${user}_app@'%'`,
      ]),
    ])
      await servers.primary.query(sql);
    await servers.waitForReplication();
    cluster = await createMysqlCluster({ ...servers.options().mysql });
  });

  afterAll(async () => {
    await cluster?.close();
    await servers?.close();
  });

  const replica = (): LocalDatabaseNode => firstReplica(servers);

  type Held = Numbered & { readonly db: Awaited<ReturnType<MysqlCluster['getConnection']>> };

  /** A connection of the cluster that holds one to the primary or to the replica. */
  async function held(begin: 'START TRANSACTION' | 'START TRANSACTION READ ONLY'): Promise<Held> {
    const db = await cluster.getConnection();
    await db.query(begin);
    const close = (): void => db.destroy();
    const again = (): Promise<Held> => {
      close();
      return held(begin);
    };
    return { db, threadId: db.threadId ?? 0, again, close };
  }

  interface Stranger extends Numbered {
    readonly db: mysql.Connection;
    again(): Promise<Stranger>;
  }

  /** Somebody else's session on the primary. */
  async function strange(): Promise<Stranger> {
    const { user, password } = servers.accounts.app;
    const { host, port } = servers.primary;
    const db = await mysql.createConnection({ host, port, user, password });
    db.on('error', () => undefined);
    const close = (): void => db.destroy();
    const again = (): Promise<Stranger> => {
      close();
      return strange();
    };
    return { db, threadId: db.threadId, again, close };
  }

  /** The two with the same number. */
  async function alike<A extends Numbered, B extends Numbered>(one: A, other: B): Promise<[A, B]> {
    let [a, b] = [one, other];
    for (let count = 0; count < 2_000 && a.threadId !== b.threadId; count += 1) {
      if (a.threadId < b.threadId) a = (await a.again()) as A;
      else b = (await b.again()) as B;
    }
    expect(a.threadId).toBe(b.threadId);
    return [a, b];
  }

  const isShut = (): boolean =>
    cluster.stats().find(({ node }) => node === replica().id)?.breakers.read.phase === 'open';

  const sleepers = (on: LocalCluster['primary']): Promise<unknown[]> =>
    on.query(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)%' AND INFO NOT LIKE '%PROCESSLIST%'",
    );

  test.each<[string, (n: number) => Promise<unknown>]>([
    ['KILL QUERY', (n) => cluster.query(`KILL QUERY ${n}`)],
    ['KILL QUERY with a value', (n) => cluster.query('/* stop it */ kill query ?', [n])],
    ['KILL', (n) => cluster.query(`KILL ${n};`)],
    [
      'KILL over a connection',
      async (n) => {
        await using db = await cluster.getConnection();
        await db.query({ sql: 'KILL CONNECTION ?', values: [n] });
      },
    ],
  ])(
    '%s of the number of a connection to the replica ends what that does, and nobody else on the primary',
    async (_, kill) => {
      const [reader, other] = await alike(await held('START TRANSACTION READ ONLY'), await strange());
      const ends = reader.db.query('SELECT SLEEP(60)').then(
        () => 'ended',
        () => 'ended',
      );
      const goesOn = other.db.query('SELECT SLEEP(60)').catch(() => undefined);
      try {
        await eventually('both are at work', async () => {
          const counts = [await sleepers(replica()), await sleepers(servers.primary)].map(
            ({ length }) => length,
          );
          return counts.every((count) => count === 1);
        });
        await kill(reader.threadId);
        await eventually('it has ended', async () => (await sleepers(replica())).length === 0);
        expect(await ends).toBe('ended');
        expect(await sleepers(servers.primary)).toMatchObject([{ ID: other.threadId }]);
      } finally {
        await servers.primary.query(`KILL ${other.threadId}`).catch(() => undefined);
        await goesOn;
        reader.close();
        other.close();
      }
    },
  );

  /** Runs `work` while a stranger on the primary, whose session has the number `threadId`, is at work; it must not be disturbed. */
  async function besideStranger(threadId: number, work: () => Promise<void>): Promise<void> {
    let other = await strange();
    for (let count = 0; count < 2_000 && other.threadId < threadId; count += 1) other = await other.again();
    expect(other.threadId, 'the primary counts too far ahead').toBe(threadId);
    const goesOn = other.db.query('SELECT SLEEP(60)').catch(() => undefined);
    try {
      await eventually('the stranger is at work', async () => (await sleepers(servers.primary)).length === 1);
      await work();
      await eventually('the others have ended', async () => (await sleepers(servers.primary)).length <= 1);
      expect(await sleepers(servers.primary)).toMatchObject([{ ID: threadId }]);
    } finally {
      await servers.primary.query(`KILL ${threadId}`).catch(() => undefined);
      await goesOn;
      other.close();
    }
  }

  /** A connection of the cluster to the replica, which was told a number there that the primary has not given yet. */
  async function toldAhead(
    tell: (db: Held['db']) => Promise<number>,
  ): Promise<{ db: Held['db']; told: number }> {
    const next = await strange();
    next.close();
    for (let count = 0; count < 2_000; count += 1) {
      const db = await cluster.getConnection();
      const told = await tell(db);
      if (told > next.threadId + 20) return { db, told };
      db.destroy();
    }
    throw new Error('The replica does not get ahead');
  }

  const byQuestion = async (db: Held['db']): Promise<number> => {
    const [rows] = await db.query('SELECT CONNECTION_ID() AS n');
    return (rows as unknown as { n: number }[])[0]?.n ?? 0;
  };
  const byField = async (db: Held['db']): Promise<number> => {
    await db.query('SELECT 1');
    return db.threadId ?? 0;
  };

  test.each([
    ['CONNECTION_ID()', byQuestion],
    ['threadId', byField],
  ])('reads stay where %s was told, so that KILL QUERY ends them and nobody else', async (_, tell) => {
    const { db, told } = await toldAhead(tell);
    try {
      await besideStranger(told, async () => {
        const ends = db.query('SELECT SLEEP(60)').catch(() => undefined);
        await eventually('it runs on the replica', async () => (await sleepers(replica())).length === 1);
        await cluster.query(`KILL QUERY ${told}`);
        await ends;
        expect(await sleepers(replica())).toEqual([]);
      });
    } finally {
      db.destroy();
    }
  });

  test.each([
    ['CONNECTION_ID()', byQuestion],
    ['threadId', byField],
  ])('KILL QUERY of what %s told ends the statement that went to the primary since', async (_, tell) => {
    const { db, told } = await toldAhead(tell);
    const left = new AbortController();
    try {
      await besideStranger(told, async () => {
        const ends = db.query('INSERT INTO t SELECT SLEEP(60) + 1').catch(() => undefined);
        await eventually('it runs', async () => (await sleepers(servers.primary)).length === 2);
        // Whoever has the connection now that was left.
        const reads = cluster.query({ sql: 'SELECT SLEEP(60)', signal: left.signal }).catch(() => undefined);
        await eventually('it runs on the replica', async () => (await sleepers(replica())).length === 1);
        await cluster.query('KILL QUERY ?', [told]);
        await ends;
        expect(await sleepers(replica())).toHaveLength(1);
        left.abort();
        await reads;
        await eventually('it has ended', async () => (await sleepers(replica())).length === 0);
      });
    } finally {
      db.destroy();
    }
  });

  test('KILL QUERY of what a connection was told that holds none now ends nobody', async () => {
    const { db, told } = await toldAhead(byQuestion);
    await besideStranger(told, async () => {
      await db.reset();
      await cluster.query(`KILL QUERY ${told}`);
    });
    db.release();
  });

  test('KILL of what a connection was told that is closed ends nobody on the primary', async () => {
    const { db, told } = await toldAhead(byQuestion);
    await besideStranger(told, async () => {
      db.destroy();
      await eventually('it is gone there', async () => {
        const left = await replica().query('SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ?', [
          told,
        ]);
        return left.length === 0;
      });
      await expect(cluster.query(`KILL CONNECTION ${told}`)).rejects.toMatchObject({ errno: 1094 });
    });
  });

  test('a number that connections to both nodes have is refused', async () => {
    const [reader, writer] = await alike(
      await held('START TRANSACTION READ ONLY'),
      await held('START TRANSACTION'),
    );
    try {
      await expect(cluster.query(`KILL ${reader.threadId}`)).rejects.toMatchObject({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(new RegExp(`(?=.*${replica().id}).*${servers.primary.id}`)),
      });
      await reader.db.query('SELECT 1');
      await writer.db.query('SELECT 1');
    } finally {
      reader.close();
      writer.close();
    }
  });

  test('a number that no connection of the cluster has is one of the primary', async () => {
    const other = await strange();
    const ended = other.db.query('SELECT SLEEP(60)').then(
      () => undefined,
      (error: unknown) => error,
    );
    await eventually('it is at work', async () => (await sleepers(servers.primary)).length === 1);
    await cluster.query(`KILL ${other.threadId}`);
    expect(await ended).toBeInstanceOf(Error);
    other.close();
  });

  /** Brings the numbers of the replica ahead of those of the primary. */
  async function leadOfReplica(): Promise<void> {
    const next = await strange();
    next.close();
    const { user, password } = servers.accounts.app;
    const { host, port } = replica();
    for (let count = 0; count < 2_000; count += 1) {
      const db = await mysql.createConnection({ host, port, user, password });
      db.destroy();
      if (db.threadId > next.threadId + 20) return;
    }
    throw new Error('The replica does not get ahead');
  }

  test('a number that nobody was told is one of the primary, also when a read on the replica has it', async () => {
    await leadOfReplica();
    const own = await createMysqlCluster({ ...servers.options().mysql });
    const left = new AbortController();
    const reads = own.query({ sql: 'SELECT SLEEP(60)', signal: left.signal }).catch(() => undefined);
    let other = await strange();
    try {
      await eventually('it runs on the replica', async () => (await sleepers(replica())).length === 1);
      const [{ ID: number } = { ID: 0 }] = (await sleepers(replica())) as { ID: number }[];
      for (let count = 0; count < 2_000 && other.threadId < number; count += 1) other = await other.again();
      expect(other.threadId).toBe(number);
      other.db.query('SELECT SLEEP(60)').catch(() => undefined);
      await eventually('it is at work', async () => (await sleepers(servers.primary)).length === 1);
      const [list] = await own.query('SHOW PROCESSLIST');
      const rows = list as unknown as { Id: number; Info: string | null }[];
      const row = rows.find(({ Info }) => Info === 'SELECT SLEEP(60)');
      expect(row?.Id).toBe(number);
      await own.query('KILL ?', [row?.Id]);
      await eventually('it has ended', async () => (await sleepers(servers.primary)).length === 0);
      expect(await sleepers(replica())).toMatchObject([{ ID: number }]);
    } finally {
      left.abort();
      await reads;
      await servers.primary.query(`KILL ${other.threadId}`).catch(() => undefined);
      other.close();
      await own.close();
    }
  });

  async function afterRotation(work: (db: MysqlCluster, failed: unknown[]) => Promise<void>): Promise<void> {
    let user = 'old_app';
    const { mysql: given } = servers.options();
    const node = (id: string) => ({
      url: `mysql://old_app:x@${id}/shop`,
      credentials: () => Promise.resolve({ user, password: 'x' }),
    });
    const own = await createMysqlCluster({
      ...given,
      primary: node(servers.primary.id),
      replicas: [node(replica().id)],
    });
    const failed: unknown[] = [];
    own.on('kill-failed', (failure) => failed.push(failure));
    try {
      await own.query('INSERT INTO t VALUES (0)');
      user = 'new_app';
      await work(own, failed);
    } finally {
      await own.close();
    }
  }

  const NAPS = { sql: 'INSERT INTO t SELECT SLEEP(60) + 1', timeoutMs: 300 };

  test('a statement of a user that was replaced meanwhile is ended as that user', async () => {
    await afterRotation(async (own, failed) => {
      await expect(own.query(NAPS)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      await eventually('it has ended', async () => (await sleepers(servers.primary)).length === 0);
      expect(failed).toEqual([]);
    });
  });

  test('where that user may not log in any more, the event says so', async () => {
    await afterRotation(async (own, failed) => {
      await servers.primary.query("ALTER USER old_app@'%' IDENTIFIED BY 'y'");
      await expect(own.query(NAPS)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
      await eventually('it is told', () => failed.length > 0);
      expect(failed).toMatchObject([
        {
          error: {
            code: 'ERR_MISSING_PRIVILEGE',
            message: expect.stringMatching(/logged in as old_app.*new_app/),
          },
        },
      ]);
      const [left] = (await sleepers(servers.primary)) as { ID: number }[];
      await servers.primary.query(`KILL ${left?.ID}`);
    });
  });

  test('KILL reaches a replica whose reads are shut off', async () => {
    const reader = await held('START TRANSACTION READ ONLY');
    const ends = reader.db.query('SELECT SLEEP(60)').then(
      () => 'ended',
      () => 'ended',
    );
    try {
      await eventually('it is at work', async () => (await sleepers(replica())).length === 1);
      const [own] = (await sleepers(replica())) as { ID: number }[];
      await eventually('reads are shut off', async () => {
        const reads = Array.from({ length: 8 }, () =>
          cluster.query({ sql: 'SELECT SLEEP(60)', timeoutMs: 2_000 }).catch(() => undefined),
        );
        await eventually('they are at work', async () => (await sleepers(replica())).length > 4);
        for (const read of await sleepers(replica())) {
          const { ID: id } = read as { ID: number };
          // One whose limit passes meanwhile has ended.
          if (id !== own?.ID)
            await replica()
              .query(`KILL ${id}`)
              .catch(() => undefined);
        }
        if (isShut()) return true;
        await Promise.all(reads);
        return false;
      });
      expect(isShut()).toBe(true);
      await cluster.query(`KILL ${reader.threadId}`);
      expect(await ends).toBe('ended');
    } finally {
      reader.close();
    }
  });
});
