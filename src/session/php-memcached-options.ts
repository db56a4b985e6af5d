/** The session options that the settings of php-memcached amount to (php_memcached.c, memcached.ini). */
import type { PhpSettingsReader } from './php-settings-reader.js';
import { DEFAULT_SESSION_OPTIONS, type SessionOptions } from './session-options.js';

/** See the head of this file. `placed` tells that the nodes are given elsewhere. */
export function phpMemcachedOptions(reader: PhpSettingsReader, placed: boolean): SessionOptions {
  const nodes: string[] = [];
  const weights: number[] = [];
  for (const entry of placed ? [] : reader.text('session.save_path', '').split(',')) {
    const text = entry.trim();
    if (text === '') continue;
    const match = text.startsWith('/')
      ? /^([^:]+)(?::(\d+))?(?::(\d+))?$/.exec(text)
      : /^([^:]+|\[[^\]]+\])(?::(\d+))?(?::(\d+))?$/.exec(text);
    if (match === null) {
      reader.refuse('session.save_path', `the entry ${JSON.stringify(text)} is not host:port:weight`);
      continue;
    }
    const [, host = '', port, weight] = match;
    nodes.push(host.startsWith('/') ? host : `${host}:${port ?? 11_211}`);
    weights.push(Math.max(1, Number(weight ?? 1)));
  }
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
    prefix: reader.text('memcached.sess_prefix', 'memc.sess.key.'),
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
