/**
 * Writes one content onto the copies of an item that were looked at: compare-and-set on the arbiter first, then on the others,
 * so that of two writers who share a single node one notices the other, lock or no lock. Every node that misses it is named in
 * hints, which reach a node before the content does, and before the write is acknowledged.
 */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError, type StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import { type CopyHash, copyHash, sameContent } from './copy-hash.js';
import { type CopyKey, tombKey } from './copy-key.js';
import { ANY_CONTENT, type MissedWrites } from './copy-notes.js';
import type { CopyPlaces } from './copy-places.js';
import { type CopyReport, changeUnnoted, meansMissed } from './copy-report.js';
import {
  type CopyDecision,
  type CopySeen,
  decideCopies,
  type ReachedCopy,
  type UnreachedCopy,
} from './decide-copies.js';
import { lazily } from './lazily.js';
import type { NoteWriter } from './note-writer.js';
import { type ChangeStanding, isBuiltOn, standingOfChange } from './standing-of-change.js';
import {
  decidedAbout,
  hashOf,
  type NewContent,
  type Target,
  tombsToLift,
  type Write,
} from './write-under-way.js';

/** A look and what was decided. */
export interface CopiesSeen {
  /** What the nodes said. */
  readonly seen: readonly CopySeen[];
  /** Which copy counts. */
  readonly decision: CopyDecision;
}

/** The number that a node gave a content. */
export interface ContentVersion {
  /** The node. */
  readonly node: NodeId;
  /** Its number. */
  readonly cas: bigint;
}

/**
 * What becomes of a change when somebody was faster on some node. `freely`: it is made again of what counts now, as a merge is.
 * `unless-built-on`: but not where somebody is known to have changed what it made: that would be undone. `once`: only where it is
 * known not to have been made, and what somebody else made alike is his.
 */
export type Repeat = 'freely' | 'unless-built-on' | 'once';

/** One write of one content. */
export class Commit {
  readonly #places: CopyPlaces;
  readonly #notes: NoteWriter;
  readonly #timeoutMs: number;
  readonly #key: CopyKey;
  readonly #deadline: Deadline;
  /** Contents that this operation made, with all that went into each: who holds one of those has nothing that is not there. */
  readonly #made = new Map<CopyHash, ReadonlySet<CopyHash>>();

  /** Nodes that answer and take no writes: they arbitrate no more. */
  readonly #refusing = new Set<NodeId>();
  readonly #versions = new Map<NodeId, bigint>();
  #version: ContentVersion | undefined;

  readonly #repeat: Repeat;
  #tried: { readonly content: NewContent; readonly before: CopiesSeen } | undefined;
  #written = new Map<NodeId, bigint>();
  readonly #unanswered = new Set<NodeId>();
  #doubted: CopiesSeen | undefined;

  /**
   * Writes nothing yet.
   *
   * @param repeat whether the change may be made again
   */
  constructor(
    parts: { readonly places: CopyPlaces; readonly notes: NoteWriter; readonly operationTimeoutMs: number },
    key: CopyKey,
    deadline: Deadline,
    repeat: Repeat,
  ) {
    this.#repeat = repeat;
    this.#places = parts.places;
    this.#notes = parts.notes;
    this.#timeoutMs = parts.operationTimeoutMs;
    this.#key = key;
    this.#deadline = deadline;
  }

  /** Whether it must be noticed when somebody else makes the same. */
  get #careful(): boolean {
    return this.#repeat !== 'freely';
  }

  get #once(): boolean {
    return this.#repeat === 'once';
  }

  /** What the arbiter numbered the content that was written last. */
  get version(): ContentVersion | undefined {
    return this.#version;
  }

  /** What each node that took it numbered the content that was written last. */
  get versions(): ReadonlyMap<NodeId, bigint> {
    return this.#versions;
  }

  /** Whether it was tried, so that a node may have taken it. */
  get isBegun(): boolean {
    return this.#tried !== undefined;
  }

  /** Whether a change that must be made once may have been, so that it cannot be called off. */
  get isDoubtful(): boolean {
    return this.#doubted !== undefined;
  }

  /** What was looked at, and what is decided where nobody takes for an item begun anew what this write left beside a tombstone. */
  judged(looked: CopiesSeen): CopiesSeen {
    const { seen, decision } = looked;
    if (decision.kind !== 'found' || decision.outlived.length === 0) return looked;
    return { seen, decision: decideCopies(seen, this.#written) };
  }

  /** Whether a copy is what this write left there. */
  isOwn(copy: CopySeen): boolean {
    return copy.reached && copy.item !== null && copy.item.cas === this.#written.get(copy.node);
  }

  /** Where the change stands by what is seen `now`: before it was tried nothing is `ours`. Of one that may be made freely that is all. */
  standing(now: CopiesSeen): ChangeStanding {
    const { decision } = now;
    const version = this.#version;
    const counts =
      decision.kind === 'found' && version?.node === decision.node && version.cas === decision.item.cas;
    if (this.#tried === undefined || this.#repeat === 'freely') return counts ? 'ours' : 'theirs';
    if (!this.#once) {
      if (counts) return 'ours';
      if (isBuiltOn({ version, before: this.#tried.before }, now)) return 'passed';
      // Said of that attempt, and not of the next one.
      this.#version = undefined;
      return 'theirs';
    }
    const standing = standingOfChange(
      {
        ...this.#tried,
        version,
        written: this.#written,
        unanswered: this.#unanswered,
        doubted: this.#doubted,
      },
      now,
    );
    if (standing === 'theirs') {
      this.#version = undefined;
      this.#written = new Map();
    }
    return standing;
  }

  /**
   * Writes `content`.
   *
   * @returns the report, or `'raced'` when somebody else changed a copy: look again and decide anew
   * @throws StormlampError `ERR_OUTCOME_UNKNOWN` when what was missed could be noted nowhere; what a node says for the content itself.
   */
  async write({ seen, decision }: CopiesSeen, content: NewContent): Promise<CopyReport | 'raced'> {
    this.#versions.clear();
    this.#notes.outlive(content.exptime);
    this.#tried = { content, before: { seen, decision } };
    const targets = this.#targets(seen, decision);
    const [arbiter, ...others] = targets;
    const away = seen.filter((copy) => copy.role !== 'spare' && !copy.reached) as UnreachedCopy[];
    const absent = away.map(({ node }) => node);
    // Nobody may take the new item for a part of what was destroyed: that the tombstones are lifted is said before it is there.
    const lifts = tombsToLift(decision).length > 0;
    const buried = seen.flatMap((copy) =>
      lifts && copy.reached && copy.tomb !== undefined ? [copy.node] : [],
    );
    const refusing = this.#careful ? [...this.#refusing].filter((node) => !absent.includes(node)) : [];
    const write: Write = {
      content,
      decision,
      others,
      absent,
      noted: [...absent, ...refusing, ...buried],
      hints: new Map(),
      missed: away.map(({ node, error }) => ({ node, error })),
      reached: [],
      missedWrites: lazily(() => this.#missedWrites(write)),
      known: lazily(() => new Set(decidedAbout(seen, decision).map(copyHash))),
      settled:
        !(this.#careful && absent.length + refusing.length > 0) &&
        targets.every(({ node, copy }) => this.#isThere(node, copy.item, content)),
    };
    if (arbiter === undefined) return write;
    let won = await this.#attempt(arbiter, write, true);
    if (won) {
      won = (await Promise.all(others.map((other) => this.#attempt(other, write, false)))).every((ok) => ok);
    }
    if (!won) {
      this.#made.set(hashOf(content), this.#ingredients(write.known()));
      return 'raced';
    }
    const resting = seen.filter(({ node }) => !targets.some((target) => target.node.id === node));
    await this.#tell(targets, write, lifts ? await this.#lift(resting) : []);
    if (write.missed.length === 0) await this.#removeSpares(seen);
    return write;
  }

  async #attempt(target: Target, write: Write, first: boolean): Promise<boolean> {
    try {
      const stored = await this.#writeOne(target, write, first);
      if (stored) write.reached.push(target.node.id);
      return stored;
    } catch (error) {
      if (!meansMissed(error)) throw error;
      if (this.#once && !isStormlampError(error, ErrorCode.MEMCACHED)) this.#doubt(target.node.id, first);
      this.#deadline.check('Writing the copies');
      if (first && isStormlampError(error, ErrorCode.MEMCACHED)) await this.#keepOthers(target, write, error);
      // A node that just went away: look again, so that another one arbitrates and a spare one takes the copy; and so that what must be
      // made once is there in a version that is newer than the note about who missed it, which nobody has seen yet.
      const known = this.#refusing.has(target.node.id);
      this.#refusing.add(target.node.id);
      write.missed.push({ node: target.node.id, error });
      return known || (!first && !this.#careful && this.#places.spares(this.#key).length === 0);
    }
  }

  #doubt(node: NodeId, first: boolean): void {
    this.#unanswered.add(node);
    if (first) this.#doubted ??= this.#tried?.before;
  }

  // A node that refuses a content for lack of room has dropped the old one. Where others still hold it, they are not tried: the
  // session stays as it was, by a hint that says that this node lost it, and the caller is told.
  async #keepOthers({ node }: Target, { others, missedWrites }: Write, error: StormlampError): Promise<void> {
    const holding = others.filter(({ copy }) => copy.item !== null);
    if (holding.length === 0) return;
    const hints = holding.map((other) =>
      this.#notes.hint(other.node, this.#key, [node.id], missedWrites(), other.copy.hint, this.#deadline),
    );
    await Promise.allSettled(hints);
    throw error;
  }

  // The copy that was decided by is compared with first: whoever is faster there is noticed before anything else is written.
  // Where nothing was found it is the first in placement order that nobody suspects. Spare nodes come last, as many as holders are away.
  #targets(seen: readonly CopySeen[], decision: CopyDecision): readonly Target[] {
    const decider = decision.kind === 'found' ? decision.node : undefined;
    const reached = (role: CopySeen['role']): Target[] =>
      seen.flatMap((copy) => {
        const node = copy.role === role && copy.reached ? this.#places.node(copy.node) : undefined;
        return copy.reached && node !== undefined ? [{ node, copy }] : [];
      });
    const rank = ({ node, copy }: Target): number =>
      (this.#refusing.has(node.id) ? 4 : 0) +
      (node.id === decider ? 0 : 2) +
      (copy.standing === 'filled' ? 0 : 1);
    const holders = reached('holder').sort((one, other) => rank(one) - rank(other));
    const taking = holders.filter(({ node }) => !this.#refusing.has(node.id)).length;
    return [
      ...holders,
      ...reached('joint'),
      ...reached('spare').slice(0, Math.max(0, this.#places.copies - taking)),
    ];
  }

  #missedWrites({ decision, content, known }: Write): MissedWrites {
    const lifted = tombsToLift(decision);
    if (decision.kind === 'destroyed') return { superseded: [ANY_CONTENT], lifted };
    const now = hashOf(content);
    return { superseded: [...this.#ingredients(known())].filter((hash) => hash !== now), lifted };
  }

  // Everything that was seen went into what is written or lost against it, and so did what had gone into that.
  #ingredients(seen: ReadonlySet<CopyHash>): ReadonlySet<CopyHash> {
    return new Set([...seen].flatMap((hash) => [...(this.#made.get(hash) ?? []), hash]));
  }

  async #writeOne({ node, copy }: Target, write: Write, first: boolean): Promise<boolean> {
    const { noted } = write;
    // Until it is noted nothing is written: in between, whoever looks would take the content for one that lost.
    const hint =
      noted.length === 0
        ? undefined
        : await this.#notes.hint(node, this.#key, noted, write.missedWrites(), copy.hint, this.#deadline);
    if (hint !== undefined) write.hints.set(node.id, hint.seen);
    const stored = await this.#store(node, copy, write, first);
    if (!stored) await hint?.takeBack();
    if (stored && copy.tomb !== undefined) {
      const call = { ...this.#deadline.callWithin(this.#timeoutMs), cas: copy.tomb.cas };
      // Destroyed once more meanwhile.
      if ((await node.delete(tombKey(this.#key.key), call)) === 'exists') return false;
    }
    return stored;
  }

  async #store(node: MemcachedNode, copy: ReachedCopy, write: Write, first: boolean): Promise<boolean> {
    const { value, flags = 0, exptime } = write.content;
    const { item } = copy;
    // The first node numbers it anew where any other node is still to get it: who looked before, and would overwrite it there, is
    // noticed by that. So does every node where what it holds did not count: somebody may be about to remove it, by its number. A node
    // without room may drop an item when it cannot take the new one, so else what is there stays.
    const counted = write.decision.kind === 'found';
    if (item !== null && (first ? write.settled : counted && this.#isThere(node, item, write.content))) {
      const call = this.#deadline.callWithin(this.#timeoutMs);
      if ((await node.getAndTouch(this.#key.key, exptime, call))?.cas !== item.cas) return false;
      this.#took(node, item.cas, first);
      return true;
    }
    const call = this.#deadline.callWithin(this.#timeoutMs);
    const options = { exptime, flags, ...call };
    const [result, tomb] =
      item === null
        ? await Promise.all([node.add(this.#key.key, value, options), node.get(tombKey(this.#key.key), call)])
        : [await node.set(this.#key.key, value, { ...options, cas: item.cas }), null];
    if (result.status !== 'stored') return false;
    this.#written.set(node.id, result.cas);
    // Somebody else created it and destroyed it again since it was looked at: what was added now would count as destroyed.
    if (tomb !== null && tomb.cas !== copy.tomb?.cas) return false;
    this.#took(node, result.cas, first);
    return true;
  }

  #took({ id }: MemcachedNode, cas: bigint, first: boolean): void {
    this.#versions.set(id, cas);
    this.#written.set(id, cas);
    if (first) this.#version = { node: id, cas };
  }

  #isThere({ id }: MemcachedNode, item: MemcachedItem | null, { value, flags = 0 }: NewContent): boolean {
    if (item === null || !sameContent(item, { value, flags })) return false;
    return !this.#once || item.cas === this.#written.get(id);
  }

  // An acknowledged write that somebody missed without a note would lose against the old copy when that node is back.
  async #tell(targets: readonly Target[], write: Write, lifted: readonly NodeId[]): Promise<void> {
    const { missed, absent, reached, missedWrites, hints } = write;
    const takers = targets.filter(({ node }) => reached.includes(node.id));
    const caughtUp = [...reached, ...lifted];
    const retract = takers.map(({ node, copy }) =>
      this.#notes.retract(node, this.#key, caughtUp, hints.get(node.id) ?? copy.hint, this.#deadline),
    );
    await Promise.allSettled(retract);
    if (missed.length === 0 || this.#places.listed(this.#key, reached).length === 0) return;
    const late = missed.map(({ node }) => node).filter((node) => !absent.includes(node));
    const noted = await Promise.allSettled(
      takers.map(async ({ node }) => {
        if (late.length > 0)
          await this.#notes.hint(node, this.#key, late, missedWrites(), undefined, this.#deadline);
        await this.#notes.suspect(
          node,
          missed.map((misser) => misser.node),
          this.#deadline,
        );
      }),
    );
    if (noted.length > 0 && noted.every(({ status }) => status === 'rejected')) throw changeUnnoted(missed);
  }

  // A tombstone that stayed on a node which does not take the item would come back with whoever is filled from there.
  async #lift(seen: readonly CopySeen[]): Promise<readonly NodeId[]> {
    const lifted = seen.map(async (copy) => {
      if (!copy.reached || copy.tomb === undefined) return [];
      const options = { ...this.#deadline.callWithin(this.#timeoutMs), cas: copy.tomb.cas };
      const answer = await this.#places.node(copy.node)?.delete(tombKey(this.#key.key), options);
      return answer === 'exists' ? [] : [copy.node];
    });
    return (await Promise.all(lifted.map((one) => one.catch(() => [])))).flat();
  }

  // Every holder has it now: what spare nodes took for them would only grow old.
  async #removeSpares(seen: readonly CopySeen[]): Promise<void> {
    await Promise.allSettled(
      seen.map(async (copy) => {
        if (copy.role !== 'spare' || !copy.reached || copy.item === null) return;
        const options = { ...this.#deadline.callWithin(this.#timeoutMs), cas: copy.item.cas };
        await this.#places.node(copy.node)?.delete(this.#key.key, options);
      }),
    );
  }
}
