/** Where processes share what they see of the database nodes: the `monitor.share` options of the MySQL client. */
import type { ConnectionOptions } from 'node:tls';
import { invalidOption, readStrings, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { readNodeTls } from '../memcached/memcached-node-options.js';

/** Where processes share what they see of the database nodes. */
export interface ShareOptions {
  /** memcached nodes as `host:port`, tried in this order; the same for all processes. */
  readonly memcached: readonly string[];
  /** SASL user name. Default none. */
  readonly username?: string | undefined;
  /** SASL password. Default none. */
  readonly password?: string | undefined;
  /** Speak TLS to the nodes: true, or options of `tls.connect`. Default false. */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

/**
 * Reads the option at `path`; undefined when nothing is shared.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function readShare(path: string, share: boolean | ShareOptions | undefined): ShareOptions | undefined {
  if (share === undefined || share === false) return undefined;
  if (share === true) {
    throw new StormlampError(
      ErrorCode.INVALID_OPTION,
      `\`${path}: true\` takes the memcached nodes of \`sessions\`, and there are none; name them: { memcached: ['host:11211'] }`,
    );
  }
  rejectUnknownOptions(path, share, ['memcached', 'username', 'password', 'tls']);
  const memcached = readStrings(`${path}.memcached`, share.memcached, []);
  if (memcached.length === 0)
    throw invalidOption(`${path}.memcached`, 'an array of memcached nodes', memcached);
  const { username, password } = share;
  const isLogin = typeof username === 'string' && typeof password === 'string';
  if (!isLogin && (username !== undefined || password !== undefined))
    throw invalidOption(`${path}.password`, 'a string, given together with `username`', undefined);
  return {
    memcached,
    ...(isLogin ? { username, password } : {}),
    tls: readNodeTls(`${path}.tls`, share.tls),
  };
}
