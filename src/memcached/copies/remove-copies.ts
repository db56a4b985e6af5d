/** Removes the copies of an item, so that what is left on a node that cannot be reached counts nowhere. */
import { randomUUID } from 'node:crypto';
import type { CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import type { CopiesSeen } from './commit-copies.js';
import { sameContent } from './copy-hash.js';
import { type CopyKey, hintKey, suspectKey } from './copy-key.js';
import { SETTLED_HINT } from './copy-notes.js';
import type { CopyPlaces } from './copy-places.js';
import { type CopyReport, type MissedCopy, storeDown } from './copy-report.js';
import { fillMarkerKey } from './fill-marker.js';
import { type CopyLook, failuresOf, unsureOf } from './look-at-copies.js';
import type { NodeStandings } from './node-standings.js';
import type { NoteWriter } from './note-writer.js';
import { onAllCopies } from './on-all-copies.js';
import type { NewContent } from './write-under-way.js';

/** What a removal did. */
export interface RemovalReport extends CopyReport {
  /** Whether any copy was there. */
  readonly found: boolean;
}

/** What a node had before anything was removed, and what marked it as filled. */
interface Looked {
  readonly item: MemcachedItem | null;
  readonly hint: MemcachedItem | null;
  readonly marker: string | undefined;
}

/** The copies of one content, which alone are to go. */
interface NamedCopies {
  /** The content. */
  readonly item: MemcachedItem;
  /** The node that decided about it, and holds it no more. */
  readonly decider: NodeId;
  /** Their numbers, by node; of nodes that are not named, whatever is there goes. */
  readonly versions: ReadonlyMap<NodeId, bigint | undefined>;
}

/** What became of one node's copy. */
interface Removed {
  readonly node: MemcachedNode;
  /** Whether there was one. */
  readonly found: boolean;
  /** Whether somebody may write there, or have written, who did not see that it was removed. */
  readonly contested: boolean;
}

/** What removing needs. */
export interface CopyRemovalOptions {
  /** Which nodes hold what. */
  readonly places: CopyPlaces;
  /** Looks at the copies. */
  readonly look: CopyLook;
  /** Writes tombstones. */
  readonly notes: NoteWriter;
  /** What is known of the nodes. */
  readonly standings: NodeStandings;
  /** How long one node may take, in milliseconds. */
  readonly operationTimeoutMs: number;
  /** Changes the copies. */
  readonly change: (
    key: CopyKey,
    make: (item: MemcachedItem | null) => NewContent | undefined,
    deadline: Deadline,
  ) => Promise<CopyReport | undefined>;
}

/** So often a copy may get another number while it is removed. */
const MAX_RACES = 8;

/** See the head of this file. */
export class CopyRemoval {
  readonly #options: CopyRemovalOptions;

  /** @param options the nodes and what is known of them */
  constructor(options: CopyRemovalOptions) {
    this.#options = options;
  }

  /**
   * Removes every copy. When one cannot be reached, or its node is warming, tombstones are left on the others, so that what
   * is left there counts nowhere. Never rejects but by the deadline.
   *
   * @param named the copies that are to go; whatever is there when left out. What somebody has put in their place since stays, unless
   * tombstones have to be left.
   */
  async delete(key: CopyKey, deadline: Deadline, named?: NamedCopies): Promise<RemovalReport> {
    const { standings } = this.#options;
    const { places } = this.#options;
    places.assertKept();
    const nodes = [...places.holders(key), ...places.joint(key), ...places.spares(key)];
    const missed: MissedCopy[] = [];
    const found: MemcachedNode[] = [];
    const gone: MemcachedNode[] = [];
    // One name on all nodes: whoever creates the item anew lifts it on those, too, that he cannot reach.
    const id = randomUUID();
    const bury = async (where: readonly MemcachedNode[]): Promise<void> => {
      await onAllCopies(where, missed, deadline, async (node) => {
        const answer = await this.#options.notes.bury(node, { ...key, id }, deadline);
        (answer === 'deleted' ? found : gone).push(node);
      });
    };
    const trusted =
      places.other === undefined &&
      nodes.every((node) => node.available && standings.of(node.id) === 'filled');
    if (!trusted) await bury(nodes);
    else {
      const removed = await this.#removeSeen(key, nodes, missed, deadline, named);
      for (const { node, found: was } of removed) (was ? found : gone).push(node);
      if (missed.length > 0 || removed.some(({ contested }) => contested)) await bury([...found, ...gone]);
    }
    const reached = places.listed(key, [...new Set([...found, ...gone].map(({ id }) => id))]);
    // Nobody is made to doubt the nodes of the list that decides where none of them was told: what others destroyed there, who do not
    // know the other list yet, would be found on its nodes.
    if (reached.length > 0) await this.#suspectAll(new Set([...found, ...gone]), missed, deadline);
    return {
      reached: reached.filter((id) => missed.every(({ node }) => node !== id)),
      missed,
      found: found.length > 0,
    };
  }

  /**
   * Removes every copy of the content that counts, unless `refuse` is given it and has a reason why not. Its node decides between two who
   * want to remove or change it; what somebody stores anew after that stays, as long as all nodes are there, complete, and alike.
   *
   * @returns what was done, the reason, or `'exists'` where somebody was faster and `'not-found'` where there is none
   * @throws StormlampError `ERR_STORE_DOWN` where nobody knows whether there is one; what the deciding node says.
   */
  async deleteVersion<T>(
    key: CopyKey,
    { seen, decision }: CopiesSeen,
    refuse: (node: NodeId, item: MemcachedItem) => T | undefined,
    deadline: Deadline,
  ): Promise<RemovalReport | T | 'exists' | 'not-found'> {
    if (decision.kind === 'down') throw storeDown(failuresOf(seen));
    if (decision.kind === 'unknown') throw unsureOf(seen);
    if (decision.kind !== 'found') return 'not-found';
    const { node: decider, item, behind } = decision;
    const reason = refuse(decider, item);
    if (reason !== undefined) return reason;
    const call = { ...this.#call(deadline), cas: item.cas };
    const answer = await this.#options.places.node(decider)?.delete(key.key, call);
    if (answer !== 'deleted') return answer ?? 'not-found';
    const versions = new Map<NodeId, bigint | undefined>();
    for (const copy of seen)
      if (copy.reached && copy.hint === undefined && behind.length === 0)
        versions.set(copy.node, copy.node === decider ? undefined : copy.item?.cas);
    return { ...(await this.delete(key, deadline, { item, decider, versions })), found: true };
  }

  // No copy is removed before all are looked at: who lost his lock, and writes where one is gone already, is noticed by the others. And
  // these very items: what is held up on its way, and arrives when the item was created anew, must not remove that.
  async #removeSeen(
    key: CopyKey,
    nodes: readonly MemcachedNode[],
    missed: MissedCopy[],
    deadline: Deadline,
    named: NamedCopies | undefined,
  ): Promise<readonly Removed[]> {
    const { places, standings } = this.#options;
    const holders = places.holders(key);
    const looked = new Map<MemcachedNode, Looked>();
    await onAllCopies(nodes, missed, deadline, async (node) => {
      const marker = standings.markerOf(node.id);
      const [item = null, hint = null] = await node.getMany(
        [key.key, hintKey(key.key)],
        this.#call(deadline),
      );
      // One that has nothing more to say ends by itself.
      looked.set(node, { item, hint: hint?.value.equals(SETTLED_HINT) === true ? null : hint, marker });
    });
    const removed: Removed[] = [];
    await onAllCopies([...looked.keys()], missed, deadline, async (node) => {
      const { item = null, hint = null, marker: before } = looked.get(node) ?? {};
      const isNamed = named?.versions.has(node.id) === true;
      const version = isNamed ? named.versions.get(node.id) : item?.cas;
      const call = this.#call(deadline);
      const others = holders.flatMap(({ id: other }) => (other === node.id ? [] : [suspectKey(other)]));
      // The marker last: a node that started anew meanwhile had lost its locks, and whoever writes there saw no destruction.
      const [, first, [marker = null, ...marks]] = await Promise.all([
        hint === null ? 'not-found' : node.delete(hintKey(key.key), { ...call, cas: hint.cas }),
        version === undefined ? 'not-found' : node.delete(key.key, { ...call, cas: version }),
        node.getMany([fillMarkerKey(places.ring), ...others], call),
      ]);
      const answer =
        first === 'exists' && isNamed ? await this.#removeRenumbered(node, key, named, deadline) : first;
      // Who knows of missed writes already locks elsewhere and does not believe a copy that is missing: he must see a tombstone.
      // So must who has just written here.
      const contested =
        hint !== null ||
        answer === 'exists' ||
        marks.some((mark) => mark !== null) ||
        (holders.includes(node) && !this.#options.look.isStillFilled(node, marker, before));
      removed.push({ node, found: answer !== 'not-found', contested });
    });
    return removed;
  }

  // The same bytes under another number: a write of them was on its way here when its first copy was removed. It goes as well, unless
  // somebody has begun the item anew, which he did on the first node before he came here.
  async #removeRenumbered(
    node: MemcachedNode,
    key: CopyKey,
    { item, decider }: NamedCopies,
    deadline: Deadline,
  ): Promise<'deleted' | 'not-found' | 'exists' | 'anew'> {
    for (let race = 0; race < MAX_RACES; race += 1) {
      const copy = await node.get(key.key, this.#call(deadline));
      if (copy === null) return 'not-found';
      if (!sameContent(copy, item)) return 'anew';
      const first = await this.#options.places
        .node(decider)
        ?.get(key.key, this.#call(deadline))
        .catch(() => undefined);
      if (first === undefined) return 'exists';
      if (first !== null) return 'anew';
      const answer = await node.delete(key.key, { ...this.#call(deadline), cas: copy.cas });
      if (answer !== 'exists') return answer;
    }
    return 'exists';
  }

  /**
   * Removes the copies that are `ours`, and none that somebody else has put in their place: what a lock's holder does who may
   * have lost it. Where a copy cannot be reached, `left` takes the place of the others, so that what is left there counts no more:
   * a tombstone would count against whoever takes the lock next. Errors: as {@link ReplicatedCopies.change}.
   *
   * @param versions the numbers of our copies, where they are known: those very copies are removed without a look at them
   */
  async release(
    key: CopyKey,
    ours: (item: MemcachedItem) => boolean,
    left: NewContent,
    deadline: Deadline,
    versions?: ReadonlyMap<NodeId, bigint>,
  ): Promise<RemovalReport> {
    const removed = versions === undefined ? [] : await this.#removeVersions(key, versions, deadline);
    if (removed.some(({ answer }) => answer === 'missed')) {
      const report = await this.#options.change(
        key,
        (item) => (item === null || ours(item) ? left : undefined),
        deadline,
      );
      return { reached: [], missed: [], ...report, found: true };
    }
    const gone = removed.filter(({ answer }) => answer === 'deleted').map(({ node }) => node);
    if (removed.length > 0 && gone.length === removed.length)
      return { reached: gone, missed: [], found: true };
    const report = await this.#releaseSeen(key, ours, left, deadline);
    return { ...report, found: report.found || gone.length > 0 };
  }

  // Nothing is removed where a look might show more than our copies: a holder that missed writes, or nodes of another list.
  async #removeVersions(
    key: CopyKey,
    versions: ReadonlyMap<NodeId, bigint>,
    deadline: Deadline,
  ): Promise<readonly { readonly node: NodeId; readonly answer: string }[]> {
    const { places, standings } = this.#options;
    const holders = places.holders(key);
    const known =
      places.other === undefined &&
      holders.every(({ id, available }) => available && versions.has(id) && standings.of(id) === 'filled');
    if (!known || versions.size !== holders.length) return [];
    const answers = holders.map((node) => ({ node: node.id, answer: 'missed' }));
    await onAllCopies(holders, [], deadline, async (node) => {
      const cas = versions.get(node.id) ?? 0n;
      const answer = await node.delete(key.key, { ...this.#call(deadline), cas });
      const place = answers.find((one) => one.node === node.id);
      if (place !== undefined) place.answer = answer;
    });
    return answers;
  }

  async #releaseSeen(
    key: CopyKey,
    ours: (item: MemcachedItem) => boolean,
    left: NewContent,
    deadline: Deadline,
  ): Promise<RemovalReport> {
    const seen = await this.#options.look.all(key, deadline);
    const missed: MissedCopy[] = failuresOf(seen);
    const reached = seen.flatMap((copy) => (copy.reached ? [copy.node] : []));
    const own = new Map<MemcachedNode, bigint>();
    for (const copy of seen) {
      const node = this.#options.places.node(copy.node);
      if (copy.reached && node !== undefined && copy.item !== null && ours(copy.item))
        own.set(node, copy.item.cas);
    }
    if (own.size === 0) return { reached, missed, found: false };
    // What was sent to a node that missed writes may still arrive there: it must not find the place empty.
    const { places, standings } = this.#options;
    const trusted = places.holders(key).every(({ id }) => standings.of(id) === 'filled');
    const alike = seen.every((copy) => copy.reached && (copy.item === null || ours(copy.item)));
    const complete = missed.length === 0 && trusted && alike;
    if (complete) {
      await onAllCopies([...own.keys()], missed, deadline, async (node) => {
        await node.delete(key.key, { ...this.#call(deadline), cas: own.get(node) ?? 0n });
      });
      if (missed.length === 0) return { reached, missed, found: true };
    }
    const report = await this.#options.change(
      key,
      (item) => ((item === null ? complete : ours(item)) ? left : undefined),
      deadline,
    );
    // What counts is somebody else's: ours would stay where it does not count, and he may ask for it there, too.
    if (report === undefined) await this.#leave(key, own, left, deadline);
    return { reached: [], missed: [], ...report, found: true };
  }

  async #leave(
    key: CopyKey,
    own: ReadonlyMap<MemcachedNode, bigint>,
    { value, flags = 0, exptime }: NewContent,
    deadline: Deadline,
  ): Promise<void> {
    await onAllCopies([...own.keys()], [], deadline, async (node) => {
      await node.set(key.key, value, { ...this.#call(deadline), flags, exptime, cas: own.get(node) ?? 0n });
    });
  }

  async #suspectAll(
    reached: ReadonlySet<MemcachedNode>,
    missed: readonly MissedCopy[],
    deadline: Deadline,
  ): Promise<void> {
    if (missed.length === 0) return;
    const missers = missed.map(({ node }) => node);
    await onAllCopies([...reached], [], deadline, (node) =>
      this.#options.notes.suspect(node, missers, deadline),
    );
  }

  #call(deadline: Deadline): CallOptions {
    return deadline.callWithin(this.#options.operationTimeoutMs);
  }
}
