/** Hostile bytes cost time in proportion to their length, by the processor's clock, and leave no memory behind. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isStormlampError } from '../../src/common/stormlamp-error.js';
import { decodeSession, SessionDocument, unserialize, unserializeIgbinary } from '../../src/php/index.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const repeat = (count: number, part: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => part(index)).join('');
const text = (read: (bytes: Buffer) => unknown, make: (n: number) => string) => ({
  read,
  make: (n: number) => Buffer.from(make(n), 'latin1'),
});
const igbinaryHead = Buffer.from([0, 0, 0, 2]);

interface Family {
  read(bytes: Buffer): unknown;
  make(n: number): Buffer;
}

/** Inputs that grow with `n`, and what reads them. */
const FAMILIES: Readonly<Record<string, Family>> = {
  'a long list': text(unserialize, (n) => `a:${n}:{${repeat(n, (i) => `i:${i};i:${i};`)}}`),
  'a map whose keys fall': text(unserialize, (n) => `a:${n}:{${repeat(n, (i) => `i:${n - i};i:1;`)}}`),
  'names of prototypes': text(
    unserialize,
    (n) => `a:${n}:{${repeat(n, (i) => `s:9:"__proto__";a:1:{i:0;i:${i};}`)}}`,
  ),
  'references to one place': text(
    unserialize,
    (n) => `a:${n + 1}:{i:0;i:1;${repeat(n, (i) => `i:${i + 1};R:2;`)}}`,
  ),
  'handles of one object': text(
    unserialize,
    (n) => `a:${n + 1}:{i:0;O:1:"A":0:{}${repeat(n, (i) => `i:${i + 1};r:2;`)}}`,
  ),
  'objects in themselves': text(
    unserialize,
    (n) => `a:${n}:{${repeat(n, (i) => `i:${i};O:1:"A":1:{s:1:"a";r:${2 + i * 2};}`)}}`,
  ),
  'nesting to the limit, again and again': text(
    unserialize,
    (n) =>
      `a:${Math.ceil(n / 4000)}:{${repeat(Math.ceil(n / 4000), (i) => `i:${i};${'a:1:{i:0;'.repeat(4000)}N;${'}'.repeat(4000)}`)}}`,
  ),
  'nesting beyond the limit': text(unserialize, (n) => 'a:1:{i:0;'.repeat(n)),
  'a list that is cut': text(unserialize, (n) => `a:${n * 2}:{${repeat(n, (i) => `i:${i};i:1;`)}`),
  'counts that are too large, one after the other': text(
    unserialize,
    (n) => `a:${n}:{${repeat(n, (i) => `i:${i};a:999999999:{}`)}`,
  ),
  digits: text(unserialize, (n) => `i:${'9'.repeat(n * 8)};`),
  'a float of many digits': text(unserialize, (n) => `d:${'9'.repeat(n * 8)};`),
  'opaque objects': text(
    unserialize,
    (n) => `a:${n}:{${repeat(n, (i) => `i:${i};C:1:"A":11:{a:9999999:{}`)}`,
  ),
  'escaped strings': text(unserialize, (n) => `a:${n}:{${repeat(n, (i) => `i:${i};S:3:"\\61\\62\\63";`)}}`),
  'many variables': text(
    (bytes) => decodeSession(bytes, 'php'),
    (n) => repeat(n, (i) => `v${i}|i:1;`),
  ),
  'one variable again and again': text(
    (bytes) => decodeSession(bytes, 'php'),
    (n) => repeat(n, () => 'v|i:1;'),
  ),
  'a session without a bar': text(
    (bytes) => decodeSession(bytes, 'php'),
    (n) => 'x'.repeat(n * 8),
  ),
  'variables that hold each other, one changed': text(
    (bytes) =>
      SessionDocument.decode(bytes, 'php').encodeWith(new Map([['v1', { kind: 'set', value: [1, 2] }]])),
    (n) => `v0|O:1:"A":0:{}${repeat(n, (i) => `v${i + 1}|r:1;`)}`,
  ),
  'lists of igbinary': {
    read: unserializeIgbinary,
    make: (n) => {
      const head = Buffer.from([0x16, 0, 0, 0, 0]);
      head.writeUInt32BE(n, 1);
      const elements = Buffer.alloc(n * 7);
      for (let index = 0; index < n; index += 1) {
        elements[index * 7] = 0x0a;
        elements.writeUInt32BE(index, index * 7 + 1);
        elements[index * 7 + 5] = 0x06;
        elements[index * 7 + 6] = index & 255;
      }
      return Buffer.concat([igbinaryHead, head, elements]);
    },
  },
};

/** Processor time of reading, the least of some tries: what others do on the machine only adds to it. */
function cost(read: (bytes: Buffer) => unknown, bytes: Buffer): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round += 1) {
    const before = process.cpuUsage();
    attempt(read, bytes);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return least;
}

function attempt(read: (bytes: Buffer) => unknown, bytes: Buffer): void {
  try {
    read(bytes);
  } catch (error) {
    if (!isStormlampError(error)) throw error;
  }
}

/** Between an input and a larger one, how many times the time, and how many are too many. */
function growth({ read, make }: Family, from: number, to: number) {
  const [small, large] = [make(from), make(to)];
  attempt(read, small);
  const input = large.length / small.length;
  // A millisecond is the grain of the clock.
  const times = (cost(read, large) + 1_000) / (cost(read, small) + 1_000);
  // The garbage collector and the processor's caches cost their share, but not sixty-four times for eight times the input, as
  // quadratic work would.
  return { input, times, limit: input ** (5 / 3) };
}

const SIZES = [
  [50_000, 400_000],
  [400_000, 1_600_000],
] as const;

/** The first pair of sizes that shows linear time, or the last one: what is quadratic is so between all of them. */
function linearGrowth(family: Family) {
  const first = growth(family, ...SIZES[0]);
  // The collector has nothing to do until some size; where that lies between the two, it is a step and no slope.
  return first.times < first.limit ? first : growth(family, ...SIZES[1]);
}

test.each(Object.keys(FAMILIES))('time is linear: %s', (name) => {
  const family = FAMILIES[name];
  if (family === undefined) throw new Error(name);
  const { input, times, limit } = linearGrowth(family);
  console.log(`${name}: ${input.toFixed(1)} times the input, ${times.toFixed(1)} times the time`);
  expect(times).toBeLessThan(limit);
});

test('the check finds what is quadratic', () => {
  const read = (bytes: Buffer): void => {
    let found = 0;
    for (let at = 0; at < bytes.length; at += 64) found += bytes.indexOf(0xff, at) + bytes.lastIndexOf(0xff);
    if (found > 0) throw new Error('never');
  };
  const between = [
    growth({ read, make: (n) => Buffer.alloc(n * 2) }, ...SIZES[0]),
    growth({ read, make: (n) => Buffer.alloc(n / 2) }, ...SIZES[1]),
  ];
  for (const { times, limit } of between) expect(times).toBeGreaterThan(limit);
});

test('nothing stays in memory, refused or read', () => {
  const inputs = Object.values(FAMILIES).map(({ read, make }) => ({ read, bytes: make(2_000) }));
  const round = (): void => {
    for (const { read, bytes } of inputs) attempt(read, bytes);
  };
  const used = (): number => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  for (let warm = 0; warm < 20; warm += 1) round();
  const before = used();
  for (let index = 0; index < 200; index += 1) round();
  const grown = used() - before;
  console.log(`${((grown / 1024) | 0).toString()} KiB after ${200 * inputs.length} inputs`);
  expect(grown).toBeLessThan(2 * 1024 * 1024);
});
