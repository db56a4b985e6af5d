/** Brings all copies of one item to what counts, under the item's lock. */
import { pause } from '../../common/backoff.js';
import { type CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { sameContent } from '../copies/copy-hash.js';
import type { CopyKey } from '../copies/copy-key.js';
import { type CopyDecision, type CopySeen, isNewerThanTomb } from '../copies/decide-copies.js';
import type { ReplicatedCopies } from '../copies/replicated-copies.js';
import type { MemcachedItem } from '../memcached-node.js';

/** What mending needs of whoever knows what the items are. */
export interface MendOptions {
  /** The copies. */
  readonly copies: ReplicatedCopies;
  /** Runs `work` while nobody else changes the item. */
  readonly locked: <T>(key: CopyKey, deadline: Deadline, work: () => Promise<T>) => Promise<T>;
  /** Makes one value of an item and of contents that no rule decides about; what it cannot merge it leaves out. */
  readonly merge: (
    item: MemcachedItem,
    rivals: readonly MemcachedItem[],
  ) => Pick<MemcachedItem, 'value' | 'flags'>;
  /**
   * The expiry that `node` still gives the item, as memcached takes it; undefined when it is no longer there. Rejects when that cannot be
   * told: then the item is not mended now. With `ERR_UNSUPPORTED` where that node never will: then what the others tell counts.
   */
  readonly exptimeOn: (node: NodeId, key: CopyKey, call: CallOptions) => Promise<number | undefined>;
  /** How long after its first node got an item back the others are looked at again, in milliseconds. Default 1 000. */
  readonly lookAgainMs?: number;
  /** Limit of mending one item, in milliseconds. */
  readonly timeoutMs: number;
}

/** What mending one item did. */
export type Mended = 'mended' | 'alike' | 'absent';

/** PHP removes a replica's copy after it let go of the lock. */
const LOOK_AGAIN_MS = 1_000;
/** How often an item is looked at that ends, or begins, while it is mended. */
const LOOKS = 3;

/** See the head of this file. */
export class MendCopies {
  readonly #options: MendOptions;

  /** @param options the copies, their lock and their merge */
  constructor(options: MendOptions) {
    this.#options = options;
  }

  /**
   * Mends one item. When its first node got the item back, the others are looked at again a second later: a copy that PHP
   * was about to remove must not have come back by that.
   */
  async mend(key: CopyKey, call?: CallOptions): Promise<Mended> {
    const { locked, timeoutMs } = this.#options;
    const deadline = Deadline.of({ timeoutMs, ...call });
    const before = await locked(key, deadline, () => this.#bring(key, deadline));
    if (before === 'late') return await this.#decideLate(key, call);
    if (before === undefined) return 'absent';
    if (before.source === undefined) return before.changed ? 'mended' : 'alike';
    await this.#lookAgain(key, before.source, call);
    return 'mended';
  }

  /**
   * @returns the node that the first one was mended from, if it was; undefined when there is nothing to mend from; `'late'` when there
   * are copies of what was destroyed that came after the tombstones
   */
  async #bring(
    key: CopyKey,
    deadline: Deadline,
    looks = LOOKS,
  ): Promise<{ readonly changed: boolean; readonly source: NodeId | undefined } | 'late' | undefined> {
    const { copies, merge } = this.#options;
    const { decision, seen } = await copies.look(key, deadline);
    if (decision.kind === 'unknown') return undefined;
    const noted = seen.some((copy) => copy.reached && copy.hint !== undefined);
    // What a node that is away holds is unknown: it gets a note about what there is.
    const away = seen.some((copy) => !copy.reached && copy.role === 'holder');
    const isSettled =
      decision.kind === 'found' && decision.behind.length === 0 && decision.outlived.length === 0;
    if (isSettled && noted === away) return { changed: false, source: undefined };
    const exptime =
      decision.kind === 'found' ? await this.#longestLife(key, decision, seen, deadline) : undefined;
    let passed = decision.kind === 'found' && exptime === undefined;
    if (!passed)
      await copies.change(
        key,
        ({ item, rivals }) => {
          // Nobody has asked when it ends.
          passed = item !== null && exptime === undefined;
          if (item === null || exptime === undefined) return undefined;
          return { ...contentOf(rivals.length === 0 ? item : merge(item, rivals)), exptime };
        },
        deadline,
      );
    // What ended since it was looked at, or has begun since, is decided about anew.
    if (passed) return looks > 1 ? await this.#bring(key, deadline, looks - 1) : undefined;
    if (decision.kind === 'destroyed' && hasLate(seen)) return 'late';
    if (decision.kind !== 'found') return undefined;
    const [first] = copies.holders(key);
    const repaired = first !== undefined && decision.behind.includes(first.id);
    return { changed: true, source: repaired ? decision.node : undefined };
  }

  // What counts may be the copy that missed a touch: whoever has a note took one, and holds the same content for longer.
  async #longestLife(
    key: CopyKey,
    { node, item }: Extract<CopyDecision, { kind: 'found' }>,
    seen: readonly CopySeen[],
    deadline: Deadline,
  ): Promise<number | undefined> {
    const noted = seen.filter(
      (copy) => copy.reached && copy.hint !== undefined && copy.item !== null && sameContent(copy.item, item),
    );
    const call = deadline.callWithin(timeoutOf(deadline));
    const asked = new Set([node, ...noted.map((copy) => copy.node)]);
    const told = await Promise.allSettled([...asked].map((id) => this.#options.exptimeOn(id, key, call)));
    const ends = told.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []));
    // What did not answer now may hold it for longer, and would have that cut short.
    const untold = told.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown);
    const late = untold.filter((error) => !isStormlampError(error, ErrorCode.UNSUPPORTED));
    const [failure] = ends.length > 0 ? late : untold;
    if (failure !== undefined) throw failure;
    if (ends.length === 0) return undefined;
    return ends.includes(0) ? 0 : Math.max(...ends);
  }

  // PHP's copies come one after the other. Where they have not all come by now, it is an old one that was on its way.
  async #decideLate(key: CopyKey, call: CallOptions | undefined): Promise<Mended> {
    const { copies, locked, timeoutMs, lookAgainMs } = this.#options;
    await pause(lookAgainMs ?? LOOK_AGAIN_MS, call?.signal);
    const deadline = Deadline.of({ timeoutMs, ...call });
    await locked(key, deadline, async () => {
      const { decision, seen } = await copies.look(key, deadline);
      const isWhole = seen.every(({ reached, role }) => reached || role === 'spare');
      if (decision.kind === 'destroyed' && hasLate(seen) && isWhole) await copies.delete(key, deadline);
      else await this.#bring(key, deadline);
    });
    return 'mended';
  }

  async #lookAgain(key: CopyKey, source: NodeId, call: CallOptions | undefined): Promise<void> {
    const { copies, locked, timeoutMs, lookAgainMs } = this.#options;
    await pause(lookAgainMs ?? LOOK_AGAIN_MS, call?.signal);
    const deadline = Deadline.of({ timeoutMs, ...call });
    const { seen } = await copies.look(key, deadline);
    const from = seen.find(({ node }) => node === source);
    const first = seen.find(({ node }) => node === copies.holders(key)[0]?.id);
    // A source that was restarted meanwhile, or a spare one that is done, says nothing.
    const removed =
      from?.reached === true && from.role === 'holder' && from.standing === 'filled' && from.item === null;
    if (!removed || first?.reached !== true || first.item === null) return;
    await locked(key, deadline, async () => {
      await copies.delete(key, deadline);
    });
  }
}

function hasLate(seen: readonly CopySeen[]): boolean {
  return seen.some((copy) => copy.reached && isNewerThanTomb(copy));
}

function timeoutOf(deadline: Deadline): number {
  const leftMs = deadline.remainingMs();
  return Number.isFinite(leftMs) ? Math.max(1, leftMs / 2) : 1_000;
}

function contentOf({
  value,
  flags,
}: Pick<MemcachedItem, 'value' | 'flags'>): Pick<MemcachedItem, 'value' | 'flags'> {
  return { value, flags };
}
