/** Sessions of a server that are ended from the side, as an administrator ends them. */
import type { LocalDatabaseNode } from '../../src/testing/index.js';

const NO_SUCH_THREAD = 1094;

/** Ends what runs there now (`QUERY`) or the whole connection of every session for which `where` holds, except the one that asks. */
export async function killSessions(
  node: Pick<LocalDatabaseNode, 'query'>,
  where: string,
  params: readonly unknown[] = [],
  kind: 'CONNECTION' | 'QUERY' = 'CONNECTION',
): Promise<void> {
  const sql = `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND ${where}`;
  for (const { id } of await node.query<{ id: number }>(sql, params)) {
    await node.query(`KILL ${kind} ${id}`).catch((error: { errno?: number }) => {
      // It has ended by itself since the look.
      if (error.errno !== NO_SUCH_THREAD) throw error;
    });
  }
}
