import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { keepRunning } from '../../../src/cli/output-streams.js';

const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

test('a reader who left is no failure, a full disk is told once', () => {
  const stream = new PassThrough();
  const lost: string[] = [];
  keepRunning(stream, ({ message }) => lost.push(message));
  stream.emit('error', failure('EPIPE'));
  expect(lost).toEqual([]);
  stream.emit('error', failure('ENOSPC'));
  stream.emit('error', failure('ENOSPC'));
  expect(lost).toEqual(['ENOSPC']);
});
