/** A session store over TLS, and over clocks that differ: real servers, and what they say themselves. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createTieredCache } from '../../src/cache/create-tiered-cache.js';
import { lookAtServers } from '../../src/cli/doctor/look-at-gateways.js';
import { lookAtCache } from '../../src/cli/status/look-at-cache.js';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { startSessionGateway } from '../../src/gateway/start-session-gateway.js';
import type { ObservationBoard } from '../../src/health/observation-board.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { TextConnection } from '../../src/memcached/text-connection.js';
import { createMemcachedBoard } from '../../src/mysql/memcached-board.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { resolveStoreOptions } from '../../src/session/store-options.js';
import { eventually } from './eventually.js';
import { MemcachedServers, type TestMemcached } from './memcached-servers.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from './tls-certificate.js';
import { Wire } from './wire.js';

let servers: MemcachedServers;
const patient = { operationTimeoutMs: 5_000, monitorIntervalMs: 100 };

beforeAll(async () => {
  servers = await MemcachedServers.open();
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const nameOf = ({ host, port }: TestMemcached): string => `${host}:${port}`;

async function overTls(): Promise<readonly TestMemcached[]> {
  const [certificate, key] = [join(servers.folder, 'certificate.pem'), join(servers.folder, 'key.pem')];
  writeFileSync(certificate, TEST_CERTIFICATE);
  writeFileSync(key, TEST_CERTIFICATE_KEY);
  const args = ['-Z', '-o', `ssl_chain_cert=${certificate},ssl_key=${key}`];
  return [await servers.start(args), await servers.start(args)];
}

test('sessions, refills and the gateway over TLS, with certificates that are checked', async () => {
  const nodes = await overTls();
  const tls = { ca: TEST_CERTIFICATE, servername: 'localhost' };
  await using store = await createSessionStore({ nodes: nodes.map(nameOf), tls, ...patient });
  const session = store.create();
  session.data['user'] = 'ada';
  expect((await store.save(session)).copies.length).toBe(2);
  for (const node of nodes) {
    await node.restart();
    await eventually('it is filled over TLS', async () => {
      const reports = await store.resync({ timeoutMs: 20_000 });
      return reports.every(({ outcome }) => outcome === 'complete' || outcome === 'resynced');
    });
    expect((await store.load(session.id)).data['user']).toBe('ada');
  }
  await using gateway = await startSessionGateway(store, { port: 0 });
  const wire = await Wire.open(Number(gateway.address.split(':').at(-1)));
  wire.send(`get memc.sess.key.${session.id}\r\n`);
  await wire.gets(`VALUE memc.sess.key.${session.id} 0 15\r\nuser|s:3:"ada";\r\nEND\r\n`);
  wire.close();

  const doubting = createSessionStore({ nodes: nodes.map(nameOf), tls: true, ...patient });
  await expect(doubting).rejects.toMatchObject({
    code: ErrorCode.STORE_DOWN,
    message: expect.stringContaining('certificate'),
  });
});

test('status and doctor ask a cache, and servers that may be gateways, over TLS as it is configured', async () => {
  const nodes = (await overTls()).map(nameOf);
  const tls = { ca: TEST_CERTIFICATE, servername: 'localhost' };
  expect(await lookAtCache({ nodes, tls })).toMatchObject([{ up: true }, { up: true }]);
  expect(await lookAtCache({ nodes, operationTimeoutMs: 2_000 })).toMatchObject([
    { up: false },
    { up: false },
  ]);
  const asked = await lookAtServers(resolveStoreOptions({ nodes, tls }));
  expect(asked.map(({ kind }) => kind)).toEqual(['memcached', 'memcached']);
});

test('a cache over TLS', async () => {
  const nodes = (await overTls()).map(nameOf);
  const tls = { ca: TEST_CERTIFICATE, servername: 'localhost' };
  await using cache = createTieredCache({ nodes, tls, local: { maxEntries: 0 }, onNodeDown: 'throw' });
  expect(await cache.set('user', { name: 'ada' })).toBe(true);
  expect(await cache.get('user')).toEqual({ name: 'ada' });
  expect(() => createTieredCache({ nodes, tls: 'yes' as never })).toThrow(/`cache\.tls`/);
});

test('what processes see of the databases is shared over TLS, too', async () => {
  const memcached = (await overTls()).map(nameOf);
  const tls = { ca: TEST_CERTIFICATE, servername: 'localhost' };
  const boardOf = (how: object): ObservationBoard =>
    createMemcachedBoard({ memcached, ...how }, ['db1:3306'], 'auto');
  const boards = { first: boardOf({ tls }), second: boardOf({ tls }), doubting: boardOf({ tls: true }) };
  const { first, second, doubting } = boards;
  await eventually('one leads', () => first.lead().catch(() => false));
  await first.publish('what it saw');
  await eventually('the other one reads it', async () => {
    const text = await second.read().catch(() => undefined);
    return text === 'what it saw';
  });
  expect(await second.lead()).toBe(false);
  await expect(doubting.read()).rejects.toMatchObject({ code: ErrorCode.NODE_UNREACHABLE });
  for (const board of Object.values(boards)) await board.close().catch(() => undefined);
});

test('an item that somebody else left where looks are shared is not taken into memory whatever its size', async () => {
  const node = await servers.start(['-I', '8m']);
  const [host, port] = [node.host, node.port];
  const large = createMemcachedNode({ address: { host, port }, maxItemBytes: 8_388_608 });
  await using wire = await TextConnection.open({ address: { host, port }, timeoutMs: 5_000 });
  const board = createMemcachedBoard({ memcached: [nameOf(node)] }, ['db1:3306'], 'auto');
  await eventually('it reads', () => board.read().then(() => true));
  await board.publish('what it saw');
  for await (const keys of wire.metadumpKeys())
    for (const key of keys) await large.set(key, Buffer.alloc(4_194_304, 'x'), { exptime: 0 });
  await expect(board.read()).rejects.toMatchObject({ code: ErrorCode.NODE_UNREACHABLE });
  await board.publish('what it saw next');
  expect(await board.read()).toBe('what it saw next');
  large.destroy();
  await board.close();
});

test('TLS that only one side speaks, and a certificate that does not fit, are named with what to do', async () => {
  const [encrypted] = (await overTls()) as [TestMemcached, TestMemcached];
  const open = await servers.start();
  const said = (node: TestMemcached, tls?: object | true): Promise<string> =>
    createSessionStore({ nodes: [nameOf(node)], ...(tls === undefined ? {} : { tls }), ...patient }).then(
      () => 'it was opened',
      ({ message }: Error) => message,
    );
  expect(await said(open, true)).toMatch(
    /No TLS is spoken by .*start memcached with TLS.*or leave `tls` out/s,
  );
  expect(await said(encrypted)).toMatch(/never answered.*TLS on both sides or on neither/);
  expect(await said(encrypted, true)).toMatch(/certificate is not trusted of .*`tls\.ca`/);
  expect(await said(encrypted, { ca: TEST_CERTIFICATE, servername: 'other.example' })).toMatch(
    /certificate is for another name .*`tls\.servername`/,
  );
});

test.each([-7_200_000, 7_200_000])(
  'a session of 40 days lives so long when this clock is wrong by %i ms, on the node that is filled as well',
  async (wrongMs) => {
    const nodes = [await servers.start(), await servers.start()];
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + wrongMs });
    const lifetimeMs = 40 * 86_400_000;
    await using store = await createSessionStore({ nodes: nodes.map(nameOf), lifetimeMs, ...patient });
    const session = store.create();
    session.data['user'] = 'ada';
    await store.save(session);
    await nodes[0]?.restart();
    await store.resync({ timeoutMs: 20_000 });
    for (const { host, port } of nodes) {
      const place = { address: { host, port }, id: `${host}:${port}`, timeoutMs: 5_000, tls: false };
      await using connection = await TextConnection.open(place);
      const [item] = await connection.items([`memc.sess.key.${session.id}`]);
      const shorterBy = lifetimeMs / 1000 - (item?.remainingSeconds ?? 0);
      expect(Math.abs(shorterBy)).toBeLessThan(120);
    }
  },
);
