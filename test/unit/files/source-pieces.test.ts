import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { checkSource, sourcePieces } from '../../../src/files/source-pieces.js';

const whole = async (source: unknown, deadline = Deadline.of(undefined)): Promise<string> => {
  let text = '';
  checkSource(source);
  for await (const bytes of sourcePieces(source, deadline, 'Writing x'))
    text += Buffer.from(bytes).toString();
  return text;
};

async function* later(): AsyncGenerator<string> {
  yield 'a';
  await setImmediate();
  yield 'b';
}

test.each([
  ['a text', 'ab'],
  ['bytes', Buffer.from('ab')],
  ['a list', ['a', Buffer.from('b')]],
  ['a generator', later()],
])('%s is a source', async (_, source) => {
  expect(await whole(source)).toBe('ab');
});

test.each([undefined, null, 5, {}, new ArrayBuffer(1), [1], new Uint16Array(1)])(
  '%s is none',
  async (source) => {
    await expect(whole(source)).rejects.toMatchObject({ code: ErrorCode.INVALID_OPTION });
  },
);

test('a source that is silent is told to end, and not waited for', async () => {
  const asked: string[] = [];
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>(() => undefined),
      return: () => {
        asked.push('return');
        return new Promise<IteratorResult<string>>(() => undefined);
      },
    }),
  };
  await expect(whole(source, Deadline.of({ timeoutMs: 5 }))).rejects.toMatchObject({
    code: ErrorCode.TIMEOUT,
  });
  await expect(whole(source, Deadline.of({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
    code: ErrorCode.ABORTED,
  });
  expect(asked).toEqual(['return', 'return']);
});

test('what a source throws is thrown', async () => {
  const source = (async function* () {
    yield 'a';
    throw new Error('the browser went away');
  })();
  await expect(whole(source)).rejects.toThrow('the browser went away');
});
