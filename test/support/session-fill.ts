/** How long a node that restarted empty takes to be filled, and what sessions that are loaded meanwhile notice. */

import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { eventually } from '../integration/eventually.js';
import type { MemcachedServers, TestMemcached } from '../integration/memcached-servers.js';

/** What was found. */
export interface FillReport {
  readonly sessions: number;
  readonly fillMs: number;
  readonly perSecond: number;
  /** Loads while nothing else happened, in milliseconds. */
  readonly before: { readonly p50: number; readonly p99: number };
  /** Loads while the node was filled. */
  readonly during: { readonly p50: number; readonly p99: number };
  /** Loads that failed or found nothing. */
  readonly failedLoads: number;
  /** How often for which reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Sessions that are not on the node that was filled. */
  readonly missing: number;
}

const BODY = `user|s:${1_980}:"${'x'.repeat(1_980)}";`;

/** Fills two nodes with sessions, restarts one, and measures. */
export async function fillHalfAMillion(servers: MemcachedServers, sessions: number): Promise<FillReport> {
  const memory = String(Math.ceil((sessions * 3) / 1024) + 64);
  const nodes = [await servers.start(['-m', memory]), await servers.start(['-m', memory])];
  const names = nodes.map(({ host, port }) => `${host}:${port}`);
  const [target] = nodes as [TestMemcached, TestMemcached];
  await using store = await createSessionStore({
    nodes: names,
    monitorIntervalMs: 200,
    resyncItemsPerSecond: 0,
  });
  await putEverywhere(nodes, sessions);
  // The process that serves fills as well, which is the worst case: where another one was elected, the loads have theirs for themselves.
  let failedLoads = 0;
  const failures: Record<string, number> = {};
  const load = async (): Promise<number> => {
    const id = idOf(Math.floor(Math.random() * sessions));
    const started = performance.now();
    const outcome = await store.readRaw(id).then(
      (found) => (found === null ? 'not found' : undefined),
      (error: unknown) => (error instanceof Error ? error.message.replace(/\d+/g, 'N') : String(error)),
    );
    if (outcome !== undefined) {
      failedLoads += 1;
      failures[outcome] = (failures[outcome] ?? 0) + 1;
    }
    return performance.now() - started;
  };
  const before: number[] = [];
  for (let count = 0; count < 2_000; count += 1) before.push(await load());
  const done = new Promise<number>((resolve) => {
    store.on('resynced', ({ node, kind, elapsedMs }) => {
      if (kind === 'fill' && node === `${target.host}:${target.port}`) resolve(elapsedMs);
    });
  });
  await target.restart();
  const during: number[] = [];
  let over = false;
  const loading = (async () => {
    while (!over) during.push(await load());
  })();
  const fillMs = await done;
  over = true;
  await loading;
  await eventually('complete', () => store.status().every(({ standing }) => standing === 'filled'));
  const missing = await countMissing(target, sessions);
  await Promise.all(nodes.map(({ server }) => server.kill()));
  return {
    sessions,
    fillMs: Math.round(fillMs),
    perSecond: Math.round((sessions * 1000) / fillMs),
    before: quantiles(before),
    during: quantiles(during),
    failedLoads,
    failures,
    missing,
  };
}

function idOf(index: number): string {
  return index.toString(32).padStart(26, '0');
}

async function putEverywhere(nodes: readonly TestMemcached[], sessions: number): Promise<void> {
  const value = Buffer.from(BODY);
  for (const { host, port } of nodes) {
    const node = createMemcachedNode({ address: { host, port }, timeoutMs: 20_000 });
    for (let at = 0; at < sessions; at += 2_000) {
      const count = Math.min(2_000, sessions - at);
      const batch = Array.from({ length: count }, (_, index) => `memc.sess.key.${idOf(at + index)}`);
      await Promise.all(batch.map((key) => node.set(key, value, { exptime: 86_400 })));
    }
    await node.close();
  }
}

async function countMissing({ host, port }: TestMemcached, sessions: number): Promise<number> {
  const node = createMemcachedNode({ address: { host, port }, timeoutMs: 20_000 });
  let missing = 0;
  for (let at = 0; at < sessions; at += 2_000) {
    const count = Math.min(2_000, sessions - at);
    const keys = Array.from({ length: count }, (_, index) => `memc.sess.key.${idOf(at + index)}`);
    const found = await Promise.all(keys.map((key) => node.touch(key, 86_400)));
    missing += found.filter((answer) => answer === 'not-found').length;
  }
  await node.close();
  return missing;
}

function quantiles(all: readonly number[]): { p50: number; p99: number } {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 100) / 100;
  return { p50: at(0.5), p99: at(0.99) };
}
