import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import { type MeasuredByUser, measureLag } from '../../../src/mysql/lag-meter.js';
import type { LagMeter } from '../../../src/mysql/monitor-options.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';

const connection = { node: 'db2:3306', ask: async () => [] } as unknown as PhysicalConnection;
const measured = (given: () => unknown, timeoutMs = 60_000): Promise<MeasuredByUser> =>
  measureLag(given as unknown as LagMeter, connection, Deadline.of({ timeoutMs }));

test('milliseconds and null pass', async () => {
  expect(await measured(() => 12.5)).toEqual({ lagMs: 12.5, isBusy: false });
  expect(await measured(async () => null)).toEqual({ lagMs: null, isBusy: false });
});

describe('anything else makes the lag unknown, with an error that names the option and what it must give', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  test.each<[string, () => unknown, string]>([
    ['nothing', () => undefined, 'gave `undefined`'],
    ['no number', () => Number.NaN, 'gave `NaN` (number)'],
    ['less than nothing', () => -1, 'gave `-1` (number)'],
    ['a text', () => '12', 'gave `12` (string)'],
    ['it throws', boom, 'failed: boom'],
    ['it rejects', async () => boom(), 'failed: boom'],
  ])('%s', async (_, given, what) => {
    const { lagMs, error } = await measured(given);
    expect(lagMs).toBeNull();
    expect(error).toMatchObject({
      code: ErrorCode.INVALID_OPTION,
      node: 'db2:3306',
      message: `The lag of db2:3306 is unknown: the function \`mysql.monitor.lagSource\` ${what}; it must give milliseconds >= 0, or null, within half of \`mysql.monitor.timeoutMs\``,
    });
  });

  test('it never answers', async () => {
    const { lagMs, error } = await measured(() => new Promise(() => undefined), 20);
    expect(lagMs).toBeNull();
    expect(error?.message).toContain('failed: the call did not finish within 10 ms');
  });
});
