/** Counts the operations of session stores in this process, from the channel `stormlamp:session`. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { DiagnosticsPayloads } from '../diagnostics/channels.js';
import type { Metric } from './metric.js';

/** What is counted, each from 0: of a count that begins with 1, `increase()` never sees the first operation. */
const COUNTED = ['load hit', 'load miss', 'save', 'destroy'];

/** The counts from now on. */
export class SessionCounts {
  readonly #counts = new Map<string, number>(COUNTED.map((key) => [key, 0]));
  readonly #listener = (payload: unknown): void => {
    const { operation, detail } = payload as DiagnosticsPayloads['session'];
    const key = operation === 'load' ? `load ${detail}` : operation;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  };

  /** Begins to count. */
  constructor() {
    subscribe('stormlamp:session', this.#listener);
  }

  /** The counts as a metric. */
  get metric(): Metric {
    return {
      name: 'stormlamp_session_operations_total',
      instrument: 'stormlamp.session.operations',
      help: 'Sessions that were loaded (found or not), saved or destroyed by this process.',
      type: 'counter',
      unit: '{operation}',
      read: () =>
        [...this.#counts].map(([key, value]) => {
          const [operation = '', result = 'done'] = key.split(' ');
          return { labels: { operation, result }, value };
        }),
    };
  }

  /** Stops to count. */
  close(): void {
    unsubscribe('stormlamp:session', this.#listener);
  }
}
