/**
 * The one decision about the copies of an item: which of them counts. A pure function of what each node answered.
 *
 * The first node in placement order decides, misses included, as long as it is filled and no note speaks against its copy.
 * A node that is warming or missed a write is only asked after the others, and its miss says nothing: while a node that may hold
 * the item does not answer, nobody knows whether there is one.
 */
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedItem } from '../memcached-node.js';
import { copyHash, sameContent } from './copy-hash.js';
import { ANY_CONTENT, type Hint, type Tomb } from './copy-notes.js';
import type { NodeStanding } from './node-standings.js';

/**
 * `holder`: the node shall hold a copy. `joint`: it shall by another list of nodes, which is about to decide or did before.
 * `spare`: it only does while a holder cannot.
 */
export type CopyRole = 'holder' | 'joint' | 'spare';

/** What one node said about one item. */
export type CopySeen = UnreachedCopy | ReachedCopy;

/** A node that did not answer. */
export interface UnreachedCopy {
  /** The node. */
  readonly node: NodeId;
  /** Why it is asked. */
  readonly role: CopyRole;
  /** It did not answer. */
  readonly reached: false;
  /** Why. */
  readonly error: Error;
  /** Whether it has been silent for so long that others have to go on without what it may hold. */
  readonly givenUp: boolean;
}

/** A node's answer. */
export interface ReachedCopy {
  /** The node. */
  readonly node: NodeId;
  /** Why it is asked. */
  readonly role: CopyRole;
  /** It answered. */
  readonly reached: true;
  /** How far it is to be trusted; `filled` was made sure of when it has no item. */
  readonly standing: NodeStanding;
  /** Its copy. */
  readonly item: MemcachedItem | null;
  /** What it says that others missed, and the version of that note. */
  readonly hint: { readonly note: Hint; readonly cas: bigint } | undefined;
  /** Its tombstone, and the version of that note. */
  readonly tomb: { readonly note: Tomb; readonly cas: bigint } | undefined;
  /** Whether others may go by the list of nodes already that is about to decide, by which it is the first one: so it is here, too. */
  readonly leads?: true;
}

/** What counts. */
export type CopyDecision =
  /** No node answered. */
  | { readonly kind: 'down' }
  /** It was destroyed: tombstones are in force. `left` are the nodes that hold a copy all the same. */
  | { readonly kind: 'destroyed'; readonly tombs: readonly string[]; readonly left: readonly NodeId[] }
  /** Nobody whose miss counts answered, and a node that may hold it did not. */
  | { readonly kind: 'unknown' }
  /** There is no such item. `left` are the nodes whose copies do not count. */
  | { readonly kind: 'absent'; readonly left: readonly NodeId[] }
  | {
      readonly kind: 'found';
      /** The node whose copy counts. */
      readonly node: NodeId;
      /** Its copy. */
      readonly item: MemcachedItem;
      /** Nodes that shall hold it, answered, and hold something else or nothing. */
      readonly behind: readonly NodeId[];
      /** Other contents that no note calls old: somebody without notes, as PHP, wrote them meanwhile, or somebody who is not done yet. */
      readonly rivals: readonly ReachedCopy[];
      /** Tombstones of before it was begun anew by somebody without notes, which nobody lifted yet. */
      readonly outlived: readonly string[];
    };

/** `disputed`: somebody's note speaks against it who holds something else, and another holder has the same. */
type Claim = 'none' | 'disputed' | 'missing' | 'superseded' | 'unexplained';
type Winner = ReachedCopy & { readonly item: MemcachedItem };

const NONE: ReadonlyMap<NodeId, bigint> = new Map();

interface Judged {
  readonly copy: ReachedCopy;
  /** What the notes on the other nodes say against it. */
  readonly claim: Claim;
}

/**
 * Decides.
 *
 * @param seen what the nodes said, in placement order
 * @param own the numbers of copies that the caller wrote while he knew of no tombstone: nobody began the item anew by those
 */
export function decideCopies(
  seen: readonly CopySeen[],
  own: ReadonlyMap<NodeId, bigint> = NONE,
): CopyDecision {
  const reached = seen.filter((copy) => copy.reached);
  if (reached.length === 0) return { kind: 'down' };
  const tombs = tombsNotLifted(reached);
  const anew = isBegunAnew(seen, tombs, own);
  if (tombs.length > 0 && !anew) return { kind: 'destroyed', tombs, left: holders(reached) };
  const judged = reached.map((copy) => ({ copy, claim: claimOn(copy, reached) }));
  const decider = deciderOf(judged);
  const winner = decider === undefined ? bestHit(judged) : withItem(decider) ? decider : undefined;
  if (winner === undefined) {
    if (decider === undefined && seen.some(mayHoldIt)) return { kind: 'unknown' };
    return { kind: 'absent', left: holders(reached) };
  }
  return {
    kind: 'found',
    node: winner.node,
    item: winner.item,
    behind: reached
      .filter(({ role, item }) => role !== 'spare' && (item === null || !sameContent(item, winner.item)))
      .map(({ node }) => node),
    rivals: rivalsOf(winner, judged),
    outlived: tombs,
  };
}

// Who leaves no notes, as PHP, lifts no tombstone. One destruction that reached every holder removed every copy there. What all of
// them hold alike since was begun anew: an old copy that was on its way, from a filler or to a replica, arrives on one of them.
function isBegunAnew(
  seen: readonly CopySeen[],
  tombs: readonly string[],
  own: ReadonlyMap<NodeId, bigint>,
): boolean {
  const holders = seen.filter((copy) => copy.role !== 'spare');
  const [first] = holders;
  if (tombs.length !== 1 || first?.reached !== true) return false;
  return holders.every(
    (copy) =>
      copy.reached &&
      copy.role === 'holder' &&
      copy.tomb?.note.id === tombs[0] &&
      isNewerThanTomb(copy) &&
      copy.item?.cas !== own.get(copy.node) &&
      isAlike(copy, first),
  );
}

function isAlike({ item: one }: ReachedCopy, { item: other }: ReachedCopy): boolean {
  return one !== null && other !== null && sameContent(one, other);
}

/** Whether a copy was written after the tombstone beside it. A server numbers all that it stores in one row. */
export function isNewerThanTomb({ item, tomb }: ReachedCopy): boolean {
  return item !== null && tomb !== undefined && item.cas > tomb.cas;
}

// Contents that nobody calls old: of copies that missed writes and were written all the same, of those who say so, and of warming
// nodes, which were empty a moment ago: what they hold may have been written since, by whoever did not know that yet. And of holders
// that speak against a copy which another one has as well: that one's note may be of a write that never got there.
function rivalsOf(winner: Winner, judged: readonly Judged[]): readonly ReachedCopy[] {
  const claimed = (which: Claim) => judged.flatMap(({ copy, claim }) => (claim === which ? [copy.node] : []));
  const [unexplained, disputed] = [claimed('unexplained'), claimed('disputed')];
  return judged.flatMap(({ copy, claim }) => {
    if (claim === 'superseded' || copy.item === null || sameContent(copy.item, winner.item)) return [];
    const speaksAgainst = (node: NodeId): boolean => copy.hint?.note.missed.has(node) === true;
    const isHolder = copy.role === 'holder';
    const contradicts = unexplained.some(speaksAgainst) || (isHolder && disputed.some(speaksAgainst));
    const fresh = copy.standing === 'warming' && isHolder;
    return claim === 'unexplained' || contradicts || fresh ? [copy] : [];
  });
}

function mayHoldIt(copy: CopySeen): boolean {
  return !copy.reached && copy.role !== 'spare' && !copy.givenUp;
}

// Of a suspect node a hit counts where no hint speaks against it, a miss does not.
function deciderOf(judged: readonly Judged[]): ReachedCopy | undefined {
  return judged.find(
    ({ copy, claim }) =>
      isUncontested(claim) &&
      (copy.standing === 'filled' || (copy.standing === 'suspect' && copy.item !== null)),
  )?.copy;
}

function bestHit(judged: readonly Judged[]): Winner | undefined {
  // What a node of the other list holds may have been destroyed by somebody who does not know that list yet. He removed it from a holder
  // that missed writes, too: a miss there that no note explains speaks against it.
  const isDoubtful = judged.some(
    ({ copy, claim }) =>
      copy.role === 'holder' && copy.standing === 'suspect' && copy.item === null && claim === 'none',
  );
  const hits = judged.flatMap(({ copy, claim }) =>
    withItem(copy) && !(isDoubtful && copy.role === 'joint') ? [{ copy, claim }] : [],
  );
  const best = (of: (claim: Claim) => boolean, among = hits) =>
    among.find(({ claim, copy }) => of(claim) && copy.standing !== 'warming') ??
    among.find(({ claim }) => of(claim));
  // Each called old by the other's note: one that its own note calls old as well was to be written, and was not.
  const written = hits.filter(({ copy }) => !isCalledOldBesideIt(copy));
  const isOld = (claim: Claim): boolean => claim === 'superseded';
  const superseded = written.length === 0 ? best(isOld) : best(isOld, written);
  return (best(isUncontested) ?? best((claim) => claim === 'unexplained') ?? superseded)?.copy;
}

function isUncontested(claim: Claim): boolean {
  return claim === 'none' || claim === 'disputed';
}

function isCalledOldBesideIt({ item, hint }: Winner): boolean {
  if (hint === undefined) return false;
  const hash = copyHash(item);
  return [...hint.note.missed.values()].some(({ superseded }) => superseded.includes(hash));
}

// What the hints on the other nodes say against a copy. A hint without an item beside it has nothing to put in its place.
function claimOn(copy: ReachedCopy, reached: readonly ReachedCopy[]): Claim {
  const claims = reached.flatMap((other) => {
    const missed = other.hint?.note.missed.get(copy.node);
    return other.node === copy.node ||
      other.item === null ||
      missed === undefined ||
      isOutdatedNote(other, copy, reached)
      ? []
      : [{ item: other.item, role: other.role, missed }];
  });
  const { item } = copy;
  if (claims.length === 0) return item !== null && isOldContent(copy, item, reached) ? 'superseded' : 'none';
  if (item === null) return 'missing';
  // Who holds the same has nothing to say against it, but may be as far behind.
  const others = claims.filter((claim) => !sameContent(claim.item, item));
  if (others.length === 0) return 'none';
  const hash = copyHash(item);
  const loses = ({ missed }: (typeof claims)[number]): boolean =>
    missed.superseded.includes(hash) || missed.superseded.includes(ANY_CONTENT);
  if (others.some(loses)) return 'superseded';
  const vouched = claims.some(({ item: same, role }) => role === 'holder' && sameContent(same, item));
  return vouched ? 'disputed' : 'unexplained';
}

// Who misses a holder leaves a note on the other one before a spare node has it. Where that one, which missed nothing itself, has none,
// the holder caught up, and the spare node was left alone by somebody who had no reason to ask it.
function isOutdatedNote(
  { role, hint }: ReachedCopy,
  { node }: ReachedCopy,
  reached: readonly ReachedCopy[],
): boolean {
  if (role !== 'spare') return false;
  return reached.some(
    (other) =>
      other.role === 'holder' &&
      other.node !== node &&
      other.item !== null &&
      other.standing === 'filled' &&
      other.hint?.note.missed.has(node) !== true &&
      hint?.note.missed.has(other.node) !== true,
  );
}

// What a warming node holds was copied from another, and what a node of the other list holds may have been: what speaks against that
// content speaks against it here, too.
function isOldContent(copy: ReachedCopy, item: MemcachedItem, reached: readonly ReachedCopy[]): boolean {
  if (copy.role === 'spare' || (copy.standing !== 'warming' && !reached.some(isOfOtherList))) return false;
  const hinting = reached.filter(
    (other) => other.hint !== undefined && other.item !== null && other !== copy,
  );
  if (hinting.length === 0) return false;
  const hash = copyHash(item);
  return hinting.some(
    (other) =>
      other.item !== null &&
      !sameContent(other.item, item) &&
      [...(other.hint?.note.missed.values() ?? [])].some(({ superseded }) => superseded.includes(hash)),
  );
}

function isOfOtherList({ role, leads }: ReachedCopy): boolean {
  return role === 'joint' || leads === true;
}

function tombsNotLifted(reached: readonly ReachedCopy[]): readonly string[] {
  const ids = reached.flatMap(({ node, tomb }) => {
    if (tomb === undefined) return [];
    const { id } = tomb.note;
    const lifted = reached.some(
      ({ item, hint }) => item !== null && hint?.note.missed.get(node)?.lifted.includes(id) === true,
    );
    return lifted ? [] : [id];
  });
  return [...new Set(ids)];
}

function holders(reached: readonly ReachedCopy[]): readonly NodeId[] {
  return reached.filter(withItem).map(({ node }) => node);
}

function withItem(copy: ReachedCopy): copy is Winner {
  return copy.item !== null;
}
