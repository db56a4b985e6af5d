import { expect, test } from 'vitest';
import { mergeRivals } from '../../../src/session/merge-rivals.js';

const merge = (first: string, ...rivals: readonly string[]) => {
  const { bytes, decided } = mergeRivals(
    Buffer.from(first),
    rivals.map((rival) => Buffer.from(rival)),
    'php',
  );
  return [String(bytes), ...decided];
};

test('every variable of every copy is there, and of what differs that of the first is kept and told', () => {
  expect(merge('a|i:1;b|i:2;', 'a|i:1;b|i:3;c|i:4;', 'c|i:5;d|i:6;')).toEqual([
    'a|i:1;b|i:2;c|i:4;d|i:6;',
    'b',
    'c',
  ]);
  expect(merge('a|i:1;', 'a|i:')).toEqual(['a|i:1;']);
});

test('what a rival shares between variables is shared in the merged session, too', () => {
  const user = 'user|O:8:"stdClass":1:{s:1:"n";i:1;}';
  const cart = 'cart|a:1:{s:5:"owner";r:1;}';
  expect(merge(user, `${user}${cart}`)).toEqual([`${user}${cart}`]);
});
