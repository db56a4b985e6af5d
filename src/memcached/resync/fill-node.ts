/**
 * Copies to a node what it shall hold, from the nodes that hold it: dumps their keys, reads values with the life that they have
 * left, and adds them, so that what is written meanwhile is never overwritten.
 *
 * What is destroyed meanwhile must not come back: every added item is compared with the tombstones right after it was added, and
 * a second later with its source once more, because PHP removes the copies of a session one after the other. What was changed there
 * meanwhile and not here is copied anew: whoever changed it may have written to this node just before that lost everything.
 */
import { randomUUID } from 'node:crypto';
import { pause } from '../../common/backoff.js';
import type { NodeId } from '../../common/node-address.js';
import { allowManyListeners } from '../../common/shared-signal.js';
import { Waiters } from '../../common/waiters.js';
import { OWN_PREFIX, TOMB_PREFIX, tombKey } from '../copies/copy-key.js';
import { exptimeOfRemaining, serverClockOffsetMs } from '../exptime.js';
import {
  type Added,
  addItems,
  type ItemToAdd,
  itemsPresent,
  itemVersions,
  removeVersions,
} from '../meta-commands.js';
import type { TextConnection } from '../text-connection.js';
import { FillPace } from './fill-pace.js';
import type { ItemRate } from './item-rate.js';

/** What a fill needs. */
export interface FillOptions {
  /** The node that is filled. */
  readonly node: NodeId;
  /** The nodes that are copied from. */
  readonly sources: readonly NodeId[];
  /** The place of an item of ours, by its key; undefined for what is not copied: others' items, locks. */
  readonly placeOf: (key: string) => string | undefined;
  /** The nodes that the item at `place` may be copied from, the best first; none when it is not to be copied. */
  readonly sourcesOf: (place: string) => readonly NodeId[];
  /** How many of these are tried, one after the other. */
  readonly passes: number;
  /** Opens a text connection. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Keeps to a speed. */
  readonly rate: ItemRate;
  /** Whether keys are looked up before values are read: where a fill is taken up again most items are there. */
  readonly resumed: boolean;
  /** How long after it was added an item is compared with its source once more, in milliseconds. Default 1 100. */
  readonly lookAgainMs?: number;
  /** Whether nobody else can be at work on the node, nor be done with it. */
  readonly isHeld: () => boolean;
  /** Ends the fill. */
  readonly signal: AbortSignal;
  /** Told of every batch. */
  readonly onBatch: (copied: number, skipped: number) => void;
}

/** Items asked for at once, 200 kB of sessions of 2 kB: with 400 nothing was copied faster. */
const BATCH = 100;
/** Batches under way at once. */
const IN_FLIGHT = 3;
/** PHP removes a replica's copy after it let go of the lock. */
const LOOK_AGAIN_MS = 1_100;

interface Fresh {
  readonly key: string;
  /** Its version on the node. */
  readonly cas: bigint;
  /** The version on the source that it is a copy of. */
  readonly copied: bigint;
}

/** An item on the source: where it is gone, everything is, and nothing that is missing there was removed. */
const WITNESS_PREFIX = `${OWN_PREFIX}witness:`;
const WITNESS_SECONDS = 86_400;

/** Fills; rejects when any part of it failed. */
export async function fillNode(options: FillOptions): Promise<void> {
  // Tombstones first: they tell what must not be copied.
  for (const source of options.sources)
    await copyFrom(options, source, [TOMB_PREFIX], (key) => key.startsWith(TOMB_PREFIX));
  for (let pass = 0; pass < options.passes; pass += 1) {
    const resumed = options.resumed || pass > 0;
    for (const source of options.sources) {
      await copyFrom({ ...options, resumed }, source, undefined, (key) => {
        if (key.startsWith(OWN_PREFIX)) return false;
        const place = options.placeOf(key);
        return place !== undefined && options.sourcesOf(place)[pass] === source;
      });
    }
  }
}

async function copyFrom(
  options: FillOptions,
  source: NodeId,
  prefixes: readonly string[] | undefined,
  wanted: (key: string) => boolean,
): Promise<void> {
  const witness = WITNESS_PREFIX + randomUUID();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  allowManyListeners(signal);
  await plant(options, source, witness, signal);
  const lines: Batches = new Batches();
  const tombs = prefixes !== undefined;
  const pace = new FillPace(IN_FLIGHT);
  const workers = Array.from({ length: IN_FLIGHT }, () =>
    new BatchCopier({ ...options, source, witness, tombs, pace, signal }).run(lines),
  );
  const dump = dumpKeys(options, source, prefixes, wanted, lines, signal).finally(() => lines.end());
  try {
    await Promise.all([dump, ...workers]);
  } finally {
    stop.abort();
    lines.end();
    await Promise.allSettled([dump, ...workers]);
    await uproot(options, source, witness);
  }
}

async function dumpKeys(
  { connect }: FillOptions,
  source: NodeId,
  prefixes: readonly string[] | undefined,
  wanted: (key: string) => boolean,
  batches: Batches,
  signal: AbortSignal,
): Promise<void> {
  const connection = await connect(source, signal);
  try {
    let batch: string[] = [];
    const dump = connection.metadumpKeys({ signal, ...(prefixes === undefined ? {} : { prefixes }) });
    for await (const keys of dump) {
      for (const key of keys) {
        if (!wanted(key)) continue;
        batch.push(key);
        if (batch.length < BATCH) continue;
        await batches.put(batch);
        if (signal.aborted) return;
        batch = [];
      }
    }
    if (batch.length > 0) await batches.put(batch);
  } finally {
    connection.destroy();
  }
}

async function plant(
  { connect }: FillOptions,
  source: NodeId,
  witness: string,
  signal: AbortSignal,
): Promise<void> {
  const connection = await connect(source, signal);
  try {
    const item = { key: witness, value: Buffer.from('1'), flags: 0, exptime: WITNESS_SECONDS };
    await addItems(connection, [item], { signal });
  } finally {
    connection.destroy();
  }
}

// Or a copy that is begun again and again leaves a great many. Where it cannot be removed it expires.
async function uproot({ connect, signal }: FillOptions, source: NodeId, witness: string): Promise<void> {
  try {
    const connection = await connect(source, signal);
    try {
      const [cas] = await itemVersions(connection, [witness], { signal });
      if (cas !== null && cas !== undefined)
        await removeVersions(connection, [{ key: witness, cas }], { signal });
    } finally {
      connection.destroy();
    }
  } catch {
    return;
  }
}

interface CopierOptions extends FillOptions {
  readonly source: NodeId;
  readonly witness: string;
  /** Whether it is tombstones that are copied. */
  readonly tombs: boolean;
  /** Slows down while the nodes answer late. */
  readonly pace: FillPace;
}

/** Copies batches over connections of its own. */
class BatchCopier {
  readonly #options: CopierOptions;
  readonly #signal: AbortSignal;
  #clockAheadMs = 0;
  #added: { readonly at: number; readonly items: readonly Fresh[]; readonly anew: boolean }[] = [];

  constructor(options: CopierOptions) {
    this.#options = options;
    this.#signal = options.signal;
  }

  async run(batches: Batches): Promise<void> {
    const { connect, node, source } = this.#options;
    const from = await connect(source, this.#signal);
    try {
      const to = await connect(node, this.#signal);
      try {
        this.#clockAheadMs = serverClockOffsetMs(await to.stats({ signal: this.#signal })) ?? 0;
        for (let keys = await batches.take(); keys !== undefined; keys = await batches.take()) {
          await this.#inTurn(from, to, keys);
          await this.#lookAgain(from, to, false);
        }
        await this.#lookAgain(from, to, true);
      } finally {
        to.destroy();
      }
    } finally {
      from.destroy();
    }
  }

  async #inTurn(from: TextConnection, to: TextConnection, keys: readonly string[]): Promise<void> {
    const { rate, pace } = this.#options;
    await rate.wait(keys.length, this.#signal);
    await pace.run(() => this.#copy(from, to, keys), this.#signal);
  }

  async #copy(
    from: TextConnection,
    to: TextConnection,
    keys: readonly string[],
    anew = false,
  ): Promise<void> {
    const { resumed, onBatch } = this.#options;
    const call = { signal: this.#signal };
    let missing = keys;
    if (resumed) {
      const present = await itemsPresent(to, keys, call);
      missing = keys.filter((_key, index) => present[index] === false);
    }
    const found = await from.items(missing, call);
    const items = found.flatMap((item, index) => {
      const key = missing[index];
      if (item === null || key === undefined) return [];
      const exptime = exptimeOfRemaining(item.remainingSeconds, Date.now() + this.#clockAheadMs);
      return [{ key, value: item.value, flags: item.flags, exptime, copied: item.cas }];
    });
    // Who stood still has values of before: others may have filled the node since, believe it, and have destroyed what these bring back.
    if (!this.#options.isHeld()) throw new Error(`The lease of the work on ${to.id} may be over`);
    const answers = await addItems(to, items, call);
    const fresh = freshOf(items, answers);
    if (fresh.length > 0) {
      if (this.#options.tombs) await this.#takeBack(to, (await this.#compared(from, fresh)).gone);
      else await this.#unlessBuried(to, fresh);
      this.#added.push({ at: performance.now(), items: fresh, anew });
    }
    if (answers.includes('no-memory')) throw new Error(`${to.id} has no memory left for its items`);
    onBatch(fresh.length, keys.length - fresh.length);
  }

  // Whoever destroys an item while this node is warming leaves the tombstone before he removes the item.
  async #unlessBuried(to: TextConnection, fresh: readonly Fresh[]): Promise<void> {
    const tombs = fresh.map(({ key }) => tombKey(key));
    const buried = await itemsPresent(to, tombs, { signal: this.#signal });
    await removeVersions(
      to,
      fresh.filter((_item, index) => buried[index] === true),
      { signal: this.#signal },
    );
  }

  // What was removed from the source meanwhile must not be back: items that were destroyed, tombstones that were lifted. What was
  // changed there is old here.
  async #compared(
    from: TextConnection,
    fresh: readonly Fresh[],
  ): Promise<{ readonly gone: readonly Fresh[]; readonly changed: readonly Fresh[] }> {
    const { source, witness } = this.#options;
    const keys = [...fresh.map(({ key }) => key), witness];
    const versions = await itemVersions(from, keys, { signal: this.#signal });
    if (versions.at(-1) === null) throw new Error(`${source} lost its items while they were copied`);
    const now = (index: number): bigint | null | undefined => versions[index];
    return {
      gone: fresh.filter((_item, index) => now(index) === null),
      changed: fresh.filter(({ copied }, index) => now(index) !== null && now(index) !== copied),
    };
  }

  async #takeBack(to: TextConnection, items: readonly Fresh[]): Promise<readonly Fresh[]> {
    const removed = await removeVersions(to, items, { signal: this.#signal });
    return items.filter((_item, index) => removed[index] === true);
  }

  async #lookAgain(from: TextConnection, to: TextConnection, wait: boolean): Promise<void> {
    for (;;) {
      const [oldest] = this.#added;
      if (oldest === undefined) return;
      const waitMs = oldest.at + (this.#options.lookAgainMs ?? LOOK_AGAIN_MS) - performance.now();
      if (waitMs > 0) {
        if (!wait) return;
        await pause(waitMs, this.#signal);
        this.#signal.throwIfAborted();
      }
      this.#added.shift();
      const { gone, changed } = await this.#compared(from, oldest.items);
      await this.#takeBack(to, gone);
      // Once: who writes to the source alone, as PHP without replicas, goes on doing so.
      if (oldest.anew) continue;
      // Whoever changed it on this node, too, has changed its version here.
      const old = await this.#takeBack(to, changed);
      if (old.length === 0) continue;
      await this.#copy(
        from,
        to,
        old.map(({ key }) => key),
        true,
      );
    }
  }
}

function freshOf(
  items: readonly (ItemToAdd & Pick<Fresh, 'copied'>)[],
  answers: readonly Added[],
): readonly Fresh[] {
  return items.flatMap(({ key, copied }, index) => {
    const answer = answers[index];
    return typeof answer === 'object' ? [{ key, cas: answer.cas, copied }] : [];
  });
}

/** Hands batches from the dump to the workers; who reads the dump waits while there are enough of them. */
class Batches {
  readonly #ready: (readonly string[])[] = [];
  #ended = false;
  readonly #changes = new Waiters();

  async put(batch: readonly string[]): Promise<void> {
    while (!this.#ended && this.#ready.length >= IN_FLIGHT * 2) await this.#changes.wait();
    this.#ready.push(batch);
    this.#changes.wake();
  }

  async take(): Promise<readonly string[] | undefined> {
    while (this.#ready.length === 0) {
      if (this.#ended) return undefined;
      await this.#changes.wait();
    }
    const batch = this.#ready.shift();
    this.#changes.wake();
    return batch;
  }

  end(): void {
    this.#ended = true;
    this.#changes.wake();
  }
}
