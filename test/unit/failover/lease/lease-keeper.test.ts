/** How often voters are asked, and what their silence means. The rules of the lease itself: test/unit/failover/protocol. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import { LeaseKeeper } from '../../../../src/failover/lease/lease-keeper.js';
import type { Voter } from '../../../../src/failover/voters.js';

interface Server {
  up: boolean;
  connects: number;
  questions: number;
  failed: number;
  /** The epoch that it knows; the number of an error when it cannot be read. */
  epoch: number;
  error: number | undefined;
  promoting?: number;
}

let servers: Record<'a' | 'b' | 'c', Server>;
let keeper: LeaseKeeper;
/** The epoch that the account that acts finds. */
let acting: number;
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function voter(id: 'a' | 'b' | 'c'): Voter {
  const server = servers[id];
  const connect = async (): Promise<object> => {
    server.connects += 1;
    if (!server.up) server.failed += 1;
    if (!server.up) throw new Error('refused');
    return {
      lost: undefined,
      flavor: 'mariadb',
      version: { flavor: 'mariadb', numbers: [10, 11, 19], text: '10.11.19-MariaDB' },
      destroy: () => undefined,
      ask: async (sql: string) => {
        if (!server.up && sql.startsWith('SELECT')) server.failed += 1;
        if (!server.up) throw new Error('gone');
        if (sql.startsWith('SELECT')) {
          server.questions += 1;
          const epoch = sql.includes('epoch') ? { epoch: server.epoch } : {};
          if (sql.includes('epoch') && server.error !== undefined)
            throw Object.assign(new Error('no'), { errno: server.error });
          return [{ promoting: server.promoting ?? 0, changing: 0, read_only: id === 'a' ? 0 : 1, ...epoch }];
        }
        return id === 'a' ? [] : [{ Master_Host: 'a', Master_Port: 3306, Slave_IO_Running: 'Yes' }];
      },
    };
  };
  return {
    id,
    kind: 'data',
    watch: { connect },
    act: { connect },
    address: { host: id, port: 3306 },
  } as never;
}

beforeEach(async () => {
  vi.useFakeTimers();
  acting = 3;
  const server = (): Server => ({
    up: true,
    connects: 0,
    questions: 0,
    failed: 0,
    epoch: 3,
    error: undefined,
  });
  servers = { a: server(), b: server(), c: server() };
  keeper = new LeaseKeeper({
    cluster: 'c',
    voters: [voter('a'), voter('b'), voter('c')],
    rules: { voters: 3, leaseMs: 5_000, handoverMs: 200 },
    sourceOf: ({ sourceHost }) => sourceHost,
    clock: systemClock,
    epochAt: async () => ({ epoch: acting, kind: 'failover', from: 'b' }),
  });
  await pass(100);
});
afterEach(() => {
  keeper.close();
  vi.useRealTimers();
});

test('with a lease the voters are asked over the connections that they have', async () => {
  expect(keeper.lease?.primary).toBe('a');
  await pass(60_000);
  expect(Object.values(servers).map(({ connects }) => connects)).toEqual([1, 1, 1]);
  expect(servers.a.questions).toBeLessThan(65);
});

test('a dead primary is tried once a second at most, and the others ever less often: a search must not starve the searching', async () => {
  servers.a.up = false;
  await pass(6_000);
  expect(keeper.lease).toBeUndefined();
  const before = { a: servers.a.connects, b: servers.b.questions };
  await pass(10_000);
  expect(servers.a.connects - before.a).toBeLessThan(15);
  expect(servers.b.questions - before.b).toBeLessThan(90);
  expect(servers.b.connects).toBe(1);
  servers.a.up = true;
  await pass(1_100);
  expect(keeper.lease?.primary).toBe('a');
});

test('one look that fails is no verdict about a voter, two are', async () => {
  expect(keeper.reachable).toBe(3);
  servers.b.up = false;
  let once = false;
  for (let ms = 0; ms < 3_000; ms += 10) {
    await pass(10);
    if (servers.b.failed === 1) once = keeper.reachable === 3;
  }
  expect(once).toBe(true);
  expect(servers.b.failed).toBeGreaterThan(1);
  expect(keeper.reachable).toBe(2);
  expect(keeper.voteOf('c')).toBe('a');
  await pass(10_000);
  expect(keeper.voteOf('b')).toBeUndefined();
});

test('a primary that was replaced gets no lease when it comes back with its old epoch', async () => {
  expect(keeper.lease?.primary).toBe('a');
  servers.a.epoch = 2;
  await pass(7_000);
  expect(keeper.lease).toBeUndefined();
  expect(keeper.missing().message).toContain(
    'a is a primary of epoch 2, and this process has written in epoch 3',
  );
  servers.a.epoch = 4;
  await pass(1_000);
  expect(keeper.lease?.primary).toBe('a');
});

test('without the right to read it, the account that acts asks when the lease is gained', async () => {
  for (const server of Object.values(servers)) server.error = 1142;
  await pass(1_500);
  expect(keeper.lease?.primary).toBe('a');
  servers.a.up = false;
  await pass(14_000);
  [servers.a.up, acting] = [true, 2];
  await pass(7_000);
  expect(keeper.lease).toBeUndefined();
  acting = 3;
  await pass(7_000);
  expect(keeper.lease?.primary).toBe('a');
});

test.each([
  ['that it may not read, is not compared', 1142, 'a'],
  ['that is not there, is the oldest', 1146, undefined],
])('an epoch %s', async (_, error, primary) => {
  servers.a.error = error;
  await pass(7_000);
  expect(keeper.lease?.primary).toBe(primary);
  expect(servers.a.connects).toBe(1);
});

test('when it is closed, the account that acts asks no more', async () => {
  for (const server of Object.values(servers)) server.error = 1142;
  servers.a.up = false;
  await pass(14_000);
  [servers.a.up, acting] = [true, 2];
  await pass(7_000);
  expect(keeper.lease).toBeUndefined();
  keeper.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('who has the votes is known while the primary is being changed, and to nobody without a majority', async () => {
  expect(keeper.voted).toBe('a');
  for (const server of Object.values(servers)) server.promoting = 1;
  await pass(2_000);
  expect([keeper.admits('a'), keeper.voted]).toEqual([false, 'a']);
  keeper.refuse('a', 'it lacks what it wrote itself');
  expect(keeper.voted).toBeUndefined();
  keeper.refuse('a', undefined);
  expect(keeper.voted).toBe('a');
  for (const server of [servers.b, servers.c]) server.up = false;
  await pass(6_000);
  expect(keeper.voted).toBeUndefined();
});
