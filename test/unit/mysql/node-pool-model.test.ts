/** Whatever callers, servers and time do in whatever order, a pool lends nothing twice, loses nothing, and ends empty. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { NodePool } from '../../../src/mysql/node-pool.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { resolvePoolOptions } from '../../../src/mysql/pool-options.js';
import { ScriptedFactory } from './scripted-connection.js';

type Step =
  | { readonly do: 'acquire' | 'acquire-briefly' | 'retire' | 'reachable' }
  | { readonly do: 'release' | 'touch' | 'discard' | 'kill' | 'mute'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'resize'; readonly max: number; readonly min: number }
  | { readonly do: 'connects'; readonly as: 'ok' | 'refused' | 'full' | 'wait' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('acquire' as const, 'acquire-briefly' as const) }),
    },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constantFrom('release' as const, 'release' as const, 'touch' as const, 'discard' as const),
        which: fc.nat(9),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'mute' as const), which: fc.nat(20) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.constantFrom(1, 60, 300, 1_500, 9_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('retire' as const, 'reachable' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('resize' as const),
        max: fc.integer({ min: 1, max: 5 }),
        min: fc.nat(2),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('connects' as const),
        as: fc.constantFrom('ok' as const, 'refused' as const, 'full' as const, 'wait' as const),
      }),
    },
  ),
  { maxLength: 60 },
);

const unreachable = (errno: number): StormlampError =>
  new StormlampError(ErrorCode.NODE_UNREACHABLE, 'x', { cause: Object.assign(new Error('x'), { errno }) });

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

async function settled(): Promise<void> {
  for (let round = 0; round < 6; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function play(list: readonly Step[]): Promise<void> {
  const factory = new ScriptedFactory();
  const lent: PhysicalConnection[] = [];
  let waiting = 0;
  let max = 3;
  const pool = new NodePool({
    node: factory.node,
    factory,
    settings: resolvePoolOptions('pool', {
      max,
      acquireTimeoutMs: 5_000,
      validateAfterIdleMs: 200,
      idleTimeoutMs: 2_000,
      maxLifetimeMs: 8_000,
    }),
  });
  const acquire = (timeoutMs: number): void => {
    waiting += 1;
    pool.acquire(Deadline.of({ timeoutMs })).then(
      (connection) => {
        waiting -= 1;
        expect(lent, 'lent twice').not.toContain(connection);
        expect(connection.touched, 'lent as it was left').toBe(false);
        lent.push(connection);
        expect(lent.length, 'lent beyond the maximum').toBeLessThanOrEqual(Math.max(max, lent.length - 1));
      },
      () => {
        waiting -= 1;
      },
    );
  };
  const take = (which: number): PhysicalConnection | undefined =>
    lent.splice(which % Math.max(1, lent.length), 1)[0];
  for (const step of list) {
    switch (step.do) {
      case 'acquire':
        acquire(0);
        break;
      case 'acquire-briefly':
        acquire(50);
        break;
      case 'release':
      case 'touch':
      case 'discard': {
        const connection = take(step.which);
        if (connection === undefined) break;
        if (step.do === 'touch') connection.touched = true;
        if (step.do === 'discard') pool.discard(connection);
        else pool.release(connection);
        break;
      }
      case 'kill':
        factory.made[step.which]?.kill();
        break;
      case 'mute': {
        const raw = factory.made[step.which];
        if (raw !== undefined) raw.answer = () => 'silence';
        break;
      }
      case 'pass':
        await vi.advanceTimersByTimeAsync(step.ms);
        break;
      case 'retire':
        pool.retire();
        break;
      case 'reachable':
        pool.nodeReachable();
        break;
      case 'resize':
        max = step.max;
        pool.resize(step);
        break;
      case 'connects':
        factory.settle('ok', 9);
        factory.always(
          step.as === 'refused' ? unreachable(0) : step.as === 'full' ? unreachable(1040) : step.as,
        );
        break;
    }
    await settled();
    expect(pool.inFlight, 'in flight').toBe(lent.length);
    expect(pool.stats.waiting, 'waiting').toBe(waiting);
  }
  // Everybody gives back, and the server is well again: nobody may be left waiting.
  factory.always('ok');
  factory.settle('ok', 99);
  pool.nodeReachable();
  for (let round = 0; round < 40 && (waiting > 0 || lent.length > 0); round += 1) {
    for (const connection of lent.splice(0)) pool.release(connection);
    await vi.advanceTimersByTimeAsync(500);
    await settled();
  }
  expect(waiting, 'left waiting').toBe(0);
  await vi.advanceTimersByTimeAsync(3_000);
  await settled();
  expect(pool.stats).toMatchObject({ borrowed: 0, waiting: 0 });
  expect(pool.stats.total, 'closed or kept').toBeLessThanOrEqual(2);
  const closing = pool.close(Deadline.of({ timeoutMs: 1_000 }));
  await vi.advanceTimersByTimeAsync(3_000);
  await settled();
  await closing;
  expect(
    factory.made.filter(({ stream }) => !stream.destroyed),
    'sockets left',
  ).toEqual([]);
  expect(vi.getTimerCount(), 'timers left').toBe(0);
}

test('any history', async () => {
  await fc.assert(fc.asyncProperty(steps, play), { numRuns: 150 });
}, 60_000);
