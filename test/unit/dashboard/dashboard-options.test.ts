import { expect, test } from 'vitest';
import { readDashboardOptions } from '../../../src/dashboard/dashboard-options.js';

test('production needs authorize', () => {
  const production = { NODE_ENV: 'production' };
  expect(() => readDashboardOptions({}, production)).toThrow(/not mounted in production without `authorize`/);
  expect(readDashboardOptions({ authorize: () => true }, production).allowActions).toBe(false);
  expect(readDashboardOptions({}, {})).toEqual({
    authorize: undefined,
    allowActions: false,
    title: 'stormlamp',
  });
});

test.each([
  [{ authorise: () => true }, /did you mean `authorize`/],
  [{ authorize: true }, /dashboard.authorize/],
  [{ allowActions: 'yes' }, /dashboard.allowActions/],
])('%j is refused by name', (options, message) => {
  expect(() => readDashboardOptions(options as object, {})).toThrow(message);
});
