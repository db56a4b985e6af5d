/** Hostile, slow and too many clients: each is closed with an error, and nobody else notices. */
import { randomBytes } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import type { SessionGatewayOptions } from '../../src/gateway/gateway-options.js';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import { eventually } from './eventually.js';
import { type PlainGateway, startPlainGateway } from './gateway/plain-gateway.js';
import { binaryRequest, exchange } from './gateway/same-bytes.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from './tls-certificate.js';
import { Wire } from './wire.js';

let servers: MemcachedServers;
let memcached: TestMemcached;

beforeAll(async () => {
  servers = await MemcachedServers.open();
  memcached = await servers.start();
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

function start(options: SessionGatewayOptions = {}): Promise<PlainGateway> {
  return startPlainGateway(memcached.port, options);
}

/** Asserts that an ordinary client is served. */
async function serves(port: number): Promise<void> {
  const answer = await exchange(port, [Buffer.from('set well 0 0 4\r\ndone\r\nget well\r\n')]);
  expect(answer.toString()).toBe('STORED\r\nVALUE well 0 4\r\ndone\r\nEND\r\n');
}

test('bytes without sense, in whatever amount, harm nobody else', async () => {
  await using gateway = await start();
  const good = await Wire.open(gateway.port);
  for (let round = 0; round < 40; round += 1) {
    const bytes = randomBytes(1 + round * 977);
    // Half of them pretend to be the binary protocol.
    if (round % 2 === 0) bytes[0] = 0x80;
    await exchange(gateway.port, [bytes, randomBytes(100)]);
    good.received = '';
    good.send('get none\r\n');
    await good.gets('END\r\n');
  }
  good.close();
  expect(gateway.faults.length).toBeGreaterThan(0);
  await serves(gateway.port);
});

test('an item that was appended to beyond the longest value is appended to, and counted as any other', async () => {
  await using gateway = await start({ maxValueBytes: 1_024 });
  const half = 'x'.repeat(600);
  const append = `append grown 0 0 600\r\n${half}\r\n`;
  const text = `set grown 0 60 600\r\n${half}\r\n${append}${append}`;
  expect((await exchange(gateway.port, [Buffer.from(text)])).toString()).toBe('STORED\r\n'.repeat(3));
});

test('a value that is announced and never sent takes no memory, and its client is closed in time', async () => {
  await using gateway = await start({ stallTimeoutMs: 300 });
  const before = process.memoryUsage().arrayBuffers;
  const wires = await Promise.all(Array.from({ length: 50 }, () => Wire.open(gateway.port)));
  for (const wire of wires) wire.send('set big 0 0 1048000\r\nonly this');
  await eventually('all are closed', () => wires.every((wire) => wire.ended || wire.failure !== undefined));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1_048_576);
  expect(gateway.faults).toContain('a request did not arrive in time');
  await serves(gateway.port);
});

test('a client that sends byte by byte is closed although it is never silent', async () => {
  await using gateway = await start({ stallTimeoutMs: 400 });
  const wire = await Wire.open(gateway.port);
  wire.send('set slow 0 0 100000\r\n');
  await eventually('it is closed', () => {
    wire.send('x');
    return wire.ended || wire.failure !== undefined;
  });
  expect(gateway.faults).toEqual(['a request did not arrive in time']);
});

test('a line without end is refused', async () => {
  await using gateway = await start();
  const answer = await exchange(gateway.port, [Buffer.alloc(300_000, 'a')]);
  expect(answer.toString()).toBe('CLIENT_ERROR line too long\r\n');
  expect(gateway.faults).toEqual(['a line of more than 8192 bytes']);
});

test('a request of HTTP is hung up on, and its body changes nothing', async () => {
  await using gateway = await start();
  await exchange(gateway.port, [Buffer.from('set memc.sess.key.victim 0 0 1\r\nx\r\n')]);
  const body = 'set memc.sess.key.mine 0 0 14\r\nadmin|s:1:"1";\r\ndelete memc.sess.key.victim\r\n';
  const head = `Host: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (const line of ['POST / HTTP/1.1', 'get /a']) {
    const chunks = `${line}\r\n${head}${body}`.match(/[\s\S]{1,9}/g) ?? [];
    const answer = await exchange(
      gateway.port,
      chunks.map((chunk) => Buffer.from(chunk)),
    );
    expect(answer.toString()).toBe(line === 'get /a' ? 'END\r\n' : '');
  }
  expect(gateway.faults).toEqual(['a request of HTTP', 'a request of HTTP']);
  const after = await exchange(gateway.port, [
    Buffer.from('get memc.sess.key.mine memc.sess.key.victim\r\n'),
  ]);
  expect(after.toString()).toBe('VALUE memc.sess.key.victim 0 1\r\nx\r\nEND\r\n');
});

test('a get with more keys than a line may have is refused, and who asks for many and goes is not worked for', async () => {
  await using gateway = await start();
  const answer = await exchange(gateway.port, [Buffer.from(`get ${'a '.repeat(500_000)}\r\n`)]);
  expect(answer.toString()).toBe('CLIENT_ERROR line too long\r\n');
  expect(gateway.faults).toEqual(['a line of more than 32768 keys']);

  const looked = (): number => Number(gateway.gateway.stats().get('cmd_items'));
  const before = looked();
  const wires = await Promise.all(Array.from({ length: 10 }, () => Wire.open(gateway.port)));
  for (const wire of wires) wire.send(`get ${'a '.repeat(32_000)}\r\n`);
  await eventually('they are worked for', () => looked() > before);
  const asked = looked();
  for (const wire of wires) wire.close();
  await serves(gateway.port);
  await eventually('they are gone', () => gateway.gateway.connections === 0);
  expect(looked() - asked).toBeLessThan(10 * 20_000);
});

test('ten thousand keys in one line are answered as by memcached', async () => {
  await using gateway = await start();
  const names = Array.from({ length: 10_000 }, (_, n) => `many.of.them.${String(n).padStart(40, '0')}`);
  const sets = names.filter((_, n) => n % 100 === 7).map((name) => `set ${name} 3 0 2\r\nhi\r\n`);
  await exchange(gateway.port, [Buffer.from(sets.join(''))]);
  const said = await Promise.all(
    [gateway.port, memcached.port].map(async (port) => {
      const wire = await Wire.open(port);
      wire.send(`get ${names.join(' ')}\r\n`);
      const text = await wire.gets('END\r\n');
      wire.close();
      return text;
    }),
  );
  expect(said[0]?.match(/^VALUE/gm)).toHaveLength(100);
  expect(said[0]).toBe(said[1]);
});

test('a body that its command cannot have is refused before it is sent', async () => {
  await using gateway = await start();
  const request = binaryRequest({ opcode: 0x0a, bodyBytes: 0xffff_ffff });
  const answer = await exchange(gateway.port, [request]);
  expect(answer.readUInt16BE(6)).toBe(4);
  await serves(gateway.port);
});

test('a value that is too large is refused, and the old one stays', async () => {
  await using gateway = await start();
  const large = 'x'.repeat(1_048_576);
  const script = `set kept 0 0 3\r\nold\r\nset kept 0 0 ${large.length}\r\n${large}\r\nget kept\r\n`;
  const answer = await exchange(gateway.port, [Buffer.from(script)]);
  // memcached itself would have dropped the old one: a login lost for a form that was too long.
  expect(answer.toString()).toBe(
    'STORED\r\nSERVER_ERROR object too large for cache\r\nVALUE kept 0 3\r\nold\r\nEND\r\n',
  );
});

test('who does not read answers stops being served, and is closed; memory does not grow with what they ask for', async () => {
  await using gateway = await start({ stallTimeoutMs: 1_000 });
  await exchange(gateway.port, [Buffer.from(`set fat 0 0 1000000\r\n${'x'.repeat(1_000_000)}\r\n`)]);
  const before = process.memoryUsage().arrayBuffers;
  const socket: Socket = connectTcp({ host: '127.0.0.1', port: gateway.port });
  socket.on('error', () => undefined);
  socket.pause();
  // Ten gigabytes of answers.
  for (let line = 0; line < 100; line += 1) socket.write(`get${' fat'.repeat(100)}\r\n`);
  await eventually('it is closed', () => gateway.faults.includes('its answers were not read in time'));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 * 1_048_576);
  socket.destroy();
  await serves(gateway.port);
});

test('who does not log in is closed in time, whatever it says meanwhile, and leaves its place to who does', async () => {
  await using gateway = await start({
    username: 'php',
    password: 'secret',
    maxConnections: 2,
    stallTimeoutMs: 500,
  });
  const [silent, talking, login] = [
    await Wire.open(gateway.port),
    await Wire.open(gateway.port),
    Buffer.from('\0php\0secret'),
  ];
  const version = binaryRequest({ opcode: 0x0b });
  await eventually('both are closed', () => {
    if (!talking.ended) talking.socket.write(version);
    return silent.ended && talking.ended;
  });
  expect(gateway.faults).toEqual(['it did not log in in time', 'it did not log in in time']);
  await eventually('there is room', () => gateway.gateway.connections === 0);
  const known = await Wire.open(gateway.port);
  known.socket.write(binaryRequest({ opcode: 0x21, key: 'PLAIN', value: login }));
  await eventually('it is let in', () => known.received.includes('Authenticated'));
  const later = await Wire.open(gateway.port);
  await eventually('one that came later is closed', () => later.ended);
  known.socket.write(version);
  await eventually('it is answered', () => known.received.includes('stormlamp'));
  expect(gateway.faults).toHaveLength(3);
  known.close();
});

test('one client more than allowed is told so; when one goes there is room again', async () => {
  await using gateway = await start({ maxConnections: 2 });
  const first = await Wire.open(gateway.port);
  const second = await Wire.open(gateway.port);
  await eventually('both are in', () => gateway.gateway.connections === 2);
  const third = await Wire.open(gateway.port);
  await third.gets('ERROR Too many open connections\r\n');
  first.close();
  await eventually('it is gone', () => gateway.gateway.connections === 1);
  await serves(gateway.port);
  second.close();
});

test('a silent client is closed only where that was asked for', async () => {
  await using patient = await start();
  await using impatient = await start({ idleTimeoutMs: 100 });
  const [kept, closed] = [await Wire.open(patient.port), await Wire.open(impatient.port)];
  closed.send('get a\r\n');
  await eventually('it is closed', () => closed.ended);
  expect(closed.received).toBe('END\r\n');
  kept.send('get a\r\n');
  await kept.gets('END\r\n');
  kept.close();
});

test('requests that were sent at once are answered in their order, whatever each takes', async () => {
  await using gateway = await start();
  const script = Array.from(
    { length: 300 },
    (_, n) => `set o${n % 7} 0 0 3\r\n${100 + n}\r\nget o${n % 7} o${(n + 1) % 7}\r\n`,
  );
  const model = new Map<string, string>();
  const wanted = Array.from({ length: 300 }, (_, n) => {
    model.set(`o${n % 7}`, String(100 + n));
    const values = [`o${n % 7}`, `o${(n + 1) % 7}`].map((key) => {
      const value = model.get(key);
      return value === undefined ? '' : `VALUE ${key} 0 3\r\n${value}\r\n`;
    });
    return `STORED\r\n${values.join('')}END\r\n`;
  });
  const answer = await exchange(gateway.port, [Buffer.from(script.join(''))]);
  expect(answer.toString()).toBe(wanted.join(''));
});

test('close answers what has arrived, takes nobody new, and ends idle clients', async () => {
  await using gateway = await start();
  const [busy, idle] = [await Wire.open(gateway.port), await Wire.open(gateway.port)];
  busy.send(Array.from({ length: 200 }, (_, n) => `set c${n} 0 0 1\r\nx\r\n`).join(''));
  await eventually('some are answered', () => busy.received.length > 0);
  await gateway.gateway.close();
  await eventually('both are ended', () => busy.ended && idle.ended);
  expect(busy.received).toBe('STORED\r\n'.repeat(200));
  expect((await Wire.open(gateway.port)).failure).toBe('ECONNREFUSED');
});

test('over TLS', async () => {
  await using gateway = await start({ tls: { cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY } });
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: gateway.port, rejectUnauthorized: false }, () => {
      socket.end('set tls 0 0 1\r\nx\r\nget tls\r\n');
    });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  expect(answer).toBe('STORED\r\nVALUE tls 0 1\r\nx\r\nEND\r\n');
  // Who does not speak TLS is closed, and nobody else.
  await exchange(gateway.port, [Buffer.from('get a\r\n')]);
  expect(gateway.faults[0]).toMatch(/^TLS/);
});

test('its own notes on the nodes are nobody else\u2019s', async () => {
  await using gateway = await start();
  const answer = await exchange(gateway.port, [
    Buffer.from(
      'get stormlamp:filled:x\r\nset stormlamp:tomb:a 0 0 1\r\nx\r\ndelete stormlamp:suspect:a\r\n',
    ),
  ]);
  expect(answer.toString()).toBe(
    'CLIENT_ERROR bad command line format\r\nCLIENT_ERROR bad command line format\r\nCLIENT_ERROR bad command line format\r\n',
  );
});

test('what cannot be meant is refused at the start', async () => {
  await using gateway = await start();
  await expect(start({ port: gateway.port })).rejects.toMatchObject({ code: ErrorCode.PORT_IN_USE });
  await expect(start({ maxConections: 1 } as never)).rejects.toThrow(/did you mean `maxConnections`/);
  await expect(start({ username: 'a' })).rejects.toThrow(/password/);
  await expect(start({ path: 'relative.sock' })).rejects.toThrow(/absolute path/);
  await expect(start({ host: '203.0.113.1' })).rejects.toMatchObject({ code: ErrorCode.INVALID_OPTION });
  await expect(startSessionGateway({} as never)).rejects.toThrow(/a session store/);
});
