import { expect, test } from 'vitest';
import { fillMarkerKey } from '../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../src/memcached/copies/replicated-copies.js';
import type { MemcachedMonitor } from '../../../src/memcached/memcached-monitor.js';
import type { Resync } from '../../../src/memcached/resync/resync.js';
import { NodeChange } from '../../../src/session/node-change.js';
import { sessionPlacement, sessionRing } from '../../../src/session/session-keys.js';
import type { SessionNodes } from '../../../src/session/session-nodes.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';
import { Chance, ModelNode, ModelServer, Network } from '../memcached/copies/model-world.js';

test('a change that is called off ends the copying before it takes back what says that a node is complete', async () => {
  const network = new Network(new Chance(3));
  const all = ['n0:11211', 'n1:11211', 'n2:11211'].map((id) => new ModelNode(new ModelServer(id), network));
  const some = (ids: readonly { readonly id: string }[]) =>
    ids.flatMap(({ id }) => all.filter((node) => node.id === id));
  const store = resolveSessionOptions({ nodes: ['n0:11211', 'n1:11211'] });
  const next = ['n0:11211', 'n2:11211'];
  const standings = new NodeStandings();
  const copies = new ReplicatedCopies({
    nodes: some(store.nodes),
    place: sessionPlacement(store),
    copies: 2,
    ring: sessionRing(store),
    standings,
    operationTimeoutMs: 1_000,
    noteLifetimeMs: 100_000,
    giveUpMs: 30_000,
  });
  const steps: string[] = [];
  const check = async ({ id }: { readonly id: string }) => ({ node: id, ok: true });
  const change = new NodeChange({
    store,
    copies,
    nodes: {
      standings,
      some,
      add: () => undefined,
      remove: () => undefined,
      monitor: { check } as unknown as MemcachedMonitor,
    } as Partial<SessionNodes> as SessionNodes,
    resync: {
      giveUpMoves: async () => {
        steps.push(`copying ended, ${copies.places.other === undefined ? 'not written to' : 'written to'}`);
      },
      forget: (id: string) => steps.push(`${id} forgotten`),
    } as Partial<Resync> as Resync,
  });
  const marker = fillMarkerKey(sessionRing(resolveSessionOptions({ nodes: next })));
  network.trace = (line) => {
    if (line.includes(`delete ${marker}`)) steps.push('unmarked');
  };
  await network.drive(change.take(next, { step: 'prepare' }));
  await network.drive(change.take(next, { step: 'cancel' }));
  expect(steps).toEqual(['copying ended, written to', 'unmarked', 'unmarked', 'n2:11211 forgotten']);
});
