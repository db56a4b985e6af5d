/** What is written into a shared file, piece by piece, and never waited for longer than its writer wants. */
import { Readable } from 'node:stream';
import type { Deadline } from '../common/deadline.js';
import { invalidOption } from '../common/option-reader.js';

/** What can be written: all at once, or piece by piece (a `Readable` is). */
export type SharedFileSource =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>;

/**
 * Refuses what is no source.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function checkSource(source: unknown): asserts source is SharedFileSource {
  if (typeof source === 'string' || source instanceof Uint8Array) return;
  if (
    typeof source === 'object' &&
    source !== null &&
    (typeof Reflect.get(source, Symbol.asyncIterator) === 'function' ||
      typeof Reflect.get(source, Symbol.iterator) === 'function')
  )
    return;
  throw invalidOption('source', EXPECTED, source);
}

/**
 * The bytes of a source. One that stays silent past the deadline is left to itself: nobody waits for its end.
 *
 * @param what names the work, in errors
 * @throws StormlampError `ERR_TIMEOUT`, `ERR_ABORTED`, `ERR_INVALID_OPTION` for a piece that is neither text nor bytes;
 * whatever the source throws.
 */
export async function* sourcePieces(
  source: SharedFileSource,
  deadline: Deadline,
  what: string,
): AsyncGenerator<Uint8Array> {
  if (typeof source === 'string' || source instanceof Uint8Array) {
    deadline.check(what);
    yield bytesOf(source);
    return;
  }
  if (!(Symbol.asyncIterator in source)) {
    for (const piece of source) {
      deadline.check(what);
      yield bytesOf(piece);
    }
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await deadline.race(what, askNext(iterator));
      ended = next.done === true;
      if (ended) return;
      deadline.check(what);
      yield bytesOf(next.value);
    }
  } finally {
    if (!ended) abandon(source, iterator);
  }
}

async function askNext(
  iterator: AsyncIterator<Uint8Array | string>,
): Promise<IteratorResult<Uint8Array | string>> {
  return iterator.next();
}

/** Tells a source that no more is wanted. One that still owes a piece may hear of it only when it has it. */
function abandon(source: object, iterator: AsyncIterator<unknown>): void {
  void (async () => iterator.return?.())().catch(() => undefined);
  // A stream's iterator is deaf while it waits; the stream is not.
  if (source instanceof Readable) source.destroy();
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw invalidOption('source', EXPECTED, piece);
}

const EXPECTED = 'a text, bytes (Uint8Array), or something that gives those piece by piece, like a Readable';
