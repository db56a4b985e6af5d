import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concerns, type Traffic, TrafficDetector } from '../../../../src/testing/faults/traffic.js';

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header.writeUInt8(sequence, 3);
  return Buffer.concat([header, payload]);
}

function login(user: string, capabilities = 0x0200): Buffer {
  const fixed = Buffer.alloc(32);
  fixed.writeUInt32LE(capabilities, 0);
  return packet(1, Buffer.concat([fixed, Buffer.from(`${user}\0`), Buffer.from([0])]));
}

function query(sql: string): Buffer {
  return packet(0, Buffer.concat([Buffer.from([3]), Buffer.from(sql)]));
}

function register(serverId: number): Buffer {
  const payload = Buffer.alloc(18);
  payload.writeUInt8(0x15, 0);
  payload.writeUInt32LE(serverId, 1);
  return packet(0, payload);
}

function read(bytes: Buffer, user = 'repl'): Traffic {
  return new TrafficDetector(user).read(bytes);
}

test('the name at login tells replicas from clients', () => {
  expect(read(Buffer.alloc(0))).toEqual({ kind: 'unknown' });
  expect(read(login('app'))).toEqual({ kind: 'clients' });
  expect(read(login('repl'))).toEqual({ kind: 'replication', serverId: undefined });
  expect(read(login('replica'))).toEqual({ kind: 'clients' });
});

test('a registration tells which replica it is, whatever it logged in as', () => {
  const asked = query('SELECT UNIX_TIMESTAMP()');
  const expected = { kind: 'replication', serverId: 3 };
  expect(read(Buffer.concat([login('repl'), asked, register(3)]))).toEqual(expected);
  expect(read(Buffer.concat([login('other'), asked, register(3)]))).toEqual(expected);
});

test('what looks like a registration inside the login or a query is none', () => {
  const secret = packet(3, Buffer.from([0x15, 7, 0, 0, 0]));
  expect(read(Buffer.concat([login('app'), secret]))).toEqual({ kind: 'clients' });
  const long = packet(0, Buffer.concat([Buffer.from([3]), Buffer.alloc(5_000, 0x20), register(9)]));
  expect(read(Buffer.concat([login('app'), long]))).toEqual({ kind: 'clients' });
});

test('an encrypted connection counts as a client and is not looked at again', () => {
  const detector = new TrafficDetector('repl');
  const request = Buffer.alloc(32);
  request.writeUInt32LE(0x0a00, 0);
  expect(detector.read(packet(1, request))).toEqual({ kind: 'clients' });
  expect(detector.done).toBe(true);
  expect(detector.read(register(4))).toEqual({ kind: 'clients' });
});

test('a client is not looked at for ever', () => {
  const detector = new TrafficDetector('repl');
  detector.read(login('app'));
  for (let turn = 0; turn < 100; turn += 1) detector.read(query('SELECT 1'));
  expect(detector.done).toBe(true);
});

test('however the bytes are torn, the answer is the same', () => {
  const whole = Buffer.concat([
    login('repl'),
    query('x'.repeat(1_000)),
    packet(0, Buffer.alloc(0)),
    query('SELECT @@server_id'),
    register(77),
    query('rest'),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const detector = new TrafficDetector('repl');
      let traffic: Traffic = { kind: 'unknown' };
      let at = 0;
      for (let turn = 0; at < whole.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        traffic = detector.read(whole.subarray(at, at + size));
        at += size;
      }
      expect(traffic).toEqual({ kind: 'replication', serverId: 77 });
    }),
  );
});

test('bytes that are not of the protocol harm nobody', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), (chunks) => {
      const detector = new TrafficDetector('repl');
      for (const chunk of chunks)
        expect(detector.read(Buffer.from(chunk)).kind).toMatch(/unknown|clients|replication/);
    }),
  );
});

test('a fault concerns the connections that it is for', () => {
  const replica: Traffic = { kind: 'replication', serverId: 2 };
  const early: Traffic = { kind: 'replication', serverId: undefined };
  const client: Traffic = { kind: 'clients' };
  const unknown: Traffic = { kind: 'unknown' };
  const of = (filter: Parameters<typeof concerns>[0]): boolean[] =>
    [replica, early, client, unknown].map((traffic) => concerns(filter, traffic));
  expect(of('all')).toEqual([true, true, true, true]);
  expect(of('clients')).toEqual([false, false, true, false]);
  expect(of('replication')).toEqual([true, true, false, false]);
  expect(of({ replica: 2 })).toEqual([true, false, false, false]);
  expect(of({ replica: 3 })).toEqual([false, false, false, false]);
});
