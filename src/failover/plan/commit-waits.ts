/** How a primary let commits wait for replicas. */
export interface CommitWaits {
  /** Replicas that acknowledged. */
  readonly acknowledgers: number;
  /** How many had to. */
  readonly waitFor: number;
  /** After so long without an acknowledgement commits waited no more, milliseconds. */
  readonly timeoutMs: number;
  /** For how long a commit may have waited already, milliseconds. */
  readonly waitedMs: number;
  /** Whether nobody saw a commit before it was acknowledged. */
  readonly afterSync: boolean;
  /** Whether they went on waiting when fewer replicas were connected than had to acknowledge. */
  readonly waitsAlone: boolean;
}
