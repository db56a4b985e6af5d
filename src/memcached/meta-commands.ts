/** Many items at once over a text connection, by memcached's meta commands: add with a life, ask whether they are there, remove a version. */
import type { CallOptions } from '../common/deadline.js';
import { assertKey } from './memcached-key.js';
import type { TextConnection } from './text-connection.js';

/** An item to add. */
export interface ItemToAdd {
  /** Its key. */
  readonly key: string;
  /** Its value. */
  readonly value: Buffer;
  /** Its client flags. */
  readonly flags: number;
  /** As memcached takes it. */
  readonly exptime: number;
}

/** The version that was stored; undefined when the key was there already, or the server has no memory for it. */
export type Added = { readonly cas: bigint } | 'exists' | 'no-memory';

const LINE_END = Buffer.from('\r\n');

/** Adds items; what is there already stays. */
export async function addItems(
  connection: TextConnection,
  items: readonly ItemToAdd[],
  options?: CallOptions,
): Promise<readonly Added[]> {
  const parts: Buffer[] = [];
  for (const { key, value, flags, exptime } of items) {
    assertKey(key);
    parts.push(Buffer.from(`ms ${key} ${value.length} T${exptime} F${flags} ME c\r\n`), value, LINE_END);
  }
  return await connection.pipeline('adding items', Buffer.concat(parts), items.length, readAdded, options);
}

function readAdded(line: string): Added | undefined {
  if (line.startsWith('NS')) return 'exists';
  const match = /^HD c(\d{1,20})/.exec(line);
  if (match !== null) return { cas: BigInt(match[1] ?? '0') };
  // memcached reads over the value of an item that it cannot take, and goes on.
  return /^SERVER_ERROR (out of memory|object too large)/.test(line) ? 'no-memory' : undefined;
}

/** Which of `keys` are there. Not counted as a use of the items. */
export async function itemsPresent(
  connection: TextConnection,
  keys: readonly string[],
  options?: CallOptions,
): Promise<readonly boolean[]> {
  for (const key of keys) assertKey(key);
  const commands = keys.map((key) => `mg ${key}\r\n`).join('');
  return await connection.pipeline('looking for items', commands, keys.length, readPresent, options);
}

function readPresent(line: string): boolean | undefined {
  if (line.startsWith('HD')) return true;
  return line.startsWith('EN') ? false : undefined;
}

/** The versions of `keys`; null for what is not there. Not counted as a use of the items. */
export async function itemVersions(
  connection: TextConnection,
  keys: readonly string[],
  options?: CallOptions,
): Promise<readonly (bigint | null)[]> {
  for (const key of keys) assertKey(key);
  const commands = keys.map((key) => `mg ${key} c\r\n`).join('');
  return await connection.pipeline('asking for versions', commands, keys.length, readVersion, options);
}

function readVersion(line: string): bigint | null | undefined {
  const match = /^HD c(\d{1,20})/.exec(line);
  if (match !== null) return BigInt(match[1] ?? '0');
  return line.startsWith('EN') ? null : undefined;
}

/** Removes items, each only in the very version; which of them were removed. */
export async function removeVersions(
  connection: TextConnection,
  items: readonly { readonly key: string; readonly cas: bigint }[],
  options?: CallOptions,
): Promise<readonly boolean[]> {
  for (const { key } of items) assertKey(key);
  const commands = items.map(({ key, cas }) => `md ${key} C${cas}\r\n`).join('');
  return await connection.pipeline('removing items', commands, items.length, readRemoved, options);
}

function readRemoved(line: string): boolean | undefined {
  if (line.startsWith('HD')) return true;
  return /^(EX|NF|NS)/.test(line) ? false : undefined;
}
