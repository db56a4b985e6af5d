/** What one look at a node tells: that it answers, whether it is filled, who missed writes, and how its memory does. */
import type { CallOptions } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { replacedKey, spareKey, suspectKey } from './copies/copy-key.js';
import { fillMarkerKey, type Incarnation, incarnationOf, isOutlived } from './copies/fill-marker.js';
import { decodeReplaced, type ReplacedList } from './copies/replaced-list.js';
import type { MemcachedNode } from './memcached-node.js';

/** What a node that answered tells. */
export interface NodeAnswer {
  /** Its version. */
  readonly version: string;
  /** Its present life; undefined when its statistics do not tell. */
  readonly incarnation: Incarnation | undefined;
  /** The marker of this life that says that it is filled; undefined for none. */
  readonly marker: string | undefined;
  /** Nodes that missed writes which this one took, with the version of the note that says so. */
  readonly suspects: ReadonlyMap<NodeId, bigint>;
  /** What it says about copies that it keeps for nodes that are away; undefined for none. */
  readonly spareMark: string | undefined;
  /** That another list took the place of the one that it was asked about; undefined when it does not say so. */
  readonly replaced: ReplacedList | undefined;
  /** Its memory. */
  readonly memory: NodeMemory;
}

/** What a node's statistics say about its memory. */
export interface NodeMemory {
  /** Items that it holds. */
  readonly items: number;
  /** Bytes that its items take. */
  readonly bytes: number;
  /** Bytes that its items may take (`-m`). */
  readonly limitBytes: number;
  /** Items that it threw out before their time since it was started. */
  readonly evictions: number;
  /** Writes that it refused for lack of memory since it was started. */
  readonly refusals: number;
}

/** Where a node keeps what it says about itself. */
export interface NodeMarks {
  /** The name of the ring. */
  readonly ring: string;
  /** That it is filled. */
  readonly markerKey: string;
  /** That it keeps copies for nodes that are away. */
  readonly spareKey: string;
}

/** Where the nodes of a ring keep what they say about themselves. */
export function nodeMarks(ring: string): NodeMarks {
  return { ring, markerKey: fillMarkerKey(ring), spareKey: spareKey(ring) };
}

/**
 * Asks a node, in one packet.
 *
 * @param marks where its marks are
 * @param others the nodes about which it may have a note
 */
export async function askNode(
  node: MemcachedNode,
  marks: NodeMarks,
  others: readonly NodeId[],
  call: CallOptions,
): Promise<NodeAnswer> {
  const [version, stats, marker, spare, replaced, ...notes] = await Promise.all([
    node.version(call),
    node.stats(call),
    node.peek(marks.markerKey, call),
    node.peek(marks.spareKey, call),
    node.peek(replacedKey(marks.ring), call),
    ...others.map((other) => node.peek(suspectKey(other), call)),
  ]);
  const incarnation = incarnationOf(stats);
  const text = marker?.value.toString('latin1');
  const outlived = text !== undefined && incarnation !== undefined && isOutlived(text, incarnation);
  return {
    version,
    incarnation,
    marker: outlived ? undefined : text,
    suspects: new Map(
      others.flatMap((other, index) => {
        const cas = notes[index]?.cas;
        return cas === undefined ? [] : [[other, cas] as const];
      }),
    ),
    spareMark: spare?.value.toString('latin1'),
    replaced: replaced === null ? undefined : decodeReplaced(marks.ring, replaced.value),
    memory: memoryOf(stats),
  };
}

function memoryOf(stats: ReadonlyMap<string, string>): NodeMemory {
  const count = (name: string): number => {
    const value = Number(stats.get(name));
    return Number.isSafeInteger(value) && value >= 0 ? value : 0;
  };
  return {
    items: count('curr_items'),
    bytes: count('bytes'),
    limitBytes: count('limit_maxbytes'),
    evictions: count('evictions'),
    refusals: count('store_no_memory'),
  };
}
