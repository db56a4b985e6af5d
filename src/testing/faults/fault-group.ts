/** The faults of several nodes as one. */
import type {
  Fault,
  FaultKind,
  LatencyOptions,
  NodeFaults,
  PartitionOptions,
  SliceOptions,
  ThrottleOptions,
} from './node-faults.js';

/** Does to every node what it is asked to do. */
export class FaultGroup implements NodeFaults {
  readonly #members: () => readonly NodeFaults[];

  /** `members` tells which nodes there are at the moment. */
  constructor(members: () => readonly NodeFaults[]) {
    this.#members = members;
  }

  latency(options: LatencyOptions): Fault {
    return this.#every('latency', (node) => node.latency(options));
  }

  partition(options?: PartitionOptions): Fault {
    return this.#every('partition', (node) => node.partition(options));
  }

  reset(): Fault {
    return this.#every('reset', (node) => node.reset());
  }

  halfOpen(): Fault {
    return this.#every('half-open', (node) => node.halfOpen());
  }

  throttle(options: ThrottleOptions): Fault {
    return this.#every('throttle', (node) => node.throttle(options));
  }

  slice(options: SliceOptions): Fault {
    return this.#every('slice', (node) => node.slice(options));
  }

  heal(): void {
    for (const node of this.#members()) node.heal();
  }

  get active(): readonly FaultKind[] {
    return [...new Set(this.#members().flatMap((node) => node.active))];
  }

  #every(kind: FaultKind, make: (node: NodeFaults) => Fault): Fault {
    const faults = this.#members().map(make);
    const heal = (): void => {
      for (const fault of faults) fault.heal();
    };
    return {
      kind,
      get active() {
        return faults.some((fault) => fault.active);
      },
      heal,
      [Symbol.dispose]: heal,
    };
  }
}
