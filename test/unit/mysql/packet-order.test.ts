import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import mysql from 'mysql2';
import { afterEach, expect, test, vi } from 'vitest';
import { followPacketOrder } from '../../../src/mysql/packet-order.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A server that lets everybody in and answers the first statement with error 4031, numbered as an idle timeout is. */
async function openServer(): Promise<{ readonly port: number; close(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(packet(0, GREETING));
    let asked = 0;
    socket.on('data', () => {
      asked += 1;
      socket.write(asked === 1 ? packet(2, OK) : packet(0, TIMED_OUT));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const GREETING = Buffer.concat([
  Buffer.from([10]),
  Buffer.from('8.0.40\0'),
  Buffer.from([1, 0, 0, 0]),
  Buffer.from('12345678\0'),
  Buffer.from([0xff, 0xf7, 0xff, 2, 0, 0xff, 0x81, 21]),
  Buffer.alloc(10),
  Buffer.from('123456789012\0mysql_native_password\0'),
]);
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const TIMED_OUT = Buffer.concat([
  Buffer.from([0xff, 0xbf, 0x0f]),
  Buffer.from('#HY000The client was disconnected by the server'),
]);

function packet(sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, body]);
}

async function lastWords(follow: boolean): Promise<{ readonly said: unknown; readonly written: unknown[] }> {
  const server = await openServer();
  const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const raw = mysql.createConnection({ host: '127.0.0.1', port: server.port, user: 'u', password: 'p' });
  if (follow) followPacketOrder(raw);
  try {
    await once(raw, 'connect');
    const said = await new Promise((resolve) => raw.query('SELECT 1', (error) => resolve(error?.errno)));
    return { said, written: written.mock.calls.flat() };
  } finally {
    raw.destroy();
    server.close();
  }
}

test('mysql2 by itself writes a warning to standard error', async () => {
  const { said, written } = await lastWords(false);
  expect({ said, written }).toEqual({
    said: 4031,
    written: [expect.stringContaining('packets out of order')],
  });
});

test('with it the error arrives just the same, and nothing is written', async () => {
  expect(await lastWords(true)).toEqual({ said: 4031, written: [] });
});

test('a driver that keeps its numbers elsewhere is left alone', () => {
  const raw = { handlePacket: () => undefined } as unknown as mysql.Connection;
  const before = { ...raw };
  followPacketOrder(raw);
  expect(raw).toEqual(before);
});
