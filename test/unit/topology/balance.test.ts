import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Balance, BalanceName } from '../../../src/topology/balance.js';
import { shareOf } from '../../../src/topology/balance.js';
import { createBalance } from '../../../src/topology/choose-balance.js';
import type { NodeDescription } from '../../../src/topology/node-description.js';
import { master } from '../../spec/topology/made-up-servers.js';

interface Traits {
  readonly weight?: number;
  readonly latencyMs?: number;
  readonly upSince?: number;
}
function node(
  id: string,
  { weight = 1, latencyMs = 1, upSince = Number.NEGATIVE_INFINITY }: Traits = {},
): NodeDescription {
  return {
    id,
    address: { host: id, port: 3306 },
    configuredRole: 'replica',
    weight,
    state: 'up',
    role: 'replica',
    facts: master('a'),
    lag: { ms: 0, at: 0 },
    latencyMs,
    seenAt: 0,
    upSince,
  };
}
/** A generator that is the same in every run. */
function dice(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
function shares(
  balance: Balance,
  nodes: readonly NodeDescription[],
  inFlight: (id: string) => number = () => 0,
  now = 1_000_000,
): Record<string, number> {
  const random = dice();
  const counts: Record<string, number> = {};
  for (let n = 0; n < 10_000; n += 1) {
    const id = balance(nodes, { inFlight, random, now })?.id ?? 'nobody';
    counts[id] = (counts[id] ?? 0) + 1 / 10_000;
  }
  return counts;
}

const names: BalanceName[] = ['least-in-flight', 'round-robin', 'weighted', 'latency'];

describe.each(names)('%s', (name) => {
  test('an empty list gives nobody, a single node itself', () => {
    const context = { inFlight: () => 0, random: () => 0.5, now: 0 };
    expect(createBalance(name)([], context)).toBeUndefined();
    expect(createBalance(name)([node('b')], context)?.id).toBe('b');
  });

  test('equal nodes get equal shares', () => {
    const got = shares(createBalance(name), [node('a'), node('b'), node('c')]);
    for (const share of Object.values(got)) expect(share).toBeCloseTo(1 / 3, 1);
    expect(Object.keys(got).length).toBe(3);
  });

  test('a node that just came back gets a small share at first', () => {
    const got = shares(createBalance(name), [node('old'), node('new', { upSince: 999_900 })]);
    expect(got['new']).toBeLessThan(0.15);
    expect(got['new']).toBeGreaterThan(0.03);
  });

  test('it always gives one of the candidates, whatever chance says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ weight: fc.constantFrom(0, 1, 5), latencyMs: fc.constantFrom(0, 1, 90) }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.nat(9),
        (traits, chance, load) => {
          const nodes = traits.map((trait, index) => node(String(index), trait));
          const picked = createBalance(name)(nodes, { inFlight: () => load, random: () => chance, now: 0 });
          expect(nodes).toContain(picked);
        },
      ),
    );
  });
});

describe.each(['round-robin', 'weighted', 'least-in-flight'] as const)('%s', (name) => {
  test('an idle node with three times the weight gets three times the share', () => {
    const got = shares(createBalance(name), [node('a', { weight: 3 }), node('b')]);
    expect(got['a']).toBeCloseTo(0.75, 1);
  });
});

test('least-in-flight takes the less busy of two', () => {
  const got = shares(createBalance('least-in-flight'), [node('a'), node('b')], (id) => (id === 'a' ? 5 : 4));
  expect(got).toEqual({ b: expect.closeTo(1) });
});

test('least-in-flight measures load by weight', () => {
  const nodes = [node('a', { weight: 4 }), node('b')];
  const got = shares(createBalance('least-in-flight'), nodes, (id) => (id === 'a' ? 7 : 2));
  expect(got).toEqual({ a: expect.closeTo(1) });
});

test('least-in-flight never sends everybody to one idle node: the busiest of three is the only one avoided', () => {
  const load: Record<string, number> = { a: 0, b: 1, c: 9 };
  const got = shares(
    createBalance('least-in-flight'),
    [node('a'), node('b'), node('c')],
    (id) => load[id] ?? 0,
  );
  expect(got['c']).toBeUndefined();
  expect(got['b']).toBeGreaterThan(0.25);
});

test('round robin is smooth: a node of weight two does not come twice in a row without need', () => {
  const balance = createBalance('round-robin');
  const nodes = [node('a', { weight: 2 }), node('b'), node('c')];
  const context = { inFlight: () => 0, random: () => 0, now: 0 };
  expect(Array.from({ length: 8 }, () => balance(nodes, context)?.id).join('')).toBe('abcaabca');
});

test('latency gives the node that is ten times as fast ten times as much', () => {
  const got = shares(createBalance('latency'), [
    node('near', { latencyMs: 1 }),
    node('far', { latencyMs: 10 }),
  ]);
  expect(got['near']).toBeCloseTo(10 / 11, 1);
});

test('the share grows from a tenth to the whole within ten seconds', () => {
  const back = node('b', { weight: 4, upSince: 0 });
  expect([0, 5_000, 10_000, 99_000].map((now) => shareOf(back, { now }))).toEqual([0.4, 2, 4, 4]);
  const closed = { returnedAt: () => 20_000 };
  expect([20_000, 25_000, 30_000].map((now) => shareOf(back, { now, ...closed }))).toEqual([0.4, 2, 4]);
});
