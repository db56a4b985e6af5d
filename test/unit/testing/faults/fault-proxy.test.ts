import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FaultProxy } from '../../../../src/testing/faults/fault-proxy.js';
import { freePort, listenOnFreePort } from '../../../../src/testing/process/free-port.js';
import { eventually } from '../../../integration/eventually.js';
import { Wire } from '../../../integration/wire.js';

let server: Server;
let serverPort: number;
let accepted: Socket[];
let heard: string;
let proxy: FaultProxy;
const wires: Wire[] = [];

beforeEach(async () => {
  accepted = [];
  heard = '';
  server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      socket.write(bytes);
    });
    socket.on('end', () => socket.end('bye\n'));
  });
  serverPort = await listenOnFreePort(server);
  proxy = await FaultProxy.open(() => serverPort);
});

afterEach(() => {
  for (const wire of wires.splice(0)) wire.close();
  for (const socket of accepted) socket.destroy();
  proxy.destroy();
  server.close();
});

async function open(port = proxy.port): Promise<Wire> {
  const wire = await Wire.open(port);
  wires.push(wire);
  return wire;
}

/** As much time as several round trips past the proxy take: whatever the proxy lets through has passed by then. */
async function othersTalk(): Promise<void> {
  const direct = await open(serverPort);
  for (let turn = 1; turn <= 6; turn += 1) {
    direct.send('.\n');
    await direct.gets('.\n'.repeat(turn));
  }
}

test('without faults bytes pass both ways unchanged, and the end of each side too', async () => {
  const wire = await open();
  const text = Array.from({ length: 200_000 }, (_, index) => String.fromCharCode(index % 251)).join('');
  wire.send(text);
  await wire.gets(text);
  wire.socket.end();
  await wire.gets('bye\n');
  await eventually('the end arrives', () => wire.ended);
});

test('a sender whose receiver does not read is stopped instead of filling the memory', async () => {
  const wire = await open();
  wire.send('x');
  await wire.gets('x');
  accepted[0]?.pause();
  accepted[0]?.removeAllListeners('data');
  const chunk = 'y'.repeat(1_048_576);
  let sent = 0;
  // The kernel's own buffers are a few megabytes; a proxy without back-pressure would take all of it.
  while (sent < 64 && wire.socket.write(chunk, 'latin1')) sent += 1;
  for (; sent < 64; sent += 1) wire.socket.write(chunk, 'latin1');
  await othersTalk();
  expect(wire.socket.writableLength).toBeGreaterThan(32 * 1_048_576);
});

test('latency holds data back until it is healed, and keeps its order under jitter', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  const fault = proxy.latency({ ms: 600_000 });
  wire.send('b');
  await eventually('the server has heard it', () => heard.includes('b'));
  await othersTalk();
  expect(wire.received).toBe('a');
  fault.heal();
  await wire.gets('ab');

  proxy.latency({ ms: 1, jitterMs: 20, direction: 'both' });
  for (const letter of 'cdefghijklmnop') {
    wire.send(letter);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await wire.gets('p')).toBe('abcdefghijklmnop');
});

test('latency to the server leaves the way back alone', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  proxy.latency({ ms: 600_000, direction: 'to-server' });
  wire.send('b');
  accepted[0]?.write('news');
  await wire.gets('news');
  expect(heard).toBe('a');
});

test('a partition lets nothing pass, not even a reset, and loses nothing', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  const fault = proxy.partition();
  wire.send('b');
  accepted[0]?.write('c');
  const late = await open();
  late.send('d');
  await othersTalk();
  expect({
    received: wire.received,
    failure: wire.failure,
    late: late.failure,
    servers: accepted.length,
  }).toEqual({
    received: 'a',
    failure: undefined,
    late: undefined,
    servers: 2,
  });
  fault.heal();
  await eventually('both have arrived', () => wire.received.includes('b') && wire.received.includes('c'));
  await late.gets('d');
});

test('a server that dies during a partition is noticed when the partition ends', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  const fault = proxy.partition();
  accepted[0]?.resetAndDestroy();
  await othersTalk();
  expect({ failure: wire.failure, ended: wire.ended }).toEqual({ failure: undefined, ended: false });
  fault.heal();
  expect(await wire.fails()).toBe('ECONNRESET');
});

test('a partition of one direction lets the other one pass', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  proxy.partition({ direction: 'to-client' });
  wire.send('b');
  await eventually('the server has heard it', () => heard.includes('b'));
  await othersTalk();
  expect(wire.received).toBe('a');
});

test('a reset ends every connection with RST, and every new one', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  const gone = new Promise<void>((resolve) => accepted[0]?.once('close', () => resolve()));
  proxy.reset();
  expect(await wire.fails()).toBe('ECONNRESET');
  await gone;
  const next = await open();
  next.send('b');
  expect(await next.fails()).toMatch(/ECONNRESET|EPIPE/);
  proxy.heal();
  const healed = await open();
  healed.send('c');
  await healed.gets('c');
});

test('half-open: the server forgets the client, which can write and learns nothing until it is healed', async () => {
  const wire = await open();
  wire.send('a');
  await wire.gets('a');
  const gone = new Promise<void>((resolve) => accepted[0]?.once('close', () => resolve()));
  proxy.halfOpen();
  await gone;
  const late = await open();
  wire.send('b');
  late.send('c');
  await othersTalk();
  expect({
    heard: heard.replaceAll('.\n', ''),
    failure: wire.failure,
    late: late.failure,
    ended: wire.ended,
  }).toEqual({
    heard: 'a',
    failure: undefined,
    late: undefined,
    ended: false,
  });
  proxy.heal();
  expect(await wire.fails()).toBe('ECONNRESET');
  expect(await late.fails()).toBe('ECONNRESET');
});

test('throttled and sliced data arrives complete and in pieces', async () => {
  const pieces: number[] = [];
  proxy.slice({ bytes: 3, direction: 'to-client' });
  proxy.throttle({ bytesPerSecond: 200_000 });
  const wire = await open();
  wire.socket.on('data', (text: string) => pieces.push(text.length));
  const text = Array.from({ length: 3_000 }, (_, index) => String.fromCharCode(32 + (index % 90))).join('');
  wire.send(text);
  await wire.gets(text);
  expect(pieces.length).toBeGreaterThan(1);
});

test('a throttle lets through what its rate allows and no more', async () => {
  proxy.throttle({ bytesPerSecond: 1, direction: 'to-server' });
  const wire = await open();
  wire.send('abcdefgh'.repeat(100));
  await eventually('the first byte', () => heard === 'a');
  await othersTalk();
  expect(heard.replaceAll('.\n', '').length).toBeLessThan(100);
  proxy.heal();
  await wire.gets('abcdefgh'.repeat(100));
});

test('several faults add up, and healing one leaves the others', async () => {
  const first = proxy.partition();
  const second = proxy.latency({ ms: 5 });
  expect(proxy.active).toEqual(['partition', 'latency']);
  first.heal();
  first.heal();
  expect(proxy.active).toEqual(['latency']);
  expect([first.active, second.active]).toEqual([false, true]);
  {
    using third = proxy.reset();
    expect(third.kind).toBe('reset');
    expect(proxy.active).toEqual(['latency', 'reset']);
  }
  expect(proxy.active).toEqual(['latency']);
  proxy.heal();
  expect(second.active).toBe(false);
});

test('a client of a server that is not there is reset; a refusing proxy is not there at all', async () => {
  serverPort = await freePort();
  const wire = await open();
  wire.send('a');
  expect(await wire.fails()).toMatch(/ECONNRESET|EPIPE/);
  proxy.refuse();
  expect(await (await open()).fails()).toBe('ECONNREFUSED');
  await proxy.accept();
  await proxy.accept();
  expect(proxy.listening).toBe(true);
});

test('a port that was taken while the node was down is an error that names it', async () => {
  proxy.refuse();
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(proxy.port, '127.0.0.1', resolve));
  await expect(proxy.accept(1)).rejects.toMatchObject({
    code: 'ERR_PORT_IN_USE',
    message: expect.stringContaining(`Port ${proxy.port}`),
  });
  squatter.close();
});

test.each([
  [() => proxy.latency({ ms: -1 }), 'latency.ms'],
  [() => proxy.latency({} as { ms: number }), 'latency.ms'],
  [() => proxy.latency({ ms: 1, jitter: 2 } as { ms: number }), 'did you mean `jitterMs`?'],
  [() => proxy.partition({ direction: 'up' as 'both' }), 'partition.direction'],
  [() => proxy.partition({ only: 'slaves' as 'clients' }), 'partition.only'],
  [() => proxy.throttle({ bytesPerSecond: 0 }), 'throttle.bytesPerSecond'],
  [() => proxy.slice({ bytes: 1.5 }), 'slice.bytes'],
])('wrong options are refused and nothing is in force (%#)', (make, part) => {
  expect(make).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(part) }),
  );
  expect(proxy.active).toEqual([]);
});
