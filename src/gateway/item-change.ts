/** What a command makes of an item, by memcached's rules: a pure function, so that the store may ask again when somebody was faster. */
import type { MemcachedItem } from '../memcached/memcached-node.js';
import type { ItemAnswer, ItemCommand } from './item-command.js';

/** The commands that change an item's content. */
export type ChangeCommand = ItemCommand & { readonly op: 'store' | 'count' };

/** What is to be done. */
export type ItemChange =
  /** Nothing: this is the answer. */
  | { readonly kind: 'refuse'; readonly answer: ItemAnswer }
  /** Store this, then answer. `exptime` is undefined when the item keeps its own. */
  | {
      readonly kind: 'store';
      readonly value: Buffer;
      readonly flags: number;
      readonly exptime: number | undefined;
      readonly answer: ItemAnswer;
    };

const UINT64 = 1n << 64n;
const NUMBER = /^[ \t\n\v\f\r]*\+?(\d{1,20})(?:[ \t\n\v\f\r]|$)/;

/**
 * Decides what `command` does to `item`.
 *
 * @param item what is stored; null for nothing
 * @param sameVersion whether `item` is the version that the command wants to meet; not looked at when it wants none
 */
export function changeItem(
  command: ChangeCommand,
  item: MemcachedItem | null,
  sameVersion: boolean,
): ItemChange {
  if (command.cas !== 0n && item !== null && !sameVersion) return refuse('exists');
  // A number that is to be made when it is absent is made, whatever version it was to have.
  if (command.cas !== 0n && item === null && command.op === 'store') return refuse('not-found');
  return command.op === 'count' ? count(command, item) : store(command, item);
}

/** Whether an item keeps the expiry that it has. */
export function keepsExpiry(command: ChangeCommand): boolean {
  return command.op === 'count' || command.how === 'append' || command.how === 'prepend';
}

/** Whether it may be done once only: two who count from the same number, or add the same value, store the same bytes. */
export function mustBeOnce(command: ChangeCommand): boolean {
  return keepsExpiry(command) || command.cas !== 0n || (command.op === 'store' && command.how === 'add');
}

function store(
  { how, value, flags, exptime }: ChangeCommand & { readonly op: 'store' },
  item: MemcachedItem | null,
): ItemChange {
  const answer: ItemAnswer = { status: 'stored', cas: 0n };
  switch (how) {
    case 'add':
      if (item !== null) return refuse('exists');
      break;
    case 'replace':
      if (item === null) return refuse('not-found');
      break;
    case 'append':
    case 'prepend': {
      if (item === null) return refuse('not-found');
      const parts = how === 'append' ? [item.value, value] : [value, item.value];
      return { kind: 'store', value: Buffer.concat(parts), flags: item.flags, exptime: undefined, answer };
    }
    default:
  }
  return { kind: 'store', value, flags, exptime, answer };
}

function count(
  { down, delta, create }: ChangeCommand & { readonly op: 'count' },
  item: MemcachedItem | null,
): ItemChange {
  if (item === null) {
    if (create === undefined) return refuse('not-found');
    const { initial, exptime } = create;
    const answer: ItemAnswer = { status: 'counted', value: initial, cas: 0n };
    return { kind: 'store', value: Buffer.from(String(initial)), flags: 0, exptime, answer };
  }
  const digits = item.value.length > 32 ? undefined : NUMBER.exec(item.value.toString('latin1'))?.[1];
  const before = digits === undefined ? undefined : BigInt(digits);
  if (before === undefined || before >= UINT64) return { kind: 'refuse', answer: { status: 'not-a-number' } };
  const value = down ? (before > delta ? before - delta : 0n) : (before + delta) % UINT64;
  // memcached writes a shorter number over the longer one, and fills up with blanks.
  const text = String(value).padEnd(item.value.length, ' ');
  return {
    kind: 'store',
    value: Buffer.from(text),
    flags: item.flags,
    exptime: undefined,
    answer: { status: 'counted', value, cas: 0n },
  };
}

function refuse(status: 'not-found' | 'exists'): ItemChange {
  return { kind: 'refuse', answer: { status } };
}
