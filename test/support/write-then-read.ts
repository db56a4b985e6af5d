/** Pairs of a write and a read of the same row by the same caller, in every form that there is, over replicas that are late at random. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';

/** How much is written and read. */
export interface PairSize {
  /** Pairs in all. */
  readonly pairs: number;
  /** Callers at a time; each one has a row of its own. */
  readonly workers: number;
  /** Whether the pairs run in scopes; without, stale reads are expected. */
  readonly scoped: boolean;
  /** The longest time that a replica stands still, in milliseconds. */
  readonly delayMs: number;
  /** Told now and then how many pairs are done. */
  readonly onProgress?: (done: number) => void;
}

/** What came of it. */
export interface PairReport {
  /** Pairs that were done. */
  readonly pairs: number;
  /** Reads that did not see the write before them. */
  readonly stale: number;
  /** Pairs that ended with an error, by its code. */
  readonly refused: Readonly<Record<string, number>>;
  /** The first few of the stale reads, as sentences. */
  readonly examples: readonly string[];
  /** Reads by the role of the node that served them. */
  readonly reads: Readonly<Record<string, number>>;
  /** The share of the reads that replicas served. */
  readonly replicaShare: number;
  /** Pairs by form. */
  readonly forms: Readonly<Record<string, number>>;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

type Form = (db: MysqlCluster, row: number, version: number) => Promise<number>;

const UPDATE = 'UPDATE pairs SET version = ? WHERE id = ?';
const SELECT = 'SELECT version FROM pairs WHERE id = ?';

async function readText(db: MysqlCluster, row: number, after?: string): Promise<number> {
  const [rows] = await db.query<never>({ sql: SELECT, ...(after === undefined ? {} : { after }) }, [row]);
  return versionIn(rows);
}

async function readPrepared(db: MysqlCluster, row: number): Promise<number> {
  const [rows] = await db.execute<never>(SELECT, [row]);
  return versionIn(rows);
}

function versionIn(rows: unknown): number {
  return Number((rows as { version: unknown }[])[0]?.version ?? -1);
}

/** How a pair may be written and read. `scoped: false` leaves out those that carry a token themselves. */
const FORMS: Readonly<Record<string, Form>> = {
  'text, text': async (db, row, version) => {
    await db.query(UPDATE, [version, row]);
    return readText(db, row);
  },
  'prepared, prepared': async (db, row, version) => {
    await db.execute(UPDATE, [version, row]);
    return readPrepared(db, row);
  },
  'text, prepared': async (db, row, version) => {
    await db.query(UPDATE, [version, row]);
    return readPrepared(db, row);
  },
  'prepared, text': async (db, row, version) => {
    await db.execute(UPDATE, [version, row]);
    return readText(db, row);
  },
  'transaction, text': async (db, row, version) => {
    await db.transaction(async (connection) => {
      await connection.query(UPDATE, [version - 1, row]);
      await connection.execute(UPDATE, [version, row]);
    });
    return readText(db, row);
  },
  'text, read-only transaction': async (db, row, version) => {
    await db.query(UPDATE, [version, row]);
    return db.transaction(
      async (connection) => {
        const [rows] = await connection.query<never>(SELECT, [row]);
        return versionIn(rows);
      },
      { readOnly: true },
    );
  },
  'procedure with rows, text': async (db, row, version) => {
    await db.query('CALL set_version(?, ?)', [row, version]);
    return readText(db, row);
  },
  'rows of a write, prepared': async (db, row, version) => {
    // The end of rows carries no GTID: only the primary's position tells where the write is.
    await db.query('SELECT write_version(?, ?) AS done', [row, version]);
    return readPrepared(db, row);
  },
};

const TOKEN_FORM: Form = async (db, row, version) => {
  const [result] = await db.execute(UPDATE, [version, row]);
  return readText(db, row, await db.token(result));
};

/** Makes the table, the rows and the procedures; once per cluster. */
export async function preparePairs(servers: LocalCluster, workers: number): Promise<void> {
  const { primary } = servers;
  const connection = await adminOf(servers, primary);
  try {
    await connection.query('CREATE TABLE pairs (id INT PRIMARY KEY, version BIGINT NOT NULL)');
    await connection.query(
      `INSERT INTO pairs VALUES ${Array.from({ length: workers }, (_, n) => `(${n}, 0)`).join(', ')}`,
    );
    await connection.query(
      'CREATE PROCEDURE set_version(IN which INT, IN what BIGINT) BEGIN ' +
        'UPDATE pairs SET version = what WHERE id = which; SELECT what AS written; END',
    );
    await connection.query(
      'CREATE FUNCTION write_version(which INT, what BIGINT) RETURNS INT MODIFIES SQL DATA BEGIN ' +
        'UPDATE pairs SET version = what WHERE id = which; RETURN 1; END',
    );
  } finally {
    connection.destroy();
  }
  await servers.waitForReplication();
}

/** Writes and reads until all pairs are done. */
export async function writeThenRead(servers: LocalCluster, size: PairSize): Promise<PairReport> {
  const db = await createMysqlCluster({
    ...servers.options().mysql,
    monitor: { ...servers.options().mysql.monitor, intervalMs: 250, timeoutMs: 3_000 },
    scope: { waitMs: 200 },
  });
  const reads: Record<string, number> = { primary: 0, replica: 0 };
  db.on('route', ({ sql, role }) => {
    if (sql === SELECT || sql === 'START TRANSACTION READ ONLY') reads[role] = (reads[role] ?? 0) + 1;
  });
  const names = Object.keys(FORMS).concat(size.scoped ? ['token'] : []);
  const forms: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  const examples: string[] = [];
  const refused: Record<string, number> = {};
  let started = 0;
  let done = 0;
  let running = 0;
  let stale = 0;
  const begin = performance.now();
  const delays = servers.replicas.map((replica) => Delay.start(servers, replica, size.delayMs));
  const worker = async (row: number): Promise<void> => {
    // Rows are used again by later runs: versions go up all the same.
    for (let version = Date.now() * 1_000; done + running < size.pairs; ) {
      running += 1;
      started += 1;
      version += 2;
      const name = names[(started + row) % names.length] ?? 'token';
      const form = name === 'token' ? TOKEN_FORM : FORMS[name];
      if (form === undefined) throw new Error(name);
      const isOutside = name === 'token' || !size.scoped;
      let seen: number;
      try {
        seen = await (isOutside ? form(db, row, version) : db.run({}, () => form(db, row, version)));
      } catch (error) {
        // On a machine that is busy with other things nodes may seem dead. An error is no stale answer.
        if (!isStormlampError(error)) throw error;
        refused[error.code] = (refused[error.code] ?? 0) + 1;
        running -= 1;
        await sleep(20);
        continue;
      }
      forms[name] = (forms[name] ?? 0) + 1;
      if (seen !== version) {
        stale += 1;
        if (examples.length < 5) examples.push(`${name}: wrote ${version}, read ${seen}`);
      }
      done += 1;
      running -= 1;
      if (done % 10_000 === 0) size.onProgress?.(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: size.workers }, (_, row) => worker(row)));
  } finally {
    await Promise.all(delays.map(async (delay) => (await delay).stop()));
    await db.close();
  }
  const total = (reads['primary'] ?? 0) + (reads['replica'] ?? 0);
  const replicaShare = (reads['replica'] ?? 0) / Math.max(1, total);
  return { pairs: done, stale, refused, examples, reads, replicaShare, forms, ms: performance.now() - begin };
}

/** Holds a replica's applier up: the table is locked for a random time, free for a random time, and so on. */
class Delay {
  #on = true;
  readonly #running: Promise<void>;

  private constructor(connection: Awaited<ReturnType<typeof adminOf>>, maxMs: number) {
    this.#running = (async () => {
      while (this.#on) {
        await connection.query('LOCK TABLES pairs READ');
        await this.#pause(Math.random() * maxMs);
        await connection.query('UNLOCK TABLES');
        await this.#pause(Math.random() * maxMs);
      }
      connection.destroy();
    })();
  }

  static async start(servers: LocalCluster, replica: LocalDatabaseNode, maxMs: number): Promise<Delay> {
    return new Delay(await adminOf(servers, replica), maxMs);
  }

  async stop(): Promise<void> {
    this.#on = false;
    await this.#running;
  }

  async #pause(ms: number): Promise<void> {
    for (let left = ms; left > 0 && this.#on; left -= 50) await sleep(Math.min(left, 50));
  }
}

async function adminOf(servers: LocalCluster, node: LocalDatabaseNode) {
  const { user, password } = servers.accounts.admin;
  const { host, realPort } = node;
  return createConnection({ host, port: realPort, user, password, database: servers.database });
}
