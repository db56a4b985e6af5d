import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { WaiterQueue } from '../../../src/mysql/waiter-queue.js';

function wait(
  queue: WaiterQueue<string>,
  deadline: Deadline = Deadline.of(undefined),
  limitMs = 60_000,
): Promise<string> {
  return queue.wait({
    deadline,
    limitMs,
    what: 'Waiting',
    expired: (waitedMs) => new Error(`${Math.round(waitedMs)} ms were too long`),
  });
}

test('callers are served in the order in which they came', async () => {
  const queue = new WaiterQueue<string>();
  const all = [wait(queue), wait(queue)];
  expect(queue.serve('a')).toBe(true);
  expect(queue.serve('b')).toBe(true);
  expect(queue.serve('c')).toBe(false);
  expect(await Promise.all(all)).toEqual(['a', 'b']);
});

test('the sooner of deadline and limit ends a wait', async () => {
  const queue = new WaiterQueue<string>();
  await expect(wait(queue, Deadline.of(undefined), 15)).rejects.toThrow('15 ms');
  await expect(wait(queue, Deadline.of({ timeoutMs: 5 }))).rejects.toThrow(/^[45] ms/);
  expect(queue.size).toBe(0);
});

test('a fired signal ends a wait, now or later, and leaves no listener', async () => {
  const queue = new WaiterQueue<string>();
  const abort = new AbortController();
  const waiting = wait(queue, Deadline.of({ signal: abort.signal }));
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: ErrorCode.ABORTED });
  await expect(wait(queue, Deadline.of({ signal: abort.signal }))).rejects.toMatchObject({
    code: ErrorCode.ABORTED,
  });
  expect(queue.serve('nobody')).toBe(false);
});

test('those who wait longest are turned away first', async () => {
  const queue = new WaiterQueue<string>();
  const all = Promise.allSettled([wait(queue), wait(queue), wait(queue)]);
  queue.turnAway(new Error('no'), 1);
  expect(queue.size).toBe(1);
  queue.serve('last');
  expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
});

test('whoever leaves takes only their own place, first, last or in the middle', async () => {
  const step = fc.oneof(
    fc.constant('come' as const),
    fc.constant('serve' as const),
    fc.record({ leaves: fc.nat(20) }),
    fc.record({ keep: fc.nat(3) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const queue = new WaiterQueue<string>();
      const waiting: { readonly abort: AbortController; readonly name: string }[] = [];
      const expected: string[] = [];
      const outcomes: Promise<string>[] = [];
      for (const [index, each] of steps.entries()) {
        if (each === 'come') {
          const abort = new AbortController();
          const name = `caller ${outcomes.length}`;
          waiting.push({ abort, name });
          const outcome = wait(queue, Deadline.of({ signal: abort.signal }));
          outcomes.push(
            outcome.then(
              (value) => `${name} ${value}`,
              (error: Error) => `${name} ${error.message.includes('away') ? 'away' : 'left'}`,
            ),
          );
        } else if (each === 'serve') {
          const first = waiting.shift();
          if (first !== undefined) expected.push(`${first.name} ${index}`);
          expect(queue.serve(String(index))).toBe(first !== undefined);
        } else if ('leaves' in each) {
          const [left] = waiting.splice(each.leaves % Math.max(1, waiting.length), 1);
          left?.abort.abort();
          if (left !== undefined) expected.push(`${left.name} left`);
        } else {
          for (const { name } of waiting.splice(0, Math.max(0, waiting.length - each.keep)))
            expected.push(`${name} away`);
          queue.turnAway(new Error('away'), each.keep);
        }
        expect(queue.size).toBe(waiting.length);
      }
      for (const { name } of waiting) expected.push(`${name} away`);
      queue.turnAway(new Error('away'));
      expect((await Promise.all(outcomes)).sort()).toEqual(expected.sort());
    }),
  );
});
