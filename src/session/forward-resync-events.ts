/** Passes the events of a resync on to whoever listens to the store. */
import type { Resync } from '../memcached/resync/resync.js';
import type { SessionStore } from './session-store.js';

/** See the head of this file. */
export function forwardResyncEvents(from: Resync, to: SessionStore): void {
  from.on('resync-started', (event) => to.publish('resync-started', event));
  from.on('resync-progress', (event) => to.publish('resync-progress', event));
  from.on('resynced', (event) => to.publish('resynced', event));
  from.on('resync-failed', (event) => to.publish('resync-failed', event));
  from.on('sessions-lost', (event) => to.publish('sessions-lost', event));
  from.on('recopy-skipped', (event) => to.publish('recopy-skipped', event));
  from.on('memory-short', (event) => to.publish('memory-short', event));
}
