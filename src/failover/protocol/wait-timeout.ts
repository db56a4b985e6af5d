/** For how long servers keep the locks of a process that has fallen silent. */
import type { LeaseRules } from './client-lease.js';

/** Seconds after which servers free the locks of a silent process: less than a lease, so that the next one need not wait longer. */
export function waitTimeoutOf({ leaseMs }: Pick<LeaseRules, 'leaseMs'>): number {
  return Math.max(1, Math.min(4, Math.floor((leaseMs * 0.8) / 1_000)));
}
