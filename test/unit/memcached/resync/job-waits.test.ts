import { afterEach, expect, test, vi } from 'vitest';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { JobWaits } from '../../../../src/memcached/resync/job-waits.js';
import type { NodeJob } from '../../../../src/memcached/resync/resync-plan.js';

const job = { kind: 'fill', node: 'a', sources: ['b'], complete: true, away: [] } as unknown as NodeJob;

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ['a connection that was lost', ErrorCode.NODE_UNREACHABLE, 500],
  ['an answer that is none', ErrorCode.PROTOCOL, 5_000],
  ['what the server cannot do', ErrorCode.UNSUPPORTED, 600_000],
])('after %s (%s) it is due again after %i ms', (_what, code, ms) => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const waits = new JobWaits();
  waits.failed(job, new StormlampError(code, 'no'), 'a b');
  vi.advanceTimersByTime(ms - 1);
  expect(waits.isDue(job, 'a b')).toBe(false);
  // What can be reached has changed.
  expect(waits.isDue(job, 'b')).toBe(true);
  vi.advanceTimersByTime(1);
  expect(waits.isDue(job, 'a b')).toBe(true);
});
