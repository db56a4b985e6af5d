/** Every method and property of mysql2's pools and pool connections. */
import type { EventEmitter } from 'node:events';
import type { PoolConnection as CallbackConnection, Pool as CallbackPool } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import { expect } from 'vitest';
import { eventually } from '../eventually.js';
import {
  alike,
  called,
  different,
  type NamesOf,
  type Row,
  rows,
  type Side,
  same,
  unsupported,
  withCallbacks,
  withConnection,
} from './comparison.js';

const ONE = 'SELECT 1 AS one';
const refused = { code: 'ERR_UNSUPPORTED' };
const isIn = async (of: Pick<Pool, 'query'>): Promise<unknown> => rows(of, 'SELECT @@in_transaction AS yes');
const NEW_BOOK = 'INSERT INTO book (title) VALUES ("never")';

/** What becomes of a book that is inserted between `begin` and `end`. */
async function booksAfter({ pool }: Side, end: 'commit' | 'rollback'): Promise<unknown> {
  const connection = await pool.getConnection();
  await connection.query('DELETE FROM book WHERE title = "ended"');
  await connection.beginTransaction();
  await connection.query('INSERT INTO book (title) VALUES ("ended")');
  await connection[end]();
  const left = await rows(connection, 'SELECT COUNT(*) AS n FROM book WHERE title = "ended"');
  connection.release();
  return left;
}

/** Whether an answer that the server has sent comes only when its connection reads on. */
async function heldBack(
  { pool }: Side,
  connection: PoolConnection,
  stream: { pause(): void; resume(): void } = connection,
): Promise<unknown> {
  const gate = await pool.getConnection();
  const isTrue = async (condition: string): Promise<boolean> =>
    ((await rows(gate, `SELECT ${condition} AS yes`)) as { yes: number }[])[0]?.yes === 1;
  await gate.query("SELECT GET_LOCK('gate', 5)");
  let isAnswered = false;
  const sql = "SELECT GET_LOCK('gate', 30) AS gate, GET_LOCK('held back', 5) AS taken";
  const asked = connection.query(sql).then(([found]) => {
    isAnswered = true;
    return found;
  });
  await eventually('the server has begun', () =>
    isTrue(`EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = ${pool.escape(sql)})`),
  );
  stream.pause();
  await gate.query("DO RELEASE_LOCK('gate')");
  await eventually('the server has ended', () => isTrue("IS_USED_LOCK('held back') IS NOT NULL"));
  const early = isAnswered;
  stream.resume();
  const answer = await asked;
  await connection.query("DO RELEASE_LOCK('gate'), RELEASE_LOCK('held back')");
  gate.release();
  return [early, answer];
}

/** How often one statement is prepared when it is executed, forgotten by `forget`, and executed again. */
async function preparedTwice(connection: PoolConnection, forget: () => unknown): Promise<unknown> {
  const prepared = async (): Promise<number> => {
    const found = await rows(connection, "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'");
    return Number((found as { Value: string }[])[0]?.Value);
  };
  await connection.beginTransaction();
  const before = await prepared();
  await connection.execute(ONE);
  const forgotten = Object.keys((forget() ?? {}) as object).sort();
  const again = forget();
  await connection.execute(ONE);
  const count = (await prepared()) - before;
  await connection.rollback();
  return [count, forgotten, again];
}

/** More turns than a pool has connections: whoever does not give his back blocks the ones after him. */
const TURNS = 12;

/** Takes a promise connection, uses it, and lets go of it by `end`, again and again. */
async function takeTurns({ pool }: Side, end: (connection: PoolConnection) => unknown): Promise<unknown> {
  const answers: unknown[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const connection = await pool.getConnection();
    answers.push(await rows(connection, 'SELECT 1 AS one FROM book FOR UPDATE'));
    await end(connection);
  }
  return answers;
}

/** {@link takeTurns} with callbacks. */
async function takeCallbackTurns(
  { callbacks }: Side,
  end: (connection: CallbackConnection) => unknown,
): Promise<unknown> {
  const answers: unknown[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const connection = await called<CallbackConnection>((done) => callbacks.getConnection(done));
    answers.push(await called((done) => connection.query('SELECT 1 AS one FROM book FOR UPDATE', done)));
    await end(connection);
  }
  return answers;
}

/** `pool` of `mysql2/promise`. */
export const POOL: Readonly<Record<NamesOf<Pool> | 'Symbol.asyncDispose', Row>> = {
  query: same(async ({ pool }) => (await pool.query('SELECT ? AS a, ? AS b', [1, 'x']))[0]),
  execute: same(async ({ pool }) => (await pool.execute('SELECT ? AS a, ? AS b', [1, 'x']))[0]),
  getConnection: different(async ({ ours, theirs }) => {
    const [bound, late] = [await theirs.pool.getConnection(), await ours.pool.getConnection()];
    expect(bound.threadId).toBeGreaterThan(0);
    expect(late.threadId).toBeUndefined();
    await late.query(ONE);
    expect(late.threadId).toBeGreaterThan(0);
    for (const connection of [bound, late]) connection.release();
  }),
  releaseConnection: same((side) => takeTurns(side, (connection) => side.pool.releaseConnection(connection))),
  end: alike(async ({ withOption }) => {
    const { ours, theirs } = await withOption({}, async ({ pool }) => {
      await pool.end();
      return pool.query(ONE).then(
        () => 'answered',
        () => 'refused',
      );
    });
    expect([ours, theirs]).toEqual(['refused', 'refused']);
  }),
  destroy: different(async ({ withOption }) => {
    const { ours, theirs } = await withOption({}, async ({ pool }) => {
      if (typeof pool.destroy !== 'function') return 'absent';
      pool.destroy();
      return pool.query(ONE).catch((error: { code?: string }) => error.code);
    });
    expect([ours, theirs]).toEqual(['ERR_CLOSED', 'absent']);
  }),
  escape: same(async ({ pool }) => pool.escape("it's")),
  escapeId: same(async ({ pool }) => pool.escapeId('a.b')),
  format: same(async ({ pool }) => pool.format('SELECT ?, ??', [[1, 'x'], 'y'])),
  pool: same(async ({ pool }) => called((done) => pool.pool.query(ONE, done))),
  config: different(async ({ ours }) => {
    expect(ours.pool.config).toMatchObject({ user: expect.any(String), database: 'shop' });
    expect(ours.pool.config).not.toHaveProperty('password');
  }),
  threadId: same(async ({ pool }) => pool.threadId),
  state: different(async ({ ours, theirs }) => {
    expect([ours.pool.state, theirs.pool.state]).toEqual(['authenticated', undefined]);
  }),
  connect: different(async ({ ours, theirs }) => {
    await ours.pool.connect();
    expect(theirs.pool.connect).toBeUndefined();
  }),
  ping: different(async ({ ours, theirs }) => {
    await ours.pool.ping();
    expect(theirs.pool.ping).toBeUndefined();
  }),
  reset: different(async ({ ours, theirs }) => {
    await ours.pool.reset();
    expect(theirs.pool.reset).toBeUndefined();
  }),
  pause: different(async ({ ours, theirs }) => {
    ours.pool.pause();
    expect(theirs.pool.pause).toBeUndefined();
  }),
  resume: different(async ({ ours, theirs }) => {
    ours.pool.resume();
    expect(theirs.pool.resume).toBeUndefined();
  }),
  unprepare: different(async ({ ours, theirs }) => {
    expect(ours.pool.unprepare(ONE)).toBeUndefined();
    expect(theirs.pool.unprepare).toBeUndefined();
  }),
  beginTransaction: unsupported(({ ours }) =>
    expect(ours.pool.beginTransaction()).rejects.toMatchObject(refused),
  ),
  commit: unsupported(({ ours }) => expect(ours.pool.commit()).rejects.toMatchObject(refused)),
  rollback: unsupported(({ ours }) => expect(ours.pool.rollback()).rejects.toMatchObject(refused)),
  changeUser: unsupported(({ ours }) => expect(ours.pool.changeUser({})).rejects.toMatchObject(refused)),
  prepare: unsupported(({ ours }) => expect(ours.pool.prepare(ONE)).rejects.toMatchObject(refused)),
  'Symbol.asyncDispose': alike(async ({ withOption }) => {
    const { ours, theirs } = await withOption({}, async ({ pool }) => {
      await pool[Symbol.asyncDispose]();
      return pool.query(ONE).then(
        () => 'answered',
        () => 'refused',
      );
    });
    expect([ours, theirs]).toEqual(['refused', 'refused']);
  }),
};

/** Both sides do alike; mysql2 gives what the server answered, past its own type, and ours gives nothing. */
function withoutAnswer(
  name: 'beginTransaction' | 'commit' | 'rollback' | 'ping',
  probe: (side: Side) => Promise<unknown>,
): Row {
  return different(async ({ ours, theirs }) => {
    expect(await probe(ours)).toEqual(await probe(theirs));
    const answerOf = (side: Side): Promise<unknown> =>
      withConnection(side, async (c) => {
        const answer: unknown = await c[name]();
        await c.rollback();
        return answer;
      });
    expect(await answerOf(ours)).toBeUndefined();
    expect(await answerOf(theirs)).toBeDefined();
  });
}

/** Both sides tell of every checkout; mysql2 tells of the pool's own statements, too. */
function ofCheckouts(name: 'acquire' | 'release'): Row {
  return different(async ({ ours, theirs }) => {
    const told = async ({ pool }: Side, work: (pool: Side['pool']) => Promise<unknown>): Promise<number> => {
      let count = 0;
      const listener = (): unknown => (count += 1);
      const events: EventEmitter = pool;
      events.on(name, listener);
      await work(pool);
      events.off(name, listener);
      return count;
    };
    const checkOut = async (pool: Side['pool']): Promise<void> => (await pool.getConnection()).release();
    expect([await told(ours, checkOut), await told(theirs, checkOut)]).toEqual([1, 1]);
    const ask = (pool: Side['pool']): Promise<unknown> => pool.query('SELECT 1');
    expect([await told(ours, ask), await told(theirs, ask)]).toEqual([0, 1]);
  });
}

/** What the server takes the texts of a connection for. */
const CHARSETS =
  'SELECT @@character_set_client AS c, @@collation_connection AS l, @@character_set_results AS r, HEX("\u00e9") AS h, "\u00e9" AS e';

/** `connection` of `mysql2/promise`. */
export const CONNECTION: Readonly<Record<NamesOf<PoolConnection> | 'Symbol.asyncDispose', Row>> = {
  query: same((side) => withConnection(side, async (c) => (await c.query('SELECT ? AS a', [1]))[0])),
  execute: same((side) => withConnection(side, async (c) => (await c.execute('SELECT ? AS a', [1]))[0])),
  beginTransaction: withoutAnswer('beginTransaction', (side) =>
    withConnection(side, async (c) => {
      await c.beginTransaction();
      const open = await isIn(c);
      await c.rollback();
      return [open, await isIn(c)];
    }),
  ),
  commit: withoutAnswer('commit', (side) => booksAfter(side, 'commit')),
  rollback: withoutAnswer('rollback', (side) => booksAfter(side, 'rollback')),
  prepare: same((side) =>
    withConnection(side, async (c) => {
      const statement = await c.prepare('SELECT ? + 1 AS n');
      const [answer] = await statement.execute([1]);
      await statement.close();
      return answer;
    }),
  ),
  unprepare: same((side) => withConnection(side, (c) => preparedTwice(c, () => c.unprepare(ONE)))),
  changeUser: same((side) =>
    withConnection(side, async (c) => {
      await c.changeUser({ database: 'information_schema' });
      const chosen = await rows(c, 'SELECT DATABASE() AS db');
      await c.changeUser({ database: 'shop', charset: 'latin1' });
      const told = await rows(c, CHARSETS);
      await c.changeUser({ charset: 'utf8mb4' });
      return [chosen, told, await rows(c, CHARSETS)];
    }),
  ),
  ping: withoutAnswer('ping', (side) => withConnection(side, (c) => c.ping().then(() => 'alive'))),
  reset: same((side) =>
    withConnection(side, async (c) => {
      await c.query('USE information_schema');
      await c.query('SET @a = 1');
      await c.reset();
      return rows(c, 'SELECT @a AS a, DATABASE() AS db');
    }),
  ),
  connect: same((side) => withConnection(side, (c) => c.connect().then(() => 'connected'))),
  release: different(async ({ ours, theirs }) => {
    const after = async ({ pool }: Side): Promise<unknown> => {
      const connection = await pool.getConnection();
      connection.release();
      connection.release();
      return connection.query(ONE).then(
        () => 'answered',
        (error: { code?: string }) => error.code,
      );
    };
    // A connection that somebody else may have by now is none of its former holder's.
    expect([await after(theirs), await after(ours)]).toEqual(['answered', 'ERR_CLOSED']);
  }),
  end: different(async ({ ours }) => {
    const connection = await ours.pool.getConnection();
    await connection.end();
    await expect(connection.query(ONE)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  }),
  destroy: same(async ({ pool }) => {
    const connection = await pool.getConnection();
    await connection.query(ONE);
    const { threadId } = connection;
    connection.destroy();
    const [found] = (await pool.query('SELECT CONNECTION_ID() <> ? AS other', [threadId]))[0] as unknown as {
      other: number;
    }[];
    return found;
  }),
  pause: same((side) => withConnection(side, (c) => heldBack(side, c))),
  resume: same((side) => withConnection(side, (c) => heldBack(side, c))),
  escape: same((side) => withConnection(side, async (c) => c.escape(new Date(0)))),
  escapeId: same((side) => withConnection(side, async (c) => [c.escapeId('a`b'), c.escapeId(['a', 'b'])])),
  format: same((side) => withConnection(side, async (c) => c.format('?', [{ a: 1 }]))),
  config: different(({ ours }) =>
    withConnection(ours, async (c) => expect(c.config).not.toHaveProperty('password')),
  ),
  connection: same((side) =>
    withConnection(side, async (c) => {
      const core = c.connection as unknown as CallbackConnection;
      return called((done) => core.query(ONE, done));
    }),
  ),
  threadId: different(({ ours }) =>
    withConnection(ours, async (c) => {
      expect(c.threadId).toBeUndefined();
      const [[row]] = (await c.query('SELECT CONNECTION_ID() AS id FOR UPDATE')) as unknown as [
        { id: number }[],
      ];
      expect(c.threadId).toBe(row?.id);
    }),
  ),
  state: different(async ({ ours, theirs }) => {
    const stateOf = (side: Side): Promise<unknown> => withConnection(side, async (c) => c.state);
    expect([await stateOf(ours), await stateOf(theirs)]).toEqual(['authenticated', undefined]);
  }),
  'Symbol.asyncDispose': same((side) => takeTurns(side, (connection) => connection[Symbol.asyncDispose]())),
};

/** How a call is refused whose arguments are wrong. */
async function refusalOf(call: (done: (error: unknown) => void) => unknown): Promise<string> {
  return await new Promise((resolve) => {
    try {
      call((error) => resolve(error instanceof Error ? 'told' : 'answered'));
    } catch {
      resolve('thrown');
    }
  });
}

/** The callback pool of `mysql2`. */
export const CALLBACK_POOL: Readonly<Record<NamesOf<CallbackPool> | 'Symbol.dispose', Row>> = {
  query: same(async ({ callbacks }) => [
    await called((done) => callbacks.query('SELECT ? AS a', [1], done)),
    await refusalOf((done) => callbacks.query({} as never, done)),
    await refusalOf((done) => callbacks.query({} as never, [], done)),
    await refusalOf((done) => callbacks.query({} as never).once('error', done)),
  ]),
  execute: same(({ callbacks }) => called((done) => callbacks.execute('SELECT ? AS a', [1], done))),
  getConnection: same((side) => withCallbacks(side, (c) => called((done) => c.query(ONE, done)))),
  releaseConnection: same((side) =>
    takeCallbackTurns(side, (connection) => side.callbacks.releaseConnection(connection)),
  ),
  end: alike(async ({ withOption }) => {
    const { ours, theirs } = await withOption({}, async ({ callbacks }) => {
      await called((done) => callbacks.end(done));
      return called((done) => callbacks.query(ONE, done)).then(
        () => 'answered',
        () => 'refused',
      );
    });
    expect([ours, theirs]).toEqual(['refused', 'refused']);
  }),
  promise: same(async ({ callbacks }) => (await callbacks.promise().query(ONE))[0]),
  escape: same(async ({ callbacks }) => callbacks.escape([1, 'x'])),
  escapeId: same(async ({ callbacks }) => callbacks.escapeId('a.b')),
  format: same(async ({ callbacks }) => callbacks.format('?', ['x'])),
  config: different(async ({ ours }) => expect(ours.callbacks.config).not.toHaveProperty('password')),
  unprepare: different(async ({ ours }) => expect(ours.callbacks.unprepare(ONE)).toBeUndefined()),
  'Symbol.dispose': alike(async ({ withOption }) => {
    const { ours, theirs } = await withOption({}, async ({ callbacks }) => {
      callbacks[Symbol.dispose]();
      return called((done) => callbacks.query(ONE, done)).then(
        () => 'answered',
        () => 'refused',
      );
    });
    expect([ours, theirs]).toEqual(['refused', 'refused']);
  }),
};

const absent = (name: NamesOf<CallbackConnection>): Row =>
  unsupported(({ ours }) =>
    withCallbacks(ours, async (c) => expect((c as unknown as Record<string, unknown>)[name]).toBeUndefined()),
  );

/** A connection of the callback pool. */
export const CALLBACK_CONNECTION: Readonly<Record<NamesOf<CallbackConnection> | 'Symbol.dispose', Row>> = {
  query: same((side) => withCallbacks(side, (c) => called((done) => c.query('SELECT ? AS a', [1], done)))),
  execute: same((side) =>
    withCallbacks(side, (c) => called((done) => c.execute('SELECT ? AS a', [1], done))),
  ),
  beginTransaction: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.beginTransaction(done));
      await called((done) => c.query(NEW_BOOK, done));
      await called((done) => c.rollback(done));
      return called((done) => c.query('SELECT * FROM book WHERE title = "never"', done));
    }),
  ),
  commit: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.beginTransaction(done));
      await called((done) => c.commit(done));
      return isIn(c.promise());
    }),
  ),
  rollback: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.beginTransaction(done));
      await called((done) => c.rollback(done));
      return isIn(c.promise());
    }),
  ),
  prepare: same((side) =>
    withCallbacks(side, async (c) => {
      const statement = await called<{
        execute(values: unknown, done: (error: unknown, value?: unknown) => void): void;
        close(): void;
      }>((done) => c.prepare('SELECT ? + 1 AS n', done as never));
      const answer = await called((done) => statement.execute([1], done));
      statement.close();
      return answer;
    }),
  ),
  unprepare: same((side) =>
    withCallbacks(side, (c) => preparedTwice(c.promise() as PoolConnection, () => c.unprepare(ONE))),
  ),
  changeUser: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.changeUser({ database: 'information_schema' }, done));
      const chosen = await called((done) => c.query('SELECT DATABASE() AS db', done));
      await called((done) => c.changeUser({ database: 'shop' }, done));
      return chosen;
    }),
  ),
  ping: same((side) => withCallbacks(side, (c) => called((done) => c.ping(done)))),
  reset: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.query('SET @a = 1', done));
      await called((done) => c.reset(done));
      return called((done) => c.query('SELECT @a AS a', done));
    }),
  ),
  connect: different(({ ours }) => withCallbacks(ours, (c) => called((done) => c.connect(done)))),
  release: same((side) => takeCallbackTurns(side, (connection) => connection.release())),
  end: different(async ({ ours }) => {
    const connection = await called<CallbackConnection>((done) => ours.callbacks.getConnection(done));
    await called((done) => connection.end(done));
    await expect(called((done) => connection.query(ONE, done))).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  }),
  destroy: same(async (side) => {
    const threads = new Set<unknown>();
    await takeCallbackTurns(side, (connection) => {
      threads.add(connection.threadId);
      connection.destroy();
    });
    // None is used twice.
    return threads.size;
  }),
  promise: same((side) => withCallbacks(side, async (c) => (await c.promise().query(ONE))[0])),
  pause: same((side) => withCallbacks(side, (c) => heldBack(side, c.promise() as PoolConnection, c))),
  resume: same((side) => withCallbacks(side, (c) => heldBack(side, c.promise() as PoolConnection, c))),
  escape: same((side) => withCallbacks(side, async (c) => c.escape(Buffer.from('x')))),
  escapeId: same((side) => withCallbacks(side, async (c) => c.escapeId('a'))),
  format: same((side) => withCallbacks(side, async (c) => c.format('? ?', [1, null]))),
  config: different(({ ours }) =>
    withCallbacks(ours, async (c) => expect(c.config).not.toHaveProperty('password')),
  ),
  connection: different(({ ours, theirs }) =>
    withCallbacks(ours, async (c) => {
      expect(c.connection).toBe(c);
      await withCallbacks(theirs, async (other) => expect(other.connection).toBeUndefined());
    }),
  ),
  threadId: different(({ ours }) => withCallbacks(ours, async (c) => expect(c.threadId).toBeUndefined())),
  state: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.query(ONE, done));
      return c.state;
    }),
  ),
  authorized: same((side) =>
    withCallbacks(side, async (c) => {
      await called((done) => c.query(ONE, done));
      return c.authorized;
    }),
  ),
  'Symbol.dispose': same((side) => takeCallbackTurns(side, (connection) => connection[Symbol.dispose]())),
  sequenceId: absent('sequenceId'),
  serverHandshake: absent('serverHandshake'),
  writeEof: absent('writeEof'),
  writeError: absent('writeError'),
  writeOk: absent('writeOk'),
  writePacket: absent('writePacket'),
  writeTextResult: absent('writeTextResult'),
};

/** The events of the promise pool. */
export const EVENTS: Readonly<Record<'connection' | 'acquire' | 'release' | 'enqueue', Row>> = {
  connection: different(async ({ ours }) => {
    const told: unknown[] = [];
    const listener = ({ threadId }: { readonly threadId: number }): unknown => told.push(threadId);
    ours.cluster.on('connection', listener);
    const session = async (): Promise<unknown> => {
      const [found] = await ours.pool.query('SELECT CONNECTION_ID() AS id FROM (SELECT 1) one FOR UPDATE');
      return (found as { id: number }[])[0]?.id;
    };
    const [first, second] = [await session(), await session()];
    ours.cluster.off('connection', listener);
    expect([told, second]).toEqual([[first], first]);
  }),
  acquire: ofCheckouts('acquire'),
  release: ofCheckouts('release'),
  enqueue: unsupported(async ({ ours, theirs }) => {
    // One more than each pool has connections; all of them want the primary.
    const toldOf = async ({ pool }: Side, isWaiting: (told: number) => boolean): Promise<number> => {
      let told = 0;
      const listener = (): unknown => (told += 1);
      pool.on('enqueue', listener);
      const taken = Array.from({ length: 11 }, async () => {
        const connection = await pool.getConnection();
        await connection.query('SELECT SLEEP(0.3) FROM (SELECT 1) one FOR UPDATE');
        connection.release();
      });
      await eventually('one waits', () => isWaiting(told));
      await Promise.all(taken);
      pool.off('enqueue', listener);
      return told;
    };
    expect(await toldOf(theirs, (told) => told > 0)).toBe(1);
    const isWaiting = (): boolean => ours.cluster.stats().some(({ pool }) => pool.waiting > 0);
    expect(await toldOf(ours, isWaiting)).toBe(0);
  }),
};
