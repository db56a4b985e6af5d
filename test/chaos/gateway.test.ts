/** PHP through the gateway under everything that can happen to its nodes, beside PHP's own handler under the same. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exchange } from '../integration/gateway/same-bytes.js';
import { evictedItems, FAULT_STORIES, runShortOfMemory } from '../support/gateway-faults.js';
import { GatewayRoom } from '../support/gateway-room.js';
import { logOutWhileRead } from '../support/logout-story.js';
import { type WriterReport, writeThrough } from '../support/php-writers.js';
import { EMPTIED, type HammerReport, type HammerSize, hammerSessions } from '../support/session-hammer.js';

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

  test.each(FAULT_STORIES)("$name: what PHP's own handler makes of it", async ({ name, happen }) => {
    const report = await writeThrough(
      room.servers,
      (index) => room.nativeIni(index),
      SIZE,
      () => happen(room, HOLD_MS),
    );
    await room.settled();
    table[name] = { ...table[name], [`PHP's own ${version}`]: entry(report) };
    if (/empty|flush/.test(name)) expect(report.lost.length).toBeGreaterThan(0);
  });

  test.each([false, true])(
    '300 users log out while they are read, one gateway cut off: %s',
    async (cutOff) => {
      const report = await logOutWhileRead(room, 300, async (logOut) => {
        const cut = cutOff ? room.gateways[0]?.lines[0]?.partition() : undefined;
        // Else what follows would run over a line that is cut.
        await logOut().finally(() => cut?.heal());
      });
      console.log('logout', version, cutOff, JSON.stringify({ ...report, back: report.back.length }));
      expect(report.back).toEqual([]);
      expect(report.loggedOut).toBe(300);
      // Every reader saw them while they were logged in.
      expect(report.seen).toBeGreaterThan(250);
    },
  );

  test('the check sees who is logged in again', async () => {
    const report = await logOutWhileRead(room, 20, async (logOut, ids) => {
      await logOut();
      const value = 'user|s:3:"ada";';
      const set = Buffer.from(`set memc.sess.key.${ids[3]} 0 600 ${value.length}\r\n${value}\r\n`);
      for (const { realPort } of room.servers.memcached) await exchange(realPort, [set]);
    });
    expect(report.back.some((sentence) => /seen by a look/.test(sentence))).toBe(true);
    expect(report.back.some((sentence) => /there at the end/.test(sentence))).toBe(true);
  });

  test.each([false, true])(
    '50 PHP writers on two gateways, one of them cut off from the first node: %s',
    async (cutOff) => {
      const report = await hammerThrough(room, 'memcached', { php: 50, node: 0 }, () => cutFor(room, cutOff));
      const { lost, ...counts } = report;
      console.log('writers', version, cutOff, JSON.stringify({ ...counts, lost: lost.length }), lost);
      expect(report.phpSaved).toBeGreaterThan(0);
      // The bound that docs/gateway.md states.
      expect(lost).toEqual([]);
    },
  );

  test.each([false, true])(
    '12 writers with pecl-memcache on two gateways, one of them cut off from the first node: %s',
    async (cutOff) => {
      await using counting = await GatewayRoom.open(2, { handler: 'memcache' }, [], version);
      const report = await hammerThrough(counting, 'memcache', { php: 12, node: 0 }, () =>
        cutFor(counting, cutOff),
      );
      const { lost, ...counts } = report;
      console.log('pecl', version, cutOff, JSON.stringify({ ...counts, lost: lost.length }), lost);
      expect(report.phpSaved).toBeGreaterThan(0);
      // What it could not read is an empty session to it, and it takes what it writes then for stored: docs/gateway.md says so.
      expect(lost.filter((sentence) => !sentence.endsWith(EMPTIED))).toEqual([]);
    },
  );
});

test.each(['memcached', 'memcache'] as const)(
  'nodes come and go under PHP and Node on the same sessions, one gateway a step ahead of the other (%s): nothing is lost',
  async (handler) => {
    await using room = await GatewayRoom.open(2, { handler }, [], 'system', 1);
    const [a = '', b = '', c = ''] = room.servers.memcached.map(({ id }) => id);
    const steps = async (nodes: readonly string[]): Promise<void> => {
      for (const step of ['prepare', 'switch', 'finish'] as const) {
        for (const { store } of room.gateways) {
          await store.setNodes(nodes, { step, timeoutMs: 60_000 });
          await sleep(HOLD_MS / 4);
        }
      }
    };
    const report = await hammerThrough(room, handler, { php: 10, node: 2 }, async () => {
      await sleep(2_000);
      await steps([a, b, c]);
      await steps([c, b]);
    });
    const { lost, ...counts } = report;
    console.log('nodes', handler, JSON.stringify({ ...counts, lost: lost.length }), lost);
    expect(report.phpSaved).toBeGreaterThan(0);
    expect(lost.filter((sentence) => !sentence.endsWith(EMPTIED))).toEqual([]);
  },
);

/** Cuts the first gateway off from the first node for a while, or lets the same time pass. */
async function cutFor({ gateways }: GatewayRoom, cutOff: boolean): Promise<void> {
  await sleep(8_000);
  const cut = cutOff ? gateways[0]?.lines[0]?.partition() : undefined;
  await sleep(HOLD_MS);
  cut?.heal();
}

/** PHP processes on two gateways that change ten sessions, or as many fewer as there are fewer processes. */
function hammerThrough(
  room: GatewayRoom,
  handler: 'memcached' | 'memcache',
  size: Pick<HammerSize, 'php' | 'node'>,
  during: () => Promise<void>,
): Promise<HammerReport> {
  const { servers, gateways } = room;
  return hammerSessions(
    servers,
    handler,
    { ...size, sessions: Math.ceil(size.php / 5), durationMs: 20_000 + HOLD_MS },
    {},
    {
      stores: gateways.map(({ store }) => store),
      phpPath: (index) => {
        const address = gateways[index % 2]?.gateway.address ?? '';
        return handler === 'memcache' ? `tcp://${address}?timeout=30` : address;
      },
      during,
      settled: () => room.settled(),
    },
  );
}

describe.each(['system', 'newest'] as const)('a node without memory (memcached, %s)', (version) => {
  test('what it throws out is counted and told, and nothing else is lost', async () => {
    await using room = await GatewayRoom.open(2, {}, [], version);
    const told: unknown[] = [];
    for (const { store } of room.gateways) store.on('memory-short', (event) => void told.push(event));
    const report = await writeThrough(
      room.servers,
      (index) => room.ini(index),
      SIZE,
      () => runShortOfMemory(room, HOLD_MS),
      () => room.settled(),
    );
    const evicted = await evictedItems(room);
    console.log('memory', version, entry(report), 'evicted', evicted, 'told', told.length);
    expect(report.lost.length).toBeLessThanOrEqual(evicted);
    expect(evicted).toBeGreaterThan(0);
    expect(told.length).toBeGreaterThan(0);
  });

  test("what PHP's own handler makes of it", async () => {
    await using room = await GatewayRoom.open(0, {}, [], version);
    const report = await writeThrough(
      room.servers,
      (index) => room.nativeIni(index),
      SIZE,
      () => runShortOfMemory(room, HOLD_MS),
    );
    const evicted = await evictedItems(room);
    console.log("memory, PHP's own", version, entry(report), 'evicted', evicted);
    expect(evicted).toBeGreaterThan(0);
  });
});
