/** Voters that are not held, and the error when they are too many. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { majorityOf } from '../protocol/majority.js';

/** Why a voter is not held. */
export interface MissingVoter {
  /** The voter. */
  readonly voter: NodeId;
  /** Why, in words. */
  readonly why: string;
  /** Whether it answers, and somebody else has the locks there. */
  readonly isTaken: boolean;
}

/** Fewer than a majority of all voters are held; code `ERR_NO_MAJORITY`. */
export class NoMajorityError extends StormlampError {
  /** The voters that are not held. */
  readonly missing: readonly MissingVoter[];

  /** `held` of `voters` are held. */
  constructor(held: number, voters: number, missing: readonly MissingVoter[]) {
    const who = missing.map(({ voter, why }) => `${voter} (${why})`).join(', ');
    super(
      ErrorCode.NO_MAJORITY,
      `${held} of ${voters} voters are held, ${majorityOf(voters)} are needed; nothing may be changed. Missing: ${who}`,
    );
    this.missing = missing;
  }
}
