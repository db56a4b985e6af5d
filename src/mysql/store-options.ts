/** The settings under which generic-pool keeps the connections that rest. */
import type { Options } from 'generic-pool';
import type { ResolvedPoolOptions } from './pool-options.js';

/** All that generic-pool reads, so that none of its own defaults (of which 0 cannot be set) remains. */
export function storeOptions(settings: ResolvedPoolOptions): Options {
  const { idleTimeoutMs, validateAfterIdleMs } = settings;
  return {
    // The size is decided by the node's pool: generic-pool cannot change it.
    max: Number.MAX_SAFE_INTEGER,
    min: 0,
    fifo: false,
    testOnBorrow: true,
    testOnReturn: false,
    autostart: true,
    // A connection comes here after it rested for `validateAfterIdleMs`.
    idleTimeoutMillis: Math.max(1, idleTimeoutMs - validateAfterIdleMs),
    evictionRunIntervalMillis: idleTimeoutMs === 0 ? 0 : Math.min(1_000, Math.max(50, idleTimeoutMs / 4)),
    numTestsPerEvictionRun: 65_535,
  };
}
