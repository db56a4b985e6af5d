/** What a node says of whether anything may be done automatically. */
import type { MadeFailover } from './meta-store.js';
import type { Pause } from './pauses.js';

/** What one node says. */
export interface ToldRights {
  /** The pauses that are in force, the one that lasts longest first. */
  readonly pauses: readonly Pause[];
  /** The ids of all pauses that it has and whose time is not over, those that an operator ends now among them. */
  readonly known: readonly string[];
  /** The last failovers whose new primary was made, newest first. */
  readonly made: readonly MadeFailover[];
}
