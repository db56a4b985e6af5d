import { expect, test } from 'vitest';
import { SafeEmitter } from '../../../src/common/safe-emitter.js';

interface Events {
  'thing-happened': { readonly n: number };
}

test('a listener that throws or rejects harms neither the emitter nor the next listener', async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  const emitter = new SafeEmitter<Events>();
  const seen: number[] = [];
  emitter.on('thing-happened', () => {
    throw new Error('broken listener');
  });
  emitter.on('thing-happened', async () => {
    throw new Error('rejecting listener');
  });
  emitter.once('thing-happened', ({ n }) => void seen.push(n));
  expect(emitter.publish('thing-happened', { n: 1 })).toBe(true);
  emitter.publish('thing-happened', { n: 2 });
  expect(seen).toEqual([1]);
  await expect.poll(() => warnings.filter((text) => text.includes('thing-happened')).length).toBe(4);
  process.off('warning', onWarning);
});

test('publishing without listeners tells so', () => {
  expect(new SafeEmitter<Events>().publish('thing-happened', { n: 1 })).toBe(false);
});

class Starting extends SafeEmitter<Events> {
  happened(n: number): void {
    this.publishOrKeep('thing-happened', { n });
  }
}

test('what happens before anybody listens is told to whoever is the first, the last things of it', async () => {
  const emitter = new Starting();
  for (let n = 1; n <= 100; n += 1) emitter.happened(n);
  const seen: number[] = [];
  const other: number[] = [];
  emitter.on('thing-happened', ({ n }) => void seen.push(n));
  emitter.on('thing-happened', ({ n }) => void other.push(n));
  expect(seen).toEqual([]);
  await expect.poll(() => seen.length).toBe(64);
  expect([seen.at(0), seen.at(-1)]).toEqual([37, 100]);
  expect(other).toEqual(seen);
  emitter.happened(101);
  expect(seen.at(-1)).toBe(101);
  expect(seen).toHaveLength(65);
});
