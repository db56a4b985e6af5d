/** The session options that the settings of pecl-memcache amount to (memcache.c). */
import type { PhpSettingsReader } from './php-settings-reader.js';
import type { SessionOptions } from './session-options.js';
import type { SessionPlacementOptions } from './session-placement-options.js';

/** See the head of this file. `placed` tells that the nodes are given elsewhere. */
export function phpMemcacheOptions(reader: PhpSettingsReader, placed: boolean): SessionOptions {
  const nodes: string[] = [];
  const weights: number[] = [];
  // The extension's own setting comes before PHP's (measured).
  const own = reader.text('memcache.session_save_path', '');
  const [setting, path] =
    own === ''
      ? ['session.save_path', reader.text('session.save_path', '')]
      : ['memcache.session_save_path', own];
  for (const entry of placed ? [] : path.split(/[\s,]+/)) {
    if (entry === '') continue;
    // As PHP parses URLs: without a scheme there has to be a port.
    const match =
      /^(?:(?:tcp:\/\/([^:/?#@]+|\[[^\]]+\])(?::(\d+))?|([^:/?#@]+):(\d+))(?:\/[^?#]*)?|unix:\/\/(\/[^:?]+)(?::0)?\/?)(?:\?([^#]*))?$/i.exec(
        entry,
      );
    if (match === null) {
      reader.refuse(setting, `the entry ${JSON.stringify(entry)} is not tcp://host:port`);
      continue;
    }
    const [, withScheme, schemePort, bare, barePort, socket, query] = match;
    const port = schemePort ?? barePort ?? reader.integer('memcache.default_port', 11_211);
    nodes.push(socket ?? `${withScheme ?? bare}:${port}`);
    const weight = new URLSearchParams(query ?? '').get('weight') ?? '1';
    if (!/^[1-9]\d{0,5}$/.test(weight))
      reader.refuse(setting, `the weight in ${JSON.stringify(entry)} is not a number of at least 1`);
    weights.push(Number(weight));
  }
  if (!placed && nodes.length === 0) reader.refuse(setting, 'it names no memcached server');
  if (reader.flag('memcache.session_prefix_host_key', false)) {
    reader.refuse(
      'memcache.session_prefix_host_key',
      'keys would depend on the host name of each request; turn it off',
    );
  }
  const strategy = reader.text('memcache.hash_strategy', 'consistent');
  const hash = reader.text('memcache.hash_function', 'crc32');
  if (strategy !== 'consistent' && strategy !== 'standard')
    reader.refuse('memcache.hash_strategy', 'it is consistent or standard');
  if (hash !== 'crc32' && hash !== 'fnv') reader.refuse('memcache.hash_function', 'it is crc32 or fnv');
  const placement: SessionPlacementOptions = {
    strategy: strategy as 'consistent' | 'standard',
    hash: hash as 'crc32' | 'fnv',
    ...(placed ? {} : { weights }),
  };
  return {
    handler: 'memcache',
    ...(placed ? {} : { nodes }),
    placement,
    copies: reader.integer('memcache.session_redundancy', 2, 1),
    lockExpireMs: reader.integer('memcache.lock_timeout', 15, 1) * 1000,
    prefix: readPrefix(reader),
  };
}

function readPrefix(reader: PhpSettingsReader): string {
  const name = 'memcache.session_prefix_static_key';
  const prefix = reader.text(name, '');
  if (prefix.includes('.'))
    reader.refuse(name, 'PHP warns of the dot, and goes on without a prefix; take it out');
  // What memcached could not take in a key, the extension writes as underscores.
  return prefix.replace(/[\0-\x20]/g, '_');
}
