/** More nodes than copies: one falls and its sessions are copied again, by what the servers hold. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { eventually } from './eventually.js';
import { exchange } from './gateway/same-bytes.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';
import { sessionKeysOn } from './session-keys-on.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function startMany(count: number): Promise<readonly TestMemcached[]> {
  return await Promise.all(Array.from({ length: count }, () => servers.start()));
}

function open(nodes: readonly TestMemcached[], more: object = {}): Promise<SessionStore> {
  return createSessionStore({
    nodes: nodes.map(nameOf),
    monitorIntervalMs: 100,
    operationTimeoutMs: 2_000,
    ...more,
  });
}

function nameOf({ host, port }: TestMemcached): string {
  return `${host}:${port}`;
}

/** Saves in a loop until it is stopped; then, what was acknowledged last. */
class Load implements AsyncDisposable {
  readonly acknowledged = new Map<string, number>();
  #stopped = false;
  readonly #store: SessionStore;
  #running: Promise<unknown> = Promise.resolve();

  constructor(store: SessionStore) {
    this.#store = store;
  }

  async start(count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => this.#store.create().id);
    await Promise.all(ids.map((id) => this.#save(id, 0)));
    // The last third is never written again: nobody but the nodes themselves can keep its copies complete.
    const written = ids.slice(0, (count * 2) / 3);
    this.#running = (async () => {
      for (let round = 1; !this.#stopped; round += 1) {
        for (const id of written) if (!this.#stopped) await this.#save(id, round);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #save(id: string, round: number): Promise<void> {
    const session = await this.#store.load(id).catch(() => undefined);
    if (session === undefined) return;
    session.data['round'] = round;
    const saved = await this.#store.save(session).catch(() => undefined);
    if (saved?.outcome === 'saved') this.acknowledged.set(id, round);
  }

  /** Sessions that are not there, or older than acknowledged. */
  async lost(): Promise<readonly string[]> {
    const lost: string[] = [];
    for (const [id, round] of this.acknowledged) {
      const found = (await this.#store.load(id)).data['round'];
      if (typeof found !== 'number' || found < round) lost.push(id);
    }
    return lost;
  }
}

async function copiesOf(nodes: readonly TestMemcached[]): Promise<Map<string, number>> {
  const copies = new Map<string, number>();
  for (const node of nodes) {
    if (!node.server.running) continue;
    for (const id of await sessionKeysOn(node)) copies.set(id, (copies.get(id) ?? 0) + 1);
  }
  return copies;
}

async function withoutTwoCopies(load: Load, nodes: readonly TestMemcached[]): Promise<number> {
  const copies = await copiesOf(nodes);
  return [...load.acknowledged.keys()].filter((id) => copies.get(id) !== 2).length;
}

test('one of three falls: its sessions are served, copied to the next node, survive a second fall, and go back', async () => {
  const nodes = await startMany(3);
  const [a, b, c] = nodes;
  await using store = await open(nodes, { recopyAfterMs: 300 });
  const told: string[] = [];
  store.on('resynced', ({ kind }) => told.push(kind));
  await using load = new Load(store);
  await load.start(150);
  await eventually('every session has two copies', async () => (await withoutTwoCopies(load, nodes)) === 0);

  await b?.server.kill();
  await eventually('every session has two living copies again', async () => {
    return (await withoutTwoCopies(load, nodes)) === 0 && told.includes('recopy');
  });
  expect(await load.lost()).toEqual([]);

  await b?.start();
  await eventually('what was kept for it is gone, and it has its own', async () => {
    return (await withoutTwoCopies(load, nodes)) === 0 && told.includes('sweep');
  });
  await load.stop();
  expect(await load.lost()).toEqual([]);

  await b?.server.kill();
  await eventually('the second time as well', async () => (await withoutTwoCopies(load, nodes)) === 0);
  await a?.server.kill();
  expect(await load.lost()).toEqual([]);
  expect((await sessionKeysOn(c as TestMemcached)).length).toBe(load.acknowledged.size);
});

test('without copying again a second fall takes away what the two held', async () => {
  const nodes = await startMany(3);
  const [a, b] = nodes;
  await using store = await open(nodes, { recopyAfterMs: 0, onStoreDown: 'anonymous' });
  await using load = new Load(store);
  await load.start(60);
  await load.stop();
  await b?.server.kill();
  await a?.server.kill();
  const answers = await Promise.allSettled([...load.acknowledged.keys()].map((id) => store.load(id)));
  const down = answers.filter(({ status }) => status === 'rejected');
  expect(down.length).toBeGreaterThan(5);
  for (const answer of down) expect(answer).toMatchObject({ reason: { code: ErrorCode.STORE_DOWN } });
});

test('a node that has no room for the copies of one that is away says so, and keeps what it holds', async () => {
  const nodes = await Promise.all(Array.from({ length: 3 }, () => servers.start(['-m', '16'])));
  await using store = await open(nodes, { recopyAfterMs: 300 });
  const skipped: string[] = [];
  store.on('recopy-skipped', ({ node, away }) => skipped.push(`${node} for ${away.join()}`));
  const saved: string[] = [];
  for (let made = 0; made < 20; made += 1) {
    const session = store.create();
    session.data['number'] = made;
    await store.save(session);
    saved.push(session.id);
  }
  // Three quarters of each node are somebody else's.
  const value = 'x'.repeat(500_000);
  const others = Array.from({ length: 25 }, (_, n) => `set other${n} 0 0 ${value.length}\r\n${value}\r\n`);
  for (const { port } of nodes) await exchange(port, [Buffer.from(others.join(''))]);
  await eventually('the looks know how full the nodes are', () =>
    store.status().every(({ memory }) => (memory?.bytes ?? 0) > 12_000_000),
  );
  const [a, b, c] = nodes as [TestMemcached, TestMemcached, TestMemcached];
  await c.server.kill();
  await eventually('both others have said so', () =>
    [a, b].every((node) => skipped.includes(`${nameOf(node)} for ${nameOf(c)}`)),
  );
  for (const id of saved) expect((await store.load(id)).exists).toBe(true);
  expect(skipped).toHaveLength(2);
});
