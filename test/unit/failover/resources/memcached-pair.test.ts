/** When a fill makes a node trusted; nodes that are made up, looked at by hand. */
import { expect, test } from 'vitest';
import { MemcachedPair, watchMemcachedPair } from '../../../../src/failover/resources/memcached-pair.js';
import type { MemcachedNode } from '../../../../src/memcached/memcached-node.js';

interface Made {
  readonly node: MemcachedNode;
  down: boolean;
}
function made(id: string): Made {
  const stats = new Map([
    ['pid', '1'],
    ['time', '1000'],
    ['uptime', '500'],
  ]);
  const server = { down: false };
  const node = {
    id,
    stats: async () => {
      if (server.down) throw new Error('away');
      return stats;
    },
    destroy: () => undefined,
  } as unknown as MemcachedNode;
  return Object.assign(server, { node });
}

test('a fill makes a node trusted only for the outage after which it began', async () => {
  const [a, b] = [made('a:1'), made('b:1')];
  const fills: (() => void)[] = [];
  const fill = (): Promise<void> => new Promise((resolve) => fills.push(resolve));
  const pair = new MemcachedPair([a.node, b.node], 1_000, 100, fill);
  const look = async (down: boolean): Promise<void> => {
    a.down = down;
    await pair.look();
  };
  const ended = async (index: number): Promise<void> => {
    fills[index]?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await look(false);
  await look(true);
  await look(false);
  expect(fills.length).toBe(1);
  // Others write to b meanwhile, what the fill has copied already among it.
  await look(true);
  await look(false);
  await ended(0);
  expect(pair.trusted).toEqual(['b:1']);
  await look(false);
  expect(fills.length).toBe(2);
  await ended(1);
  expect(pair.trusted).toEqual(['a:1', 'b:1']);
  await pair.close();
});

test('a login is given whole, or refused by name', async () => {
  const nodes = ['a:1', 'b:1'];
  for (const half of [{ username: 'app' }, { password: 'secret' }])
    await expect(watchMemcachedPair({ nodes, ...half })).rejects.toThrow(
      'Expected `memcachedPair.username` to be given together with `password`',
    );
});
