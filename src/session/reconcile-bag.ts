/**
 * The entries of the one variable in which a framework keeps everything, as parts of a missed write: so that of two copies
 * that were both written what only one side changed is kept, entry by entry as a save keeps it.
 */
import { createHash } from 'node:crypto';
import type { MissedWrite } from '../files/missed-writes.js';
import { shareIdentitiesOf } from '../php/identity-sharing.js';
import type { PhpKey } from '../php/ordered-map.js';
import { PhpArray } from '../php/php-array.js';
import { serialize } from '../php/serialize.js';
import type { SessionDocument, VariableChange } from '../php/session-document.js';
import { arrayOf, inPlaceOf, isBag, nameOf } from './merge-bag.js';

/** Between the names of a variable and of its entry: half of a surrogate pair, which no name that was UTF-8 can hold. */
const WITHIN = '\ud800';

/** Longest list of entries, as text: records are small files. */
const MAX_ENTRIES_LENGTH = 2048;

/** So many times the session may the entries be that share objects with each other: all of them are encoded. */
const MAX_TIMES = 4;

/** Whose entry is taken, of one whose contents differ: its part, what it is in `here`, and what it was before; as hashes. */
export type ChooseEntry = (part: string, mine: string | null, before: string | null) => SessionDocument;

/** What stands for some contents in a missed write; null for none. */
export function hashOf(bytes: Buffer | undefined): string | null {
  return bytes === undefined ? null : createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
}

/** Whether a part is one of an entry. */
export function isEntry(part: string): boolean {
  return part.includes(WITHIN);
}

/**
 * The entries of the variable before and after a save, each with what stood for it before; one part that says that the
 * variable is to be taken as a whole, where it is no array or has more of them than a record takes. Nothing of other variables.
 */
export function entryParts(
  name: string,
  before: SessionDocument | undefined,
  after: SessionDocument,
): readonly (readonly [part: string, before: string | null])[] {
  if (!isBag(name)) return [];
  const whole = [[name + WITHIN + WITHIN, null]] as const;
  const [old, made] = [entriesOf(before, name), entriesOf(after, name)];
  if (old === undefined || made === undefined) return whole;
  const parts = Array.from(
    new Set([...made.keys(), ...old.keys()]),
    (id) => [name + WITHIN + id, old.get(id)?.hash ?? null] as const,
  );
  return JSON.stringify(parts).length > MAX_ENTRIES_LENGTH ? whole : parts;
}

/**
 * Makes one variable of two that were both changed, entry by entry; undefined where it has to be decided as a whole.
 *
 * @param onto the session that the value is made for, either `here` or `there`
 * @param choose is asked of every entry that a missed write changed, and that differs
 */
export function reconcileBag(
  name: string,
  missed: MissedWrite,
  { here, there, onto }: Readonly<Record<'here' | 'there' | 'onto', SessionDocument>>,
  choose: ChooseEntry,
): VariableChange | undefined {
  const own = `${name}${WITHIN}`;
  const recorded = [missed.parts, ...(missed.late ?? []).map(({ parts }) => parts)];
  if (!isBag(name) || recorded.some((parts) => parts !== undefined && Object.hasOwn(parts, own + WITHIN)))
    return undefined;
  const entries = Object.entries(missed.parts ?? {}).filter(([part]) => part.startsWith(own));
  const [mine, theirs] = [entriesOf(here, name), entriesOf(there, name)];
  if (mine === undefined || theirs === undefined) return undefined;
  const [base, source] = onto === here ? [mine, theirs] : [theirs, mine];
  // What the entries that are taken share with those that both hold.
  shareIdentitiesOf(
    [...base].flatMap(([id, { hash, value }]) =>
      source.get(id)?.hash === hash ? [source.get(id)?.value, value] : [],
    ),
  );
  const value = new PhpArray([...base.values()].map((entry) => [entry.key, entry.value]));
  for (const [part, before] of entries) {
    const id = part.slice(own.length);
    const hashes = { here: mine.get(id)?.hash ?? null, there: theirs.get(id)?.hash ?? null };
    // What is as it was before was changed by the other side alone.
    if (hashes.here === hashes.there || hashes.there === before) continue;
    if (choose(part, hashes.here, before) === onto) continue;
    const taken = source.get(id);
    if (taken !== undefined) value.set(taken.key, taken.value);
    else value.delete(base.get(id)?.key ?? id);
  }
  if (value.size === 0 && !(here.has(name) && there.has(name))) return { kind: 'delete' };
  return { kind: 'set', value: inPlaceOf(onto.get(name), value) };
}

interface Entry {
  readonly key: PhpKey;
  readonly value: unknown;
  readonly hash: string | null;
}

/** The entries by their names; undefined where the variable is no array, or takes too long. */
function entriesOf(
  session: SessionDocument | undefined,
  name: string,
): ReadonlyMap<string, Entry> | undefined {
  const array = arrayOf(session?.get(name));
  if (array === undefined) return undefined;
  const entries = new Map<string, Entry>();
  let left = MAX_TIMES * (session?.bytes.length ?? 0);
  for (const [key, value] of array) {
    const bytes = serialize(value);
    left -= bytes.length;
    if (left < 0) return undefined;
    entries.set(nameOf(key), { key, value, hash: hashOf(bytes) });
  }
  return entries;
}
