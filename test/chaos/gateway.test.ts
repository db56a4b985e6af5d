/** PHP through the gateway under everything that can happen to its nodes, beside PHP's own handler under the same. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exchange } from '../integration/gateway/same-bytes.js';
import { FAULT_STORIES } from '../support/gateway-faults.js';
import { GatewayRoom } from '../support/gateway-room.js';
import { logOutWhileRead } from '../support/logout-story.js';
import { type WriterReport, writeThrough } from '../support/php-writers.js';
import { hammerSessions } from '../support/session-hammer.js';

const WORKERS = Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 8);
const HOLD_MS = Number(process.env['STORMLAMP_CHAOS_SECONDS'] ?? 4) * 1_000;
const SIZE = { writers: WORKERS, sessions: 50 };
const table: Record<string, Record<string, string>> = {};

function entry(report: WriterReport): string {
  return `${report.saved} saved, ${report.refused} refused, ${report.lost.length} lost`;
}

describe.each(['system', 'newest'] as const)('memcached, %s', (version) => {
  let room: GatewayRoom;
  beforeAll(async () => {
    room = await GatewayRoom.open(2, {}, [], version);
  });
  afterAll(async () => {
    console.log(version, JSON.stringify(table, null, 1));
    await room?.[Symbol.asyncDispose]();
  });

  test.each(FAULT_STORIES)('$name: every acknowledged session is there', async ({ name, happen }) => {
    const report = await writeThrough(
      room.servers,
      (index) => room.ini(index),
      SIZE,
      () => happen(room, HOLD_MS),
      () => room.settled(),
    );
    table[name] = { ...table[name], [`gateway ${version}`]: entry(report) };
    expect(report.lost).toEqual([]);
  });

  test.each(FAULT_STORIES.filter(({ native }) => native))(
    "$name: what PHP's own handler makes of it",
    async ({ name, happen }) => {
      const report = await writeThrough(
        room.servers,
        () => room.nativeIni(),
        SIZE,
        () => happen(room, HOLD_MS),
      );
      await room.settled();
      table[name] = { ...table[name], [`PHP's own ${version}`]: entry(report) };
      if (/empty|flush/.test(name)) expect(report.lost.length).toBeGreaterThan(0);
    },
  );

  test.each([false, true])(
    '300 users log out while they are read, one gateway cut off: %s',
    async (cutOff) => {
      const report = await logOutWhileRead(room, 300, async (logOut) => {
        const cut = cutOff ? room.gateways[0]?.lines[0]?.partition() : undefined;
        await logOut();
        cut?.heal();
      });
      console.log('logout', version, cutOff, JSON.stringify({ ...report, back: report.back.length }));
      expect(report.back).toEqual([]);
      expect(report.loggedOut).toBe(300);
    },
  );

  test.each([false, true])(
    '50 PHP writers on two gateways, one of them cut off from the first node: %s',
    async (cutOff) => {
      const report = await hammerSessions(
        room.servers,
        'memcached',
        { php: 50, node: 0, sessions: 10, durationMs: 20_000 + HOLD_MS },
        {
          nodes: room.servers.memcached.map(({ id }) => id),
          addressMap: Object.fromEntries(
            room.servers.memcached.map(({ id, host, realPort }) => [id, `${host}:${realPort}`]),
          ),
        },
        {
          phpPath: (index) => room.gateways[index % 2]?.gateway.address ?? '',
          during: async () => {
            await sleep(8_000);
            const cut = cutOff ? room.gateways[0]?.lines[0]?.partition() : undefined;
            await sleep(HOLD_MS);
            cut?.heal();
          },
          settled: () => room.settled(),
        },
      );
      const { lost, ...counts } = report;
      console.log(
        'writers',
        version,
        cutOff,
        JSON.stringify({ ...counts, lost: lost.length }),
        lost.slice(0, 5),
      );
      expect(report.phpSaved).toBeGreaterThan(0);
      // The bound that docs/gateway.md states.
      expect(lost).toEqual([]);
    },
  );
});

test('a node without memory: what it throws out is counted and told, and nothing else is lost', async () => {
  // Two megabytes hold a few hundred sessions; the other node has room.
  await using room = await GatewayRoom.open(2);
  const told: unknown[] = [];
  for (const { store } of room.gateways) store.on('memory-short', (event) => void told.push(event));
  const node = room.servers.memcached[0];
  const report = await writeThrough(
    room.servers,
    (index) => room.ini(index),
    SIZE,
    async () => {
      await exchange(node?.realPort ?? 0, [Buffer.from('cache_memlimit 8\r\n')]);
      const value = 'x'.repeat(500_000);
      const junk = Array.from({ length: 60 }, (_, n) => `set junk${n} 0 0 ${value.length}\r\n${value}\r\n`);
      await exchange(node?.realPort ?? 0, [Buffer.from(junk.join(''))]);
      await sleep(HOLD_MS);
      await exchange(node?.realPort ?? 0, [Buffer.from('cache_memlimit 64\r\n')]);
    },
    () => room.settled(),
  );
  const stats = (await exchange(node?.realPort ?? 0, [Buffer.from('stats\r\n')])).toString();
  const evicted = Number(/STAT evictions (\d+)/.exec(stats)?.[1] ?? 0);
  console.log('memory', entry(report), 'evicted', evicted, 'told', told.length);
  expect(report.lost.length).toBeLessThanOrEqual(evicted);
  if (evicted > 0) expect(told.length).toBeGreaterThan(0);
});
