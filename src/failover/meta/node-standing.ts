/** What one node knows of its cluster's changes. */
import type { FenceState } from '../self-fence/fence-state.js';
import type { ClosedNote } from './closed-note.js';
import type { ToldRights } from './told-rights.js';

/** What one node knows. */
export interface NodeStanding {
  /** The largest epoch; 0 when none. */
  readonly epoch: number;
  /** The primary of that epoch; undefined when none. */
  readonly primary: string | undefined;
  /** The nodes between which the primary was ever changed, or was about to be. */
  readonly primaries: readonly string[];
  /** How the self-fence event stands there; undefined when that cannot be read. */
  readonly fence: FenceState | undefined;
  /** Why automatic changes are forbidden now; undefined when they are not. */
  readonly paused: string | undefined;
  /** What it says of that besides, and of the last failovers. */
  readonly rights: ToldRights;
  /** The failover that has closed it as the old primary; undefined when none has. */
  readonly closed: ClosedNote | undefined;
  /** Whether it has a place for that. */
  readonly takesNote: boolean;
  /** Whether it knows that a change has left semi-synchronous replication off. */
  readonly owesSemiSync: boolean;
}
