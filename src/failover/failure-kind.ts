/** The kinds of trouble of a primary that are told apart. Only the first two can warrant a failover. */

/** What is wrong with the primary. */
export type FailureKind =
  /** The primary's process is gone: connections are refused or reset. */
  | 'dead-primary'
  /** The primary does not answer: it, its host or the network hangs. */
  | 'unreachable-primary'
  /** The primary lives and takes no more connections. */
  | 'overloaded'
  /** Commits on the primary wait for the acknowledgement of a replica. */
  | 'locked-semisync'
  /** Writes on the primary wait for the lock of the whole server: `FLUSH TABLES WITH READ LOCK`, a backup. */
  | 'locked'
  /** The primary answers and refuses writes. */
  | 'read-only-primary'
  /** Several nodes claim to be the primary. */
  | 'split-brain'
  /** No node claims to be the primary. */
  | 'no-primary'
  /** The primary works, and no replica follows it. */
  | 'all-replicas-broken'
  /** Too few voters can be reached from here: the trouble may be on this side. */
  | 'majority-lost';
