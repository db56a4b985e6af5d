import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import type { LagRule } from '../../../src/topology/measured-lag.js';
import { effectiveLagMs } from '../../../src/topology/node-description.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import {
  type Finding,
  gtids,
  master,
  observationOf,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

function seen(rule: LagRule, rounds: readonly (readonly [at: number, Readonly<Record<string, Finding>>])[]) {
  let topology = initialTopology(seeds({ a: 'primary', b: 'replica' }), rule);
  for (const [at, round] of rounds) {
    for (const [node, finding] of Object.entries(round)) {
      topology = observe(topology, observationOf(node, finding, at));
    }
  }
  return topology;
}

/** How far `b` may be behind at `now`. */
function lagAt(topology: TopologyDescription, now: number): number | null {
  const b = topology.nodes[1];
  return b === undefined ? null : effectiveLagMs(b, now);
}

describe('as reported, but at least as compared', () => {
  const a = (count: number, gtid = gtids({ a: count })): Finding => master('a', { gtid });
  const b = (count: number, lagMs = 0, gtid = gtids({ a: count })): Finding =>
    slave('b', 'a', { lagMs }, { gtid });
  const cut = Array.from({ length: 10 }, (_, n) => [(n + 1) * 1_000, { a: a(n + 2), b: b(1) }] as const);

  test('a replica that reports 0 and lacks what the primary was seen to have is as late as that', () => {
    const topology = seen('compared', [[0, { a: a(1), b: b(1) }], ...cut]);
    expect(lagAt(topology, 10_000)).toBe(9_000);
    // What the replica reports is all that there is to know without the comparison.
    expect(lagAt(seen('reported', [[0, { a: a(1), b: b(1) }], ...cut]), 10_000)).toBe(0);
  });

  test('it is in step again when it has all', () => {
    const topology = seen('compared', [
      [0, { a: a(1), b: b(1) }],
      ...cut,
      [11_000, { a: a(12), b: b(12, 3) }],
    ]);
    expect(lagAt(topology, 11_000)).toBe(3);
  });

  test('what was committed after the look at the replica is not missed, and the larger lag counts', () => {
    expect(
      lagAt(
        seen('compared', [
          [0, { a: a(1), b: b(1) }],
          [900, { b: b(1) }],
          [1_000, { a: a(2) }],
        ]),
        1_000,
      ),
    ).toBe(100);
    expect(
      lagAt(
        seen('compared', [
          [0, { a: a(1), b: b(1) }],
          [1_000, { a: a(2), b: b(1, 7_000) }],
        ]),
        1_000,
      ),
    ).toBe(7_000);
  });

  test('a transaction that the replica never had does not make it late, a new one does', () => {
    const old = gtids({ a: 5, c: 3 });
    const rounds = [
      [0, { a: a(0, old), b: b(5) }],
      [1_000, { a: a(0, gtids({ a: 9, c: 3 })), b: b(9) }],
    ] as const;
    expect(lagAt(seen('compared', rounds), 1_000)).toBe(0);
    expect(
      lagAt(
        seen('compared', [...rounds, [2_000, { a: a(0, gtids({ a: 10, c: 3 })) }], [4_000, { b: b(9) }]]),
        4_000,
      ),
    ).toBe(2_000);
  });

  test('what it lacks grows older for ever, however many looks are forgotten meanwhile', () => {
    const many = Array.from({ length: 300 }, (_, n) => [(n + 1) * 100, { a: a(n + 2), b: b(1) }] as const);
    const topology = seen('compared', [[0, { a: a(1), b: b(1) }], ...many]);
    expect(lagAt(topology, 30_000)).toBe(29_900);
    const inStep = observe(topology, observationOf('b', b(301), 30_100));
    expect(lagAt(inStep, 30_100)).toBe(0);
    // What it lacks the next time is counted from then.
    const again = observe(
      observe(inStep, observationOf('a', a(302), 30_200)),
      observationOf('b', b(301), 31_000),
    );
    expect(lagAt(again, 31_000)).toBe(800);
  });

  describe('a replica that lacks what the primary had at the first look', () => {
    const heard = (position: string, gtid: string): Finding =>
      slave(
        'b',
        'a',
        { lagMs: 0, reception: { position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 } },
        { gtid },
      );

    test('may have been cut off long before: how late it is is unknown, until it gets anything', () => {
      const rounds = Array.from(
        { length: 100 },
        (_, n) => [n * 1_000, { a: a(10 + n), b: heard('1', gtids({ a: 9 })) }] as const,
      );
      expect(lagAt(seen('compared', rounds.slice(0, 1)), 0)).toBeNull();
      expect(lagAt(seen('compared', rounds), 99_000)).toBeNull();
      const replicaFirst = [
        [0, { b: b(9) }],
        [10, { a: a(10) }],
      ] as const;
      expect(lagAt(seen('compared', replicaFirst), 10)).toBeNull();
      const alive = [100_000, { a: a(110), b: heard('2', gtids({ a: 110 })) }] as const;
      expect(lagAt(seen('compared', [...rounds, alive]), 100_000)).toBe(0);
    });

    test('lives when it receives; what it lacks of the first look does not count then', () => {
      const old = gtids({ a: 10, c: 3 });
      const rounds = [
        [0, { a: a(0, old), b: heard('1', gtids({ a: 10 })) }],
        [1_000, { a: a(0, old), b: heard('2', gtids({ a: 10 })) }],
      ] as const;
      expect(lagAt(seen('compared', rounds.slice(0, 1)), 0)).toBeNull();
      expect(lagAt(seen('compared', rounds), 1_000)).toBe(0);
    });

    test('is as late as the first look once it lives, where it asks for all that it lacks', () => {
      const asking = (position: string, count: number): Finding =>
        slave(
          'b',
          'a',
          {
            lagMs: 0,
            autoPosition: true,
            reception: { position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 },
          },
          { gtid: gtids({ a: count }) },
        );
      const rounds = [
        [0, { a: a(10), b: asking('1', 7) }],
        [1_000, { a: a(10), b: asking('2', 8) }],
        // Cut off amid what it was getting, while nobody writes.
        [3_000, { a: a(10), b: asking('2', 8) }],
      ] as const;
      expect(lagAt(seen('compared', rounds.slice(0, 1)), 0)).toBeNull();
      expect(lagAt(seen('compared', rounds), 3_000)).toBe(3_000);
      expect(lagAt(seen('compared', [...rounds, [4_000, { b: asking('3', 10) }]]), 4_000)).toBe(0);
    });

    test('does not live because the server between hears something', () => {
      const between = (position: string): Finding =>
        slave(
          'c',
          'b',
          { lagMs: 0, reception: { position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 } },
          { gtid: gtids({ a: 9 }) },
        );
      let topology = initialTopology(seeds({ a: 'primary', b: 'replica', c: 'replica' }), 'compared');
      for (const [at, position] of [
        [0, '1'],
        [1_000, '2'],
        [2_000, '3'],
      ] as const) {
        for (const [node, finding] of Object.entries({ a: a(10), b: b(9), c: between(position) }))
          topology = observe(topology, observationOf(node, finding, at));
      }
      const c = topology.nodes[2];
      expect(c && effectiveLagMs(c, 2_000)).toBeNull();
    });

    test('on MariaDB only whole domains may be missing for good', () => {
      const maria = (gtid: string): Finding => master('a', { flavor: 'mariadb', gtid, gtidState: gtid });
      const other = (gtidApplied: string): Finding =>
        slave(
          'b',
          'a',
          { lagMs: 0 },
          { flavor: 'mariadb', gtid: gtidApplied, gtidApplied, gtidState: gtidApplied },
        );
      const lag = (primary: string, ...replica: string[]): number | null => {
        const looks = replica.map((has, n) => [n * 1_000, { a: maria(primary), b: other(has) }] as const);
        return lagAt(seen('compared', looks), (replica.length - 1) * 1_000);
      };
      expect(lag('0-1-9', '0-1-8', '0-1-8')).toBeNull();
      expect(lag('0-1-9', '', '')).toBeNull();
      expect(lag('0-1-9', '0-1-8', '0-1-9')).toBe(0);
      expect(lag('0-1-9,5-1-3', '0-1-9', '0-1-9')).toBe(0);
    });

    test('on MariaDB is as late as the first look once it lives', () => {
      const maria = (n: number): Finding =>
        master('a', { flavor: 'mariadb', gtid: `0-1-${n}`, gtidState: `0-1-${n}` });
      const other = (position: string): Finding =>
        slave(
          'b',
          'a',
          { lagMs: 0, reception: { position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 } },
          { flavor: 'mariadb', gtid: '0-1-8', gtidApplied: '0-1-8', gtidState: '0-1-8' },
        );
      const rounds = [
        [0, { a: maria(9), b: other('1') }],
        [1_000, { a: maria(9), b: other('2') }],
        [3_000, { a: maria(9), b: other('2') }],
      ] as const;
      expect(lagAt(seen('compared', rounds), 3_000)).toBe(3_000);
    });
  });

  describe('a primary that could not be reached for a while', () => {
    const heard = (position: string, count: number, io: 'yes' | 'connecting' = 'yes'): Finding =>
      slave(
        'b',
        'a',
        {
          io,
          lagMs: io === 'yes' ? 0 : null,
          reception: { position, heartbeats: 0, heartbeatMs: 30_000, errno: 0 },
        },
        { gtid: gtids({ a: count }) },
      );
    const away = [
      [0, { a: a(1), b: heard('1', 1) }],
      [1_000, { a: a(1), b: heard('1', 1) }],
      [2_000, { a: 'refused', b: heard('1', 1, 'connecting') }],
    ] as const;

    test('may have been written to all the time: what a replica lacks then is as old', () => {
      const back = [...away, [9_000, { a: a(9), b: heard('2', 1) }]] as const;
      expect(lagAt(seen('compared', back), 9_000)).toBe(8_000);
      expect(lagAt(seen('compared', [...back, [9_500, { b: heard('3', 9) }]]), 9_500)).toBe(0);
      // What it shows at the next look is no older than that look.
      const later = [...back, [10_000, { a: a(10), b: heard('3', 9) }]] as const;
      expect(lagAt(seen('compared', [...later, [10_500, { b: heard('3', 9) }]]), 10_500)).toBe(500);
    });

    test('a replica that was looked at before it came back, and had just connected again, is not believed', () => {
      const before = [...away, [8_900, { b: heard('2', 1) }], [9_000, { a: a(9) }]] as const;
      expect(lagAt(seen('compared', before), 9_000)).toBe(8_000);
      const withoutGtids = before.map(
        ([at, round]) =>
          [
            at,
            Object.fromEntries(
              Object.entries(round).map(([node, finding]: [string, Finding]) => [
                node,
                typeof finding === 'string' ? finding : { ...finding, gtid: '' },
              ]),
            ),
          ] as const,
      );
      expect(lagAt(seen('compared', withoutGtids), 9_000)).toBe(8_000);
    });

    test('one that went on to hear of it is', () => {
      const hears = [
        [0, { a: a(1), b: heard('1', 1) }],
        [1_000, { a: a(1), b: heard('1', 1) }],
        [2_000, { a: 'refused', b: heard('2', 2) }],
        [8_900, { b: heard('3', 9) }],
        [9_000, { a: a(9) }],
      ] as const;
      expect(lagAt(seen('compared', hears), 9_000)).toBe(100);
    });
  });

  test('without GTIDs, and on MariaDB without a log, no more is claimed than is certain', () => {
    expect(
      lagAt(
        seen('compared', [
          [0, { a: a(0, ''), b: b(0, 2, '') }],
          [9, { a: a(0, ''), b: b(0, 2, '') }],
        ]),
        9,
      ),
    ).toBe(2);
    const maria = (gtid: string): Finding => master('a', { flavor: 'mariadb', gtid });
    const other = (gtidApplied: string): Finding =>
      slave('b', 'a', { lagMs: 0 }, { flavor: 'mariadb', gtid: gtidApplied, gtidApplied });
    const at = (applied: string): number | null =>
      lagAt(
        seen('compared', [
          [0, { a: maria('0-1-5'), b: other('0-2-14') }],
          [1_000, { a: maria('0-1-9') }],
          [3_000, { b: other(applied) }],
        ]),
        3_000,
      );
    expect([at('0-2-14'), at('0-1-8'), at('0-1-9')]).toEqual([0, 2_000, 0]);
  });
});

describe('by GTID', () => {
  const a = (count: number): Finding => master('a', { gtid: gtids({ a: count }) });
  const b = (count: number): Finding => slave('b', 'a', { lagMs: 0 }, { gtid: gtids({ a: count }) });

  test('a replica is as fresh as the newest look at the primary whose position it has', () => {
    const topology = seen('gtid', [
      [1_000, { a: a(10), b: b(10) }],
      [2_000, { a: a(20) }],
      [2_500, { b: b(15) }],
    ]);
    expect(lagAt(topology, 2_500)).toBe(1_500);
    expect(lagAt(topology, 3_000)).toBe(2_000);
  });

  test('a look at the primary makes a replica fresher that already had what it shows', () => {
    const rounds = [
      [1_000, { a: a(10), b: b(10) }],
      [2_000, { a: a(10) }],
    ] as const;
    expect(lagAt(seen('gtid', rounds), 2_100)).toBe(100);
  });

  test('what the server reports does not count, and a replica that stands still is late', () => {
    const topology = seen('gtid', [
      [0, { a: a(1), b: b(1) }],
      ...Array.from({ length: 10 }, (_, n) => [(n + 1) * 1_000, { a: a(n + 2), b: b(1) }] as const),
    ]);
    expect(lagAt(topology, 10_000)).toBe(10_000);
  });

  test('a replica that is behind everything that is remembered is late by nobody knows how much', () => {
    const topology = seen('gtid', [[1_000, { a: a(10), b: b(5) }]]);
    expect(lagAt(topology, 1_000)).toBeNull();
  });

  test('without positions nothing is known', () => {
    expect(lagAt(seen('gtid', [[1_000, { a: master('a'), b: slave('b', 'a') }]]), 1_000)).toBeNull();
  });
});

describe('by heartbeat', () => {
  // The primary's clock is an hour ahead of ours; heartbeats are written every half second.
  const HOUR = 3_600_000;
  const beatAt = (ours: number): Record<number, number> => ({ 1: HOUR + Math.floor(ours / 500) * 500 });
  const a = (now: number): Finding => master('a', { heartbeats: beatAt(now) });
  const b = (has: number): Finding => slave('b', 'a', {}, { heartbeats: beatAt(has) });

  test('the difference of the clocks cancels', () => {
    const topology = seen('heartbeat', [
      [1_000, { a: a(1_000), b: b(1_000) }],
      [2_000, { a: a(2_000), b: b(2_000) }],
    ]);
    expect(lagAt(topology, 2_000)).toBe(0);
    const late = seen('heartbeat', [
      [1_000, { a: a(1_000), b: b(1_000) }],
      [9_000, { a: a(9_000), b: b(5_000) }],
    ]);
    expect(lagAt(late, 9_000)).toBe(4_000);
  });

  test('is unknown when nobody writes it, when the replica has none, and when there is none', () => {
    const dead = master('a', { heartbeats: beatAt(1_000) });
    const rounds = [1, 2, 3, 4, 5, 6, 7].map((n) => [n * 1_000, { a: dead }] as const);
    const first = [500, { a: a(500), b: b(500) }] as const;
    expect(lagAt(seen('heartbeat', [first, ...rounds, [7_000, { b: b(1_000) }]]), 7_000)).toBeNull();
    expect(lagAt(seen('heartbeat', [[1_000, { a: dead, b: b(1_000) }]]), 1_000)).toBeNull();
    expect(lagAt(seen('heartbeat', [[1_000, { a: a(1_000), b: slave('b', 'a') }]]), 1_000)).toBeNull();
    expect(lagAt(seen('heartbeat', [[1_000, { a: master('a'), b: b(1_000) }]]), 1_000)).toBeNull();
  });

  test('the looks at another primary do not count', () => {
    const topology = seen('heartbeat', [
      [1_000, { a: a(1_000), b: b(1_000) }],
      [2_000, { b: slave('b', 'a', { sourceServerId: 9 }) }],
      [3_000, { a: master('a', { serverId: 9, heartbeats: { 9: 5 } }) }],
    ]);
    expect(topology.primaryRecord).toMatchObject({ serverId: 9, looks: [{ beat: 5 }] });
  });
});

test('so many looks are kept, and none when the servers report their lag', () => {
  const rounds = Array.from(
    { length: 200 },
    (_, n) => [n * 10, { a: master('a', { gtid: gtids({ a: 1 }) }), b: slave('b', 'a') }] as const,
  );
  expect(seen('gtid', rounds).primaryRecord?.looks).toHaveLength(64);
  expect(seen('reported', rounds).primaryRecord).toBeUndefined();
});
