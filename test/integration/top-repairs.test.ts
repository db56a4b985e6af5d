/** `stormlamp top` shows how far the repair of a session node is that another process does, and what repairs brought back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TopCache, TopReport } from '../../src/cli/top/top-report.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { stormlamp } from '../support/run-node.js';
import { eventually } from './eventually.js';
import { MemcachedServers } from './memcached-servers.js';

let servers: MemcachedServers;
let folder: string;
beforeAll(async () => {
  servers = await MemcachedServers.open();
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-top-'));
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const SESSIONS = 1_500;

test('a node that is filled, and what a node missed', async () => {
  const [a, b] = [await servers.start(), await servers.start()];
  const nodes = [a, b].map(({ host, port }) => `${host}:${port}`);
  const file = join(folder, 'stormlamp.config.json');
  writeFileSync(file, JSON.stringify({ sessions: { nodes } }));
  const cache = async (): Promise<TopCache> => {
    const { stdout } = await stormlamp(['top', '--json', '--interval', '100', '--config', file]);
    return (JSON.parse(stdout) as TopReport).caches[0] as TopCache;
  };
  await using store = await createSessionStore({
    nodes,
    monitorIntervalMs: 100,
    operationTimeoutMs: 1_000,
    resyncItemsPerSecond: 60,
  });
  const save = async (): Promise<void> => {
    const session = store.create();
    session.data['user'] = 'ada';
    await store.save(session);
  };
  for (let count = 0; count < SESSIONS; count += 100) await Promise.all(Array.from({ length: 100 }, save));
  expect(await cache()).toMatchObject({ standing: 'filled', repair: null, repaired: null });

  await a.restart();
  const { repair, standing } = await eventually('top shows how far the fill is', async () => {
    const seen = await cache();
    return (seen.repair?.copied ?? 0) > 0 ? seen : undefined;
  });
  expect([standing, repair?.kind]).toEqual(['warming', 'fill']);
  expect(repair?.copied).toBeLessThan(SESSIONS);
  expect(repair?.total).toBeGreaterThanOrEqual(SESSIONS);
  const { stdout } = await stormlamp(['top', '--once', '--interval', '100', '--config', file]);
  expect(stdout).toMatch(new RegExp(`^${nodes[0]} +warming .* fill \\d+ %$`, 'm'));
  const filled = await eventually('it is filled', async () => {
    const seen = await cache();
    return seen.standing === 'filled' && seen.repaired !== null ? seen : undefined;
  });
  expect(filled).toMatchObject({ repaired: { repairs: 1, items: SESSIONS, last: { kind: 'fill' } } });
  expect(filled.repair).toBeNull();

  await a.server.pause();
  await eventually('it is seen', () => store.status()[0]?.writes !== 'closed');
  await Promise.all(Array.from({ length: 20 }, save));
  await a.server.resume();
  const mended = await eventually('it got what it missed', async () => {
    const seen = await cache();
    return seen.repaired?.last.kind === 'mend' ? seen : undefined;
  });
  expect(mended.repaired?.last.items).toBeGreaterThanOrEqual(20);
  expect(mended.repaired?.items).toBeGreaterThanOrEqual(SESSIONS + 20);
});
