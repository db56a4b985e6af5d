/** Whether two primaries took acknowledged writes at the same time, read from the rows of both. */
import { createConnection } from 'mysql2/promise';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';

/**
 * For how long `next` executed acknowledged writes that `old` lacks while `old` still executed some that `next` lacks,
 * milliseconds by the servers' clock, which must be the same; negative is the silence between them, and undefined when one of
 * them has nothing of its own.
 */
export async function overlapMs(
  old: LocalDatabaseNode,
  next: LocalDatabaseNode,
  acknowledged: ReadonlySet<string>,
): Promise<number | undefined> {
  const [mine, theirs] = await Promise.all([rowsOf(old), rowsOf(next)]);
  const own = (rows: ReadonlyMap<string, number>, others: ReadonlyMap<string, number>): number[] =>
    [...rows].filter(([id]) => acknowledged.has(id) && !others.has(id)).map(([, at]) => at);
  const [before, after] = [own(mine, theirs), own(theirs, mine)];
  if (before.length === 0 || after.length === 0) return undefined;
  return before.reduce((a, b) => Math.max(a, b)) - after.reduce((a, b) => Math.min(a, b));
}

async function rowsOf(node: LocalDatabaseNode): Promise<ReadonlyMap<string, number>> {
  const rows = await node.query<{ id: string; at: string }>(
    'SELECT id, MAX(UNIX_TIMESTAMP(at)) * 1000 AS at FROM shop.ledger GROUP BY id',
  );
  return new Map(rows.map(({ id, at }) => [id, Number(at)]));
}

/** A writer that obeys no lease: writes to `node` until it is stopped, and then tells what was acknowledged. */
export async function lawlessWriter(
  { accounts: { app } }: LocalCluster,
  node: LocalDatabaseNode,
): Promise<{ stop(): Promise<readonly string[]> }> {
  const connection = await createConnection({
    host: node.host,
    port: node.realPort,
    database: 'shop',
    ...app,
  });
  const acknowledged: string[] = [];
  let stopped = false;
  const work = (async () => {
    for (let number = 0; !stopped; number += 1) {
      await connection.query('INSERT INTO ledger (id, part, port) VALUES (?, 1, @@port)', [
        `lawless.${number}`,
      ]);
      acknowledged.push(`lawless.${number}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  })().catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      await work;
      connection.destroy();
      return acknowledged;
    },
  };
}
