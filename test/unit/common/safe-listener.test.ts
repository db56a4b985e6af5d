import { expect, test } from 'vitest';
import { safeListener } from '../../../src/common/safe-listener.js';

test('a listener that throws or rejects becomes a warning with its name, and is called again', async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  const seen: number[] = [];
  const throwing = safeListener('The listener `a`', (n: number) => {
    seen.push(n);
    throw new Error('broken');
  });
  const rejecting = safeListener('The listener `b`', async (n: number) => {
    seen.push(n);
    throw new Error('late');
  });
  for (const n of [1, 2]) {
    throwing(n);
    rejecting(n);
  }
  expect(seen).toEqual([1, 1, 2, 2]);
  await expect
    .poll(() => warnings.filter((text) => /^The listener `[ab]` failed/.test(text)))
    .toHaveLength(4);
  expect(warnings).toEqual(
    expect.arrayContaining(['The listener `a` failed: broken', 'The listener `b` failed: late']),
  );
  process.off('warning', onWarning);
});
