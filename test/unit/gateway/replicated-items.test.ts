/** What a client of the gateway may do to an item, by what it took and what it was shown. */
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import type { ItemCommand } from '../../../src/gateway/item-command.js';
import { ReplicatedItems, type ReplicatedItemsOptions } from '../../../src/gateway/replicated-items.js';
import type { ReplicatedCopies } from '../../../src/memcached/copies/replicated-copies.js';
import type { StoreResult } from '../../../src/memcached/memcached-node.js';
import { releasedLockOf } from '../../../src/session/released-lock.js';
import { copiesOn, filledPair } from '../memcached/copies/filled-pair.js';
import { Chance, ModelNode, Network } from '../memcached/copies/model-world.js';

const LOCK = 'lock.1';

/** Somebody else takes the lock on it just before it is asked for here. */
class TakenNode extends ModelNode {
  override add(...call: Parameters<ModelNode['add']>): Promise<StoreResult> {
    if (call[0] === LOCK && !this.server.items.has(LOCK)) this.server.put(LOCK, Buffer.from('theirs'), 0);
    return super.add(...call);
  }
}

type Kinds = Pick<ReplicatedItemsOptions, 'isLock' | 'isCountedLock' | 'isSession' | 'isGuarded' | 'acks'>;

/** Items of which none is a lock or a session, and anybody may write each, but for `kinds`. */
function itemsOn(copies: ReplicatedCopies, kinds: Partial<Kinds>): ReplicatedItems {
  return new ReplicatedItems({
    copies,
    itemOf: (key) => ({ key, place: '1' }),
    isLock: () => false,
    isCountedLock: () => false,
    isSession: () => false,
    isGuarded: () => false,
    acks: 'one',
    times: { exptimeOf: () => Promise.resolve(30) } as never,
    commandTimeoutMs: 1_000,
    onMissed: () => undefined,
    ...kinds,
  });
}

/** Leaves reads unanswered while it is `silent`. */
class MuteNode extends ModelNode {
  silent = false;

  override getMany(...call: Parameters<ModelNode['getMany']>): ReturnType<ModelNode['getMany']> {
    const error = new StormlampError(ErrorCode.NODE_UNREACHABLE, 'silent', { node: this.id });
    return this.silent ? Promise.reject(error) : super.getMany(...call);
  }
}

/** Runs the commands of one client: the status of the answer, or the code of the error. */
function clientOf(
  items: ReturnType<typeof itemsOn>,
  network: Network,
): (command: ItemCommand) => Promise<string> {
  const client = {};
  return async (command) => {
    const answer = items.execute(command, client).then(
      ({ status }) => status,
      ({ code }: StormlampError) => code,
    );
    await network.drive(answer);
    return await answer;
  };
}

test('who could not read an item writes it again once it has added it, for then there was none', async () => {
  const network = new Network(new Chance(5));
  const nodes = filledPair().map((server) => new MuteNode(server, network));
  const items = itemsOn(copiesOn(nodes), { isGuarded: () => true });
  const run = clientOf(items, network);
  const store = (how: 'set' | 'add'): Promise<string> =>
    run({ op: 'store', how, key: 'beat', value: Buffer.from('1'), flags: 0, exptime: 30, cas: 0n });
  for (const node of nodes) node.silent = true;
  expect(await run({ op: 'get', key: 'beat' })).toBe(ErrorCode.STORE_DOWN);
  for (const node of nodes) node.silent = false;
  expect(await store('set')).toBe(ErrorCode.STORE_DOWN);
  expect(await store('add')).toBe('stored');
  expect(await store('set')).toBe('stored');
});

test('a lock that one node refuses is given back on the other, so that who has the other one can have both', async () => {
  const network = new Network(new Chance(3));
  const servers = filledPair();
  // The first one missed writes, so the other one is begun with.
  const nodes = [new TakenNode(servers[0], network), new ModelNode(servers[1], network)];
  const items = itemsOn(
    copiesOn(nodes, undefined, (standings) => standings.suspect('a', 'b')),
    { isLock: (key) => key === LOCK },
  );
  const isFree = (): boolean => {
    const left = servers[1].items.get(LOCK);
    return left === undefined || releasedLockOf(left.value) !== undefined;
  };
  const answer = items.execute(
    { op: 'store', how: 'add', key: LOCK, value: Buffer.from('1'), flags: 0, exptime: 30, cas: 0n },
    {},
  );
  await network.drive(answer);
  await network.drive(
    (async () => {
      for (let looks = 0; !isFree() && looks < 100; looks += 1) await nodes[1]?.version();
    })(),
  );
  expect((await answer).status).not.toBe('stored');
  expect(servers[0].items.get(LOCK)?.value.toString()).toBe('theirs');
  expect(isFree()).toBe(true);
});

test('what a client was found, but not told, it does not write over', async () => {
  const network = new Network(new Chance(3));
  const servers = filledPair();
  for (const server of servers) server.put('page', Buffer.from('old'), 0);
  const items = itemsOn(copiesOn(servers.map((server) => new ModelNode(server, network))), {
    isSession: () => true,
    isGuarded: () => true,
  });
  const client = {};
  const get = { op: 'get', key: 'page' } as const;
  const read = async (): Promise<void> => {
    const found = items.executeReads([get, { op: 'get', key: 'other' }], client);
    await network.drive(found);
    expect(await found).toMatchObject([{ value: { status: 'hit' } }, { value: { status: 'not-found' } }]);
  };
  const write = async (): Promise<string> => {
    const value = Buffer.from('new');
    const command = { op: 'store', how: 'set', key: 'page', value, flags: 0, exptime: 30, cas: 0n } as const;
    const done = items.execute(command, client).then(
      ({ status }) => status,
      (error: Error) => error.message,
    );
    await network.drive(done);
    return await done;
  };
  await read();
  items.unseen(get, client);
  expect(await write()).toContain('could not be read before');
  await read();
  expect(await write()).toBe('stored');
});

test('who read and touched in one command, and was told of a failure, has read nothing', async () => {
  const network = new Network(new Chance(3));
  const servers = filledPair();
  for (const server of servers) server.put('page', Buffer.from('old'), 0);
  const nodes = servers.map((server) => new ModelNode(server, network));
  const items = itemsOn(copiesOn(nodes), { isSession: () => true, isGuarded: () => true, acks: 'all' });
  const run = clientOf(items, network);
  for (const node of nodes.slice(1)) node.link.up = false;
  expect(await run({ op: 'get-and-touch', key: 'page', exptime: 30 })).toBe(ErrorCode.OUTCOME_UNKNOWN);
  for (const node of nodes) node.link.up = true;
  const set = { op: 'store', how: 'set', key: 'page', flags: 0, exptime: 30, cas: 0n } as const;
  expect(await run({ ...set, value: Buffer.from('') })).toBe(ErrorCode.STORE_DOWN);
  expect(servers[0].items.get('page')?.value.toString()).toBe('old');
});

test('a delete with a version removes that one only, and what another client stores behind it stays', async () => {
  const network = new Network(new Chance(5));
  const servers = filledPair();
  const items = itemsOn(copiesOn(servers.map((server) => new ModelNode(server, network))), {});
  const client = clientOf(items, network);
  const stored = (): readonly (string | undefined)[] =>
    servers.map((server) => server.items.get('k')?.value.toString());
  const version = async (): Promise<bigint> => {
    const reading = items.execute({ op: 'get', key: 'k' }, {});
    await network.drive(reading);
    const answer = await reading;
    return answer.status === 'hit' ? answer.item.cas : 0n;
  };
  const set = { op: 'store', how: 'set', key: 'k', flags: 0, exptime: 0, cas: 0n } as const;
  expect(await client({ op: 'delete', key: 'k', cas: 7n })).toBe('not-found');
  await client({ ...set, value: Buffer.from('first') });
  const first = await version();
  await client({ ...set, value: Buffer.from('second') });
  expect(await client({ op: 'delete', key: 'k', cas: first })).toBe('exists');
  expect(stored()).toEqual(['second', 'second']);
  expect(await client({ op: 'delete', key: 'k', cas: await version() })).toBe('deleted');
  expect(stored()).toEqual([undefined, undefined]);

  await client({ ...set, value: Buffer.from('third') });
  const third = await version();
  network.trace = (line) => {
    if (!/ a delete k .*"deleted"/.test(line)) return;
    network.trace = undefined;
    for (const server of servers) server.put('k', Buffer.from('anew'), 0);
  };
  expect(await client({ op: 'delete', key: 'k', cas: third })).toBe('deleted');
  expect(stored()).toEqual(['anew', 'anew']);
});

test('a session is locked, and a new id is made, on the nodes that are left, whatever the saves have to reach', async () => {
  for (const acks of ['majority', 'all'] as const) {
    const network = new Network(new Chance(7));
    const nodes = filledPair().map((server) => new ModelNode(server, network));
    const items = itemsOn(copiesOn(nodes), {
      acks,
      isLock: (key) => key === LOCK,
      isCountedLock: (key) => key === 'counted.lock',
      isSession: (key) => key.startsWith('page'),
    });
    const run = clientOf(items, network);
    const add = (key: string, text: string): Promise<string> =>
      run({ op: 'store', how: 'add', key, value: Buffer.from(text), flags: 0, exptime: 30, cas: 0n });
    const count = (): Promise<string> =>
      run({ op: 'count', key: 'counted.lock', down: false, delta: 1n, create: undefined, cas: 0n });
    for (const node of nodes.slice(1)) node.link.up = false;
    expect(await add(LOCK, '1')).toBe('stored');
    expect(await run({ op: 'delete', key: LOCK, cas: 0n })).toBe('deleted');
    expect(await count()).toBe('not-found');
    expect(await add('counted.lock', '1')).toBe('stored');
    expect(await run({ op: 'touch', key: 'counted.lock', exptime: 30 })).toBe('touched');
    expect(await run({ op: 'delete', key: 'counted.lock', cas: 0n })).toBe('deleted');
    expect(await add('page1', '')).toBe('stored');
    expect(await add('page2', 'user')).not.toBe('stored');
    expect(await add('other', '')).not.toBe('stored');
  }
});

/** The number `n` on two nodes, which both are to have. */
async function counted() {
  const network = new Network(new Chance(9));
  const servers = filledPair();
  const ways = servers.map((server) => new ModelNode(server, network));
  const run = clientOf(itemsOn(copiesOn(ways), { acks: 'all' }), network);
  const set = (text: string): Promise<string> =>
    run({ op: 'store', how: 'set', key: 'n', value: Buffer.from(text), flags: 0, exptime: 30, cas: 0n });
  const count = (): Promise<string> =>
    run({ op: 'count', key: 'n', down: false, delta: 1n, create: undefined, cas: 0n });
  const lose = (): void => {
    for (const { link } of ways.slice(1)) link.up = false;
  };
  const held = (): string | undefined => servers[0].items.get('n')?.value.toString();
  expect(await set('5')).toBe('stored');
  return { network, run, set, count, lose, held };
}

test('what fewer nodes can take than are wanted is not begun, and a removal is done and told', async () => {
  const { run, set, count, lose, held } = await counted();
  lose();
  for (let tries = 0; tries < 3; tries += 1) expect(await count()).toBe(ErrorCode.STORE_DOWN);
  expect(await set('7')).toBe(ErrorCode.STORE_DOWN);
  expect(held()).toBe('5');
  expect(await run({ op: 'delete', key: 'n', cas: 0n })).toBe(ErrorCode.OUTCOME_UNKNOWN);
  expect(held()).toBeUndefined();
});

test('what a node missed that went away in the midst is not told as refused', async () => {
  const { network, count, lose, held } = await counted();
  network.trace = (line) => {
    if (/ a set n /.test(line)) lose();
  };
  expect(await count()).toBe(ErrorCode.OUTCOME_UNKNOWN);
  expect(held()).toBe('6');
});
