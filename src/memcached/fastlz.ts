/** FastLZ, the compression that php-memcached uses unless it is told otherwise. */

const MAX_LITERALS = 32;
const MIN_MATCH = 3;
const MAX_MATCH = 264;
/** Matches reach so far back at level 1; level 2 adds a form for those that reach farther. */
const MAX_DISTANCE = 8_191;
const HASH_BITS = 13;

/**
 * The bytes that were compressed, of either level.
 *
 * @param length how many they are
 * @returns undefined when `data` is damaged, or does not hold `length` bytes
 */
export function decompressFastlz(data: Buffer, length: number): Buffer | undefined {
  if (data.length === 0) return length === 0 ? Buffer.alloc(0) : undefined;
  const level = (data[0] as number) >> 5;
  if (level > 1) return undefined;
  const out = Buffer.alloc(length);
  let at = 0;
  let end = 0;
  while (at < data.length) {
    const control = at === 0 ? (data[0] as number) & 31 : (data[at] as number);
    at += 1;
    if (control < 32) {
      const count = control + 1;
      if (at + count > data.length || end + count > length) return undefined;
      data.copy(out, end, at, at + count);
      at += count;
      end += count;
      continue;
    }
    let count = control >> 5;
    let distance = (control & 31) << 8;
    if (count === 7) {
      let more: number | undefined;
      do {
        more = data[at++];
        if (more === undefined) return undefined;
        count += more;
      } while (level === 1 && more === 255);
    }
    const low = data[at++];
    if (low === undefined) return undefined;
    if (level === 1 && low === 255 && distance === 31 << 8) {
      if (at + 2 > data.length) return undefined;
      distance = data.readUInt16BE(at) + MAX_DISTANCE;
      at += 2;
    } else distance += low;
    const copied = copyMatch(out, end, distance + 1, count + 2);
    if (!copied) return undefined;
    end += count + 2;
  }
  return end === length ? out : undefined;
}

/** `data` compressed at level 1, which every FastLZ reads. It may be longer than `data`. */
export function compressFastlz(data: Buffer): Buffer {
  const out = Buffer.allocUnsafe(data.length + Math.ceil(data.length / MAX_LITERALS) + 1);
  // Places plus one, so that 0 is none.
  const seen = new Int32Array(1 << HASH_BITS);
  let end = 0;
  let literalsFrom = 0;
  const literals = (to: number): void => {
    for (let from = literalsFrom; from < to; from += MAX_LITERALS) {
      const count = Math.min(MAX_LITERALS, to - from);
      out[end++] = count - 1;
      end += data.copy(out, end, from, from + count);
    }
  };
  let at = 0;
  while (at + MIN_MATCH < data.length) {
    const hash = hashOf(data, at);
    const candidate = (seen[hash] as number) - 1;
    seen[hash] = at + 1;
    const count =
      candidate >= 0 && at - candidate <= MAX_DISTANCE && at > 0 ? matchLength(data, candidate, at) : 0;
    if (count < MIN_MATCH) {
      at += 1;
      continue;
    }
    literals(at);
    end = writeMatch(out, end, at - candidate - 1, count);
    at += count;
    literalsFrom = at;
  }
  literals(data.length);
  return out.subarray(0, end);
}

function copyMatch(out: Buffer, end: number, distance: number, count: number): boolean {
  if (distance > end || end + count > out.length) return false;
  // A match may overlap what it makes: then its bytes repeat.
  if (distance >= count) out.copy(out, end, end - distance, end - distance + count);
  else for (let index = end; index < end + count; index += 1) out[index] = out[index - distance] as number;
  return true;
}

function writeMatch(out: Buffer, at: number, distance: number, count: number): number {
  let end = at;
  const length = count - 2;
  out[end++] = (Math.min(length, 7) << 5) | (distance >> 8);
  if (length >= 7) out[end++] = length - 7;
  out[end++] = distance & 255;
  return end;
}

function matchLength(data: Buffer, candidate: number, at: number): number {
  const limit = Math.min(MAX_MATCH, data.length - at);
  let count = 0;
  while (count < limit && data[candidate + count] === data[at + count]) count += 1;
  return count;
}

function hashOf(data: Buffer, at: number): number {
  const word = ((data[at] as number) << 16) | ((data[at + 1] as number) << 8) | (data[at + 2] as number);
  return Math.imul(word, 0x9e37_79b1) >>> (32 - HASH_BITS);
}
