/** Clients that ask for much and read nothing, or send a part and no more: what they may take of the memory, and what is left for others. */
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AnswerRoom } from '../../../src/gateway/answer-room.js';
import { AttentiveClock } from '../../../src/gateway/attentive-clock.js';
import { FairTurns } from '../../../src/gateway/fair-turns.js';
import { GatewayConnection } from '../../../src/gateway/gateway-connection.js';
import { newCounters } from '../../../src/gateway/gateway-counters.js';
import type { GatewayItems, ItemAnswer, ItemCommand } from '../../../src/gateway/item-command.js';
import { eventually } from '../../integration/eventually.js';
import { Wire } from '../../integration/wire.js';

const VALUE_BYTES = 64 * 1024;
const ROOM_BYTES = 4 * 32 * VALUE_BYTES;
const REQUEST_BYTES = 8 * VALUE_BYTES;
const value = Buffer.alloc(VALUE_BYTES, 'x');
const hit: ItemAnswer = { status: 'hit', item: { value, flags: 0, cas: 1n } };
const huge: ItemAnswer = { status: 'hit', item: { value: Buffer.alloc(6_000_000, 'x'), flags: 0, cas: 1n } };

/** Everything is there, and large. */
class LargeItems implements GatewayItems {
  running = 0;
  most = 0;
  /** What reads of `huge` wait for. */
  gate: Promise<void> = Promise.resolve();
  async execute({ key }: ItemCommand): Promise<ItemAnswer> {
    if (key !== 'huge') return hit;
    this.running += 1;
    await this.gate;
    this.running -= 1;
    return huge;
  }
  hungUp(): void {}
  gone(): void {}
  unseen(): void {}
  async executeReads(commands: readonly ItemCommand[]): Promise<PromiseSettledResult<ItemAnswer>[]> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.running -= 1;
    return commands.map(() => ({ status: 'fulfilled', value: hit }));
  }
}

let items: LargeItems;
let room: AnswerRoom;
let requests: AnswerRoom;
let faults: string[];
let sockets: Set<Socket>;
let port: number;
let maxValueBytes: number;
let close: () => Promise<void>;

beforeEach(async () => {
  items = new LargeItems();
  maxValueBytes = VALUE_BYTES;
  faults = [];
  sockets = new Set();
  const clock = new AttentiveClock();
  clock.start();
  room = new AnswerRoom(ROOM_BYTES, clock);
  requests = new AnswerRoom(REQUEST_BYTES, clock);
  const turns = new FairTurns(8);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    new GatewayConnection(socket, {
      items,
      limits: { maxValueBytes, version: '1', login: false },
      stallTimeoutMs: 60_000,
      idleTimeoutMs: 0,
      clock,
      turns,
      room,
      requests,
      counters: newCounters(),
      stats: () => undefined,
      login: () => false,
      onFault: (_connection, reason) => void faults.push(reason),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { readonly port: number }).port;
  close = async () => {
    clock.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
});
afterEach(() => close());

const KEYS = 32 * 8;
const line = `get ${Array.from({ length: KEYS }, (_, n) => `k${n}`).join(' ')}\r\n`;

test('their answers take the room that there is, and they make room when others wait; who reads gets everything', async () => {
  const idle = Array.from({ length: 24 }, () => connect({ host: '127.0.0.1', port }));
  for (const socket of idle) {
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(line);
  }
  await eventually('all are there', () => sockets.size === idle.length);
  let used = 0;
  const look = setInterval(() => {
    let held = 0;
    for (const socket of sockets) held += socket.writableLength;
    used = Math.max(used, held);
  }, 5);
  const reader = await Wire.open(port);
  reader.send(line);
  await eventually('everything is read', () => reader.received.endsWith('END\r\n'));
  clearInterval(look);
  expect(reader.received.length).toBeGreaterThan(KEYS * VALUE_BYTES);
  expect(items.most).toBeLessThanOrEqual(4);
  expect(used).toBeLessThanOrEqual(ROOM_BYTES);
  expect(new Set(faults)).toEqual(
    new Set(['it did not read its answers, and there was no room for those of others']),
  );
  for (const socket of idle) socket.destroy();
  reader.close();
  await eventually('nothing is kept for who is gone', () => room.used === 0);
});

test('who asks for one item waits for none of that', async () => {
  const idle = Array.from({ length: 8 }, () => connect({ host: '127.0.0.1', port }));
  for (const socket of idle) {
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(line);
  }
  await eventually('there is no room', () => room.used > ROOM_BYTES / 2);
  const wire = await Wire.open(port);
  wire.send('get one\r\n');
  await eventually('it is answered', () => wire.received.endsWith('END\r\n'));
  expect(faults).toEqual([]);
  wire.close();
  for (const socket of idle) socket.destroy();
});

test('single reads that may be very large are looked up one after the other, where there is room for one', async () => {
  maxValueBytes = 20_000_000;
  let open = (): void => undefined;
  items.gate = new Promise((resolve) => {
    open = resolve;
  });
  const readers = await Promise.all(Array.from({ length: 4 }, () => Wire.open(port)));
  for (const reader of readers) reader.send('get huge\r\n');
  await eventually(
    'all have asked',
    () => [...sockets].filter(({ bytesRead }) => bytesRead > 0).length === 4,
  );
  await eventually('one is looked up', () => items.running > 0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(items.running).toBe(1);
  // One that may be larger than the room has it to itself.
  expect(room.used).toBe(maxValueBytes);
  open();
  for (const reader of readers) {
    await eventually('everybody is answered', () => reader.received.endsWith('END\r\n'));
    expect(reader.received.length).toBeGreaterThan(6_000_000);
    reader.close();
  }
  await eventually('nothing is kept for who is gone', () => room.used === 0);
});

test('requests that never end take the room that there is, and then those are closed that have sent nothing for a second', async () => {
  const part = Buffer.concat([
    Buffer.from(`set k 0 0 ${VALUE_BYTES}\r\n`),
    value.subarray(0, VALUE_BYTES - 10),
  ]);
  const clients = Array.from({ length: 40 }, () => connect(port, '127.0.0.1'));
  for (const client of clients) client.on('error', () => undefined).write(part);
  await eventually('there is room again', () => faults.length > 20 && requests.used <= REQUEST_BYTES);
  expect(new Set(faults)).toEqual(new Set([expect.stringContaining('the rest of its request did not come')]));
  expect(faults.length).toBeLessThan(clients.length);
  // One that was left is served when the rest is here.
  const left = clients.filter(({ destroyed }) => !destroyed);
  const answers: string[] = [];
  for (const client of left) {
    client.on('data', (bytes: Buffer) => void answers.push(bytes.toString()));
    client.write(Buffer.concat([value.subarray(0, 10), Buffer.from('\r\n')]));
  }
  await eventually('an answer', () => answers.length > 0);
  for (const client of clients) client.destroy();
  await eventually('nothing is counted any more', () => requests.used === 0);
});
