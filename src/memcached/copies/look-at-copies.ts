/** Asks nodes for their copy of an item and for the notes about it. */
import type { Deadline } from '../../common/deadline.js';
import type { StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedItem, MemcachedNode } from '../memcached-node.js';
import { type CopyKey, hintKey, tombKey } from './copy-key.js';
import { decodeHint, decodeTomb } from './copy-notes.js';
import type { CopyPlaces } from './copy-places.js';
import {
  type Acks,
  isAcknowledged,
  type MissedCopy,
  meansUnreachable,
  storeDown,
  storeUnsure,
} from './copy-report.js';
import type { CopySeen, ReachedCopy } from './decide-copies.js';
import { fillMarkerKey } from './fill-marker.js';
import type { NodeStanding, NodeStandings } from './node-standings.js';

/** What a look needs. */
export interface LookOptions {
  /** Which nodes are asked. */
  readonly places: CopyPlaces;
  /** How far they are to be trusted. */
  readonly standings: NodeStandings;
  /** How long one node may take, so that a silent one leaves time to ask the next. */
  readonly operationTimeoutMs: number;
  /** After how long a silence a node is given up, in milliseconds. */
  readonly giveUpMs: number;
}

/** See the head of this file. */
export class CopyLook {
  readonly #options: LookOptions;

  /** @param options the nodes and what is known of them */
  constructor(options: LookOptions) {
    this.#options = options;
  }

  /**
   * What every holder says. Where one of them does not answer, is warming or missed writes, the spare nodes are asked, too:
   * they took what it should have taken. In placement order, holders first. Rejects only by the deadline.
   *
   * Where another process may go by the next list of nodes already, the node that decides there comes first if it holds the item: so
   * two of which each thinks another node decides notice each other there, and carry on from the same copy.
   */
  async all(key: CopyKey, deadline: Deadline): Promise<readonly CopySeen[]> {
    const { places } = this.#options;
    places.assertKept();
    const next = places.successor(key);
    const ask = (role: CopySeen['role']) => (node: MemcachedNode) =>
      this.#one(node, key, deadline, role, node === next?.node ? next.ring : undefined);
    const [holders, joint] = await Promise.all([
      Promise.all(places.holders(key).map(ask('holder'))),
      Promise.all(places.joint(key).map(ask('joint'))),
    ]);
    const complete = holders.every((copy) => copy.reached && copy.standing === 'filled');
    const spares = complete ? [] : places.spares(key);
    const seen = await Promise.all(spares.map(ask('spare')));
    deadline.check('The session store');
    return leaderFirst([...holders, ...joint, ...seen]);
  }

  /** Whether the marker that a node just showed is the one that it had `before`, so that it was filled all the time. */
  isStillFilled({ id }: MemcachedNode, marker: MemcachedItem | null, before: string | undefined): boolean {
    const text = marker?.value.toString('latin1');
    this.#options.standings.learnMarker(id, text);
    return text !== undefined && text === before;
  }

  async #one(
    node: MemcachedNode,
    key: CopyKey,
    deadline: Deadline,
    role: CopySeen['role'],
    nextRing: string | undefined,
  ): Promise<CopySeen> {
    try {
      const call = deadline.callWithin(this.#options.operationTimeoutMs);
      const { places, standings } = this.#options;
      const before = standings.markerOf(node.id);
      // The item first: who writes leaves his notes before he touches it. The marker last: it makes sure of a miss.
      const asked = [key.key, hintKey(key.key), tombKey(key.key), fillMarkerKey(places.ring)];
      if (nextRing !== undefined) asked.push(fillMarkerKey(nextRing));
      const [item = null, hint = null, tomb = null, marker = null, next = null] = await node.getMany(
        asked,
        call,
      );
      // What a node does not hold that does not decide says nothing.
      const standing = role !== 'holder' ? 'warming' : this.#standing(node, marker, before);
      const notes = { hint: seenHint(hint), tomb: seenTomb(tomb) };
      const seen = { node: node.id, role, reached: true, standing, item, ...notes } as const;
      const isSuspect = standings.of(node.id) === 'suspect';
      // That marker is there before anybody decides by its list: who sees what was written by that list sees it, too.
      return next === null || item === null
        ? seen
        : { ...seen, role: 'holder', standing: isSuspect ? 'suspect' : 'filled', leads: true };
    } catch (error) {
      if (!meansUnreachable(error)) throw error;
      deadline.check('The session store');
      const { standings, giveUpMs } = this.#options;
      const givenUp = standings.silentMs(node.id, performance.now()) >= giveUpMs;
      return { node: node.id, role, reached: false, error, givenUp };
    }
  }

  #standing(node: MemcachedNode, marker: MemcachedItem | null, before: string | undefined): NodeStanding {
    const { standings } = this.#options;
    const standing = standings.of(node.id);
    // What a node holds that started anew since may have been copied from one that missed writes.
    if (standing === 'warming') return standing;
    return this.isStillFilled(node, marker, before) ? standings.of(node.id) : 'warming';
  }
}

function leaderFirst(seen: readonly CopySeen[]): readonly CopySeen[] {
  const leader = seen.find((copy) => copy.reached && copy.leads === true);
  return leader === undefined ? seen : [leader, ...seen.filter((copy) => copy !== leader)];
}

function seenHint(item: MemcachedItem | null): ReachedCopy['hint'] {
  const note = item === null ? undefined : decodeHint(item.value);
  return note === undefined || item === null ? undefined : { note, cas: item.cas };
}

function seenTomb(item: MemcachedItem | null): ReachedCopy['tomb'] {
  const note = item === null ? undefined : decodeTomb(item.value);
  return note === undefined || item === null ? undefined : { note, cas: item.cas };
}

/** The holders that did not answer. */
export function failuresOf(seen: readonly CopySeen[]): MissedCopy[] {
  return seen.flatMap((copy) =>
    copy.reached || copy.role === 'spare' ? [] : [{ node: copy.node, error: copy.error }],
  );
}

/** The error where nobody knows whether there is the item. */
export function unsureOf(seen: readonly CopySeen[]): StormlampError {
  const answered = seen.flatMap(({ node, reached, role }) => (reached && role === 'holder' ? [node] : []));
  return storeUnsure(failuresOf(seen), answered);
}

/**
 * Looks whether a change can be made, by what was seen before it is begun.
 *
 * @throws StormlampError `ERR_STORE_DOWN` when fewer nodes than `acks` asks for can take it; `ERR_SESSION_TOO_LARGE` when one of them takes
 * no such value: some would have it, and others still the old one.
 */
export function assertTakable(
  places: CopyPlaces,
  key: CopyKey,
  value: Buffer,
  seen: readonly CopySeen[],
  acks: Acks,
): void {
  const able = seen.flatMap(({ node, reached }) => (reached ? [node] : []));
  if (!isAcknowledged(acks, places.listed(key, able).length, places.copies))
    throw storeDown(
      failuresOf(seen),
      'Fewer nodes than `acks` asks for can take the change: nothing was changed',
    );
  for (const node of able) places.node(node)?.assertFits(key.key, value);
}
