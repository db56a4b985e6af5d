/** What a session store tells; ids are secrets and never in an event. */

import type { BreakerChange } from '../breaker/node-breaker.js';
import type { NodeId } from '../common/node-address.js';
import type { ResyncEvents } from '../memcached/resync/resync-events.js';
import type { NodeChangeStep } from './node-change.js';
import type { DecidedConflict } from './session-merge.js';

/** Events of a `SessionStore`. */
export interface SessionStoreEvents extends ResyncEvents {
  /** A copy could not be read, written or removed; the others hold the session. */
  'copy-missed': {
    readonly operation: 'load' | 'save' | 'touch' | 'destroy';
    readonly node: NodeId;
    readonly error: Error;
  };
  /** Another request changed the same variable meanwhile; or the same `entry` of one in which a framework keeps everything. */
  'conflict-decided': DecidedConflict;
  /** The session lock was no longer ours: it expired, or PHP's unlock, which asks for no owner, removed it. */
  'lock-lost': { readonly node: NodeId };
  /**
   * A lock without expiry, which a killed PHP process had left behind, was removed after it had been the same item for
   * `heldMs` (`lockBreakMs` at least).
   */
  'lock-broken': { readonly node: NodeId; readonly heldMs: number };
  /** A step of a change of nodes was taken. `nodes` are those of the list that decides now. */
  'nodes-changed': { readonly step: NodeChangeStep; readonly nodes: readonly NodeId[] };
  /** The breaker of a node changed its phase. */
  'breaker-changed': BreakerChange;
  /** A session that was changed could not be saved by the middleware. */
  'save-failed': { readonly error: Error };
  /**
   * What a request had changed was not saved by the middleware: the session was ended meanwhile, by a logout elsewhere say. Or it
   * was saved under an id that `regenerate` had replaced, and ends with that id.
   */
  'save-dropped': { readonly error: Error };
}
