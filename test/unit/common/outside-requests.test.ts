import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { outsideRequests } from '../../../src/common/outside-requests.js';

test('what is begun for a request is outside of it, and what awaits it is not', async () => {
  const requests = new AsyncLocalStorage<string>();
  await requests.run('a request', async () => {
    const within = await outsideRequests(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return requests.getStore();
    });
    expect(within).toBeUndefined();
    expect(requests.getStore()).toBe('a request');
  });
});
