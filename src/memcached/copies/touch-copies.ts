/** Renews the expiry of the copies of an item, those as well that spare nodes took for holders that are away. */
import type { CallOptions, Deadline } from '../../common/deadline.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { CopiesSeen } from './commit-copies.js';
import type { ChangeReport, CurrentContent } from './copy-answers.js';
import { sameContent } from './copy-hash.js';
import type { CopyKey } from './copy-key.js';
import type { CopyPlaces } from './copy-places.js';
import { type Acks, type CopyReport, isAcknowledged, type MissedCopy } from './copy-report.js';
import type { CopyDecision, CopySeen, ReachedCopy } from './decide-copies.js';
import { failuresOf, unsureOf } from './look-at-copies.js';
import type { NoteWriter } from './note-writer.js';
import { onAllCopies } from './on-all-copies.js';
import type { NewContent } from './write-under-way.js';

/** What a touch did. */
export interface TouchReport extends CopyReport {
  /** Whether there is such an item. */
  readonly found: boolean;
}

/** What touching needs. */
export interface CopyTouchOptions {
  /** Which nodes hold what. */
  readonly places: CopyPlaces;
  /** Writes hints. */
  readonly notes: NoteWriter;
  /** How long one node may take, in milliseconds. */
  readonly operationTimeoutMs: number;
  /** Looks at the copies, and decides. */
  readonly look: (key: CopyKey, deadline: Deadline) => Promise<CopiesSeen>;
  /** Changes the copies. */
  readonly change: (
    key: CopyKey,
    make: (current: CurrentContent) => NewContent | undefined,
    deadline: Deadline,
  ) => Promise<ChangeReport | undefined>;
  /** Told of an item whose copies were seen to differ. */
  readonly onDiffering?: ((key: CopyKey) => void) | undefined;
}

type Found = Extract<CopyDecision, { kind: 'found' }>;

/** See the head of this file. */
export class CopyTouch {
  readonly #options: CopyTouchOptions;

  /** @param options the nodes, and how copies are looked at and changed */
  constructor(options: CopyTouchOptions) {
    this.#options = options;
  }

  /** Renews the expiry; see `ReplicatedCopies.touch`. */
  async touch(key: CopyKey, exptime: number, deadline: Deadline, acks: Acks): Promise<TouchReport> {
    const { places, notes, look, onDiffering } = this.#options;
    places.assertKept();
    notes.outlive(exptime);
    if (places.isSettled(key)) {
      const holders = places.holders(key);
      const touched = await this.#touchOn(holders, key, exptime, [], deadline);
      if (touched.length === holders.length)
        return { reached: touched.map(({ id }) => id), missed: [], found: true };
    }
    // Somebody did not answer, or has none: what counts is decided as for a read.
    const { seen, decision } = await look(key, deadline);
    if (decision.kind === 'unknown') throw unsureOf(seen);
    if (decision.kind === 'found') return await this.#touchSeen(key, exptime, seen, decision, deadline, acks);
    if (decision.kind === 'destroyed' && decision.left.length > 0) onDiffering?.(key);
    const answered = seen.flatMap(({ node, role, reached }) => (reached && role !== 'spare' ? [node] : []));
    return { reached: places.listed(key, answered), missed: failuresOf(seen), found: false };
  }

  async #touchSeen(
    key: CopyKey,
    exptime: number,
    seen: readonly CopySeen[],
    decision: Found,
    deadline: Deadline,
    acks: Acks,
  ): Promise<TouchReport> {
    const { places, change, onDiffering } = this.#options;
    const missed: MissedCopy[] = failuresOf(seen);
    const alike = new Map<MemcachedNode, ReachedCopy>();
    for (const copy of seen) {
      const node = places.node(copy.node);
      if (node !== undefined && copy.reached && copy.item !== null && sameContent(copy.item, decision.item))
        alike.set(node, copy);
    }
    const touched = await this.#touchOn([...alike.keys()], key, exptime, missed, deadline);
    // Those get what counts, with its new life, when they are mended.
    if (decision.behind.length > 0 || decision.outlived.length > 0) onDiffering?.(key);
    const took = touched.map(({ id }) => id);
    const reached = places.listed(key, [...took, ...decision.behind]);
    await this.#note(key, touched, alike, missed, deadline);
    const enough = missed.length === 0 || isAcknowledged(acks, reached.length, places.copies);
    if (touched.length > 0 && !enough && places.spares(key).length > 0) {
      // A spare node gets one, as from whoever changes the item.
      const stored = await change(
        key,
        ({ item, rivals }) =>
          item === null || rivals.length > 0 ? undefined : { value: item.value, flags: item.flags, exptime },
        deadline,
      );
      if (stored !== undefined) return { reached: stored.reached, missed: stored.missed, found: true };
    }
    return { reached, missed, found: touched.length > 0 };
  }

  async #touchOn(
    nodes: readonly MemcachedNode[],
    key: CopyKey,
    exptime: number,
    missed: MissedCopy[],
    deadline: Deadline,
  ): Promise<readonly MemcachedNode[]> {
    const touched = new Set<MemcachedNode>();
    await onAllCopies(nodes, missed, deadline, async (node) => {
      if ((await node.touch(key.key, exptime, this.#call(deadline))) === 'touched') touched.add(node);
    });
    return nodes.filter((node) => touched.has(node));
  }

  // What a node of the other list says alone would bring back what somebody destroys who does not know that list.
  async #note(
    key: CopyKey,
    touched: readonly MemcachedNode[],
    copies: ReadonlyMap<MemcachedNode, ReachedCopy>,
    missed: readonly MissedCopy[],
    deadline: Deadline,
  ): Promise<void> {
    const { places, notes } = this.#options;
    const spares = places.spares(key);
    const missers = missed.flatMap(({ node }) => (spares.some(({ id }) => id === node) ? [] : [node]));
    const took = touched.map(({ id }) => id);
    if (missers.length === 0 || places.listed(key, took).length === 0) return;
    await onAllCopies(touched, [], deadline, async (node) => {
      const hint = copies.get(node)?.hint;
      await notes.hint(node, key, missers, { superseded: [], lifted: [] }, hint, deadline);
      await notes.suspect(node, missers, deadline);
    });
  }

  #call(deadline: Deadline): CallOptions {
    return deadline.callWithin(this.#options.operationTimeoutMs);
  }
}
