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
