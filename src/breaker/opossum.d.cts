/** The part of opossum that this package uses; it publishes no types of its own. */
declare module 'opossum' {
  import type { EventEmitter } from 'node:events';

  class CircuitBreaker<A extends unknown[] = unknown[], R = unknown> {
    constructor(action: (...args: A) => Promise<R>, options: CircuitBreaker.Options);
    /** The rolling window. */
    readonly status: CircuitBreaker.Status;
    /** Runs the action and counts its outcome. */
    fire(...args: A): Promise<R>;
    /** Calls `listener` when the error rate opened the circuit. */
    on(event: 'open', listener: () => void): this;
    /** Removes listeners and timers. */
    shutdown(): void;
  }

  namespace CircuitBreaker {
    interface Options {
      name: string;
      group: string;
      timeout: false;
      resetTimeout: number;
      rollingCountTimeout: number;
      rollingCountBuckets: number;
      volumeThreshold: number;
      errorThresholdPercentage: number;
      rollingPercentilesEnabled: false;
      enableSnapshots: false;
      rotateBucketController: EventEmitter;
    }

    interface Status {
      /** The buckets of the window, newest first. */
      readonly window: readonly Bucket[];
    }

    interface Bucket {
      /** Calls. */
      fires: number;
      /** Calls that went well. */
      successes: number;
      /** How long each took, in milliseconds. */
      readonly latencyTimes: number[];
    }
  }

  export = CircuitBreaker;
}
