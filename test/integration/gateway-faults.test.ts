/** PHP behind gateways while a node is killed, frozen or cut off: what PHP was told is stored is there. `npm run chaos -- gateway` is the whole list. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAULT_STORIES } from '../support/gateway-faults.js';
import { GatewayRoom } from '../support/gateway-room.js';
import { writeThrough } from '../support/php-writers.js';

const SHORT = { writers: 4, sessions: 20 };
const HOLD_MS = 1_500;
let room: GatewayRoom;

beforeAll(async () => {
  room = await GatewayRoom.open(2);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

test.each(FAULT_STORIES.filter(({ name }) => /^(kill|one gateway|flush)/.test(name)))(
  '$name: every acknowledged session is there, with its newest content',
  async ({ happen }) => {
    const report = await writeThrough(
      room.servers,
      (index) => room.ini(index),
      SHORT,
      () => happen(room, HOLD_MS),
      () => room.settled(),
    );
    expect(report.lost).toEqual([]);
    expect(report.sessions).toBeGreaterThan(0);
  },
);

test("PHP's own handler loses sessions by the same: this test can fail", async () => {
  const report = await writeThrough(
    room.servers,
    () => room.nativeIni(),
    SHORT,
    async () => {
      await room.servers.memcached[0]?.kill();
      await room.servers.memcached[0]?.start();
    },
  );
  expect(report.lost.length).toBeGreaterThan(0);
});
