import { beforeEach, describe, expect, test, vi } from 'vitest';
import { QueryRouter } from '../../../src/mysql/query-router.js';
import { type ReadOptions, resolveReadOptions } from '../../../src/mysql/read-options.js';
import { ActiveScope } from '../../../src/mysql/scope.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { readAnyGtidPosition } from '../../../src/topology/gtid-position.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import {
  type Finding,
  gtids,
  master,
  observationOf,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

const DEFAULTS = { consistency: 'session', waitMs: 1_000 } as const;

let topology: TopologyDescription;
let shut: Set<string>;
let version: number;
let busy: Record<string, number>;
let returned: Record<string, number>;

const healthy: Readonly<Record<string, Finding>> = {
  a: master('a'),
  b: slave('b', 'a'),
  c: slave('c', 'a'),
};

const roles = { a: 'primary', b: 'replica', c: 'replica' } as const;

function see(findings: Readonly<Record<string, Finding>>): void {
  const now = performance.now();
  topology = Object.entries(findings).reduce(
    (before, [node, finding]) => observe(before, observationOf(node, finding, now)),
    initialTopology(seeds(roles)),
  );
}

function routerOf(options: ReadOptions = {}): QueryRouter {
  return new QueryRouter(resolveReadOptions(options), {
    topology: () => topology,
    allows: (node) => !shut.has(node),
    breakerVersion: () => version,
    inFlight: (node) => busy[node] ?? 0,
    returnedAt: (node) => returned[node] ?? Number.NEGATIVE_INFINITY,
    waitLimit: 2,
  });
}

function chosen(router: QueryRouter, calls = 60, scope?: ActiveScope): string[] {
  const seen = new Set<string>();
  for (let call = 0; call < calls; call += 1) seen.add(router.reader(scope).node);
  return [...seen].sort();
}

beforeEach(() => {
  shut = new Set();
  version = 0;
  busy = {};
  returned = {};
  see(healthy);
});

describe('reads', () => {
  test('go to all fit replicas, and not to the primary', () => {
    expect(chosen(routerOf())).toEqual(['b', 'c']);
    expect(routerOf().reader(undefined)).toMatchObject({ role: 'replica', because: '' });
  });

  test('a replica whose breaker closed a moment ago takes a small part of them', () => {
    // Both have answered for a minute.
    const now = performance.now();
    for (const at of [now - 60_000, now])
      for (const [node, facts] of Object.entries(healthy))
        topology = observe(
          at < now && node === 'a' ? initialTopology(seeds(roles)) : topology,
          observationOf(node, facts, at),
        );
    returned = { b: now };
    const router = routerOf({ balance: 'weighted' });
    const taken = Array.from({ length: 600 }, () => router.reader(undefined).node);
    const share = taken.filter((node) => node === 'b').length / taken.length;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(0.25);
  });

  test('a node can be spared only while another one could serve', () => {
    const router = routerOf();
    expect(router.canSpare('b')).toBe(true);
    shut = new Set(['c']);
    // The primary would take over.
    expect(router.canSpare('b')).toBe(true);
    expect(routerOf({ preference: 'replica' }).canSpare('b')).toBe(false);
    expect(routerOf({ preference: 'primary' }).canSpare('a')).toBe(false);
    shut = new Set(['a', 'c']);
    expect(router.canSpare('b')).toBe(false);
  });

  test('a node whose neighbours are down or stale cannot be spared, whatever their breakers say', () => {
    see({ a: 'refused', b: slave('b', 'a'), c: slave('c', 'a', { lagMs: 60_000 }) });
    expect(routerOf().canSpare('b')).toBe(false);
    expect(routerOf().canSpare('c')).toBe(true);
  });

  test('of scopes that take turns are not chosen anew each time', () => {
    let asked = 0;
    const router = new QueryRouter(resolveReadOptions({}), {
      topology: () => topology,
      allows: () => {
        asked += 1;
        return true;
      },
      breakerVersion: () => 0,
      inFlight: () => 0,
      returnedAt: () => Number.NEGATIVE_INFINITY,
      waitLimit: 2,
    });
    const kinds = [1_000, 60_000, Number.POSITIVE_INFINITY].map(
      (maxLagMs) => new ActiveScope({ maxLagMs }, undefined, DEFAULTS),
    );
    for (let call = 0; call < 3_000; call += 1) router.reader(kinds[call % kinds.length]);
    // Three nodes, three kinds, and a few times anew because shares change.
    expect(asked).toBeLessThan(900);
  });

  test('go to the less busy replica', () => {
    busy = { b: 50 };
    expect(chosen(routerOf())).toEqual(['c']);
  });

  test('leave a replica as soon as its breaker opens, although the picture is the same', () => {
    const router = routerOf();
    expect(chosen(router)).toEqual(['b', 'c']);
    shut.add('b');
    version += 1;
    expect(chosen(router)).toEqual(['c']);
  });

  test('leave a replica as soon as its measurement is too old, although nothing was told', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      see({ ...healthy, b: slave('b', 'a', { lagMs: 1000 }) });
      const router = routerOf({ maxLagMs: 1030 });
      expect(chosen(router)).toContain('b');
      vi.advanceTimersByTime(31);
      expect(chosen(router)).toEqual(['c']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('fall back to the primary with a reason, and say so of no read that wanted the primary', () => {
    see({ ...healthy, b: 'refused', c: slave('c', 'a', { sql: false }) });
    expect(routerOf().reader(undefined)).toEqual({
      node: 'a',
      role: 'primary',
      because: 'no replica is fit',
    });
    expect(routerOf({ preference: 'primary' }).reader(undefined)).toMatchObject({ node: 'a', because: '' });
  });

  test('that no node may serve name every node and why', () => {
    see({ a: 'refused', b: 'timeout-query', c: slave('c', 'a', { sql: false }) });
    expect(() => routerOf().reader(undefined)).toThrow(
      /a: it is down.*b: it is down.*c: the applying thread/,
    );
  });

  test('of a session that cannot leave its node know whether that one is fit, whatever others are', () => {
    see({ ...healthy, c: slave('c', 'a', { lagMs: 9_000 }) });
    const router = routerOf({ maxLagMs: 1_000, affinity: 'b' });
    const scope = (options: object): ActiveScope => new ActiveScope(options, undefined, DEFAULTS);
    expect(router.whyUnfit('b', undefined)).toBeUndefined();
    expect(router.whyUnfit('c', undefined)).toMatch(/behind/);
    // Another one is preferred, and its breaker is open: that says nothing of what it has.
    shut.add('c');
    version += 1;
    expect(router.whyUnfit('c', scope({ maxLagMs: 60_000 }))).toBeUndefined();
    expect(router.whyUnfit('b', scope({ maxLagMs: 0 }))).toMatch(/behind/);
    expect(router.whyUnfit('b', scope({ preference: 'primary-preferred' }))).toBeUndefined();
    expect(router.whyUnfit('b', scope({ preference: 'primary' }))).toBe("the read preference is 'primary'");
    const dirty = scope({});
    dirty.causal.noteUntold();
    expect(router.whyUnfit('b', dirty)).toMatch(/not known which nodes have that/);
    expect(router.whyUnfit('z', undefined)).toMatch(/not one of the nodes/);
    see({ ...healthy, b: 'refused' });
    expect(router.whyUnfit('b', undefined)).toMatch(/down/);
  });

  test('can wait only for numbers that the node shares', () => {
    const mariadb = readAnyGtidPosition('0-1-5');
    const mysql = readAnyGtidPosition('3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5');
    if (mariadb === undefined || mysql === undefined) throw new Error('a position is needed');
    const [fits] = [mariadb, mysql].map((wanted) => routerOf().canAwait('b', wanted));
    expect([mariadb, mysql].map((wanted) => routerOf().canAwait('b', wanted))).toEqual([fits, !fits]);
    see({ ...healthy, b: 'refused' });
    expect([mariadb, mysql].map((wanted) => routerOf().canAwait('b', wanted))).toEqual([false, false]);
  });

  test('take a tried node again only when there is no other', () => {
    const router = routerOf();
    expect(router.reader(undefined, new Set(['b'])).node).toBe('c');
    expect(router.reader(undefined, new Set(['b', 'c'])).node).toBe('a');
    expect(['b', 'c']).toContain(router.reader(undefined, new Set(['a', 'b', 'c'])).node);
    const error = router.noReader(undefined, new Set(['b']), new Error('it hung up'));
    expect(error.message).toContain('b: it hung up');
  });
});

describe('a scope', () => {
  test('may ask for fresher replicas, or for another role', () => {
    see({ ...healthy, b: slave('b', 'a', { lagMs: 2000 }) });
    const router = routerOf();
    expect(chosen(router)).toEqual(['b', 'c']);
    const fresher = new ActiveScope({ maxLagMs: 1000 }, undefined, DEFAULTS);
    expect(chosen(router, 60, fresher)).toEqual(['c']);
    const primary = new ActiveScope({ preference: 'primary' }, undefined, DEFAULTS);
    expect(chosen(router, 5, primary)).toEqual(['a']);
  });

  test('that wrote reads from the primary, unless it need not see its writes', () => {
    const router = routerOf();
    const scope = new ActiveScope({}, undefined, DEFAULTS);
    const eventual = new ActiveScope({ consistency: 'eventual' }, scope, DEFAULTS);
    expect(router.preferenceIn(scope)).toBe('replica-preferred');
    eventual.causal.noteUntold();
    expect(router.preferenceIn(scope)).toBe('primary');
    expect(router.preferenceIn(eventual)).toBe('replica-preferred');
  });

  test('decides whether a connection may be kept', () => {
    const router = routerOf();
    expect(router.serves('b', undefined)).toBe(true);
    expect(router.serves('a', undefined)).toBe(false);
    const scope = new ActiveScope({}, undefined, DEFAULTS);
    scope.causal.noteUntold();
    expect(router.serves('b', scope)).toBe(false);
    expect(router.serves('a', scope)).toBe(true);
  });
});

describe('a scope that wrote, and knows its GTID', () => {
  const scopeAt = (count: number): ActiveScope =>
    new ActiveScope({ after: gtids({ a: count }) }, undefined, DEFAULTS);
  const at = (name: string, count: number, lagMs = 0): Finding =>
    slave(name, 'a', { lagMs }, { gtid: gtids({ a: count }) });

  test('reads from the replica that was seen there, and does not wait', () => {
    see({ ...healthy, b: at('b', 10), c: at('c', 9) });
    const choices = Array.from({ length: 50 }, () => routerOf().reader(scopeAt(10), undefined, true));
    expect(new Set(choices.map(({ node }) => node))).toEqual(new Set(['b']));
    expect(choices[0]?.waitFor).toBeUndefined();
  });

  test('does not trust the numbers of a Galera member on a replica that is none, nor waits for them there', () => {
    const group = {
      kind: 'galera',
      state: 'online',
      hasQuorum: true,
      writes: 'everywhere',
      queue: 0,
      members: [],
    } as const;
    see({ a: master('a', { gtid: gtids({ a: 10 }), group }), b: at('b', 10), c: at('c', 9) });
    const router = routerOf();
    expect(router.reader(scopeAt(10), undefined, true)).toMatchObject({ node: 'a', role: 'primary' });
    expect(router.serves('b', scopeAt(10))).toBe(false);
  });

  test('trusts them in the domain in which all members number alike', () => {
    const group = {
      kind: 'galera',
      state: 'online',
      hasQuorum: true,
      writes: 'everywhere',
      queue: 0,
      members: [],
    } as const;
    const member = (gtidDomain?: number): Finding =>
      master('a', { flavor: 'mariadb', gtid: '7-1-10', group: { ...group, gtidDomain } });
    const replica = slave('b', 'a', {}, { flavor: 'mariadb', gtid: '7-1-10', gtidApplied: '7-1-10' });
    const scopeOf = (after: string): ActiveScope => new ActiveScope({ after }, undefined, DEFAULTS);
    const serves = (a: Finding, after: string): boolean => {
      see({ a, b: replica });
      return routerOf().serves('b', scopeOf(after));
    };
    expect(serves(member(7), '7-1-10')).toBe(true);
    expect(serves(member(7), '7-1-11')).toBe(false);
    expect(serves(member(), '7-1-10')).toBe(false);
    expect(serves(member(8), '7-1-10')).toBe(false);
    see({
      a: member(7),
      b: replica,
      c: master('c', { flavor: 'mariadb', group: { ...group, gtidDomain: 8 } }),
    });
    expect(routerOf().serves('b', scopeOf('7-1-10'))).toBe(false);
  });

  test('asks a primary about what another server wrote, unless it was seen to have it', () => {
    see({
      ...healthy,
      a: master('a', { gtid: gtids({ a: 10, b: 3 }), serverUuid: gtids({ a: 1 }).slice(0, 36) }),
    });
    const wanted = (counts: Record<string, number>): boolean => {
      const scope = new ActiveScope({ after: gtids(counts) }, undefined, DEFAULTS);
      return scope.wanted === undefined || routerOf().mayLack('a', scope.wanted);
    };
    expect([wanted({ a: 90 }), wanted({ b: 3 }), wanted({ b: 4 })]).toEqual([false, false, true]);
  });

  test('does not wait again for what it waited for in vain', () => {
    see({ ...healthy, b: at('b', 9), c: at('c', 8) });
    const scope = scopeAt(10);
    expect(scope.causal.hasWaited).toBe(false);
    scope.causal.noteVain();
    expect(scope.causal.hasWaited).toBe(true);
    scope.causal.noteWritten(readAnyGtidPosition(gtids({ a: 11 })) as never);
    expect(scope.causal.hasWaited).toBe(false);
  });

  test('waits on the replica that is least behind when none was seen there', () => {
    see({ ...healthy, b: at('b', 9, 400), c: at('c', 8, 300) });
    const choice = routerOf().reader(scopeAt(10), undefined, true);
    expect(choice).toMatchObject({ node: 'c', waitFor: { text: gtids({ a: 10 }) } });
  });

  test('leaves a replica of weight 0 for when no other replica can serve, although it has what the others lack', () => {
    const now = performance.now();
    const reserve = seeds(roles).map((seed) => (seed.id === 'c' ? { ...seed, weight: 0 } : seed));
    topology = Object.entries({ ...healthy, b: at('b', 9, 300), c: at('c', 10) }).reduce(
      (before, [node, finding]) => observe(before, observationOf(node, finding, now)),
      initialTopology(reserve),
    );
    const router = routerOf();
    const waited = router.reader(scopeAt(10), undefined, true);
    expect(waited).toMatchObject({ node: 'b', waitFor: { text: gtids({ a: 10 }) } });
    expect(router.reader(scopeAt(10)).node).toBe('c');
    expect(router.reader(scopeAt(10), new Set(['b']), true).node).toBe('c');
    const wish = { after: gtids({ a: 10 }), preference: 'replica' } as const;
    expect(router.reader(new ActiveScope(wish, undefined, DEFAULTS)).node).toBe('c');
  });

  test('goes to the primary when it has waited, when waiting would be in vain, and when too many wait', () => {
    see({ ...healthy, b: at('b', 9), c: at('c', 8) });
    const router = routerOf();
    expect(router.reader(scopeAt(10))).toMatchObject({
      node: 'a',
      because: expect.stringContaining('known to have'),
    });
    const hurried = new ActiveScope({ after: gtids({ a: 10 }), waitMs: 0 }, undefined, DEFAULTS);
    expect(router.reader(hurried, undefined, true).node).toBe('a');
    for (const node of ['b', 'b', 'c', 'c']) router.positions.beginWait(node);
    expect(router.reader(scopeAt(10), undefined, true).node).toBe('a');
    see({
      ...healthy,
      b: at('b', 9, 1001),
      c: slave('c', 'a', { delayMs: 2_000 }, { gtid: gtids({ a: 8 }) }),
    });
    expect(routerOf().reader(scopeAt(10), undefined, true).node).toBe('a');
  });

  test('finds no replica when it wants no primary', () => {
    see({ ...healthy, b: at('b', 9), c: at('c', 8) });
    const scope = new ActiveScope({ after: gtids({ a: 10 }), preference: 'replica' }, undefined, DEFAULTS);
    expect(() => routerOf().reader(scope)).toThrow(/b: it was not yet seen at 0{7}1-.*c: it was not yet/);
  });

  test('knows what a wait has shown, until the node is looked at again', () => {
    see({ ...healthy, b: at('b', 9), c: at('c', 9) });
    const router = routerOf();
    const { wanted } = scopeAt(10);
    if (wanted === undefined) throw new Error('No token');
    router.positions.learn('b', wanted);
    expect(chosen(router, 60, scopeAt(10))).toEqual(['b']);
    expect([router.serves('b', scopeAt(10)), router.serves('c', scopeAt(10))]).toEqual([true, false]);
    see({ ...healthy, b: at('b', 9), c: at('c', 9) });
    expect(chosen(router, 60, scopeAt(10))).toEqual(['a']);
  });
});

describe('the primary is shut off', () => {
  const late = { ...healthy, b: slave('b', 'a', { lagMs: 60_000 }), c: 'refused' } as const;

  test('while nothing but its breaker keeps reads away', () => {
    see(late);
    const router = routerOf();
    expect(router.isShutOff(undefined)).toBe(false);
    shut.add('a');
    version += 1;
    expect(() => router.reader(undefined)).toThrow(/its breaker is open/);
    expect(router.isShutOff(undefined)).toBe(true);
  });

  test('not for reads that it would not serve anyway, and not when it is down or one of two', () => {
    see(late);
    shut.add('a');
    expect(routerOf({ preference: 'replica' }).isShutOff(undefined)).toBe(false);
    see({ ...late, a: 'refused' });
    expect(routerOf().isShutOff(undefined)).toBe(false);
    see({ a: master('a'), b: master('b') });
    expect(routerOf().isShutOff(undefined)).toBe(false);
  });
});

describe('the share of the primary', () => {
  test('0 lets no read fall back', () => {
    see({ ...healthy, b: 'refused', c: 'refused' });
    expect(() => routerOf({ primaryShareLimit: 0 }).reader(undefined)).toThrow(/primaryShareLimit 0/);
  });

  test('a limit lets that share of reads through', () => {
    see({ ...healthy, b: 'refused', c: 'refused' });
    const router = routerOf({ primaryShareLimit: 0.25 });
    let served = 0;
    for (let call = 0; call < 400; call += 1) {
      try {
        router.reader(undefined);
        served += 1;
      } catch {
        // Over the budget.
      }
    }
    expect(served).toBeGreaterThan(80);
    expect(served).toBeLessThanOrEqual(100);
  });

  test('does not count what affinity sends there', () => {
    const router = routerOf({ affinity: 'a', primaryShareLimit: 0 });
    for (let call = 0; call < 50; call += 1)
      expect(router.reader(undefined)).toMatchObject({ node: 'a', because: 'affinity names it' });
    see({ ...healthy, b: 'refused', c: 'refused' });
    // Affinity to another node lets nobody fall back.
    expect(() => routerOf({ affinity: 'b', primaryShareLimit: 0 }).reader(undefined)).toThrow(/ShareLimit 0/);
  });
});

describe('writes', () => {
  test('go to the one primary, and to nobody when there are two or none', () => {
    expect(routerOf().writer).toBe('a');
    see({ a: 'refused', b: slave('b', 'a'), c: slave('c', 'a') });
    expect(routerOf().writer).toBeUndefined();
  });
});

test('a node with affinity serves while it may, whatever its role', () => {
  const router = routerOf({ affinity: 'a' });
  expect(chosen(router)).toEqual(['a']);
  shut.add('a');
  version += 1;
  expect(chosen(router)).toEqual(['b', 'c']);
});
