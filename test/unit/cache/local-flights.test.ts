import { expect, test } from 'vitest';
import { LocalFlights, settledWithin } from '../../../src/cache/local-flights.js';

const never = (): Promise<number> => new Promise(() => undefined);
const MINUTE = 60_000;

function pending(): { readonly promise: Promise<number>; readonly resolve: (value: number) => void } {
  let resolve: (value: number) => void = () => undefined;
  const promise = new Promise<number>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

test('who asks meanwhile gets the same, and who asks afterwards begins anew', async () => {
  const flights = new LocalFlights<number>();
  let begun = 0;
  const begin = async (): Promise<number> => {
    begun += 1;
    await null;
    return begun;
  };
  const both = [flights.join('k', [], MINUTE, begin), flights.join('k', [], MINUTE, begin)];
  expect(await Promise.all(both)).toEqual([1, 1]);
  expect(await flights.join('k', [], MINUTE, begin)).toBe(2);
});

test('who asks for a value inside of its own making does not wait for themselves', async () => {
  const flights = new LocalFlights<string>();
  const begun: string[] = [];
  const join = (key: string, make: () => Promise<string>): Promise<string> =>
    flights.join(key, [], MINUTE, async () => {
      begun.push(key);
      await null;
      return await make();
    });
  const inner = (): Promise<string> => join('a', async () => 'inner');
  const outer = join('a', () => join('b', async () => `of ${await inner()}`));
  // Others do wait for it.
  const beside = join('a', async () => 'nobody asks for it');
  expect(await Promise.all([outer, beside])).toEqual(['of inner', 'of inner']);
  expect(begun).toEqual(['a', 'b', 'a']);
  expect(flights.all()).toEqual([]);
});

test.each(['one cache', 'two caches'])(
  'values of %s that ask for each other do not wait for ever',
  async (which) => {
    const flights = new LocalFlights<string>();
    const others = which === 'one cache' ? flights : new LocalFlights<string>();
    const begun: string[] = [];
    const make = async (name: string, ask: (() => Promise<string>) | undefined): Promise<string> => {
      begun.push(name);
      await null;
      return ask === undefined ? name : `${name} of ${await ask()}`;
    };
    const page = (ask?: () => Promise<string>) => flights.join('page', [], MINUTE, () => make('page', ask));
    const bar = (ask?: () => Promise<string>) => others.join('bar', [], MINUTE, () => make('bar', ask));
    const between = (ask?: () => Promise<string>) =>
      flights.join('between', [], MINUTE, () => make('between', ask));
    // Three requests that each wait for the next one; the last one closes the ring.
    const answers = await Promise.all([page(() => bar()), bar(() => between()), between(() => page())]);
    expect(answers).toEqual(['page of bar of between of page', 'bar of between of page', 'between of page']);
    expect(begun).toEqual(['page', 'bar', 'between', 'page']);
    expect([...flights.all(), ...others.all()]).toEqual([]);
  },
);

test('who asks with tags does not join what is got without them', async () => {
  const flights = new LocalFlights<number>();
  const plain = pending();
  const tagged = pending();
  const first = flights.join('k', [], MINUTE, () => plain.promise);
  const second = flights.join('k', ['t'], MINUTE, () => tagged.promise);
  const joined = [flights.join('k', [], MINUTE, never), flights.join('k', ['t'], MINUTE, never)];
  plain.resolve(1);
  tagged.resolve(2);
  expect(await Promise.all([first, second, ...joined])).toEqual([1, 2, 1, 2]);
  expect(flights.all()).toEqual([]);
  // Who asks with fewer tags gets what is got with more, until one of those is voided.
  void flights.join('k', ['t', 'u'], MINUTE, async () => 3);
  expect(await flights.join('k', ['t'], MINUTE, never)).toBe(3);
  void flights.join('k', ['t'], MINUTE, never);
  flights.deleteTag('t');
  expect(await flights.join('k', [], MINUTE, async () => 4)).toBe(4);
});

test('a flight that was begun before a change is not joined, and does not end the one after it', async () => {
  for (const change of ['delete', 'tag', 'clear'] as const) {
    const flights = new LocalFlights<number>();
    const { promise, resolve } = pending();
    const before = flights.join('k', ['t'], MINUTE, () => promise);
    if (change === 'delete') flights.delete('k');
    else if (change === 'tag') flights.deleteTag('t');
    else flights.clear();
    const { promise: next, resolve: settle } = pending();
    const after = flights.join('k', ['t'], MINUTE, () => next);
    resolve(1);
    expect(await before).toBe(1);
    const joined = flights.join('k', ['t'], MINUTE, never);
    settle(2);
    expect([await after, await joined]).toEqual([2, 2]);
  }
});

test('one that never ends holds nobody up for longer than the patience there is, nor the end of all', async () => {
  const flights = new LocalFlights<number>();
  void flights.join('k', [], 0, never);
  expect(await flights.join('k', [], 0, async () => 1)).toBe(1);
  void flights.join('k', [], MINUTE, never);
  await settledWithin(1, flights.all());
  await settledWithin(MINUTE, [Promise.reject(new Error('made nothing'))]);
});
