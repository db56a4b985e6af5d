/** The degrees of belief that a node is down. */

/** How far a node is believed to be down. */
export type Suspicion =
  /** It answers. */
  | 'up'
  /** A probe failed, the monitor is locked out, or this process does not trust itself. */
  | 'suspect'
  /** Several probes in a row failed over some seconds: down in this process's eyes. */
  | 'down'
  /** Down, and its replicas lost it, too. */
  | 'objectively-down'
  /** It was down and answers again, not yet for long enough. */
  | 'returning'
  /** Taken out by an operator. */
  | 'isolated'
  /** Never looked at. */
  | 'unknown';
