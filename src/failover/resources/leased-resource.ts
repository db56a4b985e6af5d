/** Something of which at most one process may be in charge at a time: a virtual address, a mount, a cron job. */

/** What a resource is told while its process is in charge. Times are monotonic milliseconds (`performance.now()`). */
export interface LeaseContext {
  /** The lease's name. */
  readonly name: string;
  /** Until when this process is certainly in charge; moves with every renewal. Whatever is done must have ended before. */
  until(): number;
  /** Fires when this process is not in charge any more, or not for long: give up what is under way. */
  readonly signal: AbortSignal;
  /** Tells of a failure that is no reason to give the lease back. */
  report(error: unknown): void;
}

/** What a resource is told when its process must let go. */
export interface LossContext {
  /** The lease's name. */
  readonly name: string;
  /** Why. */
  readonly because: string;
  /** When another process may be in charge, monotonic milliseconds: everything must have ended before. */
  readonly deadline: number;
}

/** A resource under a {@link LeaderLease}. */
export interface LeasedResource {
  /** Looks once, at the start, whether it can work at all; what it throws stops the start. `leaseMs` is the lease's length. */
  readonly check?: ((leaseMs: number) => Promise<void>) | undefined;
  /** Takes charge. What it throws gives the lease back, after `lost` has cleaned up. `renewed` is not called before it ends. */
  readonly acquired: (context: LeaseContext) => void | Promise<void>;
  /** The lease was renewed. What it throws gives the lease back. */
  readonly renewed?: ((context: LeaseContext) => void | Promise<void>) | undefined;
  /** Lets go, before the deadline. Must be safe to call when nothing was taken. */
  readonly lost: (context: LossContext) => void | Promise<void>;
}
