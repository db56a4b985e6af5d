/** The places that hold the sessions of a cluster, memcached nodes or mounts, in one form for probes, pages and metrics. */
import type { MountStatus } from './files/mirrored-mounts.js';
import type { MountHealth } from './files/mount-health.js';
import type { SessionNodeStatus } from './session/session-nodes.js';

/** One memcached node or one mount; a mount has the phases that a breaker would have. */
export interface SessionPlace extends SessionNodeStatus {
  /**
   * Why a mount takes no writes, or nothing, in a word: `full`, `read-only`, `hung`, …, or `filling` of one that answers no reads yet; of
   * a node that never answered `it never did`. Left out where nothing is wrong, and of other nodes.
   */
  readonly why?: string;
}

/** The places of a session store; null for a store that does not tell, or none. Asks no server. */
export function sessionPlaces(store: unknown): readonly SessionPlace[] | null {
  const status = (store as { readonly status?: unknown } | undefined)?.status;
  if (typeof status !== 'function') return null;
  const found = status.call(store) as readonly (SessionNodeStatus | MountStatus)[];
  // What only a mount gets that is being filled is found by nobody until it is.
  const isKept = found.some((one) => 'mount' in one && one.health.phase === 'healthy');
  return found.map((one) => ('mount' in one ? placeOf(one, isKept) : answering(one)));
}

/** Whether a session store keeps files on mounts. */
export function hasMounts(store: unknown): boolean {
  const status = (store as { readonly status?: unknown } | undefined)?.status;
  if (typeof status !== 'function') return false;
  return (status.call(store) as readonly object[]).some((one) => 'mount' in one);
}

/** A breaker lets the first calls through, also to a node that was never there. */
function answering(status: SessionNodeStatus): SessionPlace {
  return status.silent ? { ...status, reads: 'open', writes: 'open', why: 'it never did' } : status;
}

function placeOf({ mount, health }: MountStatus, isKept: boolean): SessionPlace {
  const isFilling = health.phase === 'filling';
  return {
    node: mount,
    reads: isRead(health) ? 'closed' : 'open',
    writes: health.phase === 'healthy' || (isFilling && isKept) ? 'closed' : 'open',
    standing: isFilling ? 'warming' : 'filled',
    begunAnewAt: undefined,
    memory: undefined,
    silent: false,
    ...(isFilling ? { why: 'filling' } : 'why' in health ? { why: health.why } : {}),
  };
}

function isRead({ phase }: MountHealth): boolean {
  return phase === 'healthy' || phase === 'impaired';
}
