/** What to say to those who come with options of a mysql2 pool that a node does not have. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Options of mysql2, and what stands in their place. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['connectionLimit', 'connections are limited per node by `pool: { max }`'],
  ['queueLimit', 'callers who wait are limited per node by `pool: { maxQueue }`'],
  ['waitForConnections', '`pool: { maxQueue: 0 }` lets nobody wait'],
  ['idleTimeout', 'idle connections are closed after `pool: { idleTimeoutMs }`'],
  ['maxIdle', 'idle connections are closed after `pool: { idleTimeoutMs }`, down to `pool: { min }`'],
  ['resetOnRelease', 'a connection is always reset before its next borrower when its session was touched'],
  ['gracefulEnd', '`release()` gives a connection back, `close()` of the cluster ends all of them'],
  ['uri', 'it is called `url` here'],
  ['password1', 'it is called `password` here'],
  ['passwordSha1', 'give `password` or `credentials`'],
  ['insecureAuth', 'the old authentication is not supported'],
  ['authSwitchHandler', 'the built-in ways to log in are used, with `password` or `credentials`'],
  ['authPlugins', 'the built-in ways to log in are used, with `password` or `credentials`'],
  ['charsetNumber', 'give the name of the character set or collation as `charset`'],
  ['debug', 'listen to the `route` event, or set NODE_DEBUG=stormlamp'],
  ['stream', 'connections are made to `host` and `port`, or to `socketPath`'],
  ['pool', 'connections are pooled per node, with the options of `mysql.pool`'],
  ['isServer', 'this is a client'],
  ['Promise', 'calls return native promises'],
]);

/**
 * Refuses options of mysql2 that a node does not have.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` with what to use instead.
 */
export function refuseDriverOptions(path: string, names: Iterable<string>): void {
  for (const name of names) {
    const instead = INSTEAD.get(name);
    if (instead === undefined) continue;
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `\`${path}.${name}\` is an option of mysql2 that a node does not have; ${instead}`,
    );
  }
}
