/** Writes the notes on the nodes that took a change: what others missed, who is suspect, what was destroyed. */
import { randomUUID } from 'node:crypto';
import type { CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { MemcachedNode } from '../memcached-node.js';
import { type CopyKey, hintKey, suspectKey, tombKey } from './copy-key.js';
import {
  decodeHint,
  encodeHint,
  encodeTomb,
  type Hint,
  type MissedWrites,
  SETTLED_HINT,
  type Tomb,
  withMissed,
  withoutNodes,
} from './copy-notes.js';
import type { ReachedCopy } from './decide-copies.js';
import type { NodeStandings } from './node-standings.js';
import { NoteLifetime } from './note-lifetime.js';

/** What notes need. */
export interface NoteOptions {
  /** Where suspicion is remembered. */
  readonly standings: NodeStandings;
  /** How long a note lives at least, in milliseconds; longer when items are seen to live longer. */
  readonly noteLifetimeMs: number;
  /** How long one node may take. */
  readonly operationTimeoutMs: number;
}

type SeenHint = ReachedCopy['hint'];

/** A hint that was left. */
export interface HintWritten {
  /** As it is there now. */
  readonly seen: SeenHint;
  /** Takes it back. */
  readonly takeBack: () => Promise<void>;
}

const MAX_RACES = 20;
/** How long a settled hint stays at least, and at most, in seconds. */
const SETTLED_SECONDS: readonly [least: number, most: number] = [10, 3_600];

/** See the head of this file. */
export class NoteWriter {
  readonly #options: NoteOptions;
  readonly #lifetime: NoteLifetime;

  /** @param options lifetimes and what is known of nodes */
  constructor(options: NoteOptions) {
    this.#options = options;
    this.#lifetime = new NoteLifetime(options.noteLifetimeMs);
  }

  /** When notes written now expire. */
  get exptime(): number {
    return this.#lifetime.exptime();
  }

  /** An item is stored, or touched, with this `exptime`: notes live longer than that. */
  outlive(exptime: number): void {
    this.#lifetime.outlive(exptime);
  }

  /**
   * Leaves a hint on `node` about what `missers` missed. It has to be there before the content that it is beside: without it
   * that content would be taken for one that lost.
   *
   * @param seen the hint as it was seen there
   * @returns the hint as it is there now, and how to take it back when what it speaks of did not happen
   */
  async hint(
    node: MemcachedNode,
    key: CopyKey,
    missers: readonly NodeId[],
    missed: MissedWrites,
    seen: SeenHint,
    deadline: Deadline,
  ): Promise<HintWritten> {
    const at = hintKey(key.key);
    const call = (): CallOptions => deadline.callWithin(this.#options.operationTimeoutMs);
    let known: { readonly note: Hint | undefined; readonly cas: bigint } | undefined = seen;
    for (let race = 0; race < MAX_RACES; race += 1) {
      let note = known?.note;
      for (const misser of missers) note = withMissed(note, key, misser, missed);
      if (note === undefined) return { seen, takeBack: async () => undefined };
      const bytes = encodeHint(note);
      const options = { exptime: this.exptime, ...call() };
      const stored =
        known === undefined
          ? await node.add(at, bytes, options)
          : await node.set(at, bytes, { ...options, cas: known.cas });
      if (stored.status === 'stored') {
        const { cas } = stored;
        const before = known;
        const takeBack = async (): Promise<void> => {
          if (before === undefined) await node.delete(at, { ...call(), cas });
          else await this.#replace(node, at, before.note, cas, deadline);
        };
        return { seen: { note, cas }, takeBack };
      }
      const item = await node.get(at, call());
      // What is no hint, whatever it is, must not keep one away.
      known = item === null ? undefined : { note: decodeHint(item.value), cas: item.cas };
    }
    throw new Error(`The hint on ${node.id} was changed by others again and again`);
  }

  /** Takes back what the hint on `node` says about nodes that hold the item now, unless the hint was changed since. */
  async retract(
    node: MemcachedNode,
    key: CopyKey,
    caughtUp: readonly NodeId[],
    seen: SeenHint,
    deadline: Deadline,
  ): Promise<void> {
    if (seen === undefined || !caughtUp.some((id) => seen.note.missed.has(id))) return;
    await this.#replace(node, hintKey(key.key), withoutNodes(seen.note, caughtUp), seen.cas, deadline);
  }

  async #replace(
    node: MemcachedNode,
    at: string,
    note: Hint | undefined,
    cas: bigint,
    deadline: Deadline,
  ): Promise<void> {
    const { operationTimeoutMs } = this.#options;
    const call = { ...deadline.callWithin(operationTimeoutMs), cas };
    if (note !== undefined) await node.set(at, encodeHint(note), { ...call, exptime: this.exptime });
    else await node.set(at, SETTLED_HINT, { ...call, exptime: settledSeconds(operationTimeoutMs) });
  }

  /**
   * Tells the other processes, through `node`, that writes missed `missers`. After the note that says which: who mends takes
   * this back only where it is the very one that was there before it looked for notes, or a note that came meanwhile is forgotten.
   */
  async suspect(node: MemcachedNode, missers: readonly NodeId[], deadline: Deadline): Promise<void> {
    const { standings, operationTimeoutMs } = this.#options;
    const mark = Buffer.from(randomUUID());
    const options = { ...deadline.callWithin(operationTimeoutMs), exptime: this.exptime };
    for (const misser of missers) standings.suspect(misser, node.id);
    await Promise.all(missers.map((misser) => node.set(suspectKey(misser), mark, options)));
  }

  /** Marks the item as destroyed on `node`, and then removes it there with its hint. In one packet, in this order. */
  async bury(node: MemcachedNode, tomb: Tomb, deadline: Deadline): Promise<'deleted' | 'not-found'> {
    const call = deadline.callWithin(this.#options.operationTimeoutMs);
    const [, , deleted] = await Promise.all([
      node.set(tombKey(tomb.key), encodeTomb(tomb), { ...call, exptime: this.exptime }),
      node.delete(hintKey(tomb.key), call),
      node.delete(tomb.key, call),
    ]);
    return deleted === 'deleted' ? 'deleted' : 'not-found';
  }
}

// Others may be more patient with a node than this process.
function settledSeconds(operationTimeoutMs: number): number {
  const [least, most] = SETTLED_SECONDS;
  return Math.min(most, Math.max(least, Math.ceil(operationTimeoutMs / 500)));
}
