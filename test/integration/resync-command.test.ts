/** `stormlamp resync` on real nodes: what it tells of them, and how it fills one that restarted empty. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { stormlamp } from '../support/run-node.js';
import { exchange } from './gateway/same-bytes.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';

let servers: MemcachedServers;
let nodes: readonly TestMemcached[];
let names: readonly string[];

beforeAll(async () => {
  servers = await MemcachedServers.open();
  nodes = [await servers.start(), await servers.start()];
  names = nodes.map(({ host, port }) => `${host}:${port}`);
  await using store = await createSessionStore({ nodes: names });
  for (let count = 0; count < 30; count += 1) {
    const session = store.create();
    session.data['n'] = count;
    await store.save(session);
  }
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test('status shows nodes that are complete, and one that is not', async () => {
  const whole = await stormlamp(['resync', '--check', '--nodes', names.join(','), '--json']);
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({
    ok: true,
    nodes: [
      { node: names[0], standing: 'filled' },
      { standing: 'filled', memory: { evictions: 0 } },
    ],
  });
  await nodes[0]?.restart();
  const restarted = await stormlamp(['resync', '--check', '--nodes', names.join(',')]);
  expect(restarted.code).toBe(1);
  expect(restarted.stdout).toMatch(/warming +0 items/);
});

test('resync fills it, and says what it did; the second time there is nothing to do', async () => {
  const first = await stormlamp(['resync', '--json'], {
    env: { STORMLAMP_MEMCACHED: names.join(' ') },
  });
  expect({ code: first.code, stderr: first.code === 0 ? '' : first.stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({
    ok: true,
    nodes: [
      { node: names[0], outcome: 'resynced', copied: 30 },
      { node: names[1], outcome: 'complete' },
    ],
  });
  const second = await stormlamp(['resync', '--nodes', names.join(',')]);
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/complete[\s\S]*complete/);
});

test('all keys are seen to where a gateway keeps them, though it was not said, and what was looked at is told', async () => {
  const list = names.join(',');
  const key = 'laravel_cache:of_a_session';
  {
    await using store = await createSessionStore({ nodes: names, keys: 'all' });
    await using gateway = await startSessionGateway(store, { port: 0 });
    const stored = await exchange(gateway.port, [Buffer.from(`set ${key} 0 0 4\r\nkept\r\n`)]);
    expect(stored.toString()).toBe('STORED\r\n');
    // They were complete with sessions only.
    for (const { outcome } of await store.resync()) expect(outcome).toMatch(/complete|resynced/);
  }
  await nodes[0]?.restart();
  const check = await stormlamp(['resync', '--check', '--nodes', list]);
  expect(check.code).toBe(1);
  expect(check.stdout).toMatch(
    /^Sessions \(prefix "memc\.sess\.key\."\).*memcached.*2 of each[\s\S]*\nAll keys/,
  );
  // Whether a gateway still keeps them cannot be seen: who knows that none does says so.
  expect(check.stdout).toContain('--keys sessions');
  const sessions = await stormlamp(['resync', '--nodes', list, '--keys', 'sessions']);
  expect([sessions.code, sessions.stdout]).toEqual([0, expect.not.stringContaining('All keys')]);
  const alone = await stormlamp(['resync', '--check', '--nodes', list, '--keys', 'sessions', '--json']);
  expect([alone.code, JSON.parse(alone.stdout).ok]).toEqual([0, true]);
  const still = await stormlamp(['resync', '--check', '--nodes', list]);
  expect(still.code).toBe(1);
  const filled = await stormlamp(['resync', '--nodes', list, '--json']);
  expect(filled.code).toBe(0);
  expect(JSON.parse(filled.stdout)).toMatchObject({
    ok: true,
    lookedAt: { handler: 'memcached', prefix: 'memc.sess.key.', copies: 2 },
    nodes: [
      { node: names[0], keys: 'sessions', outcome: 'complete' },
      { node: names[1], keys: 'sessions', outcome: 'complete' },
      { node: names[0], keys: 'all', outcome: 'resynced' },
      { node: names[1], keys: 'all', outcome: 'complete' },
    ],
  });
  const there = await exchange(nodes[0]?.port ?? 0, [Buffer.from(`get ${key}\r\n`)]);
  expect(there.toString()).toContain('kept');
});

test('--keys is the kind that is looked at, where nobody keeps any yet', async () => {
  const [other] = [await servers.start()];
  const told = await stormlamp([
    'resync',
    '--nodes',
    `${other.host}:${other.port}`,
    '--copies',
    '1',
    '--keys',
    'all',
    '--json',
  ]);
  expect(JSON.parse(told.stdout)).toMatchObject({ ok: true, nodes: [{ keys: 'all' }] });
  const wrong = await stormlamp(['resync', '--nodes', names.join(','), '--keys', 'some']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/`--keys`.*'sessions', 'all'/)]);
  const handler = await stormlamp(['resync', '--nodes', names.join(','), '--handler', 'redis']);
  expect([handler.code, handler.stderr]).toEqual([2, expect.stringMatching(/`--handler`/)]);
});

test('flags come before the configuration, and what they do not say is taken from there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
  try {
    const file = join(folder, 'stormlamp.config.json');
    writeFileSync(file, JSON.stringify({ sessions: { nodes: ['other:1'], prefix: 'shop.', copies: 1 } }));
    const flags = ['resync', '--check', '--nodes', names[0] ?? '', '--json'];
    const told = await stormlamp([...flags, '--config', file]);
    expect(JSON.parse(told.stdout)).toMatchObject({
      lookedAt: { prefix: 'shop.', copies: 1 },
      nodes: [{ node: names[0] }],
    });
    const missing = await stormlamp([...flags, '--config', join(folder, 'missing.json')]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('missing.json')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('nodes that are complete for another list are not filled for one that nobody keeps, unless that is said', async () => {
  const two = [await servers.start(), await servers.start()].map(({ host, port }) => `${host}:${port}`);
  {
    await using store = await createSessionStore({ nodes: two });
    const session = store.create();
    session.data['n'] = 1;
    await store.save(session);
  }
  const [kept, turned] = [two.join(','), two.toReversed().join(',')];
  for (let time = 0; time < 2; time += 1) {
    const refused = await stormlamp(['resync', '--nodes', turned]);
    expect([refused.code, refused.stdout]).toEqual([
      1,
      expect.stringMatching(/another list[\s\S]*--new-list/),
    ]);
  }
  const json = await stormlamp(['resync', '--nodes', turned, '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, keptOtherwise: true, nodes: [] });
  expect(await stormlamp(['resync', '--nodes', kept])).toMatchObject({ code: 0 });
  expect(await stormlamp(['resync', '--nodes', turned, '--new-list'])).toMatchObject({ code: 0 });
});

test('wrong words and numbers are told', async () => {
  const word = await stormlamp(['resync', 'cache1']);
  expect(word).toMatchObject({ code: 2 });
  expect(word.stderr).toMatch(/resync <argument>/);
  const rate = await stormlamp(['resync', '--nodes', names.join(','), '--rate', 'fast']);
  expect(rate.code).toBe(2);
  expect(rate.stderr).toMatch(/--rate/);
});
