/** What is done with a copy whose mount missed a write: a pure choice between two copies. */
import { type CopyVersion, isSuperseded, isUnknown, type MissedWrite } from './missed-writes.js';

/** What is done with a mount that missed a write. */
export type RepairDecision =
  /** The mount holds what the others hold. */
  | 'equal'
  /** The mount gets what the others hold. */
  | 'take-theirs'
  /** The mount's copy was written or removed by somebody else since: the others follow it. */
  | 'give-own'
  /** The mount's copy was written by somebody else, earlier, and was never seen: the others win, and it is reported. */
  | 'overrule';

/**
 * Decides between the copy of the mount that missed a write and the copy of the others.
 *
 * @param removalStands whether a file that vanished from the mount without our doing is meant to be gone. For a session
 * it is: that was a logout in PHP.
 */
export function decideRepair(
  own: CopyVersion,
  others: CopyVersion,
  missed: MissedWrite,
  removalStands: boolean,
): RepairDecision {
  // Two versions may be told alike and be different all the same, a release of the same size and date as the one before, say.
  const behind = isSuperseded(own, missed);
  const isUntold =
    own.version !== null && (own.version === missed.superseded || (behind && isUnknown(missed)));
  if (own.version === others.version && !isUntold) return 'equal';
  if (behind) return 'take-theirs';
  if (own.version === null) return removalStands ? 'give-own' : 'take-theirs';
  return own.changedMs > missed.at ? 'give-own' : 'overrule';
}
