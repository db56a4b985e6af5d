/** The balances by name. */
import type { Balance, BalanceName } from './balance.js';
import { pickByLatency } from './latency.js';
import { pickLeastInFlight } from './least-in-flight.js';
import { createRoundRobin } from './round-robin.js';
import { pickWeighted } from './weighted.js';

/** Makes the balance called `name`. */
export function createBalance(name: BalanceName): Balance {
  switch (name) {
    case 'least-in-flight':
      return pickLeastInFlight;
    case 'round-robin':
      return createRoundRobin();
    case 'weighted':
      return pickWeighted;
    case 'latency':
      return pickByLatency;
  }
}
