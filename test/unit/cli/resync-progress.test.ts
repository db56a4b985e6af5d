import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ResyncProgressLines } from '../../../src/cli/resync-progress.js';
import type { SessionStore } from '../../../src/session/session-store.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store with one node, whose lease says `lease`. */
function storeWith(lease: { value: string | null }): SessionStore & EventEmitter {
  const peek = async () => (lease.value === null ? null : { value: Buffer.from(lease.value) });
  return Object.assign(new EventEmitter(), {
    options: { operationTimeoutMs: 500 },
    copies: { places: { nodes: [{ id: 'cache1:11211', peek }], ring: 'r' } },
  }) as unknown as SessionStore & EventEmitter;
}

test('how far another process is is shown, unless this one works on the node', async () => {
  const lease = { value: '77 0a0b-1c fill 40 10 100 500' as string | null };
  const store = storeWith(lease);
  const shown: string[] = [];
  const printer = { show: ({ message }: { message: string }) => shown.push(message), end: () => undefined };
  const lines = new ResyncProgressLines(store, printer as never);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(shown).toEqual([
    'cache1:11211 [############............] 50 %  40 copied, 10 there already, of 100 at most, 100/s (by another process)',
  ]);
  lease.value = '77 0a0b-1c mend 3 0 - 500';
  await vi.advanceTimersByTimeAsync(1_000);
  expect(shown[1]).toBe('cache1:11211 3 mended, 6/s (by another process)');
  store.emit('resync-started', { node: 'cache1:11211', kind: 'fill' });
  store.emit('resync-progress', { node: 'cache1:11211', copied: 1, skipped: 0, total: 1, elapsedMs: 0 });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(shown).toHaveLength(3);
  expect(shown[2]).not.toContain('another');
  lease.value = null;
  store.emit('resynced', { node: 'cache1:11211' });
  await vi.advanceTimersByTimeAsync(2_000);
  lease.value = '77 0a0b-1c fill 1 1 2 500';
  lines.end();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(shown).toHaveLength(3);
});
