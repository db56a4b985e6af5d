import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ConnectionFactory } from '../../../src/mysql/connection-factory.js';
import { HeartbeatWriter } from '../../../src/mysql/heartbeat-writer.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function writerFor(primary: () => string | undefined, intervalMs = 500) {
  const asked: string[] = [];
  const closed: string[] = [];
  const connection = (node: string) => ({
    node,
    lost: undefined,
    ask: async (sql: string) => {
      asked.push(sql);
      return [{ held: 1, id: 7 }];
    },
    destroy: () => void closed.push(node),
  });
  const factory = (node: string) =>
    ({ node, connect: async () => connection(node) }) as unknown as ConnectionFactory;
  const options = { table: '`p`.`h`', write: true, intervalMs };
  const writer = new HeartbeatWriter(options, { primary, factory, onFailure: () => undefined });
  return { writer, asked, closed };
}

test('a server does not wait for a writer that says nothing any more', async () => {
  const quick = writerFor(() => 'a');
  const slow = writerFor(() => 'a', 5_000);
  await vi.advanceTimersByTimeAsync(10);
  expect(quick.asked[0]).toBe('SET SESSION wait_timeout = 10');
  expect(slow.asked[0]).toBe('SET SESSION wait_timeout = 60');
  quick.writer.close();
  slow.writer.close();
});

test('who may not write gives the lock up, and gets it again', async () => {
  let primary: string | undefined = 'a';
  const { writer, asked, closed } = writerFor(() => primary);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(writer.isElected).toBe(true);
  primary = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(writer.isElected).toBe(false);
  expect(closed).toEqual(['a']);
  asked.length = 0;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toEqual([]);
  primary = 'b';
  await vi.advanceTimersByTimeAsync(5_000);
  expect(writer.isElected).toBe(true);
  writer.close();
});
