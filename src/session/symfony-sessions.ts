/** Options for the sessions of a Symfony application that keeps them with its `MemcachedSessionHandler`. */
import { readChoice, rejectUnknownOptions } from '../common/option-reader.js';
import type { SessionOptions } from './session-options.js';

/** How the application made its `Memcached` object. */
export interface SymfonySessionsOptions {
  /** The handler's option `prefix`. Default `'sf2s'`. */
  readonly prefix?: string;
  /** The handler's option `ttl` in milliseconds; without one it takes `session.gc_maxlifetime`. Default 1 440 000. */
  readonly lifetimeMs?: number;
  /**
   * How the `Memcached` object spreads keys: `'modula'` is PHP's own default, `'ketama_weighted'` what
   * `MemcachedAdapter::createConnection()` sets (`OPT_LIBKETAMA_COMPATIBLE`), `'ketama'` `DISTRIBUTION_CONSISTENT` alone.
   * Default `'ketama_weighted'`.
   */
  readonly distribution?: 'modula' | 'ketama' | 'ketama_weighted';
}

/** The defaults of {@link SymfonySessionsOptions}. */
export const DEFAULT_SYMFONY_SESSIONS: Required<SymfonySessionsOptions> = {
  prefix: 'sf2s',
  lifetimeMs: 1_440_000,
  distribution: 'ketama_weighted',
};

/**
 * Session options for Symfony's `MemcachedSessionHandler`: `createCluster({ sessions: { nodes, ...symfonySessions() } })`.
 * An application that keeps PHP's own handler (`handler_id: null`) needs none of this: `phpIni` is enough.
 *
 * The handler takes no lock: what a page of it saves replaces whatever was stored since it began; what Node saves is merged.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the option.
 */
export function symfonySessions(
  options: SymfonySessionsOptions = {},
): Omit<SessionOptions, 'nodes' | 'phpIni'> {
  const d = DEFAULT_SYMFONY_SESSIONS;
  rejectUnknownOptions('symfonySessions', options, Object.keys(d));
  return {
    handler: 'memcached-class',
    placement: {
      distribution: readChoice(
        'symfonySessions.distribution',
        options.distribution,
        ['modula', 'ketama', 'ketama_weighted'],
        d.distribution,
      ),
    },
    copies: 1,
    prefix: options.prefix ?? d.prefix,
    serialize: 'php',
    lifetimeMs: options.lifetimeMs ?? d.lifetimeMs,
  };
}
