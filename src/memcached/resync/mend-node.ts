/** Brings to a node the writes that it missed: walks the hints and tombstones that the other nodes took meanwhile. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { type CopyKey, HINT_PREFIX, TOMB_PREFIX } from '../copies/copy-key.js';
import { decodeHint, decodeTomb } from '../copies/copy-notes.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { TextConnection } from '../text-connection.js';
import type { ItemRate } from './item-rate.js';

/** What mending a node needs. */
export interface MendNodeOptions {
  /** The node that missed writes; undefined for whoever missed any. */
  readonly node: MemcachedNode | undefined;
  /** A node that took them. */
  readonly reporter: MemcachedNode;
  /** Opens a text connection. */
  readonly connect: (node: NodeId, signal: AbortSignal) => Promise<TextConnection>;
  /** Mends one item; rejects when that cannot be done now. */
  readonly mend: (key: CopyKey, call: CallOptions) => Promise<unknown>;
  /** Keeps to a speed. */
  readonly rate: ItemRate;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Items that are mended at once. */
const AT_ONCE = 64;

/** What was mended, and what could not be. */
export interface NodeMended {
  /** Items. */
  readonly mended: number;
  /** Why the first one that could not be mended could not. */
  readonly error: Error | undefined;
}

/** Mends what `reporter` noted about `node`. */
export async function mendNode(options: MendNodeOptions): Promise<NodeMended> {
  const { reporter, connect, signal } = options;
  const connection = await connect(reporter.id, signal);
  const running = new Set<Promise<void>>();
  let mended = 0;
  let error: Error | undefined;
  try {
    const begin = (key: string): void => {
      const work = mendNoted(options, key).then(
        (done) => {
          if (done) mended += 1;
        },
        (reason: unknown) => {
          error ??= reason instanceof Error ? reason : new Error(String(reason));
        },
      );
      running.add(work);
      void work.finally(() => running.delete(work));
    };
    const noted = connection.metadumpKeys({ prefixes: [HINT_PREFIX, TOMB_PREFIX], signal });
    for await (const keys of noted) {
      for (const key of keys) {
        if (signal.aborted) break;
        begin(key);
        if (running.size >= AT_ONCE) await Promise.race(running);
      }
      if (signal.aborted) break;
    }
  } finally {
    connection.destroy();
    await Promise.all(running);
  }
  signal.throwIfAborted();
  return { mended, error };
}

async function mendNoted(
  { node, reporter, mend, rate, signal }: MendNodeOptions,
  noteKey: string,
): Promise<boolean> {
  const call = { signal };
  const note = await reporter.get(noteKey, call);
  if (note === null) return false;
  if (noteKey.startsWith(HINT_PREFIX)) {
    const hint = decodeHint(note.value);
    if (hint === undefined || (node !== undefined && !hint.missed.has(node.id))) return false;
    await rate.wait(1, signal);
    await mend(hint, call);
    return true;
  }
  const tomb = decodeTomb(note.value);
  if (tomb === undefined || node === undefined || (await node.get(tomb.key, call)) === null) return false;
  await rate.wait(1, signal);
  await mend(tomb, call);
  return true;
}
