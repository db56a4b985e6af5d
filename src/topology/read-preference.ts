/** Where a read may go, and how stale its answer may be. */

/** The read preferences, most binding first. */
export const readPreferences: readonly ReadPreference[] = Object.freeze([
  'primary',
  'primary-preferred',
  'replica',
  'replica-preferred',
  'nearest',
] as const);

/**
 * Which nodes a read may use:
 * - `primary`: only the primary that takes writes
 * - `primary-preferred`: the primary, a fresh replica while there is none
 * - `replica`: only fresh replicas
 * - `replica-preferred`: a fresh replica, the primary while there is none (the default of the package)
 * - `nearest`: whichever fresh node answers the probes fastest
 */
export type ReadPreference = 'primary' | 'primary-preferred' | 'replica' | 'replica-preferred' | 'nearest';
