/** A server that runs, wherever that is. */

/** A started server: a process of this machine or a container. */
export interface RunningServer {
  /** The process id that signals can be sent to; `undefined` when it is not a process of this machine. */
  readonly pid: number | undefined;
  /** Whether it has not ended yet. */
  readonly running: boolean;
  /** Resolves with how it ended, like `exit code 1` or `signal SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** Kills it and resolves when it is gone. */
  kill(): Promise<void>;
  /**
   * Asks it to end and resolves when it is gone.
   *
   * @throws StormlampError `ERR_TIMEOUT` when it did not end in time; it was killed then.
   */
  stop(timeoutMs: number): Promise<void>;
  /** Freezes it. */
  pause(): Promise<void>;
  /** Ends {@link RunningServer.pause}. */
  resume(): Promise<void>;
}
