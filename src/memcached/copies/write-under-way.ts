/** One write of one content onto the copies of an item, while it is under way. */
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import { type CopyHash, copyHash } from './copy-hash.js';
import type { MissedWrites } from './copy-notes.js';
import type { CopyReport, MissedCopy } from './copy-report.js';
import type { CopyDecision, CopySeen, ReachedCopy } from './decide-copies.js';

/** What is to be stored. */
export interface NewContent {
  /** The value. */
  readonly value: Buffer;
  /** Client flags; 0 when left out. */
  readonly flags?: number | undefined;
  /** As memcached takes it. */
  readonly exptime: number;
}

/** A node that takes the write, and what it said before. */
export interface Target {
  /** The node. */
  readonly node: MemcachedNode;
  /** Its copy. */
  readonly copy: ReachedCopy;
}

/** See the head of this file. */
export interface Write extends CopyReport {
  /** What is written. */
  readonly content: NewContent;
  /** What counted before. */
  readonly decision: CopyDecision;
  /** Where it is written after the first node took it. */
  readonly others: readonly Target[];
  /** Nodes that did not answer before the write. */
  readonly absent: readonly NodeId[];
  /** Nodes that are named in the hints: those, and the ones whose tombstones are lifted. */
  readonly noted: readonly NodeId[];
  /** Hints that were left. */
  readonly hints: Map<NodeId, ReachedCopy['hint']>;
  /** Nodes that took it. */
  readonly reached: NodeId[];
  /** Nodes that did not. */
  readonly missed: MissedCopy[];
  /** What the hints say. */
  readonly missedWrites: () => MissedWrites;
  /** Contents that were seen, and went into what is written or lost against it. */
  readonly known: () => ReadonlySet<CopyHash>;
  /** Whether every node that takes it held it already. */
  readonly settled: boolean;
}

/** The hash of what is to be stored. */
export function hashOf({ value, flags = 0 }: NewContent): CopyHash {
  return copyHash({ value, flags });
}

/**
 * The contents that were decided about. What a spare node or a node of the other list holds was not unless it won or is merged: it may
 * be newer than what the holders said that answered.
 */
export function decidedAbout(seen: readonly CopySeen[], decision: CopyDecision): readonly MemcachedItem[] {
  const merged =
    decision.kind === 'found' ? [decision.item, ...decision.rivals.flatMap(({ item }) => item ?? [])] : [];
  const held = seen.flatMap((copy) => (copy.reached && copy.role === 'holder' ? (copy.item ?? []) : []));
  return [...held, ...merged];
}

/** The tombstones that whoever stores something has to lift. */
export function tombsToLift(decision: CopyDecision): readonly string[] {
  if (decision.kind === 'destroyed') return decision.tombs;
  return decision.kind === 'found' ? decision.outlived : [];
}
