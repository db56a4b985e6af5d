/** What the servers themselves hold, read past the client that the demo shows. */
import { TextConnection } from '../../memcached/text-connection.js';
import type { LocalCluster, LocalNode } from '../../testing/index.js';

/** What php-memcached puts in front of a session id unless `memcached.sess_prefix` says otherwise. */
const SESSION_PREFIX = 'memc.sess.key.';

/** The session as memcached node `node` holds it; null when it does not. */
export async function copyOn(
  node: LocalNode,
  sessionId: string | undefined,
  signal: AbortSignal,
): Promise<string | null> {
  if (sessionId === undefined) return null;
  await using connection = await connect(node, signal);
  const [item] = await connection.items([SESSION_PREFIX + sessionId], { signal });
  return item?.value.toString('latin1') ?? null;
}

/** Names of the databases and memcached nodes that answer. */
export async function whoAnswers(servers: LocalCluster, signal: AbortSignal): Promise<readonly string[]> {
  const answers = await Promise.all([
    ...servers.databases.map(async (node) => {
      const [row] = await node.query<{ n: number }>('SELECT 1 AS n');
      return Number(row?.n) === 1 ? [node.name] : [];
    }),
    ...servers.memcached.map(async (node) => {
      await using connection = await connect(node, signal);
      return (await connection.stats({ signal })).has('uptime') ? [node.name] : [];
    }),
  ]);
  return answers.flat();
}

function connect({ host, port }: LocalNode, signal: AbortSignal): Promise<TextConnection> {
  return TextConnection.open({ address: { host, port } }, { signal });
}
