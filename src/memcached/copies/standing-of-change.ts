/**
 * Where a change that must be made once stands after somebody was faster on some node: a pure function of what was tried and what
 * is seen now. That a node holds the same content says nothing, since whoever counts from the same number makes the same bytes: what
 * a node took from us is known by the number that it gave it.
 */
import type { NodeId } from '../../common/node-address.js';
import type { ContentVersion, CopiesSeen } from './commit-copies.js';
import { sameContent } from './copy-hash.js';
import type { CopyReport } from './copy-report.js';
import type { CopyDecision, ReachedCopy } from './decide-copies.js';
import { failuresOf } from './look-at-copies.js';
import type { NewContent } from './write-under-way.js';

/** What was tried so far. */
export interface TriedChange {
  /** What was to be stored last. */
  readonly content: NewContent;
  /** What was seen before that. */
  readonly before: CopiesSeen;
  /** The number that the arbiter gave it; undefined when the arbiter did not take it, as far as is known. */
  readonly version: ContentVersion | undefined;
  /** The numbers that nodes gave it. */
  readonly written: ReadonlyMap<NodeId, bigint>;
  /** Nodes that were sent it and did not answer. */
  readonly unanswered: ReadonlySet<NodeId>;
  /** What was seen before the first arbiter did not answer: it may have taken the change. */
  readonly doubted: CopiesSeen | undefined;
}

/**
 * `ours`: what counts is what was tried, and is to be carried on; `theirs`: it was not made, and is to be made of what counts now;
 * `passed`: it was made, and somebody has changed it since; `unknown`: nobody can tell.
 */
export type ChangeStanding = 'ours' | 'theirs' | 'passed' | 'unknown';

/** See the head of this file. */
export function standingOfChange(tried: TriedChange, { seen, decision }: CopiesSeen): ChangeStanding {
  const { version, doubted } = tried;
  if (doubted !== undefined && version === undefined)
    return isUnchanged(doubted, decision) ? 'theirs' : 'unknown';
  if (version === undefined || decision.kind !== 'found') return 'theirs';
  const reached = seen.filter((copy) => copy.reached);
  const speaksAgainst = ({ hint }: ReachedCopy): boolean => hint?.note.missed.has(version.node) === true;
  if (decision.node === version.node && decision.item.cas === version.cas) {
    const foreign = reached.filter((copy) => isForeign(copy, tried));
    if (foreign.length === 0) return 'ours';
    // Who made the same without this node left a note about it first.
    return foreign.some((copy) => speaksAgainst(copy) && !tried.unanswered.has(copy.node))
      ? 'theirs'
      : 'unknown';
  }
  const ours = reached.find(({ node }) => node === version.node);
  if (ours?.item?.cas === version.cas) {
    // It is where it was. Made of the content that counts now, it is only to be carried there.
    const base = tried.before.decision;
    if (base.kind === 'found' && sameContent(base.item, decision.item)) return 'ours';
    // Whoever sees the note knows that it does not count, and who left it could not build on it.
    return doubted === undefined && reached.some(speaksAgainst) ? 'theirs' : 'unknown';
  }
  return isBuiltOn(tried, { seen, decision }) ? 'passed' : 'unknown';
}

/**
 * Whether somebody is known to have changed what was made since. Everybody goes by the first node, and so has built on what he changes
 * there, unless he has a note that says that it does not count. Any other node he may have brought to what the first one holds.
 */
export function isBuiltOn(
  { version, before }: Pick<TriedChange, 'version' | 'before'>,
  { seen, decision }: CopiesSeen,
): boolean {
  if (version === undefined || decision.kind !== 'found') return false;
  const isFirst = seen[0]?.node === version.node && decision.node === version.node;
  if (!isFirst || decision.item.cas === version.cas) return false;
  return ![...before.seen, ...seen].some(
    (copy) => copy.reached && copy.hint?.note.missed.has(version.node) === true,
  );
}

function isForeign({ node, item }: ReachedCopy, { content, written, unanswered }: TriedChange): boolean {
  const { value, flags = 0 } = content;
  if (item === null || item.cas === written.get(node) || !sameContent(item, { value, flags })) return false;
  return !unanswered.has(node);
}

// The same content on a node that was seen to hold it then, in the same version: nobody has built on what may have been taken.
function isUnchanged({ seen, decision: before }: CopiesSeen, now: CopyDecision): boolean {
  if (before.kind !== 'found' || now.kind !== 'found') return before.kind !== 'found' && now.kind !== 'found';
  const then = seen.find(({ node }) => node === now.node);
  if (then?.reached !== true || then.item?.cas !== now.item.cas) return false;
  return sameContent(now.item, before.item);
}

/** What became of a change that was made, and changed again by somebody else since; `behind` are the nodes that hold neither yet. */
export function reportOfPassed<T extends { readonly version: unknown; readonly versions: unknown }>(
  { seen, decision }: CopiesSeen,
  { version, versions }: T,
): CopyReport & { readonly behind: readonly NodeId[] } & Pick<T, 'version' | 'versions'> {
  const behind = decision.kind === 'found' ? decision.behind : [];
  const reached = seen.flatMap((copy) =>
    copy.reached && copy.item !== null && !behind.includes(copy.node) ? [copy.node] : [],
  );
  return { reached, missed: failuresOf(seen), behind, version, versions };
}
