/** What a resync needs, and what a piece of its work comes to. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { CopyKey } from '../copies/copy-key.js';
import type { CopyPlaces } from '../copies/copy-places.js';
import type { NodeStandings } from '../copies/node-standings.js';
import type { MemcachedMonitor } from '../memcached-monitor.js';
import type { TextConnection } from '../text-connection.js';

/** What a resync needs. */
export interface ResyncOptions {
  /** The nodes, and which of them hold an item. */
  readonly places: CopyPlaces;
  /** What is known of them. */
  readonly standings: NodeStandings;
  /** Looks at them. */
  readonly monitor: MemcachedMonitor;
  /** The place of an item of ours, by its key; undefined for what is not copied: others' items, locks. */
  readonly placeOf: (key: string) => string | undefined;
  /** Opens a text connection to a node. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Mends one item. */
  readonly mend: (key: CopyKey, call: CallOptions) => Promise<unknown>;
  /** How long a node must have been silent before others take its copies, in milliseconds; 0: never. */
  readonly recopyAfterMs: number;
  /** Items a second; 0 is no limit. */
  readonly itemsPerSecond: number;
  /** How long after it was added an item is compared with its source once more, in milliseconds. Default 1 100. */
  readonly lookAgainMs?: number;
  /** Limit of one small step, in milliseconds. */
  readonly operationTimeoutMs: number;
}

/** What a piece of work came to. */
export interface JobDone {
  /** Items that were copied, mended or removed. */
  readonly copied: number;
  /** How long it took. */
  readonly elapsedMs: number;
  /** Whether the node is complete now. */
  readonly complete: boolean;
}
