/**
 * The usual way to read: with one packet to each holder, the first one is asked for items, and all for notes about them. As long as
 * the first one is healthy and filled, and no note speaks against its copy, its answer is the answer, a miss as well. That it is filled
 * still, by the same marker as before, it says behind its answer: what a node holds that started anew may have been copied from one that
 * missed writes.
 */
import type { Deadline } from '../../common/deadline.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import { type CopyKey, hintKey, tombKey } from './copy-key.js';
import { decodeHint, type Hint } from './copy-notes.js';
import type { CopyPlaces } from './copy-places.js';
import { meansMissed, meansUnreachable } from './copy-report.js';
import { fillMarkerKey } from './fill-marker.js';
import type { CopyLook } from './look-at-copies.js';
import type { NodeStandings } from './node-standings.js';

/** What reading needs. */
export interface FirstAnswersOptions {
  /** Which nodes are asked. */
  readonly places: CopyPlaces;
  /** Makes sure that the first node is still filled. */
  readonly look: CopyLook;
  /** How far nodes are to be trusted. */
  readonly standings: NodeStandings;
  /** How long one node may take, in milliseconds. */
  readonly operationTimeoutMs: number;
  /** Told of an item that others missed. */
  readonly onDiffering: (key: CopyKey) => void;
}

/** What is asked for. */
export interface AskedItem {
  /** The item. */
  readonly key: CopyKey;
  /** Another one on the same nodes. */
  readonly beside: CopyKey | undefined;
}

/** What the first node said. */
export interface FirstAnswer {
  /** The item; null when there is none. */
  readonly item: MemcachedItem | null;
  /** The node. */
  readonly node: MemcachedNode;
  /** The item beside it; null when there is none, or none was asked for. */
  readonly beside: MemcachedItem | null;
}

type Items = readonly (MemcachedItem | null)[];

/** Stands for notes that could not be asked for; where there are spare nodes, they may know. */
const UNANSWERED: unique symbol = Symbol('unanswered');

/** See the head of this file. */
export class FirstAnswers {
  readonly #options: FirstAnswersOptions;

  /** @param options the nodes and what is known of them */
  constructor(options: FirstAnswersOptions) {
    this.#options = options;
  }

  /**
   * Asks for items that have the same holders. Several are only asked for together where all holders are there.
   *
   * @returns an answer for each; undefined for one that has to be looked at on every copy
   */
  async ask(
    holders: readonly MemcachedNode[],
    asked: readonly AskedItem[],
    deadline: Deadline,
  ): Promise<readonly (FirstAnswer | undefined)[]> {
    const { places, look, standings, operationTimeoutMs } = this.#options;
    places.assertKept();
    const [first] = holders;
    const [only] = asked;
    if (first === undefined || only === undefined || !first.available) return [];
    if (standings.of(first.id) !== 'filled') return [];
    const others = holders.slice(1);
    const complete = others.every(({ available }) => available);
    // Whoever goes by the other list may have left notes where that one has the item.
    const usual = complete && places.other === undefined;
    if (!usual && asked.length > 1) return [];
    const spares = places.spares(only.key);
    // A holder that is away left its notes on the spare nodes.
    const more = complete ? places.joint(only.key) : [...places.joint(only.key), ...spares];
    const noting = usual ? others : [...others, ...more].filter(({ available }) => available);
    try {
      const call = deadline.callWithin(operationTimeoutMs);
      const alone = asked.length === 1;
      const { ring } = places;
      const before = standings.markerOf(first.id);
      const keys = alone ? keysOf(only) : asked.flatMap(keysOf);
      keys.push(fillMarkerKey(ring));
      const main = first.getMany(keys, call);
      const notes = alone ? notesOf(only) : asked.flatMap(notesOf);
      const [found, ...said] = await Promise.all([
        main,
        ...noting.map((node) => node.getMany(notes, call).catch(unanswered)),
      ]);
      // What it said was for another list than the one that decides now.
      if (ring !== places.ring) return [];
      if (!look.isStillFilled(first, found.at(-1) ?? null, before)) return [];
      const silenceCounts = spares.length > 0;
      return this.#judge(first, asked, found, complete, (place) =>
        said.some((items) => (items === UNANSWERED ? silenceCounts : this.#speak(items, place))),
      );
    } catch (error) {
      if (!meansUnreachable(error)) throw error;
      deadline.check('The session store');
      return [];
    }
  }

  #judge(
    first: MemcachedNode,
    asked: readonly AskedItem[],
    found: Items,
    complete: boolean,
    spokenAgainst: (place: number) => boolean,
  ): readonly (FirstAnswer | undefined)[] {
    let at = 0;
    return asked.map(({ key, beside }, place): FirstAnswer | undefined => {
      const [item = null, hint = null, tomb = null] = [found[at], found[at + 1], found[at + 2]];
      const other = beside === undefined ? null : (found[at + 3] ?? null);
      at += beside === undefined ? 3 : 4;
      if (tomb !== null || spokenAgainst(place)) return undefined;
      // Others missed what this one took: its answer stands, and they are to get it.
      if (hint !== null && complete && this.#isOwed(decodeHint(hint.value))) this.#options.onDiffering(key);
      return { item, node: first, beside: other };
    });
  }

  // What is no hint may be what is left of one that was taken back a moment ago.
  #speak(items: Items, place: number): boolean {
    const [hint, tomb] = [items[2 * place] ?? null, items[2 * place + 1] ?? null];
    if (tomb !== null) return true;
    if (hint === null) return false;
    const note = decodeHint(hint.value);
    return note === undefined || this.#isOwed(note);
  }

  // What only nodes missed that are out by now is owed to nobody.
  #isOwed(hint: Hint | undefined): boolean {
    const { places } = this.#options;
    if (hint === undefined || places.other !== undefined) return hint !== undefined;
    return [...hint.missed.keys()].some((id) => places.node(id) !== undefined);
  }
}

function keysOf({ key, beside }: AskedItem): string[] {
  const keys = [key.key, hintKey(key.key), tombKey(key.key)];
  if (beside !== undefined) keys.push(beside.key);
  return keys;
}

function notesOf({ key }: AskedItem): readonly string[] {
  return [hintKey(key.key), tombKey(key.key)];
}

function unanswered(error: unknown): typeof UNANSWERED {
  if (meansMissed(error)) return UNANSWERED;
  throw error;
}
