/** Kysely from 0.29 on ends on the server what its caller leaves: by the number that the connection told before the statement. */
import type { Kysely, MysqlDialect, sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { eventually } from '../integration/eventually.js';
import { connectionsAreBack, type PeerTrio, running } from './peer-trio.js';

/** What is used here of the newer version. */
interface NewerKysely {
  readonly Kysely: typeof Kysely;
  readonly MysqlDialect: typeof MysqlDialect;
  readonly sql: typeof sql;
}
type Database = Kysely<unknown>;

/** Not a literal where it is imported, whose types would be looked up. */
const NEWER: string = 'kysely29';

const FOR_EVER = 'FROM digit a, digit b, digit c WHERE a.n + b.n + c.n < 0';
const READ = `SELECT COUNT(*) ${FOR_EVER}`;
const WRITE = `INSERT INTO book (title) SELECT 'never' ${FOR_EVER}`;
const STRATEGIES = ['cancel query', 'kill session'];

export function kyselyCancelStory(trio: () => PeerTrio): void {
  let newer: NewerKysely;
  let cluster: MysqlCluster;

  beforeEach(async () => {
    newer = (await import(NEWER)) as NewerKysely;
    cluster = await trio().openCluster();
  });
  afterEach(() => cluster?.close());

  const open = (): Database =>
    new newer.Kysely<unknown>({ dialect: new newer.MysqlDialect({ pool: cluster.callbackPool() }) });

  function run(db: Database, text: string, signal: AbortSignal, strategy: string): Promise<unknown> {
    const query = newer.sql.raw(text) as unknown as {
      execute(db: Database, options: object): Promise<unknown>;
    };
    return query.execute(db, { signal, inflightQueryAbortStrategy: strategy });
  }

  /** Leaves `text` while it is at work, and so is a statement of somebody else on the primary, which must go on. */
  async function leave(db: Database, text: string, strategy: string): Promise<void> {
    const left = new AbortController();
    const others = new AbortController();
    const outcome = run(db, text, left.signal, strategy).catch((error: unknown) => error);
    await eventually('it runs', async () => (await running(trio())) === 1);
    const other = cluster
      .query({ sql: READ, preference: 'primary', signal: others.signal })
      .catch((error: unknown) => error);
    try {
      await eventually('the other one runs', async () => (await running(trio())) === 2);
      left.abort(new Error('left'));
      expect(await outcome).toMatchObject({ message: 'left' });
      await eventually('one is ended on the server', async () => (await running(trio())) === 1);
    } finally {
      others.abort();
    }
    expect(await other).toMatchObject({ code: 'ERR_ABORTED' });
    await eventually('nothing runs', async () => (await running(trio())) === 0);
  }

  test.each(STRATEGIES)('`%s` ends a read on its replica, and nothing else', async (strategy) => {
    const db = open();
    await leave(db, READ, strategy);
    await connectionsAreBack(cluster);
    await newer.sql`SELECT 1`.execute(db);
  });

  test.each(STRATEGIES)(
    '`%s` ends a write, though the connection told its number on a replica',
    async (strategy) => {
      await leave(open(), WRITE, strategy);
      await connectionsAreBack(cluster);
    },
  );
}
