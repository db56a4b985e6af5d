import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { guardedResolver } from '../../../src/mysql/guarded-resolver.js';
import type { HostResolver } from '../../../src/mysql/host-resolver.js';

const resolverOf = (answer: () => unknown): HostResolver =>
  guardedResolver({ addresses: answer, services: answer } as unknown as HostResolver);
const refused = (message: string): unknown =>
  expect.objectContaining({ code: ErrorCode.INVALID_OPTION, message });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('lists of addresses and of servers pass', async () => {
  expect(await resolverOf(() => ['10.0.0.1', '::1']).addresses('db')).toEqual(['10.0.0.1', '::1']);
  const servers = [{ host: 'db1', port: 3306 }];
  expect(await resolverOf(async () => servers).services('_mysql._tcp.shop')).toEqual(servers);
});

describe('anything else names the option and what it must give', () => {
  test.each([
    [undefined, 'gave `undefined`'],
    ['10.0.0.1', 'gave `10.0.0.1` (string)'],
    [[1], 'gave an array with `1` (number)'],
    [['a b'], 'gave an array with `a b` (string)'],
    [[''], 'gave an array with `` (string)'],
  ])('addresses: %j', async (given, what) => {
    await expect(resolverOf(() => given).addresses('db')).rejects.toEqual(
      refused(
        `\`mysql.discover.resolver.addresses\`, asked for db, ${what}; it must give an array of addresses, which is empty for a name that is not known`,
      ),
    );
  });

  test.each([
    [null, 'gave `null`'],
    [['db1:3306'], 'gave an array with `db1:3306` (string)'],
    [[{ host: 'db1' }], 'gave an array with an object'],
    [[{ host: 'db1', port: 70_000 }], 'gave an array with an object'],
  ])('services: %j', async (given, what) => {
    await expect(resolverOf(() => given).services('_mysql._tcp.shop')).rejects.toEqual(
      refused(
        `\`mysql.discover.resolver.services\`, asked for _mysql._tcp.shop, ${what}; it must give an array of { host, port }, which is empty when there is no such service`,
      ),
    );
  });

  test('a function that throws, rejects, or never answers', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    await expect(resolverOf(boom).addresses('db')).rejects.toThrow('asked for db, failed: boom; it must');
    await expect(resolverOf(async () => boom()).services('s')).rejects.toThrow('asked for s, failed: boom');
    const hung = expect(resolverOf(() => new Promise(() => undefined)).addresses('db')).rejects.toThrow(
      'asked for db, failed: the look-up did not finish within 5000 ms',
    );
    await vi.advanceTimersByTimeAsync(5_001);
    await hung;
  });
});
