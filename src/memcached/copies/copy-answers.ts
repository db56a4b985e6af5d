/** What who reads and who changes replicated copies is told. */
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedItem } from '../memcached-node.js';
import type { ContentVersion, CopiesSeen } from './commit-copies.js';
import type { CopyReport } from './copy-report.js';

/** What a reader is told. */
export interface CopyRead {
  /** The item; null when there is none, or it was destroyed. */
  readonly item: MemcachedItem | null;
  /** The node that decided. */
  readonly node: NodeId;
  /** Contents that were written meanwhile by somebody who leaves no notes, as PHP does, and that no rule decides about. */
  readonly rivals: readonly MemcachedItem[];
  /** The other item that was asked for; null when there is none, and where there is no item. */
  readonly beside: MemcachedItem | null;
}

/** What a change is made from. */
export interface CurrentContent {
  /** The item as it is now; null when there is none. */
  readonly item: MemcachedItem | null;
  /** The node that decided, which the item's version belongs to; undefined when there is no item. */
  readonly node: NodeId | undefined;
  /** Whether it is what this very change stored there before it lost a race on another node: it is done, and to be carried on. */
  readonly ours: boolean;
  /** Whether it was destroyed: whatever is stored now creates it anew. */
  readonly destroyed: boolean;
  /** As in {@link CopyRead}. */
  readonly rivals: readonly MemcachedItem[];
}

/** What a change did. */
export interface ChangeReport extends CopyReport {
  /** The node that decided about the change, and the number that it gave the new content. */
  readonly version: ContentVersion | undefined;
  /** The numbers that all nodes gave it which took it. */
  readonly versions: ReadonlyMap<NodeId, bigint>;
}

/** What was read, and what was seen of every copy meanwhile, for `ReplicatedCopies.change`. */
export interface CopiesRead {
  /** What counts. */
  readonly read: CopyRead;
  /** What was seen. */
  readonly seen: CopiesSeen;
}
