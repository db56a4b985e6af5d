/** The files that a pattern of the shell's kind names (`*`, `?`, `[…]`), as `include` of PHP-FPM takes them. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Of a pattern that leads to more files the rest is left out. */
const MOST = 1_000;

/** Existing paths or, of a pattern without `*`, `?` and `[`, the path itself, in the order of names. Never rejects. */
export async function matchingFiles(pattern: string): Promise<readonly string[]> {
  let found: readonly string[] = ['/'];
  for (const part of pattern.split('/').filter((each) => each !== '')) {
    if (!/[*?[]/.test(part)) found = found.map((folder) => join(folder, part));
    else {
      const matching = await Promise.all(found.map((folder) => namesIn(folder, part)));
      found = matching.flat().slice(0, MOST);
    }
  }
  return found;
}

async function namesIn(folder: string, pattern: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => matches(pattern, name))
    .sort()
    .slice(0, MOST)
    .map((name) => join(folder, name));
}

/** Whether `name` is what `pattern` says: in time that grows with the product of their lengths at most. */
export function matches(pattern: string, name: string): boolean {
  // As the shell does, of files that are hidden only those that are meant.
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const parts = pattern.match(/\[!?\]?[^\]]*\]|[\s\S]/gu) ?? [];
  const letters = [...name];
  let [part, letter] = [0, 0];
  /** Where to go on when the rest does not fit: the last `*`, and what it took so far. */
  let [star, taken] = [-1, 0];
  while (letter < letters.length) {
    const wanted = parts[part];
    if (wanted === '*') {
      star = part;
      taken = letter;
      part += 1;
    } else if (wanted !== undefined && isOne(wanted, letters[letter] ?? '')) {
      part += 1;
      letter += 1;
    } else if (star < 0) return false;
    else {
      part = star + 1;
      taken += 1;
      letter = taken;
    }
  }
  return parts.slice(part).every((rest) => rest === '*');
}

function isOne(wanted: string, letter: string): boolean {
  if (wanted.length < 3 || !wanted.startsWith('[')) return wanted === '?' || wanted === letter;
  const isNot = wanted[1] === '!' || wanted[1] === '^';
  const set = wanted.slice(isNot ? 2 : 1, -1);
  const ranges = set.match(/[\s\S]-[\s\S]|[\s\S]/gu) ?? [];
  const isIn = ranges.some((range) =>
    range.length === 1 ? range === letter : letter >= (range[0] ?? '') && letter <= (range[2] ?? ''),
  );
  return isIn !== isNot;
}
