import { expect, test } from 'vitest';
import { Refreshes } from '../../../src/cache/refreshes.js';

const MINUTE = 60_000;
const never = (): Promise<void> => new Promise(() => undefined);
const nothing = (): void => undefined;

test('one is under way at a time for a key, and the next one begins when it is done', async () => {
  const refreshes = new Refreshes();
  const begun: number[] = [];
  const begin = (number: number): void =>
    refreshes.begin(
      'k',
      MINUTE,
      async () => {
        begun.push(number);
      },
      nothing,
    );
  begin(1);
  begin(2);
  await Promise.all(refreshes.all());
  begin(3);
  expect(begun).toEqual([1, 3]);
});

test('one that fails is told, and not tried again at once', async () => {
  const refreshes = new Refreshes();
  const told: unknown[] = [];
  let begun = 0;
  const begin = (): void =>
    refreshes.begin(
      'k',
      MINUTE,
      async () => {
        begun += 1;
        throw new Error('the database is down');
      },
      (error) => void told.push(error),
    );
  begin();
  await Promise.all(refreshes.all());
  begin();
  expect(begun).toBe(1);
  expect(told).toEqual([new Error('the database is down')]);
});

test('one that hangs keeps nobody from beginning again, and its end does not end the next one', async () => {
  const refreshes = new Refreshes();
  let end = nothing;
  let begun = 0;
  const first = (): Promise<void> =>
    new Promise((resolve) => {
      end = resolve;
    });
  const next = (): Promise<void> => {
    begun += 1;
    return never();
  };
  refreshes.begin('k', 0, first, nothing);
  const [hanging] = refreshes.all();
  refreshes.begin('k', MINUTE, next, nothing);
  expect(begun).toBe(1);
  end();
  await hanging;
  refreshes.begin('k', MINUTE, next, nothing);
  expect(begun).toBe(1);
  expect(refreshes.all()).toHaveLength(1);
});
