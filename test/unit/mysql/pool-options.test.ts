import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { POOL_DEFAULTS, resolvePoolOptions } from '../../../src/mysql/pool-options.js';

test('nothing said means the defaults', () => {
  expect(resolvePoolOptions('mysql.pool')).toEqual(POOL_DEFAULTS);
});

test('zero is a value', () => {
  const zeros = {
    maxQueue: 0,
    idleTimeoutMs: 0,
    maxLifetimeMs: 0,
    validateAfterIdleMs: 0,
    leakAfterMs: 0,
    min: 0,
  };
  expect(resolvePoolOptions('mysql.pool', zeros)).toEqual({ ...POOL_DEFAULTS, ...zeros });
});

test.each([
  [{ max: 0 }, /`mysql\.pool\.max` to be an integer >= 1/],
  [{ max: 2.5 }, /`mysql\.pool\.max`/],
  [{ max: 3, min: 4 }, /`mysql\.pool\.min` to be an integer >= 0 and <= 3/],
  [{ acquireTimeoutMs: 0 }, /`mysql\.pool\.acquireTimeoutMs`/],
  [{ idleTimeoutMs: Number.NaN }, /`mysql\.pool\.idleTimeoutMs`/],
  [{ maxQueu: 1 }, /did you mean `maxQueue`/],
])('%o is refused', (options, message) => {
  expect(() => resolvePoolOptions('mysql.pool', options as never)).toThrow(message);
  expect(() => resolvePoolOptions('mysql.pool', options as never)).toThrow(
    expect.objectContaining({ code: ErrorCode.INVALID_OPTION }),
  );
});
