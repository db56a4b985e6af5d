/** Nodes that restart empty, are flushed, frozen or cut off: every acknowledged session is there afterwards, by what the servers hold. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { hintKey, leaseKey, suspectKey } from '../../src/memcached/copies/copy-key.js';
import { decodeHint, encodeHint } from '../../src/memcached/copies/copy-notes.js';
import type { MemcachedItem } from '../../src/memcached/memcached-node.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import { eventually } from './eventually.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;

beforeAll(async () => {
  servers = await MemcachedServers.open();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function pair(): Promise<readonly [TestMemcached, TestMemcached]> {
  return [await servers.start(), await servers.start()];
}

function open(nodes: readonly TestMemcached[], more: object = {}): Promise<SessionStore> {
  return createSessionStore({
    nodes: nodes.map(({ host, port }) => `${host}:${port}`),
    monitorIntervalMs: 100,
    ...more,
  });
}

async function saveSessions(store: SessionStore, count: number): Promise<Map<string, string>> {
  const saved = new Map<string, string>();
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const session = store.create();
      session.data['user'] = `user ${index}`;
      await store.save(session);
      saved.set(session.id, `user ${index}`);
    }),
  );
  return saved;
}

async function lost(store: SessionStore, saved: ReadonlyMap<string, string>): Promise<number> {
  const found = await Promise.all(
    [...saved].map(async ([id, user]) => (await store.load(id)).data['user'] === user),
  );
  return found.filter((ok) => !ok).length;
}

function codeOf(answer: PromiseSettledResult<unknown>): unknown {
  return answer.status === 'rejected' ? (answer.reason as { code?: unknown }).code : answer.status;
}

function resynced(store: SessionStore, node: TestMemcached): Promise<void> {
  const id = `${node.host}:${node.port}`;
  return new Promise((resolve) => {
    store.on('node-standing', ({ node: changed, after }) => {
      if (changed === id && after === 'filled') resolve();
    });
  });
}

test('one node after the other restarts empty, and nobody is logged out', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b]);
  const saved = await saveSessions(store, 200);
  for (const node of [a, b, a]) {
    const done = resynced(store, node);
    await node.restart();
    expect(await lost(store, saved)).toBe(0);
    await done;
    expect(await lost(store, saved)).toBe(0);
  }
});

test('without the wait for the refill the second restart loses what the first node had not got back', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b], { resync: false });
  await using marking = await open([a, b]);
  const saved = await saveSessions(store, 200);
  await marking.close();
  await a.restart();
  await eventually('the store sees the restart', () =>
    store.status().some(({ standing }) => standing === 'warming'),
  );
  await b.restart();
  await eventually('both answer', () => store.status().every(({ reads }) => reads === 'closed'));
  expect(await lost(store, saved)).toBeGreaterThan(100);
});

test('what both nodes lost is told with how much it was, by everybody who saw it, and shown by who did not', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b]);
  await using other = await open([a, b], { resync: false });
  const saved = await saveSessions(store, 200);
  const told = [store, other].map((one) => {
    const losses: unknown[] = [];
    one.on('sessions-lost', ({ cause, held }) => losses.push({ cause, enough: held >= saved.size }));
    return losses;
  });
  await eventually('both have seen the sessions', () =>
    [store, other].every((one) => one.status().every(({ memory }) => (memory?.items ?? 0) > saved.size)),
  );
  await Promise.all([a.restart(), b.restart()]);
  await eventually('it was told by both', () => told.every((losses) => losses.length > 0));
  for (const losses of told) expect(losses).toContainEqual({ cause: 'emptied', enough: true });
  await eventually('both nodes are believed', () =>
    [store, other].every((one) => one.status().every(({ standing }) => standing === 'filled')),
  );
  await using late = await open([a, b]);
  const anew = late.status().map(({ begunAnewAt }) => begunAnewAt instanceof Date);
  expect(anew).toContain(true);
  // Each node that begins anew is a loss, which a process sees when it looks at that node.
  const emptied = anew.filter(Boolean).length;
  await eventually('both were told of every node', () => told.every((losses) => losses.length >= emptied));
  expect(await lost(store, saved)).toBe(saved.size);

  // One after the other loses nothing, and tells nothing.
  const before = told.map(({ length }) => length);
  const kept = await saveSessions(store, 20);
  for (const node of [a, b]) {
    const done = resynced(store, node);
    await node.restart();
    await done;
  }
  expect(await lost(store, kept)).toBe(0);
  expect(store.status().map(({ begunAnewAt }) => begunAnewAt)).toEqual([undefined, undefined]);
  expect(told.map(({ length }) => length)).toEqual(before);
});

test('a session that may be on a node that does not answer is never one that does not exist', async () => {
  const [a, b] = await pair();
  await using marking = await open([a, b]);
  const saved = await saveSessions(marking, 50);
  await marking.close();
  await using store = await open([a, b], { resync: false, operationTimeoutMs: 250 });
  await a.restart();
  await eventually('the store sees the restart', () =>
    store.status().some(({ standing, reads }) => standing === 'warming' && reads === 'closed'),
  );
  await b.server.pause();
  const answers = await Promise.allSettled([...saved.keys()].map((id) => store.load(id)));
  expect(answers.map(codeOf)).toEqual(answers.map(() => ErrorCode.STORE_DOWN));
  const [id = ''] = saved.keys();
  await expect(store.touch(id)).rejects.toMatchObject({ code: ErrorCode.STORE_DOWN });
  // New users are let in.
  const created = await saveSessions(store, 1);
  expect(await lost(store, created)).toBe(0);
  await b.server.resume();
  await eventually('both answer', () => store.status().every(({ reads }) => reads === 'closed'));
  expect(await lost(store, new Map([...saved, ...created]))).toBe(0);
});

test('a node that is silent for too long is given up: what only it held is gone', async () => {
  const [a, b] = await pair();
  await using marking = await open([a, b]);
  const saved = await saveSessions(marking, 10);
  await marking.close();
  await using store = await open([a, b], { resync: false, recopyAfterMs: 500 });
  const told: unknown[] = [];
  store.on('sessions-lost', (event) => told.push(event));
  await a.restart();
  await b.server.kill();
  await eventually('its sessions are taken as gone', async () => {
    const answers = await Promise.allSettled([...saved.keys()].map((id) => store.load(id)));
    return answers.every((answer) => answer.status === 'fulfilled' && !answer.value.exists);
  });
  await eventually('it is told', () => told.length > 0);
  expect(told[0]).toMatchObject({ node: `${b.host}:${b.port}`, cause: 'silent' });
});

test("with acks: 'all' and a node away a save changes nothing, and a logout is done, and told", async () => {
  const [a, b] = await pair();
  await using store = await open([a, b], { acks: 'all' });
  const [id = ''] = (await saveSessions(store, 1)).keys();
  await b.server.kill();
  const session = await store.load(id);
  session.data['cart'] = 'full';
  await expect(store.save(session)).rejects.toMatchObject({ code: ErrorCode.STORE_DOWN });
  expect((await store.load(id)).data).not.toHaveProperty('cart');
  await expect(store.destroy(id)).rejects.toMatchObject({ code: ErrorCode.OUTCOME_UNKNOWN });
  expect((await store.load(id)).exists).toBe(false);
  await b.start();
  await eventually('both are filled', () => store.status().every(({ standing }) => standing === 'filled'));
  await store.destroy(id);
  expect((await store.load(id)).exists).toBe(false);
});

test('what is thrown out for lack of memory is told, and nothing else is lost', async () => {
  const small = [await servers.start(['-m', '8']), await servers.start(['-m', '8'])];
  await using store = await open(small);
  const short: { node: string; evictions: number }[] = [];
  store.on('memory-short', (event) => void short.push(event));
  const ids: string[] = [];
  for (let count = 0; count < 60; count += 1) {
    const session = store.create();
    session.data['page'] = 'x'.repeat(400_000);
    await store.save(session);
    ids.push(session.id);
  }
  await eventually(
    'both nodes told that they threw sessions out',
    () => new Set(short.map(({ node }) => node)).size === 2,
  );
  const found = await Promise.all(ids.map(async (id) => (await store.load(id)).exists));
  const lostCount = found.filter((there) => !there).length;
  const evicted = store.status().reduce((sum, { memory }) => sum + (memory?.evictions ?? 0), 0);
  expect(lostCount).toBeGreaterThan(0);
  expect(lostCount).toBeLessThanOrEqual(evicted);
});

test('a node without room that refuses instead of throwing out: the save is told, and what was there stays', async () => {
  const full = [await servers.start(['-m', '8', '-M']), await servers.start(['-m', '8', '-M'])];
  await using store = await open(full);
  const saved: string[] = [];
  let refused = 0;
  for (let count = 0; count < 40; count += 1) {
    const session = store.create();
    session.data['page'] = 'x'.repeat(400_000);
    const done = await store.save(session).then(
      () => true,
      () => false,
    );
    if (done) saved.push(session.id);
    else refused += 1;
  }
  expect(refused).toBeGreaterThan(0);
  const found = await Promise.all(saved.map(async (id) => (await store.load(id)).exists));
  // A change that does not fit leaves the session as it was.
  for (const id of saved) {
    const session = await store.load(id);
    session.data['more'] = 'y'.repeat(400_000);
    await store.save(session).catch(() => undefined);
  }
  for (const id of saved) expect((await store.load(id)).data['page']).toHaveLength(400_000);
  expect(found.filter((there) => !there)).toEqual([]);
});

test('a session that only one of two nodes takes is refused, and stays as it was on both', async () => {
  const unequal = [await servers.start(['-I', '2m']), await servers.start()];
  await using store = await open(unequal);
  for (const id of (await saveSessions(store, 6)).keys()) {
    const before = await store.readRaw(id);
    const session = await store.load(id);
    session.data['page'] = 'x'.repeat(1_500_000);
    await expect(store.save(session)).rejects.toMatchObject({ code: ErrorCode.SESSION_TOO_LARGE });
    expect(await store.readRaw(id)).toEqual(before);
  }
});

test('three nodes with two copies: one is away, its sessions are written to the spare one, and the other may go, too', async () => {
  const three = [await servers.start(), await servers.start(), await servers.start()];
  await using store = await open(three, { acks: 'all' });
  const saved = await saveSessions(store, 60);
  await three[0]?.server.kill();
  await eventually('the breaker is open', () => store.status()[0]?.reads !== 'closed');
  for (const id of saved.keys()) {
    const session = await store.load(id);
    session.data['user'] = `again ${id}`;
    await store.save(session);
    saved.set(id, `again ${id}`);
  }
  await three[1]?.server.kill();
  await eventually('the second breaker is open', () => store.status()[1]?.reads !== 'closed');
  expect(await lost(store, saved)).toBe(0);
});

/** The sessions on a server, by the server itself, each with the version that tells whether it was written again. */
async function itemsOn(
  { host, port }: TestMemcached,
  ids: Iterable<string>,
): Promise<Map<string, MemcachedItem>> {
  const node = createMemcachedNode({ address: { host, port } });
  try {
    const all = [...ids];
    const items = await node.getMany(all.map((id) => `memc.sess.key.${id}`));
    return new Map(all.flatMap((id, at) => (items[at] ? [[id, items[at]] as const] : [])));
  } finally {
    await node.close();
  }
}

test('a node is added, and another one taken out: every session is found before anything was moved, and only the share of a node moves', async () => {
  const [a, b] = await pair();
  const c = await servers.start();
  let saved: Map<string, string>;
  {
    await using before = await open([a, b]);
    saved = await saveSessions(before, 150);
  }
  const onChange = async (list: readonly TestMemcached[]): Promise<void> => {
    const old = await Promise.all(list.map((node) => itemsOn(node, saved.keys())));
    await using store = await open(list);
    let copied = 0;
    store.on('resynced', (done) => {
      copied += done.copied;
    });
    expect(await lost(store, saved)).toBe(0);
    await eventually('every node is filled for the new list', () =>
      store.status().every(({ standing }) => standing === 'filled'),
    );
    expect(await lost(store, saved)).toBe(0);
    let missing = 0;
    for (const [index, node] of list.entries()) {
      const name = `${node.host}:${node.port}`;
      const now = await itemsOn(node, saved.keys());
      const share = [...saved.keys()].filter((id) => store.holders(id).includes(name));
      // All of its share is there, what was there is what it was, and nothing else came.
      expect(share.filter((id) => !now.has(id))).toEqual([]);
      // What it holds for nobody any more may be gone.
      for (const [id, item] of old[index] ?? [])
        if (share.includes(id)) expect(now.get(id)?.value).toEqual(item.value);
      const came = [...now.keys()].filter((id) => !old[index]?.has(id));
      expect(came.filter((id) => !share.includes(id))).toEqual([]);
      missing += came.length;
    }
    expect(missing).toBeGreaterThan(0);
    expect(missing).toBeLessThan(2 * saved.size);
    expect(copied).toBeLessThanOrEqual(missing);
  };
  await onChange([a, b, c]);
  await onChange([a, c]);
});

test('a node that only speaks the binary protocol says why it cannot be refilled, and its sessions are found all the same', async () => {
  const [a, b] = [await servers.start(['-B', 'binary']), await servers.start()];
  await using store = await open([a, b]);
  const { ok, checks } = await store.preflight();
  expect([ok, ...checks.map(({ result }) => result)]).toEqual([false, 'warn', 'pass']);
  expect(checks[0]?.detail).toContain('text protocol');
  const saved = await saveSessions(store, 30);
  const reasons: unknown[] = [];
  store.on('resync-failed', ({ error }) => reasons.push((error as { code?: unknown }).code));
  await a.restart();
  // The first try may meet the node while it restarts.
  await eventually('it says why', () => reasons.includes('ERR_UNSUPPORTED'));
  expect(await lost(store, saved)).toBe(0);
  // Who asks for it is told, and does not wait for ever.
  await eventually('the report says why', async () => {
    const [report] = await store.resync({ timeoutMs: 20_000 });
    const { outcome, error } = report as { outcome: string; error?: { code?: string } };
    return outcome === 'failed' && error?.code === 'ERR_UNSUPPORTED';
  });
});

test('who waits for a resync may stop to wait, and a node whose peers are away is told to be incomplete', async () => {
  const [a, b] = await pair();
  await using store = await open([a, b], { resyncItemsPerSecond: 100 });
  await saveSessions(store, 900);
  await a.restart();
  await expect(store.resync({ timeoutMs: 1_500 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
  await expect(store.resync({ signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
  await b.server.kill();
  await a.restart();
  const reports = await eventually('nothing is under way any more', async () => {
    const all = await store.resync({ timeoutMs: 10_000 });
    return all[0]?.outcome === 'incomplete' ? all : undefined;
  });
  expect(reports.map(({ outcome }) => outcome)).toEqual(['incomplete', 'unreachable']);
});

/** A node that restarts empty and is filled slowly by the first of two processes; resolves when a part of it is there. */
async function halfFilled(a: TestMemcached, b: TestMemcached) {
  const first = await open([a, b], { resyncItemsPerSecond: 300, operationTimeoutMs: 5_000 });
  const saved = new Map<string, string>();
  for (let turn = 0; turn < 4; turn += 1)
    for (const [id, user] of await saveSessions(first, 400)) saved.set(id, user);
  const progress = { copied: 0 };
  first.on('resync-progress', ({ copied }) => {
    progress.copied = copied;
  });
  await a.restart();
  await eventually('a part of it is there', () => progress.copied > 0);
  return { first, saved };
}

test('a fill whose process ends is taken up by another one, and what is there already is not copied again', async () => {
  const [a, b] = await pair();
  const { first, saved } = await halfFilled(a, b);
  await first.close();
  const before = await itemsOn(a, saved.keys());
  expect(before.size).toBeGreaterThan(0);
  expect(before.size).toBeLessThan(saved.size);
  await using second = await open([a, b], { operationTimeoutMs: 5_000 });
  let copied = 0;
  second.on('resynced', (done) => {
    copied += done.copied;
  });
  await eventually('it is filled', () => second.status().every(({ standing }) => standing === 'filled'));
  const after = await itemsOn(a, saved.keys());
  expect(after.size).toBe(saved.size);
  expect([...before].filter(([id, { cas }]) => after.get(id)?.cas !== cas)).toEqual([]);
  await eventually('it is told', () => copied > 0);
  expect(copied).toBe(saved.size - before.size);
});

test('two processes that fill a node at once do no harm: all is there, and what is destroyed meanwhile stays away', async () => {
  const [a, b] = await pair();
  const { first, saved } = await halfFilled(a, b);
  await using second = await open([a, b], { resyncItemsPerSecond: 600, operationTimeoutMs: 5_000 });
  const started: string[] = [];
  second.on('resync-started', ({ kind }) => started.push(kind));
  const node = createMemcachedNode({ address: { host: a.host, port: a.port } });
  try {
    // As when the first one was held up for longer than its lease lives.
    await eventually('the second one fills, too', async () => {
      if (started.length === 0) await node.delete(leaseKey(`${a.host}:${a.port}`));
      return started.includes('fill');
    });
    const gone = [...saved.keys()].filter((_id, index) => index % 8 === 0);
    for (const id of gone) {
      await second.destroy(id);
      saved.delete(id);
    }
    for (const store of [first, second]) {
      await eventually('both see it filled', () =>
        store.status().every(({ standing }) => standing === 'filled'),
      );
      expect(await lost(store, saved)).toBe(0);
      expect((await Promise.all(gone.map((id) => store.load(id)))).filter(({ exists }) => exists)).toEqual(
        [],
      );
    }
    expect((await itemsOn(a, saved.keys())).size).toBe(saved.size);
  } finally {
    await node.close();
    await first.close();
  }
});

test('two nodes that are new are believed at once: neither is filled from the other', async () => {
  for (let round = 0; round < 10; round += 1) {
    const [a, b] = await pair();
    const stores = await Promise.all([open([a, b]), open([a, b]), open([a, b])]);
    let fills = 0;
    for (const store of stores) store.on('resync-started', () => (fills += 1));
    await Promise.all(
      stores.map((store) =>
        eventually('filled', () => store.status().every(({ standing }) => standing === 'filled')),
      ),
    );
    await Promise.all(stores.map((store) => store.close()));
    expect(fills).toBe(0);
  }
});

test('a write that is missed right after another one was mended is told again, or nobody would mend it', async () => {
  const [a, b] = await pair();
  await using marking = await open([a, b]);
  await marking.close();
  await using store = await open([a, b], { resync: false });
  const [told] = store.copies.places.nodes;
  const about = suspectKey(`${b.host}:${b.port}`);
  await b.server.kill();
  for (let turn = 0; turn < 5; turn += 1) {
    await saveSessions(store, 1);
    const suspicion = await told?.get(about);
    expect(suspicion).toBeDefined();
    expect(suspicion).not.toBeNull();
    // As who mends does when all notes that he saw are dealt with.
    expect(await told?.delete(about, { cas: suspicion?.cas ?? 0n })).toBe('deleted');
  }
});

test('a load of the first node sees its note about the others, and they are brought up to date', async () => {
  await using store = await open(await pair());
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const key = { key: `memc.sess.key.${session.id}`, place: session.id };
  const [first, second] = store.copies.holders(key);
  if (first === undefined || second === undefined) throw new Error('There are two nodes');
  const item = await first.get(key.key);
  // As if the second node had missed a write, and what says so to the other processes had been thrown out.
  await second.set(key.key, Buffer.from('user|s:3:"old";'), { exptime: 60 });
  const missed = new Map([[second.id, { superseded: ['*'], lifted: [] }]]);
  await first.set(hintKey(key.key), encodeHint({ ...key, missed }), { exptime: 60 });
  expect((await store.load(session.id)).data['user']).toBe('ada');
  await eventually('both copies are alike, and nothing is noted any more', async () => {
    const copy = await second.get(key.key);
    const alike = item !== null && copy?.value.equals(item.value) === true;
    const note = await first.get(hintKey(key.key));
    return alike && (note === null || decodeHint(note.value) === undefined);
  });
});

test('a resync over a connection that died looks once more over a new one', async () => {
  const [a, b] = await pair();
  const line = await FaultProxy.open(() => a.port);
  const names = [a, b].map(({ host, port }) => `${host}:${port}`);
  await using store = await createSessionStore({
    nodes: names,
    addressMap: { [names[0] ?? '']: `127.0.0.1:${line.port}` },
    monitorIntervalMs: 60_000,
    operationTimeoutMs: 200,
  });
  try {
    await saveSessions(store, 5);
    // The connections that are open now lead nowhere any more; those that are made later do.
    line.halfOpen().heal();
    expect((await store.resync()).map(({ outcome }) => outcome)).toEqual(['complete', 'complete']);
  } finally {
    line.destroy();
  }
});

/** Lines to nodes, for one process. */
async function behindLines(nodes: readonly TestMemcached[]) {
  const lines = await Promise.all(nodes.map(({ port }) => FaultProxy.open(() => port)));
  const names = nodes.map(({ host, port }) => `${host}:${port}`);
  const addressMap = Object.fromEntries(
    names.map((name, index) => [name, `127.0.0.1:${lines[index]?.port}`]),
  );
  const lineTo = (node: string | undefined): FaultProxy | undefined => lines[names.indexOf(node ?? '')];
  const end = (): void => {
    for (const line of lines) line.destroy();
  };
  return { addressMap, lineTo, end };
}

test('a touch that the first node missed is not taken back when it is there again', async () => {
  const nodes = await pair();
  const { addressMap, lineTo, end } = await behindLines(nodes);
  const [hour, week] = [3_600_000, 7 * 86_400_000];
  const patient = { operationTimeoutMs: 2_000 };
  await using saving = await open(nodes, { ...patient, lifetimeMs: hour });
  await using touching = await open(nodes, { ...patient, lifetimeMs: week, addressMap });
  try {
    const session = saving.create();
    session.data['user'] = 'ada';
    await saving.save(session);
    const cut = lineTo(saving.holders(session.id)[0])?.partition();
    await touching.touch(session.id);
    cut?.heal();
    await eventually('both live for as long as it was touched', async () => {
      const lives = await Promise.all(
        nodes.map(async ({ host, port }) => {
          const place = { address: { host, port }, id: `${host}:${port}`, timeoutMs: 5_000, tls: false };
          await using connection = await TextConnection.open(place);
          return (await connection.items([`memc.sess.key.${session.id}`]))[0]?.remainingSeconds ?? 0;
        }),
      );
      const filled = [saving, touching].every((store) =>
        store.status().every(({ standing }) => standing === 'filled'),
      );
      const longest = Math.max(...lives);
      expect(longest).toBeGreaterThan(6 * 86_400);
      return filled && lives.every((life) => life > 6 * 86_400);
    });
  } finally {
    end();
  }
});

test('a logout of one who is cut off from the first node is seen by one whose line to the second is slow', async () => {
  const nodes = await pair();
  const [slowly, cut] = [await behindLines(nodes), await behindLines(nodes)];
  await using marking = await open(nodes);
  await marking.close();
  // It looks at nothing by itself: only what it hears with the load itself can tell it.
  const options = { monitorIntervalMs: 60_000, operationTimeoutMs: 5_000, resync: false };
  await using leaving = await open(nodes, {
    operationTimeoutMs: 1_000,
    resync: false,
    addressMap: cut.addressMap,
  });
  await using reading = await open(nodes, { ...options, addressMap: slowly.addressMap });
  try {
    const session = leaving.create();
    session.data['user'] = 'ada';
    await leaving.save(session);
    const [first, second] = leaving.holders(session.id);
    expect((await reading.load(session.id)).exists).toBe(true);
    cut.lineTo(first)?.partition();
    await leaving.destroy(session.id);
    const slow = slowly.lineTo(second)?.latency({ ms: 300 });
    expect((await reading.load(session.id)).exists).toBe(false);
    slow?.heal();
  } finally {
    slowly.end();
    cut.end();
  }
});
