import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TurnQueue } from '../../../src/mysql/turn-queue.js';

test('first in, first out, in whatever order turns come and go', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (joins) => {
      const queue = new TurnQueue();
      const expected: (() => void)[] = [];
      for (const joining of joins) {
        if (joining) {
          const begin = (): void => undefined;
          queue.add(begin);
          expected.push(begin);
        } else expect(queue.take()).toBe(expected.shift());
      }
      for (const begin of expected) expect(queue.take()).toBe(begin);
      expect(queue.take()).toBeUndefined();
    }),
  );
});
