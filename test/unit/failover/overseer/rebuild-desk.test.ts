/** When nodes are made anew. Real servers: test/chaos/failover-rebuild.test.ts. */
import { expect, test } from 'vitest';
import { type Obstacle, RebuildDesk } from '../../../../src/failover/overseer/rebuild-desk.js';

const PURGED: Obstacle = { kind: 'purged', says: '' };
type Result = Awaited<ReturnType<ConstructorParameters<typeof RebuildDesk>[0]['rebuild']>>;

function room(): {
  readonly desk: RebuildDesk;
  readonly begun: string[];
  readonly told: string[];
  readonly journal: string[];
  look(...nodes: readonly string[]): void;
  lookFrom(primary: string, node: string): void;
  passes(ms: number): void;
  end(node: string, result: Result): Promise<void>;
} {
  const begun: string[] = [];
  const told: string[] = [];
  const journal: string[] = [];
  const ends = new Map<string, (result: Result) => void>();
  let now = 0;
  const desk = new RebuildDesk(
    {
      record: (kind, _, __, message) => void (kind === 'rebuild-waits' && journal.push(message)),
      publish: (event, payload) => void told.push(`${event} ${(payload as { node: string }).node}`),
      rebuild: (node, from) => {
        begun.push(`${node} from ${from}`);
        return new Promise((resolve) => ends.set(node, resolve));
      },
    },
    { now: () => now, wall: () => now },
  );
  const lookFrom = (primary: string, node: string): void => {
    if (!desk.isAtWork(node) && !desk.isTold(node, primary, PURGED)) desk.cannotGoOn(node, primary, PURGED);
  };
  return {
    desk,
    begun,
    told,
    journal,
    lookFrom,
    look: (...nodes) => {
      for (const node of nodes) lookFrom('db1', node);
    },
    passes: (ms) => {
      now += ms;
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

test('what somebody else is at is tried again, and the journal tells once what it waits for', async () => {
  const { look, end, begun, journal, passes, desk } = room();
  const busy: Result = { veto: 'db3 is being made anew from db1', passing: true };
  look('db2');
  await end('db2', busy);
  look('db2');
  expect(begun).toEqual(['db2 from db1']);
  expect(desk.isAtWork('db2')).toBe(false);
  passes(10_000);
  look('db2');
  expect(begun).toHaveLength(2);
  await end('db2', busy);
  passes(10_000);
  look('db2');
  await end('db2', 'rebuilt');
  expect(begun).toHaveLength(3);
  expect(journal).toEqual(['db2 is made anew later: db3 is being made anew from db1']);
  expect(desk.diverged).toEqual([]);
});

test('who waits for a node of this process has that in the journal', async () => {
  const { look, end, journal } = room();
  look('db2', 'db3');
  look('db3');
  expect(journal).toEqual(['db3 is made anew later: db2 is being made anew from db1']);
  await end('db2', 'rebuilt');
  look('db3', 'db2');
  expect(journal[1]).toBe('db2 is made anew later: db3 is being made anew from db1');
});

test('who waits for a former primary is made anew from the new one at once', async () => {
  const { look, lookFrom, end, begun } = room();
  look('db2', 'db3');
  expect(begun).toEqual(['db2 from db1']);
  lookFrom('db9', 'db3');
  expect(begun).toEqual(['db2 from db1', 'db3 from db9']);
  await end('db2', { veto: 'db4 is being made anew from db1', passing: true });
  await end('db3', 'rebuilt');
  lookFrom('db9', 'db2');
  expect(begun).toEqual(['db2 from db1', 'db3 from db9', 'db2 from db9']);
});

test('another source does not wait for it', () => {
  const { look, begun, desk } = room();
  look('db2');
  desk.cannotGoOn('db3', 'db9', PURGED);
  expect(begun).toEqual(['db2 from db1', 'db3 from db9']);
});
