/** The places that hold the sessions of a cluster, memcached nodes or mounts, in one form for probes, pages and metrics. */
import type { MountStatus } from './files/mirrored-mounts.js';
import type { MountHealth } from './files/mount-health.js';
import type { SessionNodeStatus } from './session/session-nodes.js';

/** One memcached node or one mount; a mount has the phases that a breaker would have. */
export interface SessionPlace extends SessionNodeStatus {
  /** Why a mount takes no writes, or nothing, in a word: `full`, `read-only`, `hung`, …; left out where nothing is wrong, and of nodes. */
  readonly why?: string;
}

/** The places of a session store; null for a store that does not tell, or none. Asks no server. */
export function sessionPlaces(store: unknown): readonly SessionPlace[] | null {
  const status = (store as { readonly status?: unknown } | undefined)?.status;
  if (typeof status !== 'function') return null;
  return (status.call(store) as readonly (SessionNodeStatus | MountStatus)[]).map((one) =>
    'mount' in one ? placeOf(one) : one,
  );
}

function placeOf({ mount, health }: MountStatus): SessionPlace {
  return {
    node: mount,
    reads: isRead(health) ? 'closed' : 'open',
    writes: health.phase === 'healthy' || health.phase === 'filling' ? 'closed' : 'open',
    standing: health.phase === 'filling' ? 'warming' : 'filled',
    begunAnewAt: undefined,
    memory: undefined,
    ...('why' in health ? { why: health.why } : {}),
  };
}

function isRead({ phase }: MountHealth): boolean {
  return phase === 'healthy' || phase === 'impaired' || phase === 'filling';
}
