/** What is compared: a pool of mysql2 to the primary alone, and the cluster in its place. */
import type { EventEmitter } from 'node:events';
import type { PoolConnection as CallbackConnection, Pool as CallbackPool, PoolOptions } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { MysqlNodeOptions } from '../../../src/mysql/connection-options.js';
import type { MysqlCluster } from '../../../src/mysql/mysql-cluster.js';

/** One side of the comparison, in the types of mysql2. */
export interface Side {
  readonly pool: Pool;
  readonly callbacks: CallbackPool;
}

/** What a row of the table is held to. */
export interface Sides {
  readonly ours: Side & { readonly cluster: MysqlCluster };
  readonly theirs: Side;
  /** Opens both sides with an option of mysql2 and runs `probe` on each; gives both answers. */
  withOption(
    option: PoolOptions & MysqlNodeOptions,
    probe: (side: Side) => Promise<unknown>,
  ): Promise<{ readonly ours: unknown; readonly theirs: unknown }>;
  /** The port of the primary. */
  readonly port: number;
  /** The error of opening a cluster whose node has this option. */
  refusalOf(option: object): Promise<Error>;
}

/** A row: both sides answer alike, the sides differ as the check says, ours has no such thing, or nobody here can tell. */
export type Row =
  | { readonly verdict: 'same'; readonly probe: (side: Side) => Promise<unknown> }
  | {
      readonly verdict: 'same' | 'different' | 'not supported' | 'passed on';
      readonly check: (sides: Sides) => Promise<void>;
    };

/** Rows by what the page calls them. */
export type Rows = Readonly<Record<string, Row>>;

/** The names that mysql2's types give `T`, without those of every event emitter. */
export type NamesOf<T> = Extract<Exclude<keyof T, keyof EventEmitter>, string>;

/** Both sides answer alike. */
export const same = (probe: (side: Side) => Promise<unknown>): Row => ({ verdict: 'same', probe });

/** Both sides do alike, as far as that can be shown by `check`. */
export const alike = (check: (sides: Sides) => Promise<void>): Row => ({ verdict: 'same', check });

/** The sides differ. */
export const different = (check: (sides: Sides) => Promise<void>): Row => ({ verdict: 'different', check });

/** Ours has no such thing, and says so. */
export const unsupported = (check: (sides: Sides) => Promise<void>): Row => ({
  verdict: 'not supported',
  check,
});

/** The answer of a callback API. */
export function called<T>(work: (done: (error: unknown, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    work((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

/** Runs `work` with a connection of the promise pool, and gives it back. */
export async function withConnection<T>(
  { pool }: Side,
  work: (connection: PoolConnection) => Promise<T>,
): Promise<T> {
  const connection = await pool.getConnection();
  try {
    return await work(connection);
  } finally {
    connection.release();
  }
}

/** Runs `work` with a connection of the callback pool, and gives it back. */
export async function withCallbacks<T>(
  { callbacks }: Side,
  work: (connection: CallbackConnection) => Promise<T>,
): Promise<T> {
  const connection = await called<CallbackConnection>((done) => callbacks.getConnection(done));
  try {
    return await work(connection);
  } finally {
    connection.release();
  }
}

/** The rows of a statement. */
export async function rows(of: Pick<Pool, 'query'>, sql: string): Promise<unknown> {
  return (await of.query(sql))[0];
}
