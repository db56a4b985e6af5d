/**
 * What the primary said last of whether anything may be done automatically. When it is lost, the replicas that answer may have
 * executed neither a pause nor the row of the failover before: what it said holds until they have, or until its time is over.
 */
import type { NodeId } from '../../common/node-address.js';
import type { ToldRights } from '../meta/told-rights.js';

interface Heard {
  readonly node: NodeId;
  readonly at: number;
  readonly rights: ToldRights;
}

/** When a word is to be given. */
export interface WordTime {
  /** Now, monotonic milliseconds. */
  readonly now: number;
  /** Since when nothing takes writes; undefined while something does, or may. */
  readonly goneSince?: number | undefined;
}

/**
 * What was heard so long before the primary was lost is not its last word, milliseconds: a process that is elected hears it every
 * second, one that is not does not, and a pause may have been ended since.
 */
const FRESH_MS = 10_000;

/** Remembers it. */
export class LastWord {
  #heard: Heard | undefined;

  /** Whose word it is; undefined before any was heard. */
  get node(): NodeId | undefined {
    return this.#heard?.node;
  }

  /** What the primary says now; only the newest word of the newest primary is kept. */
  heard(node: NodeId, rights: ToldRights, at: number): void {
    this.#heard = { node, at, rights };
  }

  /**
   * What the lost primary has said and no node in `told` knows of; undefined when there is no such word, or when that was another
   * node than `from`. `from` null: whichever it was.
   */
  beyond(
    from: NodeId | null,
    told: readonly ToldRights[],
    { now, goneSince = now }: WordTime,
  ): ToldRights | undefined {
    const heard = this.#heard;
    if (heard === undefined || (from !== null && heard.node !== from)) return undefined;
    if (goneSince - heard.at > FRESH_MS) return undefined;
    const passedS = (now - heard.at) / 1_000;
    const known = new Set(told.flatMap((each) => each.known));
    const made = new Set(told.flatMap((each) => each.made.map(({ opId }) => opId)));
    return {
      pauses: heard.rights.pauses
        .map((each) => ({ ...each, leftS: each.leftS - passedS }))
        .filter(({ id, leftS }) => leftS > 0 && !known.has(id)),
      known: [],
      made: heard.rights.made
        .filter(({ opId }) => !made.has(opId))
        .map((each) => ({ ...each, ageS: Math.round(each.ageS + passedS) })),
    };
  }
}
