/** PHP behind a gateway that saves on all copies, while one of two nodes is dead: what it still may, and what it is told. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GatewayRoom } from '../support/gateway-room.js';
import { eventually } from './eventually.js';

let room: GatewayRoom;

beforeAll(async () => {
  room = await GatewayRoom.open(1, { acks: 'all' });
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

async function page(code: string): Promise<string> {
  const { stdout } = await room.servers.php(`<?php session_id("acked"); ${code}`, {
    ini: { ...room.ini(0), 'memcached.sess_lock_retries': 3, display_errors: 0 },
  });
  return stdout;
}

const COUNT =
  'echo json_encode([session_start(), $_SESSION["n"] ?? 0]); $_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1;';

test('pages begin and read what is stored; what they save is refused until the node is back', async () => {
  await room.settled();
  expect(await page(`${COUNT} session_write_close();`)).toBe('[true,0]');
  const [node] = room.servers.memcached;
  await node?.kill();
  await eventually('its breaker is open', () => room.gateways[0]?.store.status()[0]?.reads !== 'closed');
  expect(await page(`${COUNT} session_abort();`)).toBe('[true,1]');
  // What it cannot store leaves the session as it is.
  expect(await page(`${COUNT} session_write_close();`)).toBe('[true,1]');
  expect(await page(`${COUNT} session_abort();`)).toBe('[true,1]');
  await node?.start();
  await room.settled();
  expect(await page(`${COUNT} session_write_close();`)).toBe('[true,1]');
  expect(await page(`${COUNT} session_abort();`)).toBe('[true,2]');
});
