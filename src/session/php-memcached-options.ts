/** The session options that the settings of php-memcached amount to (php_memcached.c, memcached.ini). */
import type { PhpSettingsReader } from './php-settings-reader.js';
import { DEFAULT_SESSION_OPTIONS, MEMCACHED_PREFIX_LIMIT, type SessionOptions } from './session-options.js';

/** See the head of this file. `placed` tells that the nodes are given elsewhere. */
export function phpMemcachedOptions(reader: PhpSettingsReader, placed: boolean): SessionOptions {
  const { nodes, weights } = placed ? { nodes: [], weights: [] } : readServers(reader);
  if (!placed && nodes.length === 0) reader.refuse('session.save_path', 'it names no memcached server');
  if (!reader.flag('memcached.sess_locking', true)) {
    reader.refuse(
      'memcached.sess_locking',
      "without PHP's lock a save of PHP overwrites what Node saved meanwhile; turn it on",
    );
  }
  if (reader.flag('memcached.sess_randomize_replica_read', false)) {
    reader.refuse(
      'memcached.sess_randomize_replica_read',
      'PHP would read copies that are not the deciding one; turn it off',
    );
  }
  const replicas = reader.integer('memcached.sess_number_of_replicas', 0);
  if (replicas > 0 && !reader.flag('memcached.sess_binary_protocol', true)) {
    reader.refuse(
      'memcached.sess_binary_protocol',
      'PHP writes no replicas with the text protocol, whatever memcached.sess_number_of_replicas says; turn it on',
    );
  }
  const type = reader.text('memcached.sess_consistent_hash_type', 'ketama');
  if (type !== 'ketama' && type !== 'ketama_weighted')
    reader.refuse('memcached.sess_consistent_hash_type', 'it is ketama or ketama_weighted');
  const distribution = reader.flag('memcached.sess_consistent_hash', true)
    ? (type as 'ketama' | 'ketama_weighted')
    : 'modula';
  const username = reader.text('memcached.sess_sasl_username', '');
  const password = reader.text('memcached.sess_sasl_password', '');
  return {
    handler: 'memcached',
    ...(placed ? { placement: { distribution } } : { nodes, placement: { distribution, weights } }),
    copies: replicas + 1,
    ...lockOptions(reader),
    prefix: readPrefix(reader),
    ...(username === '' || password === '' ? {} : { username, password }),
  };
}

function lockOptions(reader: PhpSettingsReader): Pick<SessionOptions, 'lockExpireMs' | 'lockBreakMs'> {
  const expire = reader.integer('memcached.sess_lock_expire', 0);
  // PHP's own rule: without a life of its own, a lock lives as long as a script may run.
  const longest = expire === 0 ? reader.integer('max_execution_time', 30) : expire;
  return {
    ...(expire === 0 ? {} : { lockExpireMs: expire * 1000 }),
    // The lock of a page that is still allowed to run is not broken.
    lockBreakMs: Math.max(DEFAULT_SESSION_OPTIONS.lockBreakMs, 2 * longest * 1000),
  };
}

/** The servers of the save path, by the extension's own rules (measured): it skips one blank after a comma, and none before the first server. */
function readServers(reader: PhpSettingsReader): { nodes: readonly string[]; weights: readonly number[] } {
  const nodes: string[] = [];
  const weights: number[] = [];
  const path = reader.text('session.save_path', '');
  if (path.trim() === '') return { nodes, weights };
  if (/^[\s,]/.test(path))
    reader.refuse('session.save_path', 'PHP finds no server in a list that begins with a blank or a comma');
  // A comma at the end says nothing; two in a row are a server without a name, in which PHP then looks for sessions.
  for (const entry of path.replace(/,$/, '').split(',')) {
    const text = nodes.length === 0 ? entry : entry.replace(/^\s/, '');
    const match = /^(\/[^:]*[^:\s]|\[[^\]\s]+\]|[^:\s;/[]+)(?::\s*(\d+)(?::\s*(\d+))?\s*)?$/.exec(text);
    if (match === null) {
      reader.refuse(
        'session.save_path',
        `the entry ${JSON.stringify(entry)} is not host:port:weight; servers are separated by commas, and PHP takes blanks for part of a name`,
      );
      continue;
    }
    const [, host = '', port, weight] = match;
    nodes.push(host.startsWith('/') ? host : `${host}:${port ?? 11_211}`);
    weights.push(Math.max(1, Number(weight ?? 1)));
  }
  return { nodes, weights };
}

function readPrefix(reader: PhpSettingsReader): string {
  const name = 'memcached.sess_prefix';
  const prefix = reader.text(name, DEFAULT_SESSION_OPTIONS.prefix);
  if (!/^[\x21-\x7e]*$/.test(prefix))
    reader.refuse(
      name,
      'PHP warns of blanks, control characters and other letters than those of ASCII, and goes on with its default prefix',
    );
  else if (prefix.length > MEMCACHED_PREFIX_LIMIT)
    reader.refuse(
      name,
      `of more than ${MEMCACHED_PREFIX_LIMIT} characters PHP uses none, without a word; shorten it`,
    );
  return prefix;
}
