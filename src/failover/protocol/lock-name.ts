/** The named locks of the protocol. They begin with its version, so that processes which disagree about it cannot both hold one. */

/** What is locked. */
export type LockPurpose =
  /** Who works: kept by the elected manager for as long as it lives. */
  | 'manager'
  /** Somebody is about to change the primary: leases are short from now on. */
  | 'change'
  /** The primary is being changed: no lease is granted. */
  | 'promote'
  /** On the primary only: some process sees a majority for it. While nobody holds it, the self-fence event makes it refuse writes. */
  | 'guard'
  /** The self-fence event runs on this server. */
  | 'fence-watch'
  /** The self-fence event, and no operator, has made this server refuse writes. */
  | 'fenced'
  /** On a source only: a node's data is made anew from it. */
  | 'rebuild-from';

/** Raised with every change that would make two versions disagree about who may do what. */
const PROTOCOL = 1;

/** MySQL refuses longer names of locks. */
export const LOCK_NAME_LIMIT = 64;

/** The name of a lock on every voter. */
export function lockName(
  cluster: string,
  purpose: LockPurpose | `lease:${string}` | `rebuild:${string}`,
): string {
  return `ha${PROTOCOL}:${cluster}:${purpose}`;
}

/** What an operator says of a change, of a pause, or of all pauses of a cluster, while no primary is there to write it on. */
export type OrderPurpose = 'acknowledge' | 'resume';

/** The beginning of the name of a lock that stands for an order; what it is about comes behind it. */
export function orderPrefix(purpose: OrderPurpose): string {
  return `ha${PROTOCOL}:order:${purpose}:`;
}
