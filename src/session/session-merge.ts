/** Three-way merge of sessions, variable by variable (of what a framework keeps in one variable, entry by entry): what was loaded, what we made of it, and what is stored now. */

import { invalidOption } from '../common/option-reader.js';
import { equalVariables, variablesHeld } from '../php/equal-variables.js';
import { shareIdentities } from '../php/identity-sharing.js';
import { serialize } from '../php/serialize.js';
import type { SessionDocument, VariableChange } from '../php/session-document.js';
import { mergeBag } from './merge-bag.js';

/**
 * Two writers changed the same variable in different ways. Of Symfony's attributes (`_sf2_attributes`) and flash messages
 * (`_symfony_flashes`) and Laravel's `_flash` each entry is looked at alone, as if it were a variable.
 */
export interface VariableConflict {
  /** Name of the variable. */
  readonly name: string;
  /** Key of the entry that `base`, `theirs` and `ours` are about; undefined where they are about the whole variable. */
  readonly entry?: string;
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
 * @param untouched whether a variable is stored as it was loaded
 * @param theyHold whether what is stored now is what we want, so that there is nothing to decide
 */
export function mergeChanges(
  changes: ReadonlyMap<string, VariableChange>,
  bytesOfBase: (name: string) => Buffer | undefined,
  bytesOfTheirs: (name: string) => Buffer | undefined,
  decide: (conflict: VariableConflict) => ConflictDecision,
  untouched: (name: string) => boolean = (name) => same(bytesOfBase(name), bytesOfTheirs(name)),
  theyHold: (name: string) => boolean = () => false,
): MergeResult {
  const apply = new Map<string, VariableChange>();
  const conflicts: VariableConflict[] = [];
  for (const [name, ours] of changes) {
    if (untouched(name)) {
      apply.set(name, ours);
      continue;
    }
    if (ours.kind === 'delete' ? bytesOfTheirs(name) === undefined : theyHold(name)) continue;
    const conflict = conflictOver(name, ours, bytesOfBase, bytesOfTheirs);
    conflicts.push(conflict);
    if (readDecision(decide(conflict)) === 'ours') apply.set(name, ours);
  }
  return { apply, conflicts };
}

/** A promise, say, would otherwise pass for the one of the two that it is not. */
function readDecision(decision: ConflictDecision): ConflictDecision {
  if (decision === 'ours' || decision === 'theirs') return decision;
  throw invalidOption('sessions.onConflict', "a function that returns 'ours' or 'theirs' at once", decision);
}

/** What both sides had changed. */
export interface DecidedConflict {
  /** Name of the variable. */
  readonly variable: string;
  /** Key of its entry, where the entries of the variable are merged one by one. */
  readonly entry?: string;
  /** Whose change is stored. */
  readonly kept: ConflictDecision;
}

/** A session as it shall be stored. */
export interface MergedSession {
  /** Its bytes. */
  readonly bytes: Buffer;
  /** Which variables, or entries of one, both sides had changed, and whose change is in the bytes. */
  readonly decided: readonly DecidedConflict[];
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
  const equal = equalVariables(stored, base);
  shareIdentities(stored, base, equal);
  const held = variablesHeld(
    stored,
    [...changes].flatMap(([name, change]) =>
      change.kind === 'delete' || equal.has(name)
        ? []
        : [{ name, one: change.value, other: stored.get(name) }],
    ),
  );
  const bags = mergeBags(base, changes, stored, (name) => equal.has(name) || held.has(name), decide);
  const { apply, conflicts } = mergeChanges(
    new Map([...changes].filter(([name]) => !bags.apply.has(name))),
    (name) => base.bytesOf(name),
    (name) => stored.bytesOf(name),
    decide,
    (name) => equal.has(name) || (!base.has(name) && !stored.has(name)),
    (name) => held.has(name),
  );
  const decided = conflicts.map(
    ({ name }): DecidedConflict => ({ variable: name, kept: apply.has(name) ? 'ours' : 'theirs' }),
  );
  return {
    bytes: stored.encodeWith(new Map([...apply, ...bags.apply])),
    decided: [...decided, ...bags.decided],
  };
}

/** Merges what a framework keeps in one variable, where both sides changed it. */
function mergeBags(
  base: SessionDocument,
  changes: ReadonlyMap<string, VariableChange>,
  stored: SessionDocument,
  isSettled: (name: string) => boolean,
  decide: (conflict: VariableConflict) => ConflictDecision,
): { readonly apply: ReadonlyMap<string, VariableChange>; readonly decided: readonly DecidedConflict[] } {
  const apply = new Map<string, VariableChange>();
  const decided: DecidedConflict[] = [];
  for (const [name, change] of changes) {
    if (change.kind === 'delete' || isSettled(name)) continue;
    const states = { base: base.get(name), ours: change.value, theirs: stored.get(name) };
    const merged = mergeBag(name, states, stored.bytes.length, ({ entry, base, theirs, ours }) => {
      const conflict = conflictOver(
        name,
        ours,
        () => bytesOf(base),
        () => bytesOf(theirs),
        entry,
      );
      return readDecision(decide(conflict));
    });
    if (merged === undefined) continue;
    apply.set(name, { kind: 'set', value: merged.value });
    for (const { entry, kept } of merged.decided) decided.push({ variable: name, entry, kept });
  }
  return { apply, decided };
}

function bytesOf(value: unknown): Buffer | undefined {
  return value === undefined ? undefined : serialize(value);
}

/** Its bytes are encoded when they are asked for: that takes long where many variables share much, and is for nothing mostly. */
function conflictOver(
  name: string,
  ours: VariableChange,
  base: (name: string) => Buffer | undefined,
  theirs: (name: string) => Buffer | undefined,
  entry?: string,
): VariableConflict {
  return {
    name,
    ...(entry !== undefined && { entry }),
    ours,
    get base() {
      return base(name);
    },
    get theirs() {
      return theirs(name);
    },
  };
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.equals(b);
}
