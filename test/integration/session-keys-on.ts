/** The sessions that a memcached server holds, by its own word. */
import { TextConnection } from '../../src/memcached/text-connection.js';
import type { TestMemcached } from './memcached-servers.js';

const PREFIX = 'memc.sess.key.';
type Address = Pick<TestMemcached, 'host' | 'port'>;

/** The ids, each with the version of its item. */
export async function sessionEntriesOn({
  host,
  port,
}: Address): Promise<readonly { readonly key: string; readonly cas: bigint }[]> {
  const address = { host, port };
  await using connection = await TextConnection.open({
    address,
    id: `${host}:${port}`,
    timeoutMs: 5_000,
    tls: false,
    maxItemBytes: 1_048_576,
  });
  const found: { key: string; cas: bigint }[] = [];
  for await (const { key, cas } of connection.metadump({ prefixes: [PREFIX] })) {
    if (!key.startsWith(`${PREFIX}lock.`)) found.push({ key: key.slice(PREFIX.length), cas });
  }
  return found;
}

/** The ids. */
export async function sessionKeysOn(server: Address): Promise<readonly string[]> {
  return (await sessionEntriesOn(server)).map(({ key }) => key);
}
