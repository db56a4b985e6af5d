import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { NodePool, type NodePoolOptions } from '../../../src/mysql/node-pool.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { type PoolOptions, resolvePoolOptions } from '../../../src/mysql/pool-options.js';
import { ScriptedFactory } from './scripted-connection.js';

const NO_LIMIT = Deadline.of(undefined);
const refused = (): StormlampError =>
  new StormlampError(ErrorCode.NODE_UNREACHABLE, 'refused', {
    node: 'db1:3306',
    cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
  });
const full = (): StormlampError =>
  new StormlampError(ErrorCode.NODE_UNREACHABLE, 'full', {
    cause: Object.assign(new Error('Too many connections'), { errno: 1040 }),
  });

let factory: ScriptedFactory;
let pool: NodePool;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  factory = new ScriptedFactory();
});

afterEach(async () => {
  pool.destroy();
  await settled();
  expect(vi.getTimerCount(), 'timers left').toBe(0);
  vi.useRealTimers();
});

function open(settings: PoolOptions = {}, hooks: Partial<NodePoolOptions> = {}): NodePool {
  pool = new NodePool({
    node: factory.node,
    factory,
    settings: resolvePoolOptions('pool', settings),
    ...hooks,
  });
  return pool;
}

/** Lets promises, ticks and immediates run out. */
async function settled(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}

/** What a promise came to, without waiting for it. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await Promise.race([
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    settled().then(() => 'waiting'),
  ]);
  return outcome;
}

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

async function lend(count: number): Promise<PhysicalConnection[]> {
  return Promise.all(Array.from({ length: count }, () => pool.acquire(NO_LIMIT)));
}

describe('lending', () => {
  test('the connection used last is lent first, at once and without a question', async () => {
    open();
    const [a, b] = await lend(2);
    if (a === undefined || b === undefined) throw new Error('unreachable');
    pool.release(a);
    pool.release(b);
    expect(pool.tryAcquire()).toBe(b);
    expect(pool.tryAcquire()).toBe(a);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(factory.raw(a).sent).toEqual([]);
    expect(pool.stats).toEqual({ total: 2, idle: 0, borrowed: 2, waiting: 0, max: expect.any(Number) });
    expect(pool.inFlight).toBe(2);
  });

  test('callers beyond the maximum wait in order', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const order: string[] = [];
    const take = async (name: string): Promise<void> => {
      const connection = await pool.acquire(NO_LIMIT);
      order.push(name);
      pool.release(connection);
    };
    const both = [take('first'), take('second')];
    pool.release(held);
    await Promise.all(both);
    expect(order).toEqual(['first', 'second']);
    expect(factory.attempts).toBe(1);
  });

  test('a connection that is given back twice, or after it was discarded, is lent once', async () => {
    open({ max: 2 });
    const [a, b] = await lend(2);
    if (a === undefined || b === undefined) throw new Error('unreachable');
    pool.release(a);
    pool.release(a);
    pool.discard(b);
    pool.release(b);
    expect(pool.stats).toMatchObject({ idle: 1, borrowed: 0 });
    expect(pool.tryAcquire()).toBe(a);
    expect(pool.tryAcquire()).toBeUndefined();
  });

  test('a touched connection is reset before the next borrower', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    held.touched = true;
    pool.release(held);
    expect(pool.stats).toMatchObject({ borrowed: 1 });
    expect(pool.inFlight).toBe(0);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(await pool.acquire(NO_LIMIT)).toBe(held);
    expect(factory.raw(held).sent).toEqual(['reset', 'SET x']);
    expect(held.touched).toBe(false);
  });

  test('a connection that cannot be reset is replaced, for whoever waits', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    held.touched = true;
    factory.raw(held).answer = (command) => (command === 'reset' ? new Error('no') : 'ok');
    pool.release(held);
    const next = await pool.acquire(NO_LIMIT);
    expect(next).not.toBe(held);
    expect(factory.raw(held).stream.destroyed).toBe(true);
  });

  test('a reset that is not answered is given up after a second', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    held.touched = true;
    factory.raw(held).answer = () => 'silence';
    pool.release(held);
    const next = pool.acquire(NO_LIMIT);
    await pass(1_100);
    expect(await outcomeOf(next)).toHaveProperty('value');
    expect(pool.stats.total).toBe(1);
  });
});

describe('waiting', () => {
  test('a caller that gives up leaves the queue; those behind are served', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const abort = new AbortController();
    const early = pool.acquire(Deadline.of({ timeoutMs: 100 }));
    const given = pool.acquire(Deadline.of({ signal: abort.signal }));
    const last = pool.acquire(NO_LIMIT);
    const failures = Promise.allSettled([early, given]);
    await pass(150);
    abort.abort(new Error('enough'));
    expect(await failures).toMatchObject([
      { reason: { code: ErrorCode.POOL_TIMEOUT } },
      { reason: { code: ErrorCode.ABORTED, cause: { message: 'enough' } } },
    ]);
    pool.release(held);
    expect(await last).toBe(held);
  });

  test('the timeout names the node, the size and the remedy', async () => {
    open({ max: 1, acquireTimeoutMs: 200 });
    await lend(1);
    const late = pool.acquire(NO_LIMIT).catch((error: unknown) => error);
    await pass(250);
    const error = await late;
    expect(error).toMatchObject({ code: ErrorCode.POOL_TIMEOUT, node: 'db1:3306' });
    expect(String(error)).toMatch(/db1:3306.*200 ms.*1 of at most 1.*pool\.max/s);
  });

  test('the queue has a limit, and callers for whom a connection is being made do not count', async () => {
    factory.always('wait');
    open({ max: 2, maxQueue: 1 });
    const waiting = Array.from({ length: 3 }, () => pool.acquire(NO_LIMIT));
    for (const each of waiting) each.catch(() => undefined);
    await expect(pool.acquire(NO_LIMIT)).rejects.toMatchObject({ code: ErrorCode.POOL_QUEUE_FULL });
    expect(pool.stats.waiting).toBe(3);
  });

  test('a connection that is being reset is for one caller more than the queue takes', async () => {
    open({ max: 1, maxQueue: 0 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    held.touched = true;
    pool.release(held);
    const waiting = pool.acquire(NO_LIMIT);
    await expect(pool.acquire(NO_LIMIT)).rejects.toMatchObject({
      code: ErrorCode.POOL_QUEUE_FULL,
      message: expect.stringContaining('1 being reset'),
    });
    expect(await waiting).toBe(held);
  });

  test('a caller who waited in vain is told what in this process a new connection waits for', async () => {
    factory.always('wait');
    const slow = Object.assign(factory, { waitingFor: () => "a listener of 'connection'" });
    open({ max: 2, acquireTimeoutMs: 200 }, { factory: slow });
    const late = outcome(pool.acquire(NO_LIMIT));
    await pass(250);
    expect(String(await late)).toMatch(/a new one waits for a listener of 'connection'/);
  });

  test('a connection that is discarded makes room for whoever waits', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const waiting = pool.acquire(NO_LIMIT);
    pool.discard(held);
    expect(await waiting).not.toBe(held);
  });

  test('after a lost connection, those that rest are asked for a sign of life before they are lent', async () => {
    open({ max: 3 });
    const [lost, resting, other] = await lend(3);
    if (lost === undefined || resting === undefined || other === undefined) throw new Error('unreachable');
    pool.release(resting);
    lost.destroy();
    pool.discard(lost);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(await pool.acquire(NO_LIMIT)).toBe(resting);
    expect(factory.raw(resting).sent).toEqual(['ping']);
    // One that is given up for another reason says nothing about them.
    pool.release(resting);
    pool.discard(other);
    expect(pool.tryAcquire()).toBe(resting);
  });

  test('an aborted signal never waits', async () => {
    open({ max: 1 });
    await lend(1);
    const signal = AbortSignal.abort();
    await expect(pool.acquire(Deadline.of({ signal }))).rejects.toMatchObject({ code: ErrorCode.ABORTED });
    expect(pool.stats.waiting).toBe(0);
  });

  test('a connection that comes after its caller left is kept for the next', async () => {
    factory.always('wait');
    open();
    const early = pool.acquire(Deadline.of({ timeoutMs: 50 })).catch((error: unknown) => error);
    await pass(60);
    expect(await early).toMatchObject({ code: ErrorCode.POOL_TIMEOUT });
    factory.settle('ok');
    await settled();
    expect(pool.stats).toMatchObject({ total: 1, idle: 1 });
  });

  test('callers that come and go again and again do not pile up connections', async () => {
    factory.always('wait');
    open({ max: 5 });
    for (let round = 0; round < 20; round += 1) {
      const early = pool.acquire(Deadline.of({ timeoutMs: 10 })).catch(() => undefined);
      await pass(20);
      await early;
    }
    expect(factory.attempts).toBe(1);
  });

  test('an attempt that is not answered does not hold up those who come, or wait, half a second later', async () => {
    factory.outcome = (attempt) => (attempt === 1 ? 'wait' : 'ok');
    open({ max: 5 });
    const early = pool.acquire(Deadline.of({ timeoutMs: 50 })).catch((error: unknown) => error);
    await pass(60);
    expect(await early).toMatchObject({ code: ErrorCode.POOL_TIMEOUT });
    const waiting = pool.acquire(NO_LIMIT);
    await pass(400);
    expect(factory.attempts).toBe(1);
    await pass(100);
    expect(await outcomeOf(waiting)).toHaveProperty('value');
    expect(factory.attempts).toBe(2);
  });

  test('attempts that are never answered do not go beyond the maximum', async () => {
    factory.always('wait');
    open({ max: 3 });
    const waiting = pool.acquire(NO_LIMIT);
    waiting.catch(() => undefined);
    for (let round = 0; round < 9; round += 1) await pass(500);
    expect(factory.attempts).toBe(3);
    factory.settle('ok', 3);
    expect(await outcomeOf(waiting)).toHaveProperty('value');
    await settled();
    expect(pool.stats).toMatchObject({ total: 3, idle: 2, borrowed: 1, waiting: 0 });
  });

  test('the failure of an attempt that another one has overtaken is nobody else’s', async () => {
    factory.outcome = (attempt) => (attempt === 1 ? 'wait' : 'ok');
    open({ max: 2 });
    const first = pool.acquire(NO_LIMIT);
    await pass(600);
    const held = await first;
    const waiting = pool.acquire(NO_LIMIT);
    factory.settle(refused());
    expect(await outcomeOf(waiting)).toHaveProperty('value');
    expect(pool.stats).toMatchObject({ total: 2, borrowed: 2 });
    expect(await waiting).not.toBe(held);
  });

  test('who waits for an attempt that is late is not forgotten when the one beside it fails', async () => {
    factory.outcome = (attempt) => (attempt === 1 ? 'wait' : attempt === 2 ? refused() : 'ok');
    open({ max: 3 });
    const waiting = pool.acquire(NO_LIMIT);
    await pass(500);
    expect(factory.attempts).toBe(2);
    await pass(2_000);
    expect(await outcomeOf(waiting)).toHaveProperty('value');
  });
});

describe('a node that cannot be connected to', () => {
  test('everybody is told the cause at once, after few attempts', async () => {
    factory.always(refused());
    open({ max: 3 });
    const outcomes = await Promise.allSettled(Array.from({ length: 500 }, () => pool.acquire(NO_LIMIT)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        reason: { code: ErrorCode.NODE_UNREACHABLE, cause: { code: 'ECONNREFUSED' } },
      });
    }
    expect(factory.attempts).toBeLessThanOrEqual(3);
    const before = factory.attempts;
    await expect(pool.acquire(NO_LIMIT)).rejects.toMatchObject({ code: ErrorCode.NODE_UNREACHABLE });
    expect(factory.attempts).toBe(before);
  });

  test('it is tried again after a pause that grows, and never without a caller', async () => {
    factory.always(refused());
    open();
    let failures = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      await pool.acquire(NO_LIMIT).catch(() => (failures += 1));
      vi.advanceTimersByTime(10);
    }
    expect(failures).toBe(1_000);
    expect(factory.attempts).toBeGreaterThan(10);
    expect(factory.attempts).toBeLessThan(30);
    const before = factory.attempts;
    await pass(60_000);
    expect(factory.attempts).toBe(before);
  });

  test('a minimum is not a hot loop either', async () => {
    factory.always(refused());
    open({ min: 5 });
    await pass(10_000);
    expect(factory.attempts).toBeLessThan(100);
    factory.always('ok');
    await pass(3_000);
    expect(pool.stats).toMatchObject({ total: 5, idle: 5 });
  });

  test('whoever knows that it is back ends the pause', async () => {
    factory.always(refused());
    open();
    await expect(pool.acquire(NO_LIMIT)).rejects.toThrow();
    factory.always('ok');
    await expect(pool.acquire(NO_LIMIT)).rejects.toThrow();
    pool.nodeReachable();
    await expect(pool.acquire(NO_LIMIT)).resolves.toBeDefined();
  });

  test('who is refused is not let in because somebody else reached the node: the pauses grow', async () => {
    factory.always(new StormlampError(ErrorCode.ACCESS_DENIED, 'no such database'));
    open();
    for (let ms = 0; ms < 10_000; ms += 10) {
      await pool.acquire(NO_LIMIT).catch(() => undefined);
      pool.nodeReachable();
      vi.advanceTimersByTime(10);
    }
    expect(factory.attempts).toBeGreaterThan(10);
    expect(factory.attempts).toBeLessThan(30);
  });

  test('one failed connection only turns away the caller that it was for', async () => {
    factory.always('wait');
    open({ max: 3 });
    const all = Array.from({ length: 3 }, () => pool.acquire(NO_LIMIT));
    for (const each of all) each.catch(() => undefined);
    factory.settle(refused());
    await settled();
    expect(pool.stats.waiting).toBe(2);
    factory.settle('ok', 2);
    const outcomes = await Promise.allSettled(all);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });

  test('a full server is waited for while others hold connections, and told at once when nobody does', async () => {
    open({ max: 5, acquireTimeoutMs: 5_000 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    factory.always(full());
    const waiting = pool.acquire(NO_LIMIT);
    await pass(2_000);
    expect(await outcomeOf(waiting)).toBe('waiting');
    expect(factory.attempts).toBeGreaterThan(2);
    expect(factory.attempts).toBeLessThan(12);
    pool.release(held);
    expect(await waiting).toBe(held);
    const late = pool.acquire(NO_LIMIT).catch((error: unknown) => error);
    await pass(5_100);
    expect(await late).toMatchObject({ code: ErrorCode.POOL_TIMEOUT, cause: { message: 'full' } });
    pool.discard(held);
    await expect(pool.acquire(NO_LIMIT)).rejects.toMatchObject({ message: 'full' });
  });

  test('a gate that is shut is heard before anything is tried; an open one hears the outcome', async () => {
    let gate: Error | undefined = new StormlampError(ErrorCode.BREAKER_OPEN, 'shut');
    const heard: unknown[] = [];
    open(
      {},
      {
        admitConnect: () => {
          if (gate !== undefined) throw gate;
          return { success: () => heard.push('success'), failure: (error: unknown) => heard.push(error) };
        },
        onConnectError: (error) => heard.push(`told: ${error.message}`),
        onConnected: ({ threadId }) => heard.push(threadId),
      },
    );
    await expect(pool.acquire(NO_LIMIT)).rejects.toBe(gate);
    expect(factory.attempts).toBe(0);
    gate = undefined;
    const error = refused();
    factory.always(error);
    await expect(pool.acquire(NO_LIMIT)).rejects.toBe(error);
    factory.always('ok');
    pool.nodeReachable();
    await pool.acquire(NO_LIMIT);
    expect(heard).toEqual([error, 'told: refused', 'success', 1]);
  });
});

describe('resting connections', () => {
  test('a connection is asked for a sign of life only after it rested', async () => {
    open({ validateAfterIdleMs: 5_000 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    pool.release(held);
    await pass(4_900);
    expect(pool.tryAcquire()).toBe(held);
    expect(factory.raw(held).sent).toEqual([]);
    pool.release(held);
    await pass(5_100);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(await pool.acquire(NO_LIMIT)).toBe(held);
    expect(factory.raw(held).sent).toEqual(['ping']);
  });

  test('one that gives no sign of life is replaced', async () => {
    open({ validateAfterIdleMs: 100 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    pool.release(held);
    await pass(200);
    factory.raw(held).answer = () => new Error('gone');
    expect(await pool.acquire(NO_LIMIT)).not.toBe(held);
    expect(pool.stats.total).toBe(1);
  });

  test('after one silence the others are not waited for', async () => {
    open({ validateAfterIdleMs: 100, max: 5 });
    const all = await lend(5);
    for (const each of all) {
      factory.raw(each).answer = () => 'silence';
      pool.release(each);
    }
    await pass(200);
    const next = pool.acquire(NO_LIMIT);
    await pass(1_100);
    expect(await outcomeOf(next)).toHaveProperty('value');
    await pass(1_100);
    expect(pool.stats.total).toBe(1);
  });

  test('one that is lost while it rests is gone at once, hot or cold', async () => {
    open({ validateAfterIdleMs: 100 });
    const [a, b] = await lend(2);
    if (a === undefined || b === undefined) throw new Error('unreachable');
    pool.release(a);
    await pass(200);
    pool.release(b);
    factory.raw(a).kill();
    factory.raw(b).kill();
    expect(pool.stats).toEqual({ total: 0, idle: 0, borrowed: 0, waiting: 0, max: expect.any(Number) });
    expect(await pool.acquire(NO_LIMIT)).not.toBe(a);
    expect(factory.attempts).toBe(3);
  });

  test('unused connections are closed with a goodbye', async () => {
    open({ idleTimeoutMs: 10_000, validateAfterIdleMs: 1_000 });
    const [a, b] = await lend(2);
    if (a === undefined || b === undefined) throw new Error('unreachable');
    pool.release(a);
    pool.release(b);
    await pass(8_000);
    expect(pool.stats.total).toBe(2);
    await pass(4_000);
    expect(pool.stats.total).toBe(0);
    expect([factory.raw(a).ended, factory.raw(b).ended]).toEqual([true, true]);
  });

  test('the minimum stays open and is kept warm', async () => {
    open({ min: 2, max: 4, idleTimeoutMs: 5_000, validateAfterIdleMs: 1_000 });
    await settled();
    expect(pool.stats).toMatchObject({ total: 2, idle: 2 });
    const all = await lend(4);
    for (const each of all) pool.release(each);
    await pass(30_000);
    expect(pool.stats).toMatchObject({ total: 2, idle: 2 });
    expect(pool.tryAcquire()).toBeDefined();
    const pings = factory.made.flatMap(({ sent }) => sent.filter((command) => command === 'ping'));
    expect(pings.length).toBeGreaterThan(20);
  });

  test('a connection is replaced when its life is over, not all at the same moment', async () => {
    open({ maxLifetimeMs: 10_000, validateAfterIdleMs: 60_000, idleTimeoutMs: 0, max: 20 });
    const all = await lend(20);
    const ends = new Set<number>();
    for (const each of all) pool.release(each);
    for (let ms = 0; ms < 11_000; ms += 50) {
      await pass(50);
      ends.add(pool.stats.total);
    }
    expect(pool.stats.total).toBe(0);
    expect(ends.size).toBeGreaterThan(1);
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    await pass(11_000);
    expect(held.lost).toBeUndefined();
    pool.release(held);
    expect(pool.stats.total).toBe(0);
  });
});

describe('changes', () => {
  test('retiring closes idle connections now and lent ones when they come back', async () => {
    open({ validateAfterIdleMs: 100 });
    const [cold, hot, lent] = await lend(3);
    if (cold === undefined || hot === undefined || lent === undefined) throw new Error('unreachable');
    pool.release(cold);
    await pass(200);
    pool.release(hot);
    pool.retire();
    await settled();
    expect([cold, hot, lent].map((each) => factory.raw(each).ended)).toEqual([true, true, false]);
    pool.release(lent);
    await settled();
    expect(factory.raw(lent).ended).toBe(true);
    expect(await pool.acquire(NO_LIMIT)).not.toBe(lent);
  });

  test('a connection that was being made while the pool retired is not used', async () => {
    factory.outcome = (attempt) => (attempt === 1 ? 'wait' : 'ok');
    open();
    const waiting = pool.acquire(NO_LIMIT);
    pool.retire();
    factory.settle('ok');
    const connection = await waiting;
    expect(factory.raw(connection).threadId).toBe(2);
    expect(factory.made[0]?.ended).toBe(true);
  });

  test('more room serves those who wait; less room closes what is idle', async () => {
    open({ max: 1 });
    const [first] = await lend(1);
    if (first === undefined) throw new Error('unreachable');
    const waiting = [pool.acquire(NO_LIMIT), pool.acquire(NO_LIMIT)];
    pool.resize({ max: 3 });
    const [second, third] = await Promise.all(waiting);
    if (second === undefined || third === undefined) throw new Error('unreachable');
    pool.release(first);
    pool.resize({ max: 1 });
    await settled();
    expect(pool.stats.total).toBe(2);
    pool.release(second);
    await settled();
    expect(pool.stats.total).toBe(1);
    pool.release(third);
    expect(pool.stats).toMatchObject({ total: 1, idle: 1 });
  });

  test('closing waits for borrowers and for those who already wait', async () => {
    open({ max: 1 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const waiting = pool.acquire(NO_LIMIT);
    const closing = pool.close(Deadline.of({ timeoutMs: 60_000 }));
    await expect(pool.acquire(NO_LIMIT)).rejects.toMatchObject({ code: ErrorCode.CLOSED });
    expect(await outcomeOf(closing)).toBe('waiting');
    pool.release(held);
    pool.release(await waiting);
    await closing;
    expect(factory.raw(held).ended).toBe(true);
    expect(pool.stats.total).toBe(0);
  });

  test('closing ends at its deadline, whatever is still lent', async () => {
    open();
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const closing = pool.close(Deadline.of({ timeoutMs: 1_000 }));
    await pass(1_100);
    expect(await outcomeOf(closing)).toHaveProperty('value');
    expect(factory.raw(held).stream.destroyed).toBe(true);
    pool.release(held);
  });

  test('destroying ends waits, attempts and a close that is under way', async () => {
    factory.outcome = (attempt) => (attempt === 1 ? 'ok' : 'wait');
    open({ max: 2 });
    const [held] = await lend(1);
    if (held === undefined) throw new Error('unreachable');
    const waiting = pool.acquire(NO_LIMIT);
    const closing = pool.close(NO_LIMIT);
    pool.destroy();
    await expect(waiting).rejects.toMatchObject({ code: ErrorCode.CLOSED });
    await closing;
    expect(factory.raw(held).stream.destroyed).toBe(true);
    expect(pool.stats).toEqual({ total: 0, idle: 0, borrowed: 0, waiting: 0, max: expect.any(Number) });
  });
});

describe('leaks', () => {
  test('a connection that is not given back is reported once, with the place that borrowed it', async () => {
    const warnings: (Error & { detail?: string })[] = [];
    const listener = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listener);
    try {
      open({ leakAfterMs: 3_000, max: 1 });
      async function theLeakyPlace(): Promise<PhysicalConnection> {
        return pool.acquire(NO_LIMIT);
      }
      const leaked = await theLeakyPlace();
      leaked.borrower = '    at theLeakyPlace';
      await pass(10_000);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatchObject({ name: 'StormlampLeakWarning' });
      expect(warnings[0]?.message).toContain('db1:3306');
      expect(warnings[0]?.detail).toContain('theLeakyPlace');
      pool.release(leaked);
      await pass(1_000);
      const soon = await theLeakyPlace();
      await pass(1_000);
      pool.release(soon);
      await pass(10_000);
      expect(warnings).toHaveLength(1);
    } finally {
      process.off('warning', listener);
    }
  });
});
