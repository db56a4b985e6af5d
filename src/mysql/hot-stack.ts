/** Connections that were used a moment ago: the last one given back is the first one lent. */
import type { PoolSlot } from './pool-slot.js';

/** A stack of slots in the order in which they were given back. */
export class HotStack {
  readonly #slots: PoolSlot[] = [];
  readonly #restMs: number;

  /** `restMs` is the time after which a slot does not count as hot any more. */
  constructor(restMs: number) {
    this.#restMs = restMs;
  }

  /** Slots on the stack. */
  get size(): number {
    return this.#slots.length;
  }

  /** Puts a slot on top that is given back now. */
  push(slot: PoolSlot, now: number): void {
    slot.idleSince = now;
    this.#slots.push(slot);
  }

  /** Takes the top slot, unless even that one is not hot any more. */
  pop(now: number): PoolSlot | undefined {
    const top = this.#slots.at(-1);
    return top === undefined || this.#isRested(top, now) ? undefined : this.#slots.pop();
  }

  /** Takes out all slots that are not hot any more, the oldest first, except the newest `keep` of the stack. */
  takeRested(now: number, keep = 0): PoolSlot[] {
    const end = this.#slots.findIndex((slot) => !this.#isRested(slot, now));
    const rested = end < 0 ? this.#slots.length : end;
    return this.#slots.splice(0, Math.min(rested, Math.max(0, this.#slots.length - keep)));
  }

  /** Takes one slot out, wherever it is. */
  remove(slot: PoolSlot): void {
    const index = this.#slots.indexOf(slot);
    if (index >= 0) this.#slots.splice(index, 1);
  }

  #isRested(slot: PoolSlot, now: number): boolean {
    return now - slot.idleSince > this.#restMs;
  }
}
