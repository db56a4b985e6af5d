/** What a resync tells. */
import type { NodeId } from '../../common/node-address.js';
import type { NodeStanding } from '../copies/node-standings.js';

/** How far a fill is. */
export interface ResyncProgress {
  /** The node that is filled. */
  readonly node: NodeId;
  /** Items that were copied to it. */
  readonly copied: number;
  /** Items that were there already, or are gone from where they were. */
  readonly skipped: number;
  /** Items that the sources hold, as an upper bound of what there is to do. */
  readonly total: number;
  /** Since the fill began, in milliseconds. */
  readonly elapsedMs: number;
}

/**
 * `fill`: the node was empty, and got everything back. `mend`: it had missed some writes. `recopy`: it took the copies of a node
 * that is away. `move`: it got what it shall hold by the list of nodes that is to decide next. `sweep`: what it kept for others was
 * removed, because they have it themselves.
 */
export type ResyncKind = 'fill' | 'mend' | 'recopy' | 'move' | 'sweep';

/** What a node got back. */
export interface NodeResynced {
  /** The node. */
  readonly node: NodeId;
  /** What was done. */
  readonly kind: ResyncKind;
  /** Items that were copied, mended or removed. */
  readonly copied: number;
  /** How long it took, in milliseconds. */
  readonly elapsedMs: number;
}

/** Items that this process saw on a node and that nobody has any more. */
export interface SessionsLost {
  /** The node. */
  readonly node: NodeId;
  /**
   * `emptied`: it lost its memory while so many of the others had lost theirs or were not filled that what it got back is not all.
   * `silent`: it has not answered for `recopyAfterMs`, and the others lost their memory or missed writes: what only it held is taken as
   * gone from now on. When it answers again it is there again, but for what was written since.
   * `unmended`: it lost its memory, and alone had writes that others missed: what these hold is older.
   */
  readonly cause: 'emptied' | 'silent' | 'unmended';
  /** Of `unmended`: the nodes that missed those writes. How many there were is not known. */
  readonly missedBy?: readonly NodeId[];
  /** Items that it held when it was seen complete for the last time. Locks, notes and what others keep on it are counted as well. */
  readonly held: number;
  /** Items that it holds now; of one that is silent, the most that any other one holds. */
  readonly left: number;
}

/** Events of a resync. */
export interface ResyncEvents {
  /** A node became trustworthy, or no longer is. */
  'node-standing': { readonly node: NodeId; readonly before: NodeStanding; readonly after: NodeStanding };
  /** This process was elected to work on a node. */
  'resync-started': { readonly node: NodeId; readonly kind: ResyncKind };
  /** Twice a second while items are copied to a node by this process. */
  'resync-progress': ResyncProgress;
  /** A node is up to date again, by this process or, with `copied` 0, by another one. */
  resynced: NodeResynced;
  /** A node could not be brought up to date; it is tried again. */
  'resync-failed': { readonly node: NodeId; readonly error: Error };
  /** Sessions, or changes of them, are gone for good: every node that had them lost its memory. Told once for each node. */
  'sessions-lost': SessionsLost;
  /** A node has too little room for the copies of the nodes that are `away`: what these held has one copy less until they are back. */
  'recopy-skipped': {
    readonly node: NodeId;
    readonly away: readonly NodeId[];
    /** Bytes that its items take. */
    readonly bytes: number;
    /** Bytes that its items may take. */
    readonly limitBytes: number;
  };
  /** A node threw items out before their time, or refused writes, for lack of memory: sessions are lost by that. */
  'memory-short': {
    readonly node: NodeId;
    /** Items that it threw out since the last look. */
    readonly evictions: number;
    /** Writes that it refused since the last look. */
    readonly refusals: number;
    /** Bytes that its items take. */
    readonly bytes: number;
    /** Bytes that its items may take. */
    readonly limitBytes: number;
  };
}
