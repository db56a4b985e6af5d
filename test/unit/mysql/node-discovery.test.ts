import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeLooks } from '../../../src/health/published-look.js';
import { TopologyWatcher } from '../../../src/health/topology-watcher.js';
import { resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';
import { NodeDiscovery } from '../../../src/mysql/node-discovery.js';
import type { ServerFacts } from '../../../src/topology/node-description.js';
import { master, observationOf, slave } from '../../spec/topology/made-up-servers.js';
import { clock } from '../../support/watcher-fleet.js';

const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const elsewhere = { host: '203.0.113.9', port: 3306, serverId: 26 };

beforeEach(() =>
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  }),
);
afterEach(() => vi.useRealTimers());

/** A process that reads what `published` says of the primary; `seen` is what it finds there itself. */
function discovering(published: () => ServerFacts, seen: () => ServerFacts) {
  const { nodes, discovery } = resolveMysqlOptions({
    primary: 'mysql://app:secret@10.0.0.1',
    replicas: ['mysql://app:secret@10.0.0.2'],
  });
  if (discovery === undefined) throw new Error('it does not discover');
  const [primary] = nodes;
  const id = primary?.seed.id ?? '';
  const looks: string[] = [];
  let count = 0;
  const watcher = new TopologyWatcher({
    seeds: nodes.map(({ seed }) => seed),
    intervalMs: 1_000,
    timeoutMs: 1_000,
    clock,
    board: {
      lead: async () => false,
      publish: async () => undefined,
      close: async () => undefined,
      read: async () => {
        count += 1;
        const about = nodes.map(({ seed }) =>
          observationOf(seed.id, seed.id === id ? published() : slave('b', 'a'), clock.now()),
        );
        return writeLooks({ publisher: 'another', count }, about, clock.now());
      },
    },
    createProbe: (seed) => ({
      probe: async () => {
        looks.push(seed.id);
        return seed.id === id ? seen() : slave('b', 'a');
      },
      close: () => undefined,
    }),
  });
  const asked: string[] = [];
  const found: NodeDiscovery = new NodeDiscovery(discovery, nodes, {
    watcher,
    configOf: (node) => nodes.find(({ seed }) => seed.id === node) ?? (primary as never),
    probe: ({ seed }) => ({
      probe: async () => {
        asked.push(seed.id);
        return slave('z', 'a');
      },
      close: () => undefined,
    }),
    add: async ({ seed }) => watcher.add(seed),
    remove: () => undefined,
    moved: () => undefined,
    onFailure: () => undefined,
  });
  watcher.on('node-observed', () => {
    if (found.hasWork) void found.look();
  });
  watcher.start();
  const close = (): void => {
    found.close();
    watcher.close();
  };
  return { asked, looks, watcher, id, close };
}

test('what others publish leads nobody to a server that no node names here', async () => {
  const hosts = Array.from({ length: 200 }, (_, index) => ({ ...elsewhere, host: `203.0.113.${index}` }));
  const { asked, looks, watcher, id, close } = discovering(
    () => master('a', { peers: hosts }),
    () => master('a'),
  );
  await advance(5_000);
  looks.length = 0;
  await advance(10_000);
  expect(asked).toEqual([]);
  expect(watcher.topology.nodes).toHaveLength(2);
  // It looks for itself at the node that is said to name them, as often as it would without sharing.
  expect(looks.length).toBeLessThanOrEqual(13);
  expect(new Set(looks)).toEqual(new Set([id]));
  close();
});

test('what others publish, and a look of this process finds as well, is a node', async () => {
  let peers: ServerFacts['peers'] = [];
  const facts = (): ServerFacts => master('a', { peers });
  const { asked, looks, watcher, id, close } = discovering(facts, facts);
  await advance(5_000);
  expect(watcher.topology.nodes).toHaveLength(2);
  looks.length = 0;
  peers = [elsewhere];
  await advance(3_000);
  expect(asked).toEqual(['203.0.113.9:3306']);
  expect(watcher.topology.nodes.map((node) => node.id)).toContain('203.0.113.9:3306');
  // One look is enough for it.
  expect(looks.filter((node) => node === id)).toHaveLength(1);
  close();
});
