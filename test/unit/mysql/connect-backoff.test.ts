import { expect, test } from 'vitest';
import {
  afterFailure,
  CONNECT_BACKOFF,
  type ConnectBackoff,
  NO_BACKOFF,
  refusalOf,
} from '../../../src/mysql/connect-backoff.js';

const error = new Error('refused');

test('a failure blocks for a while, with its reason', () => {
  const blocked = afterFailure(NO_BACKOFF, error, 1_000, () => 1);
  expect(refusalOf(NO_BACKOFF, 1_000)).toBeUndefined();
  expect(refusalOf(blocked, 1_049)).toBe(error);
  expect(refusalOf(blocked, 1_050)).toBeUndefined();
});

test('the pause grows to its bound and is never close to zero', () => {
  let state: ConnectBackoff = NO_BACKOFF;
  let now = 0;
  const pauses: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    state = afterFailure(state, error, now, () => 0);
    if (state.phase === 'blocked') {
      pauses.push(state.until - now);
      now = state.until;
    }
  }
  expect(pauses[0]).toBe(CONNECT_BACKOFF.firstMs / 2);
  expect(pauses.at(-1)).toBe(CONNECT_BACKOFF.maxMs / 2);
  expect([...pauses].sort((a, b) => a - b)).toEqual(pauses);
});

test('attempts that ran side by side count once, and the last reason is kept', () => {
  const first = afterFailure(NO_BACKOFF, error, 0, () => 1);
  const second = afterFailure(first, new Error('later'), 10, () => 1);
  expect(second).toMatchObject({ failures: 1, until: 50, error: { message: 'later' } });
});
