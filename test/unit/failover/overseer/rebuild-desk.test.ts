/** When nodes are made anew. Real servers: test/chaos/failover-rebuild.test.ts. */
import { expect, test } from 'vitest';
import { type Obstacle, RebuildDesk } from '../../../../src/failover/overseer/rebuild-desk.js';

const PURGED: Obstacle = { kind: 'purged', says: '' };
type Result = Awaited<ReturnType<ConstructorParameters<typeof RebuildDesk>[0]['rebuild']>>;

function room(): {
  readonly desk: RebuildDesk;
  readonly begun: string[];
  readonly told: string[];
  look(...nodes: readonly string[]): void;
  end(node: string, result: Result): Promise<void>;
} {
  const begun: string[] = [];
  const told: string[] = [];
  const ends = new Map<string, (result: Result) => void>();
  const desk = new RebuildDesk({
    record: () => undefined,
    publish: (event, payload) => void told.push(`${event} ${(payload as { node: string }).node}`),
    rebuild: (node, from) => {
      begun.push(`${node} from ${from}`);
      return new Promise((resolve) => ends.set(node, resolve));
    },
  });
  return {
    desk,
    begun,
    told,
    look: (...nodes) => {
      for (const node of nodes)
        if (!desk.isAtWork(node) && !desk.isTold(node, PURGED)) desk.cannotGoOn(node, 'db1', PURGED);
    },
    end: async (node, result) => {
      ends.get(node)?.(result);
      await Promise.resolve();
    },
  };
}

test('of two nodes that cannot go on both are told, and the second is made anew when the first is', async () => {
  const { look, end, begun, told, desk } = room();
  look('db2', 'db3');
  expect(told).toEqual(['rebuild-needed db2', 'rebuild-needed db3']);
  look('db2', 'db3');
  expect(begun).toEqual(['db2 from db1']);
  await end('db2', 'rebuilt');
  look('db3');
  expect(begun).toEqual(['db2 from db1', 'db3 from db1']);
  await end('db3', 'rebuilt');
  expect(told).toHaveLength(2);
  expect(desk.diverged).toEqual([]);
});

test('one that fails is left to an operator, and the next one has its turn', async () => {
  const { look, end, begun, desk } = room();
  look('db2', 'db3');
  await end('db2', { veto: 'the disk is full' });
  look('db2', 'db3');
  look('db2', 'db3');
  expect(begun).toEqual(['db2 from db1', 'db3 from db1']);
  await end('db3', 'rebuilt');
  look('db2');
  expect(begun).toHaveLength(2);
  expect(desk.diverged).toEqual(['db2']);
});

test('who waits for its turn and follows meanwhile is left alone', async () => {
  const { look, end, begun, desk } = room();
  look('db2', 'db3');
  desk.isWell('db3');
  await end('db2', 'rebuilt');
  expect(begun).toEqual(['db2 from db1']);
  look('db3');
  expect(begun).toEqual(['db2 from db1', 'db3 from db1']);
});

test('another source does not wait for it', () => {
  const { look, begun, desk } = room();
  look('db2');
  desk.cannotGoOn('db3', 'db9', PURGED);
  expect(begun).toEqual(['db2 from db1', 'db3 from db9']);
});
