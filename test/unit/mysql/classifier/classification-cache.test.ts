import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClassificationCache } from '../../../../src/mysql/classifier/classification-cache.js';
import { classify } from '../../../../src/mysql/classifier/statement-classifier.js';
import { StatementScanner } from '../../../../src/mysql/classifier/statement-scan.js';

/** Counts the texts that are really read. */
function countReads(): () => number {
  const next = vi.spyOn(StatementScanner.prototype, 'next');
  let before = 0;
  return () => {
    // A text of one statement is asked for a statement twice.
    const reads = (next.mock.calls.length - before) / 2;
    before = next.mock.calls.length;
    return reads;
  };
}

afterEach(() => {
  vi.restoreAllMocks();
});

test('the same text is read once and answered with the same object', () => {
  const cache = new ClassificationCache();
  const reads = countReads();
  const first = cache.classify('select 1 from t');
  expect(cache.classify(['select 1', 'from t'].join(' '))).toBe(first);
  expect(reads()).toBe(1);
  expect(first).toEqual(classify('select 1 from t'));
});

test('the options of the cache are those of its answers', () => {
  const cache = new ClassificationCache({ flavor: 'mysql', functions: { readOnly: ['total'] } });
  expect(cache.classify('select total(regexp_like(a, b)) from t').route).toBe('replica');
  expect(new ClassificationCache().classify('select total(1)').route).toBe('primary');
});

test('it never holds more than its bound', () => {
  const cache = new ClassificationCache({}, { maxEntries: 10 });
  for (let i = 0; i < 1000; i += 1) {
    cache.classify(`select ${i}`);
    expect(cache.size).toBeLessThanOrEqual(10);
  }
  expect(cache.size).toBe(10);
});

test('texts that come all the time survive a flood of texts that come once', () => {
  const cache = new ClassificationCache({}, { maxEntries: 8 });
  const hot = ['select a from t', 'select b from t', 'select c from t'];
  for (const sql of hot) {
    cache.classify(sql);
    cache.classify(sql);
  }
  const reads = countReads();
  for (let i = 0; i < 500; i += 1) {
    cache.classify(`select ${i}`);
    for (const sql of hot) cache.classify(sql);
  }
  expect(reads()).toBe(500);
});

test('an entry that nobody asks for any more gives way', () => {
  const cache = new ClassificationCache({}, { maxEntries: 4 });
  cache.classify('select old from t');
  cache.classify('select old from t');
  for (let i = 0; i < 50; i += 1) cache.classify(`select ${i}`);
  const reads = countReads();
  cache.classify('select old from t');
  expect(reads()).toBe(1);
});

test('long texts are answered and not kept', () => {
  const cache = new ClassificationCache({}, { maxTextLength: 100 });
  const long = `select ${'1 + '.repeat(100)}1`;
  expect(cache.classify(long).route).toBe('replica');
  expect(cache.size).toBe(0);
  cache.classify(`select ${'1'.repeat(93)}`);
  expect(cache.size).toBe(1);
});

test('a cache of no entries only classifies', () => {
  const cache = new ClassificationCache({}, { maxEntries: 0 });
  expect(cache.classify('select 1').route).toBe('replica');
  expect(cache.size).toBe(0);
});

test('clearing forgets everything and filling starts over', () => {
  const cache = new ClassificationCache({}, { maxEntries: 3 });
  for (let i = 0; i < 5; i += 1) cache.classify(`select ${i}`);
  cache.clear();
  expect(cache.size).toBe(0);
  const reads = countReads();
  cache.classify('select 4');
  cache.classify('select 4');
  expect(reads()).toBe(1);
  expect(cache.size).toBe(1);
});

test('texts with a lone surrogate are told apart', () => {
  const cache = new ClassificationCache();
  const reads = countReads();
  cache.classify("select '\ud800'");
  cache.classify("select '\ud801'");
  cache.classify("select '\ud800'");
  cache.classify("select '\ufffd'");
  expect(reads()).toBe(3);
});

describe('impossible bounds are refused', () => {
  test.each([
    [{ maxEntries: -1 }, /maxEntries/],
    [{ maxEntries: 1.5 }, /maxEntries/],
    [{ maxTextLength: Number.NaN }, /maxTextLength/],
    [{ maxEntrys: 5 }, /did you mean `maxEntries`/],
  ])('%j', (options, message) => {
    expect(() => new ClassificationCache({}, options as { maxEntries?: number })).toThrow(message);
  });
});
