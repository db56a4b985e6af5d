/** FastLZ, the compression that php-memcached uses unless it is told otherwise. */

/** Matches reach so far back at level 1; level 2 adds a form for those that reach farther. */
const MAX_DISTANCE = 8_191;

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

function copyMatch(out: Buffer, end: number, distance: number, count: number): boolean {
  if (distance > end || end + count > out.length) return false;
  // A match may overlap what it makes: then its bytes repeat.
  if (distance >= count) out.copy(out, end, end - distance, end - distance + count);
  else for (let index = end; index < end + count; index += 1) out[index] = out[index - distance] as number;
  return true;
}
