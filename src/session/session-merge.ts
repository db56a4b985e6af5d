/** Three-way merge of sessions, variable by variable: what was loaded, what we made of it, and what is stored now. */

import { shareIdentities } from '../php/identity-sharing.js';
import type { SessionDocument, VariableChange } from '../php/session-document.js';

/** Two writers changed the same variable in different ways. */
export interface VariableConflict {
  /** Name of the variable. */
  readonly name: string;
  /** Its encoded bytes at load; undefined when it did not exist. */
  readonly base: Buffer | undefined;
  /** Its encoded bytes in the store now; undefined when it does not exist. */
  readonly theirs: Buffer | undefined;
  /** What this process wants. */
  readonly ours: VariableChange;
}

/** The outcome of a merge. */
export interface MergeResult {
  /** The changes to apply to what is stored now. */
  readonly apply: ReadonlyMap<string, VariableChange>;
  /** Variables that somebody else changed meanwhile, too. */
  readonly conflicts: readonly VariableConflict[];
}

/** Decides a conflict: `'ours'` keeps this process's change, `'theirs'` what is stored. */
export type ConflictDecision = 'ours' | 'theirs';

/**
 * Finds out which of our changes can be applied to what is stored now. A variable that only we changed takes our
 * change; one that both sides changed to something different is a conflict and is given to `decide`.
 *
 * @param bytesOfBase encoded bytes of a variable as it was loaded, undefined when absent
 * @param bytesOfTheirs encoded bytes of a variable as it is stored now, undefined when absent
 * @param theyHold whether what is stored now is what we want, so that there is nothing to decide
 */
export function mergeChanges(
  changes: ReadonlyMap<string, VariableChange>,
  bytesOfBase: (name: string) => Buffer | undefined,
  bytesOfTheirs: (name: string) => Buffer | undefined,
  decide: (conflict: VariableConflict) => ConflictDecision,
  theyHold: (name: string, value: unknown) => boolean = () => false,
): MergeResult {
  const apply = new Map<string, VariableChange>();
  const conflicts: VariableConflict[] = [];
  for (const [name, ours] of changes) {
    const base = bytesOfBase(name);
    const theirs = bytesOfTheirs(name);
    if (same(base, theirs)) {
      apply.set(name, ours);
      continue;
    }
    if (ours.kind === 'delete' ? theirs === undefined : theyHold(name, ours.value)) continue;
    const conflict: VariableConflict = { name, base, theirs, ours };
    conflicts.push(conflict);
    if (decide(conflict) === 'ours') apply.set(name, ours);
  }
  return { apply, conflicts };
}

/** A session as it shall be stored. */
export interface MergedSession {
  /** Its bytes. */
  readonly bytes: Buffer;
  /** Which variables both sides had changed, and whose change is in the bytes. */
  readonly decided: readonly { readonly variable: string; readonly kept: 'ours' | 'theirs' }[];
}

/**
 * The bytes to store: our `changes` to `base`, merged into what is `stored` now. When nothing is stored, the session is
 * recreated from what was loaded, with all its variables and not only the changed ones.
 */
export function mergeSession(
  base: SessionDocument,
  changes: ReadonlyMap<string, VariableChange>,
  stored: SessionDocument | undefined,
  decide: (conflict: VariableConflict) => ConflictDecision,
): MergedSession {
  // What is stored is what was loaded: by far the most saves.
  if (stored === undefined || stored.bytes.equals(base.bytes))
    return { bytes: base.encodeWith(changes), decided: [] };
  // Our values share objects and references with each other and with variables of `base` that were not changed.
  shareIdentities(stored, base);
  const { apply, conflicts } = mergeChanges(
    changes,
    (name) => base.bytesOf(name),
    (name) => stored.bytesOf(name),
    decide,
    (name, value) => stored.holds(name, value),
  );
  return {
    bytes: stored.encodeWith(apply),
    decided: conflicts.map(({ name }) => ({ variable: name, kept: apply.has(name) ? 'ours' : 'theirs' })),
  };
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.equals(b);
}
