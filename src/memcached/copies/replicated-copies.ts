/**
 * The copies of items on several memcached nodes, in PHP's placement order: the first node decides while it is healthy and
 * filled, whoever misses a write is named in hints, what is destroyed stays destroyed.
 */
import type { CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import { Commit, type CopiesSeen, type Repeat } from './commit-copies.js';
import type { ChangeReport, CopiesRead, CopyRead, CurrentContent } from './copy-answers.js';
import { sameContent } from './copy-hash.js';
import type { CopyKey } from './copy-key.js';
import { CopyPlaces } from './copy-places.js';
import { type Acks, type CopyReport, changeUnsure, storeDown } from './copy-report.js';
import { type CopySeen, decideCopies, isNewerThanTomb, type ReachedCopy } from './decide-copies.js';
import { FirstAnswers } from './first-answers.js';
import { assertTakable, CopyLook, failuresOf, unsureOf } from './look-at-copies.js';
import type { NodeStandings } from './node-standings.js';
import { NoteWriter } from './note-writer.js';
import { CopyRemoval, type RemovalReport } from './remove-copies.js';
import { reportOfPassed } from './standing-of-change.js';
import { CopyTouch, type TouchReport } from './touch-copies.js';
import type { NewContent } from './write-under-way.js';

export type { ChangeReport, CopiesRead, CopyRead, CurrentContent } from './copy-answers.js';
export type { RemovalReport } from './remove-copies.js';
export type { TouchReport } from './touch-copies.js';

/** What replicated copies are made of. */
export interface ReplicatedCopiesOptions {
  /** All nodes, in the order of PHP's `save_path`. */
  readonly nodes: readonly MemcachedNode[];
  /** All nodes of a place as indexes, in PHP's order; the first `copies` of them hold the item. */
  readonly place: (place: string) => readonly number[];
  /** How many copies each item has. */
  readonly copies: number;
  /** The name of this set of nodes and this way to spread keys; see `ringId`. */
  readonly ring: string;
  /** What is known of the nodes; whoever looks at them keeps it up to date. */
  readonly standings: NodeStandings;
  /** How long one node may take, so that a silent one leaves time to ask the next, in milliseconds. */
  readonly operationTimeoutMs: number;
  /** How long hints and tombstones live at least, in milliseconds: longer than any item, also one of somebody else who stores it here. */
  readonly noteLifetimeMs: number;
  /**
   * How long a node must have been silent before the misses of nodes that are warming or missed writes are believed without it, in
   * milliseconds.
   */
  readonly giveUpMs: number;
  /** Told of an item whose copies were seen to differ; mending them is somebody else's work, under the item's lock. */
  readonly onDiffering?: (key: CopyKey) => void;
}

/** See the head of this file. */
export class ReplicatedCopies {
  /** Which nodes hold what. */
  readonly places: CopyPlaces;
  readonly #options: ReplicatedCopiesOptions;
  readonly #look: CopyLook;
  readonly #first: FirstAnswers;
  readonly #notes: NoteWriter;
  readonly #removal: CopyRemoval;
  readonly #touching: CopyTouch;

  /** @param options the nodes and how keys are spread over them */
  constructor(options: ReplicatedCopiesOptions) {
    const { nodes, place, copies, standings, operationTimeoutMs, giveUpMs, ring } = options;
    this.#options = options;
    this.places = new CopyPlaces({ nodes, place, ring }, copies, standings);
    this.#look = new CopyLook({ places: this.places, standings, operationTimeoutMs, giveUpMs });
    this.#first = new FirstAnswers({
      places: this.places,
      look: this.#look,
      standings,
      operationTimeoutMs,
      onDiffering: (key) => this.#options.onDiffering?.(key),
    });
    this.#notes = new NoteWriter(options);
    this.#removal = new CopyRemoval({
      places: this.places,
      look: this.#look,
      notes: this.#notes,
      standings,
      operationTimeoutMs,
      change: (key, make, deadline) => this.change(key, ({ item }) => make(item), deadline),
    });
    this.#touching = new CopyTouch({
      places: this.places,
      notes: this.#notes,
      operationTimeoutMs,
      look: (key, deadline) => this.look(key, deadline),
      change: (key, make, deadline) => this.change(key, make, deadline),
      onDiffering: (key) => this.#options.onDiffering?.(key),
    });
  }

  /** The nodes that hold the copies of `key`, the deciding one first. */
  holders(key: CopyKey): readonly MemcachedNode[] {
    return this.places.holders(key);
  }

  /**
   * Reads an item. As long as the first node is healthy and filled, and no note on the others speaks against its copy, its
   * answer is the answer, a miss as well.
   *
   * @param beside another item on the same nodes, which is read with it
   * @throws StormlampError `ERR_STORE_DOWN` naming every node and why it did not answer; also where only nodes answered whose misses
   * say nothing.
   */
  async read(key: CopyKey, deadline: Deadline, beside?: CopyKey): Promise<CopyRead> {
    const [answer] = await this.#first.ask(this.holders(key), [{ key, beside }], deadline);
    if (answer !== undefined) return { ...answer, node: answer.node.id, rivals: NO_RIVALS };
    return await this.#counting(key, await this.look(key, deadline), deadline, beside);
  }

  /** Reads an item that is a remark about another one: where nobody knows whether there is one, there is none. Errors: as `read`. */
  async readRemark(key: CopyKey, deadline: Deadline): Promise<MemcachedItem | null> {
    const [answer] = await this.#first.ask(this.holders(key), [{ key, beside: undefined }], deadline);
    if (answer !== undefined) return answer.item;
    const looked = await this.look(key, deadline);
    return looked.decision.kind === 'unknown' ? null : (await this.#counting(key, looked, deadline)).item;
  }

  /** Reads several items as {@link ReplicatedCopies.read} does, those on the same nodes together; each comes out by itself. */
  async readMany(
    keys: readonly CopyKey[],
    deadline: Deadline,
  ): Promise<readonly PromiseSettledResult<CopyRead>[]> {
    const groups = new Map<readonly MemcachedNode[], CopyKey[]>();
    for (const key of keys) {
      const holders = this.holders(key);
      const group = groups.get(holders);
      if (group === undefined) groups.set(holders, [key]);
      else group.push(key);
    }
    const found = new Map<CopyKey, CopyRead>();
    await Promise.all(
      Array.from(groups, async ([holders, group]) => {
        const asked = group.map((key) => ({ key, beside: undefined }));
        const answers = await this.#first.ask(holders, asked, deadline).catch(() => []);
        for (const [place, answer] of answers.entries()) {
          const key = group[place];
          if (answer !== undefined && key !== undefined)
            found.set(key, { ...answer, node: answer.node.id, rivals: NO_RIVALS });
        }
      }),
    );
    return await Promise.allSettled(keys.map((key) => found.get(key) ?? this.read(key, deadline)));
  }

  /** Reads an item as {@link ReplicatedCopies.read} does, for whoever is about to change it: every copy is asked. */
  async readToChange(key: CopyKey, deadline: Deadline): Promise<CopiesRead> {
    const seen = await this.look(key, deadline);
    return { read: await this.#counting(key, seen, deadline), seen };
  }

  async #counting(
    key: CopyKey,
    { seen, decision }: CopiesSeen,
    deadline: Deadline,
    beside?: CopyKey,
  ): Promise<CopyRead> {
    if (decision.kind === 'down') throw storeDown(failuresOf(seen));
    if (decision.kind === 'unknown') throw unsureOf(seen);
    if (decision.kind === 'found') {
      if (decision.behind.length > 0 || decision.outlived.length > 0) this.#options.onDiffering?.(key);
      const other = beside === undefined ? null : await this.readRemark(beside, deadline);
      return { item: decision.item, node: decision.node, rivals: itemsOf(decision.rivals), beside: other };
    }
    if (decision.kind === 'destroyed' && decision.left.length > 0) this.#options.onDiffering?.(key);
    return {
      item: null,
      node: seen.find(({ reached }) => reached)?.node ?? '',
      rivals: NO_RIVALS,
      beside: null,
    };
  }

  /**
   * Asks every copy, with its notes, and decides. Once more where only one could know that did not answer in time: there is nobody else
   * to ask, as while the other node is filled from it. And where copies differ and no note says why: one may have been seen before
   * somebody mended it, and the other one, whose note said so, only after that. Rejects only by the deadline.
   */
  async look(key: CopyKey, deadline: Deadline): Promise<CopiesSeen> {
    const looked = await this.#lookOnce(key, deadline);
    const { decision, seen } = looked;
    const nobodyKnows = decision.kind === 'unknown' || decision.kind === 'down';
    const again = nobodyKnows ? seen.some(isLate) : differWithoutNotes(seen);
    return again ? await this.#lookOnce(key, deadline) : looked;
  }

  async #lookOnce(key: CopyKey, deadline: Deadline): Promise<CopiesSeen> {
    const seen = await this.#look.all(key, deadline);
    return { seen, decision: decideCopies(seen) };
  }

  /**
   * Changes an item on every copy: `make` is given what counts now, and gives what shall be there, or undefined to leave it
   * as it is. It is called again when somebody else was faster. What `make` stores over a destroyed item creates it anew.
   *
   * @param before what was seen of the copies a while ago: as good as a look now, since whoever changed one since is noticed when it
   * is compared and set. It is only used where all copies were there, alike and without notes, and may be trusted still.
   * @param repeat what becomes of it when somebody was faster on some node
   * @param acks how many copies must be able to take it; where fewer can, as far as is known before, nothing is changed
   * @returns what was reached, for the caller to judge whether that is enough; undefined when the change was called off
   * @throws StormlampError `ERR_STORE_DOWN` when no node answers, or too few, or when `make` calls it off for want of an item of which nobody knows
   * whether there is one; `ERR_OUTCOME_UNKNOWN` when nobody knows whether it was made `once`, or will stay; `ERR_SESSION_TOO_LARGE`, `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async change(
    key: CopyKey,
    make: (current: CurrentContent) => NewContent | undefined,
    deadline: Deadline,
    before?: CopiesSeen,
    repeat: Repeat = 'freely',
    acks: Acks = 'one',
  ): Promise<ChangeReport | undefined> {
    let known = before !== undefined && this.#isUsable(key, before) ? before : undefined;
    const parts = { places: this.places, notes: this.#notes, ...this.#options };
    const commit = new Commit(parts, key, deadline, repeat);
    for (let passed = 0; ; ) {
      deadline.check('Changing the copies');
      const { seen, decision } = commit.judged(known ?? (await this.look(key, deadline)));
      known = undefined;
      if (decision.kind === 'down') throw storeDown(failuresOf(seen));
      const standing = commit.standing({ seen, decision });
      if (standing === 'unknown') throw changeUnsure();
      if (standing === 'passed') {
        // Whoever has changed it since carries both.
        const report = reportOfPassed({ seen, decision }, commit);
        passed += 1;
        if (report.behind.length === 0 || passed === MAX_LOOKS) return report;
        continue;
      }
      const content = make({
        item: decision.kind === 'found' ? decision.item : null,
        node: decision.kind === 'found' ? decision.node : undefined,
        ours: standing === 'ours',
        destroyed: decision.kind === 'destroyed',
        rivals: decision.kind === 'found' ? itemsOf(decision.rivals) : [],
      });
      if (content === undefined) {
        if (commit.isDoubtful) throw changeUnsure();
        if (decision.kind === 'unknown') throw unsureOf(seen);
        if (decision.kind === 'destroyed')
          await this.#removeDestroyed(key, seen, deadline, (copy) => commit.isOwn(copy));
        // By the list that decides it is not there: what the other list's nodes hold would be found when that one decides.
        if (decision.kind === 'absent') await this.#removeLeft(key, seen.filter(isJoint), deadline);
        return undefined;
      }
      // What only nodes of the other list hold is not found by whoever does not know that list yet, or any more.
      if (seen.every((copy) => !copy.reached || copy.role === 'joint')) throw storeDown(failuresOf(seen));
      if (!commit.isBegun) assertTakable(this.places, key, content.value, seen, acks);
      const report = await commit.write({ seen, decision }, content).catch((error: unknown) => {
        // Some copies may have taken it, and nothing tells the others.
        this.#options.onDiffering?.(key);
        throw error;
      });
      if (report !== 'raced') {
        const reached = this.places.listed(key, report.reached);
        return { ...report, reached, version: commit.version, versions: commit.versions };
      }
    }
  }

  /** Stores a content on every copy, whatever is there. Errors: as {@link ReplicatedCopies.change}. */
  async store(
    key: CopyKey,
    content: NewContent,
    deadline: Deadline,
    acks: Acks = 'one',
  ): Promise<CopyReport> {
    const report = await this.change(key, () => content, deadline, undefined, 'freely', acks);
    return report ?? { reached: [], missed: [] };
  }

  /**
   * Renews the expiry of every copy, those on spare nodes as well where a holder is away; a copy that was missed is noted. What other
   * copies hold is not touched: they are mended.
   *
   * @param acks how many copies are to be renewed: where fewer were, because a holder is away, a spare node gets one
   * @returns `found` is false where there is no item; a holder that answered counts as reached, since it gets what it lacks
   * @throws StormlampError `ERR_STORE_DOWN` where only nodes answered whose misses say nothing; `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  touch(key: CopyKey, exptime: number, deadline: Deadline, acks: Acks = 'one'): Promise<TouchReport> {
    return this.#touching.touch(key, exptime, deadline, acks);
  }

  /** Removes every copy; see {@link CopyRemoval.delete}. */
  delete(key: CopyKey, deadline: Deadline): Promise<RemovalReport> {
    return this.#removal.delete(key, deadline);
  }

  /** Removes every copy of a content, unless `refuse` has a reason why not; see {@link CopyRemoval.deleteVersion}. */
  async deleteVersion<T>(
    key: CopyKey,
    refuse: (node: NodeId, item: MemcachedItem) => T | undefined,
    deadline: Deadline,
  ): Promise<RemovalReport | T | 'exists' | 'not-found'> {
    return await this.#removal.deleteVersion(key, await this.look(key, deadline), refuse, deadline);
  }

  /** Removes the copies that are `ours`; see {@link CopyRemoval.release}. */
  release(
    key: CopyKey,
    ours: (item: MemcachedItem) => boolean,
    left: NewContent,
    deadline: Deadline,
    versions?: ReadonlyMap<NodeId, bigint>,
  ): Promise<RemovalReport> {
    return this.#removal.release(key, ours, left, deadline, versions);
  }

  #isUsable(key: CopyKey, { seen, decision }: CopiesSeen): boolean {
    if (decision.kind === 'found' ? decision.behind.length > 0 : decision.kind !== 'absent') return false;
    const holders = this.holders(key);
    const { standings } = this.#options;
    return (
      this.places.other === undefined &&
      this.places.replacement === undefined &&
      seen.length === holders.length &&
      holders.every((node, place) => {
        const copy = seen[place];
        const plain = copy?.reached === true && copy.hint === undefined && copy.tomb === undefined;
        if (!plain || copy.node !== node.id || copy.standing !== 'filled') return false;
        return node.available && standings.of(node.id) === 'filled';
      })
    );
  }

  // What came after the tombstone may be the first copy of what PHP begins anew at this moment: who mends looks again.
  // What this very change put there is neither.
  async #removeDestroyed(
    key: CopyKey,
    seen: CopiesSeen['seen'],
    deadline: Deadline,
    isOwn: (copy: CopySeen) => boolean,
  ): Promise<void> {
    const late = seen.filter((copy) => copy.reached && isNewerThanTomb(copy) && !isOwn(copy));
    await this.#removeLeft(
      key,
      seen.filter((copy) => !late.includes(copy)),
      deadline,
    );
    if (late.length > 0) this.#options.onDiffering?.(key);
  }

  async #removeLeft(key: CopyKey, seen: CopiesSeen['seen'], deadline: Deadline): Promise<void> {
    await Promise.all(
      seen.map(async (copy) => {
        if (!copy.reached || copy.item === null) return;
        const options = { ...this.#call(deadline), cas: copy.item.cas };
        await this.places
          .node(copy.node)
          ?.delete(key.key, options)
          .catch(() => undefined);
      }),
    );
  }

  #call(deadline: Deadline): CallOptions {
    return deadline.callWithin(this.#options.operationTimeoutMs);
  }
}

const NO_RIVALS: readonly MemcachedItem[] = [];
/** So often the copies of a change that somebody has built on are looked at, until they are alike. */
const MAX_LOOKS = 8;

function isLate(copy: CopiesSeen['seen'][number]): boolean {
  return !copy.reached && isStormlampError(copy.error, ErrorCode.TIMEOUT);
}

// What a warming node does not have says nothing.
function differWithoutNotes(seen: CopiesSeen['seen']): boolean {
  const copies = seen.flatMap((copy) => (copy.reached && copy.role !== 'spare' ? [copy] : []));
  if (copies.some(({ hint, tomb }) => hint !== undefined || tomb !== undefined)) return false;
  const [first, ...others] = copies.filter(({ item, standing }) => item !== null || standing !== 'warming');
  return others.some(({ item }) =>
    item === null || first?.item == null ? item !== first?.item : !sameContent(item, first.item),
  );
}

function isJoint({ role }: CopiesSeen['seen'][number]): boolean {
  return role === 'joint';
}

function itemsOf(copies: readonly ReachedCopy[]): readonly MemcachedItem[] {
  return copies.flatMap(({ item }) => item ?? []);
}
