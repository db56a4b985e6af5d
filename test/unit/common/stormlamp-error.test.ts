import { expect, test } from 'vitest';
import { describeError, isStormlampError, StormlampError } from '../../../src/common/stormlamp-error.js';

test('an error carries its code, node and cause', () => {
  const cause = new Error('refused');
  const error = new StormlampError('ERR_NODE_UNREACHABLE', 'db1 is down', { cause, node: 'db1:3306' });
  expect(error).toMatchObject({
    name: 'StormlampError',
    code: 'ERR_NODE_UNREACHABLE',
    node: 'db1:3306',
    cause,
  });
  expect(isStormlampError(error, 'ERR_NODE_UNREACHABLE')).toBe(true);
  expect(isStormlampError(error, 'ERR_TIMEOUT')).toBe(false);
  expect(isStormlampError(new Error('x'))).toBe(false);
});

test('an error of another copy of the package is recognised by its brand', () => {
  const foreign = Object.assign(new Error('x'), {
    code: 'ERR_TIMEOUT',
    [Symbol.for('stormlamp.error')]: true,
  });
  expect(foreign instanceof StormlampError).toBe(true);
  expect({} instanceof StormlampError).toBe(false);
});

test('anything thrown has a description', () => {
  expect(describeError('text')).toBe('text');
  expect(describeError(new Error('message'))).toBe('message');
  expect(describeError(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  const each = ['::1', '127.0.0.1', 'c', 'd', 'e', 'f'].map((at) => new Error(`refused at ${at}`));
  expect(describeError(new AggregateError(each.slice(0, 2)))).toBe('refused at ::1, refused at 127.0.0.1');
  expect(describeError(new AggregateError(each))).toMatch(/127\.0\.0\.1, refused at c, .* and 2 more$/);
  expect(describeError(new AggregateError(each, 'none of them'))).toBe('none of them');
});
