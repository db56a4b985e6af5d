/** The faults of several nodes as one. */
import type {
  Fault,
  FaultKind,
  FaultOptions,
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

  reset(options?: FaultOptions): Fault {
    return this.#every('reset', (node) => node.reset(options));
  }

  halfOpen(options?: FaultOptions): Fault {
    return this.#every('half-open', (node) => node.halfOpen(options));
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
    return joinFaults(kind, this.#members().map(make));
  }
}

/** Several faults as one, which is in force while one of them is. */
export function joinFaults(kind: FaultKind, faults: readonly Fault[]): Fault {
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
