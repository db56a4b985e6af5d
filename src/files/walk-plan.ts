/** What a walk does with one file: a pure choice over what every mount holds. */
import type { CopyVersion } from './missed-writes.js';

/** One mount's side of a file. */
export interface WalkCopy extends CopyVersion {
  /** Whether the mount missed a write of this file, and its copy is the one that was superseded. */
  readonly stale: boolean;
}

/** What a walk is asked to do. */
export type WalkMode =
  /** Every mount becomes like the source. */
  | 'one-way'
  /** Every mount gets the latest of each file. */
  | 'heal';

/** What is done with a file. Numbers are places in the list of mounts. */
export type WalkAction =
  | { readonly kind: 'nothing' }
  /** The source of a one-way walk missed a write of the file: what it has, or has not, must not go to the others. */
  | { readonly kind: 'refuse' }
  | { readonly kind: 'copy'; readonly from: number; readonly to: readonly number[] }
  | { readonly kind: 'delete'; readonly on: readonly number[] };

/** What a walk may do. */
export type WalkStep = Exclude<WalkAction, { readonly kind: 'refuse' }>;

/** What is known of a file, and what is wanted. */
export interface WalkFacts {
  /** How it is walked. */
  readonly mode: WalkMode;
  /** The place of the source of a one-way walk. */
  readonly source: number;
  /** Whether a one-way walk deletes what the source does not have, though nobody remembers a deletion. */
  readonly prune: boolean;
  /** The copies, by mount. */
  readonly copies: readonly WalkCopy[];
  /** When the file was deleted, as far as any mount remembers. */
  readonly deletedAt: number | undefined;
}

const NOTHING: WalkAction = { kind: 'nothing' };
const REFUSE: WalkAction = { kind: 'refuse' };

/** Decides what is done with one file. */
export function planWalk(facts: WalkFacts): WalkAction {
  const { copies, deletedAt, mode, source, prune } = facts;
  const from = mode === 'one-way' ? source : latest(copies);
  const chosen = from === undefined ? undefined : copies[from];
  if (from === undefined || chosen === undefined) return NOTHING;
  if (mode === 'one-way' && chosen.stale) return REFUSE;
  const present = copies.flatMap((copy, place) => (copy.version === null ? [] : [place]));
  const since = Math.max(0, ...present.map((place) => copies[place]?.changedMs ?? 0));
  const deleted = deletedAt !== undefined && deletedAt > since;
  if (chosen.version === null || deleted) {
    const on = present.filter((place) => place !== from || deleted);
    const wanted = deleted || (mode === 'one-way' && prune);
    return wanted && on.length > 0 ? { kind: 'delete', on } : NOTHING;
  }
  // A copy that was superseded by one of the same size and date is another one all the same.
  const to = copies.flatMap((copy, place) => (copy.version === chosen.version && !copy.stale ? [] : [place]));
  return to.length === 0 ? NOTHING : { kind: 'copy', from, to };
}

/** The place of the latest copy that nobody knows to be superseded; of equally late ones the first. */
function latest(copies: readonly WalkCopy[]): number | undefined {
  let best: number | undefined;
  for (const [place, copy] of copies.entries()) {
    if (copy.version === null || copy.stale) continue;
    if (best === undefined || copy.modifiedMs > (copies[best]?.modifiedMs ?? 0)) best = place;
  }
  // Only superseded copies are left: the write that superseded them is on a mount that is away, or was a deletion.
  return best ?? copies.findIndex((copy) => copy.version === null || !copy.stale);
}
