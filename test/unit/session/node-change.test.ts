import { expect, test, vi } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { changeKey, replacedKey, spareKey } from '../../../src/memcached/copies/copy-key.js';
import { fillMarkerKey } from '../../../src/memcached/copies/fill-marker.js';
import { NodeStandings } from '../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../src/memcached/copies/replicated-copies.js';
import type { MemcachedMonitor } from '../../../src/memcached/memcached-monitor.js';
import type { Resync } from '../../../src/memcached/resync/resync.js';
import { NodeChange, type NodeChangeStep } from '../../../src/session/node-change.js';
import { sessionPlacement, sessionRing } from '../../../src/session/session-keys.js';
import type { SessionNodes } from '../../../src/session/session-nodes.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';
import { Chance, ModelNode, ModelServer, Network } from '../memcached/copies/model-world.js';

/** Processes whose list is `n0` and `n1`, and what their changes do with the nodes. */
function world(seed = 3) {
  const network = new Network(new Chance(seed));
  const servers = ['n0:11211', 'n1:11211', 'n2:11211'].map((id) => new ModelServer(id));
  const steps: string[] = [];
  /** What the next ones who want to list the keys of a node are told. */
  const refusals: (() => ErrorCode)[] = [];
  const process = () => {
    const ways = servers.map((server) => new ModelNode(server, network));
    const some = (ids: readonly { readonly id: string }[]) =>
      ids.flatMap(({ id }) => ways.filter((node) => node.id === id));
    const store = resolveSessionOptions({ nodes: OLD });
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
    const check = async ({ id }: { readonly id: string }) => ({ node: id, ok: true });
    const change = new NodeChange({
      store,
      copies,
      nodes: {
        standings,
        some,
        add: () => undefined,
        remove: () => undefined,
        monitor: { check, checkAll: async () => [] } as unknown as MemcachedMonitor,
      } as Partial<SessionNodes> as SessionNodes,
      resync: {
        move: async () => mark(NEW_MARK, ...NEXT),
        giveUpMoves: async () => {
          steps.push(`copying ended, ${copies.places.other === undefined ? 'not written to' : 'written to'}`);
        },
        forgetNotes: async ({ id }: { readonly id: string }) => {
          const refused = refusals.shift();
          if (refused !== undefined) throw new StormlampError(refused(), 'refused', { node: id });
          steps.push(`notes of ${id} forgotten`);
        },
        forget: (id: string) => steps.push(`${id} forgotten`),
      } as Partial<Resync> as Resync,
    });
    return {
      ways,
      copies,
      change,
      take: async (step: NodeChangeStep, nodes = NEXT): Promise<void> => {
        const taken = change.take(nodes, { step });
        await network.drive(taken);
      },
    };
  };
  const having = (key: string): readonly string[] =>
    servers.flatMap(({ id, items }) => (items.has(key) ? [id] : []));
  const mark = (key: string, ...ids: readonly string[]): void => {
    for (const server of servers) if (ids.includes(server.id)) server.put(key, FILLED, 0);
  };
  return { network, steps, refusals, process, having, mark };
}

const OLD = ['n0:11211', 'n1:11211'];
const NEXT = ['n0:11211', 'n2:11211'];
const FILLED = Buffer.from('filled');
const ringOf = (nodes: readonly string[]): string => sessionRing(resolveSessionOptions({ nodes }));
const [OLD_MARK, NEW_MARK] = [fillMarkerKey(ringOf(OLD)), fillMarkerKey(ringOf(NEXT))];
const UNDER_WAY = changeKey(ringOf(NEXT));
const REPLACED = replacedKey(ringOf(OLD));

test('a change that is called off ends the copying before it takes back what says that a node is complete', async () => {
  const { network, steps, process } = world();
  const { take } = process();
  network.trace = (line) => {
    if (line.includes(`delete ${NEW_MARK}`)) steps.push('unmarked');
  };
  await take('prepare');
  await take('cancel');
  expect(steps).toEqual([
    'notes of n2:11211 forgotten',
    'copying ended, written to',
    'unmarked',
    'unmarked',
    'n2:11211 forgotten',
  ]);
});

test('a node that was away when a change was called off is not believed by the next one', async () => {
  const { process, having, mark } = world();
  const { ways, take } = process();
  await take('prepare');
  for (const { link } of ways.slice(1)) link.up = false;
  await take('cancel');
  mark(NEW_MARK, 'n2:11211');
  for (const { link } of ways) link.up = true;
  await take('prepare');
  expect(having(NEW_MARK)).toEqual([]);
});

test('nor is one that was away when a change was finished, by a change back; what it holds elsewhere is swept when it is there', async () => {
  const { network, process, having, mark } = world(6);
  const { ways, change, take } = process();
  mark(OLD_MARK, ...OLD);
  await take('prepare');
  await take('switch');
  expect(having(NEW_MARK)).toEqual(NEXT);
  const [kept, out] = ways as [ModelNode, ModelNode];
  for (const { link } of [kept, out]) link.up = false;
  await take('finish');
  expect(having(OLD_MARK)).toEqual(OLD);
  for (const { link } of [kept, out]) link.up = true;
  const swept = spareKey(ringOf(NEXT));
  expect(having(swept)).toEqual([]);
  change.observed({ node: kept.id, ok: true });
  await network.drive(kept.version());
  expect(having(swept)).toEqual([kept.id]);
  await take('prepare', OLD);
  expect(having(OLD_MARK)).toEqual([]);
});

test('marks stay that others decide by: a process that is started meanwhile is told of their change, until it ends', async () => {
  const { process, having } = world();
  const [one, late] = [process(), process()];
  await one.take('prepare');
  expect(having(UNDER_WAY)).toEqual(['n0:11211', 'n1:11211', 'n2:11211']);
  await one.take('switch');
  await late.take('prepare');
  expect(having(NEW_MARK)).toEqual(NEXT);
  await late.take('switch');
  await one.take('finish');
  await late.take('finish');
  expect(having(UNDER_WAY)).toEqual([]);
});

test('where not every node that decides says so, nobody is known to take part', async () => {
  const { process, having, mark } = world();
  mark(NEW_MARK, ...NEXT);
  mark(UNDER_WAY, 'n0:11211');
  await process().take('prepare');
  expect(having(NEW_MARK)).toEqual([]);
});

test('it is said again while the change lasts, on each node that answers', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const { network, process, having } = world();
    const { ways, change, take } = process();
    await take('prepare');
    const [, second] = ways as [ModelNode, ModelNode];
    const look = async (): Promise<readonly string[]> => {
      change.observed({ node: second.id, ok: true });
      await network.drive(second.version());
      return having(UNDER_WAY);
    };
    // It ends by itself.
    for (const { server } of ways) server.items.delete(UNDER_WAY);
    expect(await look()).toEqual([]);
    vi.advanceTimersByTime(10_000);
    expect(await look()).toEqual([second.id]);
    await take('cancel');
    vi.advanceTimersByTime(10_000);
    expect(await look()).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('a node of the new list that does not answer could keep its mark: nothing is begun', async () => {
  const { process } = world();
  const { ways, change, take } = process();
  const [kept] = ways as [ModelNode];
  kept.link.up = false;
  await expect(take('prepare')).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  expect(change.underWay).toBeUndefined();
});

test('who comes while another process lists the keys of an added node waits, and need not list them when that one is done', async () => {
  const { steps, refusals, process, mark } = world();
  const busy = (times: number) =>
    refusals.push(...Array.from({ length: times }, () => () => ErrorCode.MEMCACHED));
  busy(6);
  await expect(process().take('prepare')).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  busy(2);
  refusals.push(() => {
    mark(UNDER_WAY, ...OLD);
    return ErrorCode.MEMCACHED;
  });
  await process().take('prepare');
  expect([steps, refusals]).toEqual([[], []]);
});

test('what an added node noted for others who take part stays, also when those that decide know nothing of the change any more', async () => {
  const { steps, process, mark } = world();
  mark(UNDER_WAY, 'n2:11211');
  await process().take('prepare');
  expect(steps).toEqual([]);
});

test('every node is told that a list was replaced, one that was away when it is back, until that list is to decide again', async () => {
  const { network, process, having, mark } = world();
  const { ways, copies, change, take } = process();
  const [kept, out, added] = ways as [ModelNode, ModelNode, ModelNode];
  await take('prepare');
  await take('switch');
  for (const { link } of [kept, out]) link.up = false;
  await take('finish');
  expect(having(REPLACED)).toEqual([added.id]);
  for (const { link } of [kept, out]) link.up = true;
  // The node that is out is looked at no more.
  for (const { id } of [kept, out]) change.observed({ node: id, ok: true });
  await network.drive(Promise.all([kept.version(), out.version()]));
  expect(having(REPLACED)).toEqual([kept.id, added.id]);
  mark(REPLACED, out.id);
  await take('prepare', OLD);
  expect(having(REPLACED)).toEqual([kept.id, out.id, added.id]);
  await take('switch', OLD);
  // By the nodes of that list alone a process learns it.
  expect(having(REPLACED)).toEqual([added.id]);
  copies.places.learnReplaced(added.id, { ring: ringOf(OLD), by: ringOf(NEXT), nodes: NEXT });
  await take('finish', OLD);
  expect(having(replacedKey(ringOf(NEXT)))).toEqual([kept.id, out.id, added.id]);
});

test('by a list that was replaced only that change is made: another one, or calling it off, would take what the others go by', async () => {
  const { process, having, mark } = world();
  const { copies, change, take } = process();
  mark(NEW_MARK, ...NEXT);
  const said = { ring: ringOf(OLD), by: ringOf(NEXT), nodes: NEXT };
  copies.places.learnReplaced('n0:11211', said);
  const refused = { code: 'ERR_CHANGE_REFUSED', message: expect.stringContaining(NEXT.join(', ')) };
  await expect(take('prepare', ['n1:11211', 'n2:11211'])).rejects.toMatchObject(refused);
  await take('prepare');
  await expect(take('cancel')).rejects.toMatchObject(refused);
  expect(change.underWay).toMatchObject({ step: 'prepare' });
  expect(having(NEW_MARK)).toEqual(NEXT);
});
