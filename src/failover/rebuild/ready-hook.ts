/** What a ready rebuild hook needs is looked at beforehand, too: the hooks that this package made, and what they were given. */
import type { RebuildRequest } from '../failover-hooks.js';
import type { RebuildMeans } from './rebuild-options.js';

/** A `rebuild` hook. */
type RebuildHook = (request: RebuildRequest) => 'rebuilt' | 'skipped' | Promise<'rebuilt' | 'skipped'>;

/** What is known of a ready hook. */
export interface ReadyHook {
  /** The servers that it is for. */
  readonly flavor: 'mysql' | 'mariadb';
  /** What it was given. */
  readonly means: RebuildMeans;
}

const READY = new WeakMap<RebuildHook, ReadyHook>();

/** Remembers `hook` as one that needs what is known, and gives it back. */
export function readyHook<T extends RebuildHook>(
  hook: T,
  flavor: ReadyHook['flavor'],
  means: RebuildMeans,
): T {
  READY.set(hook, { flavor, means });
  return hook;
}

/** What is known of `hook`; undefined of one that the user wrote. */
export function readinessOf(hook: RebuildHook | undefined): ReadyHook | undefined {
  return hook === undefined ? undefined : READY.get(hook);
}
