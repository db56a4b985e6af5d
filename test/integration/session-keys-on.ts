/** The session ids that a memcached server holds, by its own word. */
import { TextConnection } from '../../src/memcached/text-connection.js';
import type { TestMemcached } from './memcached-servers.js';

const PREFIX = 'memc.sess.key.';

/** See the head of this file. */
export async function sessionKeysOn({
  host,
  port,
}: Pick<TestMemcached, 'host' | 'port'>): Promise<readonly string[]> {
  const address = { host, port };
  await using connection = await TextConnection.open({
    address,
    id: `${host}:${port}`,
    timeoutMs: 5_000,
    tls: false,
    maxItemBytes: 1_048_576,
  });
  const ids: string[] = [];
  for await (const { key } of connection.metadump({ prefixes: [PREFIX] })) {
    if (!key.startsWith(`${PREFIX}lock.`)) ids.push(key.slice(PREFIX.length));
  }
  return ids;
}
