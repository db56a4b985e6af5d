/** Three-way merge inside the one variable in which a framework keeps everything. */

import { equalValues } from '../php/equal-variables.js';
import { shareIdentitiesOf } from '../php/identity-sharing.js';
import type { PhpKey } from '../php/ordered-map.js';
import { setOrigin } from '../php/origin.js';
import { PhpArray } from '../php/php-array.js';
import { PhpReference } from '../php/php-reference.js';
import { serialize } from '../php/serialize.js';
import type { VariableChange } from '../php/session-document.js';
import { innermost } from '../php/value-identity.js';

/** Attributes are merged like variables; the lists of messages, or of their names, by what each side put in and took out. */
const BAGS: ReadonlyMap<string, 'entries' | 'lists'> = new Map([
  ['_sf2_attributes', 'entries'],
  ['_symfony_flashes', 'lists'],
  // Laravel's names of what lasts for one page.
  ['_flash', 'lists'],
]);

/** A bag in three states; undefined where there was none. */
export interface BagStates {
  /** As it was loaded. */
  readonly base: unknown;
  /** As this process wants it. */
  readonly ours: unknown;
  /** As it is stored now. */
  readonly theirs: unknown;
}

/** An entry that both sides changed to something different. */
export interface EntryConflict {
  /** Its key. */
  readonly entry: string;
  /** Its value at load, undefined when it did not exist. */
  readonly base: unknown;
  /** Its value in the store now, undefined when it does not exist. */
  readonly theirs: unknown;
  /** What this process wants. */
  readonly ours: VariableChange;
}

/** Whether the variable of this name is one in which a framework keeps everything. */
export function isBag(name: string): boolean {
  return BAGS.has(name);
}

/** A merged bag. */
export interface MergedBag {
  /** The value of the variable. */
  readonly value: unknown;
  /** Which entries both sides had changed, and whose change is in the value. */
  readonly decided: readonly { readonly entry: string; readonly kept: 'ours' | 'theirs' }[];
}

/**
 * Merges the bag of this name; undefined where the variable is none, or holds something else than an array.
 *
 * @param size bytes of the session: more than a few times as many are not encoded to find out what is equal
 */
export function mergeBag(
  name: string,
  states: BagStates,
  size: number,
  decide: (conflict: EntryConflict) => 'ours' | 'theirs',
): MergedBag | undefined {
  const kind = BAGS.get(name);
  if (kind === undefined) return undefined;
  const [base, ours, theirs] = [arrayOf(states.base), arrayOf(states.ours), arrayOf(states.theirs)];
  if (base === undefined || ours === undefined || theirs === undefined) return undefined;
  const keys = new Map<string, PhpKey>();
  for (const key of [...theirs.keys(), ...base.keys(), ...ours.keys()]) keys.set(nameOf(key), key);
  const equal = (one: PhpArray, other: PhpArray): ReadonlySet<string> => equalEntries(keys, one, other, size);
  const unchanged = equal(base, ours);
  const untouched = equal(base, theirs);
  const agreed = equal(ours, theirs);
  shareIdentitiesOf(
    [...untouched].flatMap((id) => [base.get(keys.get(id) as PhpKey), theirs.get(keys.get(id) as PhpKey)]),
  );
  const value = new PhpArray(theirs);
  const decided: { entry: string; kept: 'ours' | 'theirs' }[] = [];
  for (const [id, key] of keys) {
    if (unchanged.has(id) || agreed.has(id)) continue;
    const change: VariableChange = ours.has(key) ? { kind: 'set', value: ours.get(key) } : { kind: 'delete' };
    if (!untouched.has(id)) {
      const entry = { base: base.get(key), theirs: theirs.get(key) };
      const list = kind === 'lists' ? mergeList({ ...entry, ours: ours.get(key) }) : undefined;
      if (list !== undefined) {
        if (list.length > 0 || theirs.has(key)) value.set(key, list);
        continue;
      }
      const kept = decide({ entry: String(key), ...entry, ours: change });
      decided.push({ entry: String(key), kept });
      if (kept === 'theirs') continue;
    }
    if (change.kind === 'set') value.set(key, change.value);
    else value.delete(key);
  }
  return { value: inPlaceOf(states.theirs, value), decided };
}

/** What `theirs` lost and got here, lost and got there, too. Whoever says the same thing twice is heard once. */
function mergeList(states: BagStates): unknown[] | undefined {
  const [base, ours, theirs] = [listOf(states.base), listOf(states.ours), listOf(states.theirs)];
  if (base === undefined || ours === undefined || theirs === undefined) return undefined;
  const removed = without(base, ours);
  const kept = without(theirs, removed);
  return [...kept, ...without(without(ours, base), without(theirs, base))].map(({ value }) => value);
}

interface Item {
  readonly text: string;
  readonly value: unknown;
}

/** The items of `one` that are left when each of `other` took one like it away. */
function without(one: readonly Item[], other: readonly Item[]): readonly Item[] {
  const counts = new Map<string, number>();
  for (const { text } of other) counts.set(text, (counts.get(text) ?? 0) + 1);
  return one.filter(({ text }) => {
    const count = counts.get(text) ?? 0;
    counts.set(text, count - 1);
    return count <= 0;
  });
}

function listOf(value: unknown): readonly Item[] | undefined {
  // An array of PHP has gaps where something was taken out.
  const items = arrayOf(value);
  if (items === undefined || [...items.keys()].some((key) => typeof key !== 'number')) return undefined;
  return Array.from(items.values(), (item) => ({ text: serialize(item).toString('latin1'), value: item }));
}

function equalEntries(
  keys: ReadonlyMap<string, PhpKey>,
  one: PhpArray,
  other: PhpArray,
  size: number,
): ReadonlySet<string> {
  const pairs = [...keys].flatMap(([name, key]) =>
    one.has(key) && other.has(key) ? [{ name, one: one.get(key), other: other.get(key) }] : [],
  );
  const missing = [...keys].flatMap(([name, key]) => (one.has(key) || other.has(key) ? [] : [name]));
  return new Set([...equalValues(pairs, size), ...missing]);
}

/** An array of PHP by its keys; undefined for what is none. */
export function arrayOf(value: unknown): PhpArray | undefined {
  const plain = value instanceof PhpReference ? innermost(value)?.value : value;
  if (plain === undefined) return new PhpArray();
  if (plain instanceof PhpArray) return plain;
  if (Array.isArray(plain)) return new PhpArray(plain.entries());
  if (typeof plain !== 'object' || plain === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(plain);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  return new PhpArray(Object.entries(plain).filter(([, item]) => item !== undefined));
}

/** A bag that PHP bound with & to its object stays bound. */
export function inPlaceOf(theirs: unknown, value: PhpArray): unknown {
  if (!(theirs instanceof PhpReference)) return value;
  const bound = new PhpReference(value);
  setOrigin(bound, innermost(theirs) ?? theirs);
  return bound;
}

/** A key as text, which no other key has. */
export function nameOf(key: PhpKey): string {
  return typeof key === 'object' ? `\0${key.toString('latin1')}` : String(key);
}
