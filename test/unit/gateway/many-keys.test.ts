/** A client that asks for very many items at once: what is done for it, when it is gone, and what others wait for. */
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AnswerRoom } from '../../../src/gateway/answer-room.js';
import { AttentiveClock } from '../../../src/gateway/attentive-clock.js';
import { FairTurns } from '../../../src/gateway/fair-turns.js';
import { GatewayConnection } from '../../../src/gateway/gateway-connection.js';
import { newCounters } from '../../../src/gateway/gateway-counters.js';
import type { GatewayItems, ItemAnswer, ItemCommand } from '../../../src/gateway/item-command.js';
import { eventually } from '../../integration/eventually.js';
import { Wire } from '../../integration/wire.js';

type Results = readonly PromiseSettledResult<ItemAnswer>[];

/** Nothing is there; windows of reads are answered in the next turn of the event loop, or when they are let go. */
class CountingItems implements GatewayItems {
  looked = 0;
  widest = 0;
  running = 0;
  most = 0;
  held: (() => void)[] | undefined;
  clientsGone = 0;
  readonly notSeen: string[] = [];

  execute(): Promise<ItemAnswer> {
    return new Promise((resolve) => setImmediate(resolve, { status: 'not-found' }));
  }
  hungUp(): void {}
  gone(): void {
    this.clientsGone += 1;
  }
  unseen({ key }: ItemCommand): void {
    this.notSeen.push(key);
  }
  async executeReads(commands: readonly ItemCommand[]): Promise<Results> {
    this.looked += commands.length;
    this.widest = Math.max(this.widest, commands.length);
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    await new Promise<void>((resolve) => {
      if (this.held === undefined) setImmediate(resolve);
      else this.held.push(resolve);
    });
    this.running -= 1;
    return commands.map(({ key }) =>
      key.startsWith('bad')
        ? { status: 'fulfilled', value: { status: 'failed', message: 'no' } }
        : { status: 'fulfilled', value: { status: 'not-found' } },
    );
  }
  letGo(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const one of held) one();
  }
}

const keys = (count: number): string => Array.from({ length: count }, (_, n) => `k${n}`).join(' ');
const STALL_MS = 1_500;
let items: CountingItems;
let faults: string[];
let login = false;
let port: number;
let sockets: Socket[];
let close: () => Promise<void>;

beforeEach(async () => {
  items = new CountingItems();
  faults = [];
  sockets = [];
  const clock = new AttentiveClock();
  clock.start();
  const turns = new FairTurns(8);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    new GatewayConnection(socket, {
      items,
      limits: { maxValueBytes: 1_048_576, version: '1', login },
      stallTimeoutMs: STALL_MS,
      idleTimeoutMs: 0,
      clock,
      turns,
      room: new AnswerRoom(Number.MAX_SAFE_INTEGER, clock),
      requests: new AnswerRoom(Number.MAX_SAFE_INTEGER, clock),
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

test('every key is looked up, and never more than a window of them at a time', async () => {
  const wire = await Wire.open(port);
  wire.send(`get ${keys(30_000)}\r\n`);
  await wire.gets('END\r\n');
  expect(items).toMatchObject({ looked: 30_000, widest: 32, most: 1 });
  wire.close();
});

test('nothing is looked up for a client whose connection broke', async () => {
  items.held = [];
  const wire = await Wire.open(port);
  wire.send(`get ${keys(30_000)}\r\n`);
  await eventually('the first keys are asked for', () => items.looked > 0);
  wire.socket.resetAndDestroy();
  await eventually('it is gone', () => items.clientsGone === 1);
  items.letGo();
  await eventually('the window is done', () => items.running === 0);
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(items.looked).toBe(32);
});

test('who closes its side may wait for an answer, but is not worked for without end', async () => {
  const patient = await Wire.open(port);
  patient.socket.end(`get ${keys(4_000)}\r\n`);
  await patient.gets('END\r\n');
  expect(items.looked).toBe(4_000);

  items.looked = 0;
  items.held = [];
  const wire = await Wire.open(port);
  wire.send(`get ${keys(30_000)}\r\n`);
  await eventually('the first keys are asked for', () => items.looked > 0);
  wire.close();
  await eventually('it was heard', () => sockets[1]?.readableEnded === true);
  items.letGo();
  await eventually('it is gone', () => items.clientsGone === 2);
  expect(items.looked).toBeLessThanOrEqual(32 + 4_096);
});

test('after an error in a request nothing more is done for it, but for the next one', async () => {
  const wire = await Wire.open(port);
  wire.send(`get bad ${keys(20_000)}\r\nget next\r\n`);
  await wire.gets('SERVER_ERROR no\r\nEND\r\n');
  expect(items.looked).toBeLessThan(100);
  wire.close();
});

test('what is behind an error in a request was not seen by the client, whether it was looked up or not', async () => {
  const wire = await Wire.open(port);
  wire.send(`get shown bad ${keys(40)}\r\nget next\r\n`);
  await wire.gets('SERVER_ERROR no\r\nEND\r\n');
  expect(items.notSeen).toEqual(keys(40).split(' '));
  wire.close();
});

test('many who ask for much have eight windows under way together, and who asks for little has its own', async () => {
  items.held = [];
  const greedy = await Promise.all(Array.from({ length: 20 }, () => Wire.open(port)));
  for (const wire of greedy) wire.send(`get ${keys(640)}\r\n`);
  await eventually('each has its first window', () => items.running === 20);
  const firsts = items.held;
  items.held = [];
  for (const one of firsts) one();
  await eventually('eight go on', () => items.running === 8);
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(items.running).toBe(8);
  const modest = await Wire.open(port);
  modest.send('get a b c\r\n');
  await eventually('nobody is waited for', () => items.running === 9);
  items.letGo();
  await Promise.all([modest, ...greedy].map((wire) => wire.gets('END\r\n')));
  expect(items.looked).toBe(20 * 640 + 3);
  for (const wire of [modest, ...greedy]) wire.close();
});

test('a client is not late because nobody listened', async () => {
  const wire = await Wire.open(port);
  wire.send('set a 0 0 6\r\nabc');
  await eventually('the first part is here', () => (sockets[0]?.bytesRead ?? 0) > 0);
  wire.send('def\r\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS + 500);
  await wire.gets('NOT_STORED\r\n');
  expect(faults).toEqual([]);
  wire.send('set a 0 0 6\r\nabc');
  await eventually('it is closed when it is late', () => wire.ended || wire.failure !== undefined);
  expect(faults).toEqual(['a request did not arrive in time']);
});

test('nor is its login', async () => {
  login = true;
  const wire = await Wire.open(port);
  await eventually('it is here', () => sockets.length === 1);
  login = false;
  const head = Buffer.alloc(24);
  head.set([0x80, 0x21, 0, 5]);
  head.writeUInt32BE(9, 8);
  wire.socket.write(Buffer.concat([head, Buffer.from('PLAIN\0u\0p')]));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS + 500);
  await eventually('it is answered', () => faults.length > 0);
  expect(faults).toEqual(['wrong credentials']);
  wire.close();
});

test('the clock counts what the event loop ran, and at most two ticks of what it did not', () => {
  let now = 1_000;
  const clock = new AttentiveClock(() => now);
  now += 300;
  expect(clock.now()).toBe(300);
  clock.tick();
  now += 60_000;
  expect(clock.now()).toBe(800);
  clock.tick();
  now += 10;
  expect(clock.now()).toBe(810);
});

test('what it is asked to call it calls when that much has run, unless it is called off', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    let now = 0;
    let calls = 0;
    const clock = new AttentiveClock(() => now);
    clock.after(1_000, () => {
      calls += 1;
    });
    clock.after(1_000, () => {
      calls += 100;
    })();
    // The process stood still for most of that time.
    now = 60_000;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(calls).toBe(0);
    clock.tick();
    now += 499;
    await vi.advanceTimersByTimeAsync(499);
    expect(calls).toBe(0);
    now += 1;
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test('turns come in the order in which they were asked for', async () => {
  const turns = new FairTurns(1);
  await turns.take();
  const order: number[] = [];
  const all = [1, 2, 3].map((n) => turns.take().then(() => order.push(n)));
  turns.give();
  await all[0];
  expect(order).toEqual([1]);
  turns.give();
  turns.give();
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3]);
});
