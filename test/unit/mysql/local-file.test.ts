import { once } from 'node:events';
import { type PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { guardLocalFile, isLocalFileError } from '../../../src/mysql/local-file.js';
import { classifyServerError, isNodeFault } from '../../../src/mysql/server-error.js';

async function errorOf(stream: Readable): Promise<unknown> {
  return buffer(stream).then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('text and bytes arrive as bytes, in pieces that fit into a packet, and nothing empty in between', async () => {
  const long = Buffer.alloc(3_000_000, 'x');
  const stream = guardLocalFile(() =>
    Readable.from(['1\ta\n', '', Buffer.from('2\tb\n'), new Uint8Array(0), long]),
  )('f');
  const pieces: Buffer[] = [];
  // As the driver takes them.
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'end');
  expect(Buffer.concat(pieces).equals(Buffer.concat([Buffer.from('1\ta\n2\tb\n'), long]))).toBe(true);
  expect(
    pieces.every((piece) => Buffer.isBuffer(piece) && piece.length > 0 && piece.length <= 1_048_576),
  ).toBe(true);
});

test('the path reaches the source', async () => {
  const paths: string[] = [];
  const source = (path: string): Readable => {
    paths.push(path);
    return Readable.from(['x']);
  };
  await buffer(guardLocalFile(source)('/some/file'));
  expect(paths).toEqual(['/some/file']);
});

test.each([
  [
    'a stream that fails',
    () =>
      new Readable({
        read() {
          this.destroy(Object.assign(new Error('gone'), { code: 'ENOENT' }));
        },
      }),
  ],
  [
    'a source that throws',
    () => {
      throw new Error('no');
    },
  ],
  [
    'a source that throws no error',
    () => {
      throw 'no';
    },
  ],
  ['a stream of objects', () => Readable.from([{ a: 1 }])],
  ['no stream', () => undefined as unknown as PassThrough],
])('%s is an error of the statement and of nothing else', async (_name, source) => {
  const error = await errorOf(guardLocalFile(source as () => Readable)('f'));
  expect(error).toBeInstanceOf(Error);
  expect(isLocalFileError(error)).toBe(true);
  expect(classifyServerError(error)).toMatchObject({ connection: 'usable', kind: 'statement' });
  expect(isNodeFault(error)).toBe(false);
});

test('without a source every file is refused', async () => {
  const error = await errorOf(guardLocalFile(undefined)('/etc/passwd'));
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED', message: expect.stringContaining('/etc/passwd') });
  expect(isLocalFileError(error)).toBe(true);
});

test('other errors are no errors of a local file', () => {
  expect(isLocalFileError(new Error('x'))).toBe(false);
  expect(isLocalFileError(undefined)).toBe(false);
});
