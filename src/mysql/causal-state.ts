/** What the reads of a scope must see: the transactions that it wrote, as far as the servers told, and whether they told all. */
import type { NodeId } from '../common/node-address.js';
import {
  type GtidPosition,
  positionReached,
  readAnyGtidPosition,
  unitedPositions,
} from '../topology/gtid-position.js';

/** In an exported token: something was written of which no server told the GTID. */
const UNTOLD = '*';

/** Longer texts are no token of ours. */
const TOKEN_LENGTH_LIMIT = 65_536;

/**
 * With so many intervals of MySQL's GTIDs, which lie between those of other clients, a scope knows enough of them: later writes
 * count as untold, and the next position of the primary makes few intervals of all.
 */
const INTERVAL_LIMIT = 256;

/** What a token says. */
export interface CausalToken {
  /** The transactions; undefined when it names none. */
  readonly wanted: GtidPosition | undefined;
  /** Whether there is more that it does not name. */
  readonly untold: boolean;
}

/** Reads an exported token, which may come from outside; undefined when it is none. `''` is the token of who wrote nothing. */
export function readCausalToken(text: string): CausalToken | undefined {
  if (text.length > TOKEN_LENGTH_LIMIT) return undefined;
  const untold = text === UNTOLD || text.startsWith(`${UNTOLD},`);
  const rest = untold ? text.slice(2) : text;
  if (rest === '') return { wanted: undefined, untold };
  const wanted = readAnyGtidPosition(rest);
  return wanted === undefined ? undefined : { wanted, untold };
}

/** The token for `wanted` and, with `untold`, for more than that. One that nobody would read says only that there is something. */
export function causalTokenText(wanted: GtidPosition | undefined, untold: boolean): string {
  const text = wanted?.text ?? '';
  if (!untold && text.length <= TOKEN_LENGTH_LIMIT) return text;
  const both = `${UNTOLD},${text}`;
  return text === '' || both.length > TOKEN_LENGTH_LIMIT ? UNTOLD : both;
}

/** The causal state of one scope and the scopes within it. */
export class CausalState {
  #wanted: GtidPosition | undefined;
  #writing = 0;
  /** Counts what was written untold; compared before and after a position is read. */
  #untold = 0;
  #told = 0;
  /** The servers have no positions to read: only the primary is certain. */
  #isStuck = false;
  #wrote = false;
  /** The node that is known to have all that is wanted: it wrote it, or was asked. */
  #proven: { readonly node: NodeId; readonly wanted: GtidPosition | undefined } | undefined;
  /** What a read has waited for in vain. */
  #vain: GtidPosition | undefined;
  readonly #outer: CausalState | undefined;

  /** Begins with nothing; what is written is also told to `outer`, whose wishes hold here, too. */
  constructor(outer?: CausalState) {
    this.#outer = outer;
    if (outer === undefined) return;
    this.#wanted = outer.wanted;
    this.#proven = outer.#proven;
    if (outer.needsPrimary) this.#untold = 1;
  }

  /** The transactions that a node must have; undefined when there are none. */
  get wanted(): GtidPosition | undefined {
    return this.#wanted;
  }

  /** Whether reads must go to the primary: a write is under way, or its GTID is not known. */
  get needsPrimary(): boolean {
    return this.#writing > 0 || this.isUntold || this.#isStuck;
  }

  /** Whether something was written of which no server told the GTID, and a position would tell it. */
  get isUntold(): boolean {
    return this.#untold !== this.#told;
  }

  /** Whether the scope itself wrote. */
  get wrote(): boolean {
    return this.#wrote;
  }

  /** The state as a string: `''`, a list of GTIDs, or `*` with or without such a list. */
  get token(): string {
    return causalTokenText(this.#wanted, this.needsPrimary);
  }

  /** Wants what `token` says, too. */
  include(token: CausalToken): void {
    if (token.wanted !== undefined) this.#want(token.wanted);
    if (token.untold) this.#untold += 1;
  }

  /** A write begins; the returned function ends it. */
  beginWrite(): () => void {
    this.#wrote = true;
    this.#writing += 1;
    const endOuter = this.#outer?.beginWrite();
    return () => {
      this.#writing -= 1;
      endOuter?.();
    };
  }

  /** A server told the GTIDs of what was written, on `node`. */
  noteWritten(position: GtidPosition, node?: NodeId): void {
    this.#wrote = true;
    this.#outer?.noteWritten(position, node);
    if (isLong(this.#wanted)) {
      this.#untold += 1;
      return;
    }
    const isHere = node !== undefined && (this.#wanted === undefined || this.isProvenOn(node));
    this.#want(position);
    if (isHere) this.#proven = { node, wanted: this.#wanted };
  }

  /** Whether `node` is known to have all that is wanted. */
  isProvenOn(node: NodeId): boolean {
    return this.#proven?.node === node && this.#proven.wanted === this.#wanted;
  }

  /** `node` was asked and has `wanted`. */
  noteProven(node: NodeId, wanted: GtidPosition): void {
    this.#proven = { node, wanted };
    this.#outer?.noteProven(node, wanted);
  }

  /** Whether a read has already waited on a replica in vain for what is wanted now. */
  get hasWaited(): boolean {
    return this.#vain !== undefined && this.#vain === this.#wanted;
  }

  /** A read has waited in vain: the next ones need not. */
  noteVain(): void {
    this.#vain = this.#wanted;
    if (this.#outer?.wanted === this.#wanted) this.#outer?.noteVain();
  }

  /** Nobody has `wanted` and nobody will: what is left is `position`, that of the only primary. */
  giveUp(wanted: GtidPosition, position: GtidPosition | undefined): void {
    if (this.#wanted === wanted) this.#wanted = position;
    this.#outer?.giveUp(wanted, position);
  }

  /** Something was written, or may have been, and the server did not tell its GTID. */
  noteUntold(): void {
    this.#wrote = true;
    this.#untold += 1;
    this.#outer?.noteUntold();
  }

  /** To be called before a position is read from the primary; the returned function takes what was read. */
  beginPosition(): (position: GtidPosition | undefined) => void {
    const seen = this.#untold;
    const tellOuter = this.#outer?.beginPosition();
    return (position) => {
      tellOuter?.(position);
      if (position === undefined || position.text === '') {
        this.#isStuck = true;
        return;
      }
      this.#want(position);
      this.#told = Math.max(this.#told, seen);
    };
  }

  #want(position: GtidPosition): void {
    const before = this.#wanted;
    if (before === undefined) this.#wanted = position;
    else if (!positionReached(before, position)) {
      const both = unitedPositions(before, position);
      if (both === undefined) this.#isStuck = true;
      else this.#wanted = both;
    }
  }
}

/** Whether so many intervals are known that one more write would cost more than to ask the primary once. */
function isLong(position: GtidPosition | undefined): boolean {
  if (position?.flavor !== 'mysql') return false;
  let count = 0;
  for (const intervals of position.set.values()) count += intervals.length;
  return count >= INTERVAL_LIMIT;
}
