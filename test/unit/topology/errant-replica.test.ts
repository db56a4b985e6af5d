import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import type { Errant, ReplicationChannel, ServerFacts } from '../../../src/topology/node-description.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import {
  type Finding,
  gtids,
  master,
  observationOf,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

const ROLES = { a: 'primary', b: 'replica', c: 'replica' } as const;
const NAMES = ['a', 'b', 'c'] as const;

type Look = Readonly<Record<string, Finding>>;

/** The pictures after looks one second apart; those of one look are of the same moment. */
function seen(
  looks: readonly Look[],
  exempt: Pick<TopologyDescription, 'errantReplicas'> = {},
): TopologyDescription {
  let topology = initialTopology(seeds(ROLES), undefined, [], exempt);
  looks.forEach((look, index) => {
    for (const [node, finding] of Object.entries(look))
      topology = observe(topology, observationOf(node, finding, 1000 * (index + 1)));
  });
  return topology;
}

const errantOf = ({ nodes }: TopologyDescription, id: string): Errant | undefined => {
  const node = nodes.find((each) => each.id === id);
  return node?.state === 'up' ? node.errant : node?.state === 'down' ? node.lastErrant : undefined;
};

function readers(topology: TopologyDescription): readonly string[] {
  const allows = (): boolean => true;
  return selectNodes(topology, {
    preference: 'replica',
    maxLagMs: Number.POSITIVE_INFINITY,
    now: 0,
    allows,
  }).candidates.map(({ id }) => id);
}

const uuidOf = (name: string): string => gtids({ [name]: 1 }).slice(0, 36);
const mysql = (name: string, counts: Readonly<Record<string, number>>): Partial<ServerFacts> => ({
  gtid: gtids(counts),
  serverUuid: uuidOf(name),
});
const mariadb = (gtidState: string, gtidApplied = ''): Partial<ServerFacts> => ({
  flavor: 'mariadb',
  gtid: gtidState,
  gtidState,
  gtidApplied,
});

describe.each([
  {
    flavor: 'MySQL',
    primary: master('a', mysql('a', { a: 9 })),
    clean: (name: string, source = 'a', changes: Partial<ReplicationChannel> = {}) =>
      slave(name, source, changes, mysql(name, { a: 9 })),
    own: (source = 'a', changes: Partial<ReplicationChannel> = {}) =>
      slave('b', source, changes, mysql('b', { a: 9, b: 1 })),
    given: master('a', mysql('a', { a: 9, b: 1 })),
  },
  {
    flavor: 'MariaDB',
    primary: master('a', mariadb('0-1-9')),
    clean: (name: string, source = 'a', changes: Partial<ReplicationChannel> = {}) =>
      slave(name, source, changes, mariadb('0-1-9', '0-1-9')),
    own: (source = 'a', changes: Partial<ReplicationChannel> = {}) =>
      slave('b', source, changes, mariadb('0-1-9,0-2-10', '0-1-9')),
    given: master('a', mariadb('0-1-9,0-2-10')),
  },
])('a replica with transactions of its own, $flavor', ({ primary, clean, own, given }) => {
  const begin = { a: primary, b: own(), c: clean('c') };
  const proven = [begin, { a: primary }];

  test('it serves no reads once the primary was looked at again, and lacks them', () => {
    expect(errantOf(seen([begin]), 'b')).toMatchObject({ state: 'seen' });
    expect(readers(seen([begin]))).toEqual(['b', 'c']);
    const topology = seen(proven);
    expect(readers(topology)).toEqual(['c']);
    expect(topology.warnings).toMatchObject([
      { code: 'errant-transactions', node: 'b', message: expect.stringContaining('it serves no reads') },
    ]);
    const { rejected } = selectNodes(topology, {
      preference: 'replica',
      maxLagMs: 5_000,
      now: 2_000,
      allows: () => true,
    });
    expect(rejected.find(({ node }) => node === 'b')?.reason).toContain(
      'it has transactions that its primary lacks (',
    );
  });

  test('it does where the options let it, and the warning says so', () => {
    for (const errantReplicas of [['b'], 'all'] as const) {
      const topology = seen(proven, { errantReplicas });
      expect(readers(topology)).toEqual(['b', 'c']);
      expect(topology.warnings).toMatchObject([
        { code: 'errant-transactions', message: expect.stringContaining('`mysql.reads.errantReplicas`') },
      ]);
    }
    expect(readers(seen(proven, { errantReplicas: ['c'] }))).toEqual(['c']);
  });

  test('it serves none either while the primary is down, or it was down itself, or its source was taken away', () => {
    const lost: Partial<ReplicationChannel> = { io: 'connecting', lagMs: null };
    expect(readers(seen([...proven, { a: 'refused', b: own('a', lost), c: clean('c', 'a', lost) }]))).toEqual(
      ['c'],
    );
    const alone = [...proven, { a: 'refused' as const, b: 'refused' as const }, { b: own('a', lost) }];
    expect(readers(seen(alone))).toEqual(['c']);
    const bare = { ...own(), channels: [] };
    expect(readers(seen([...proven, { b: bare }, { b: own() }]))).toEqual(['c']);
    // Nor behind another primary that lacks them as well, at the first look.
    const after = {
      a: 'refused' as const,
      b: own('c', lost),
      c: { ...clean('c'), channels: [], readOnly: false },
    };
    expect(readers(seen([...proven, after, { b: own('c') }]))).toEqual([]);
  });

  test('it serves again as soon as it is rebuilt, or the primary has them', () => {
    expect(readers(seen([...proven, { b: clean('b') }]))).toEqual(['b', 'c']);
    expect(readers(seen([...proven, { b: 'refused' }, { b: clean('b') }]))).toEqual(['b', 'c']);
    const mended = seen([...proven, { a: given }]);
    expect([readers(mended), mended.warnings]).toEqual([['b', 'c'], []]);
  });

  test('an older look at the primary proves nothing, and neither does one that shows that it was replaced', () => {
    const before = { a: primary, b: clean('b'), c: clean('c') };
    expect(readers(seen([before, { b: own() }]))).toContain('b');
    // b was made the primary by others, and a follows it.
    const follows = { ...primary, readOnly: true, channels: slave('a', 'b').channels };
    const next = seen([before, { b: own() }, { a: follows }]);
    expect(errantOf(next, 'b')?.state).not.toBe('proven');
  });

  test('what was loaded into one that follows by file and position may be as old as that', () => {
    const byPosition = { byPosition: true } as const;
    const look = { a: primary, b: own('a', byPosition), c: clean('c', 'a', byPosition) };
    const topology = seen([look, { a: primary }, look, { a: primary }]);
    expect(readers(topology)).toEqual(['b', 'c']);
    expect(topology.warnings).toMatchObject([
      { code: 'errant-transactions', message: expect.stringContaining('a dump that was loaded there') },
    ]);
  });
});

test('what a replica above wrote is below it, too', () => {
  const [a, b] = [master('a', mariadb('0-1-9')), slave('b', 'a', {}, mariadb('0-1-9,0-2-10', '0-1-9'))];
  const c = slave('c', 'b', {}, mariadb('0-1-9,0-2-10', '0-2-10'));
  expect(
    readers(
      seen([
        { a, b, c },
        { a, b },
      ]),
    ),
  ).toEqual([]);
});

test('a primary of MariaDB that was made from a backup does not name who wrote before: only newer numbers prove anything', () => {
  // b was the primary once, up to 0-2-90; a was made anew from c later, and is the primary now.
  const a = master('a', mariadb('0-3-100,0-1-120', '0-3-100'));
  const b = (state: string) => slave('b', 'a', {}, mariadb(state, '0-1-120'));
  const c = slave('c', 'a', {}, mariadb('0-3-100,0-1-120', '0-1-120'));
  const old = { a, b: b('0-2-90,0-3-100,0-1-120'), c };
  const told = seen([old, { a }]);
  expect([readers(told), told.warnings.map(({ node }) => node)]).toEqual([['b', 'c'], ['b']]);
  const wrote = { b: b('0-2-121,0-3-100,0-1-120') };
  expect(readers(seen([old, { a }, wrote, { a }, { a }]))).toEqual(['c']);
});

/** Servers that replicate as real ones do, as far as their positions go. */
class MadeUpCluster {
  readonly flavor: 'mysql' | 'mariadb';
  primary = 'a';
  readonly #logs = new Map<string, { writer: string; number: number }[]>(NAMES.map((name) => [name, []]));
  readonly #applied = new Map<string, { writer: string; number: number } | undefined>();
  readonly #above = new Map<string, string>([
    ['b', 'a'],
    ['c', 'a'],
  ]);
  /** What a server has in its log; one that was made anew from a backup has less than data. */
  readonly #logged = new Map<string, number>(NAMES.map((name) => [name, 0]));

  constructor(flavor: 'mysql' | 'mariadb') {
    this.flavor = flavor;
  }

  log(name: string): { writer: string; number: number }[] {
    return this.#logs.get(name) ?? [];
  }

  write(name: string): void {
    const log = this.log(name);
    const own = log.filter(({ writer }) => writer === name);
    const number = (this.flavor === 'mysql' ? own.at(-1)?.number : log.at(-1)?.number) ?? 0;
    log.push({ writer: name, number: number + 1 });
  }

  /** One transaction more from the source. */
  apply(name: string): boolean {
    const source = this.#above.get(name);
    if (source === undefined || name === this.primary) return false;
    const next = this.log(source)[this.log(name).length];
    if (next === undefined) return false;
    this.log(name).push(next);
    this.#applied.set(name, next);
    return true;
  }

  follow(name: string, source: string): void {
    if (name === this.primary || source === name) return;
    // No rings.
    if (this.#above.get(source) === name) this.#above.set(source, this.primary);
    while (this.apply(name));
    if (this.log(source).length >= this.log(name).length) this.#above.set(name, source);
  }

  switchTo(name: string): void {
    if (name === this.primary) return;
    // All that the old one wrote comes first, through whatever is between.
    for (const _ of NAMES) for (const each of NAMES) while (this.apply(each));
    const old = this.primary;
    this.primary = name;
    this.#above.delete(name);
    this.#above.set(old, name);
  }

  reseed(name: string): void {
    if (name === this.primary) return;
    const log = [...this.log(this.primary)];
    this.#logs.set(name, log);
    this.#logged.set(name, log.length);
    this.#applied.set(name, log.at(-1));
    this.#above.set(name, this.primary);
  }

  facts(name: string): ServerFacts {
    const position = this.#position(name);
    const source = this.#above.get(name);
    return source === undefined ? master(name, position) : slave(name, source, {}, position);
  }

  #position(name: string): Partial<ServerFacts> {
    const last = new Map<string, number>();
    const isMysql = this.flavor === 'mysql';
    for (const { writer, number } of this.log(name).slice(isMysql ? 0 : this.#logged.get(name)))
      last.set(writer, number);
    if (isMysql) return mysql(name, Object.fromEntries(last));
    const text = (writer: string, number: number): string => `0-${writer.charCodeAt(0) - 96}-${number}`;
    const applied = this.#applied.get(name);
    return mariadb(
      [...last].map(([writer, number]) => text(writer, number)).join(),
      applied === undefined ? '' : text(applied.writer, applied.number),
    );
  }
}

const arbitraryName = fc.constantFrom('a', 'b', 'c');
const arbitraryDeed = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('apply' as const), node: arbitraryName }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('look' as const), node: arbitraryName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('switch' as const), node: arbitraryName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reseed' as const), node: arbitraryName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), node: arbitraryName }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('follow' as const), node: arbitraryName, of: arbitraryName }),
  },
);

/** Plays `deeds`, and tells what each look found of the replicas. */
function* played(
  cluster: MadeUpCluster,
  deeds: readonly (typeof arbitraryDeed extends fc.Arbitrary<infer Deed> ? Deed : never)[],
): Generator<TopologyDescription> {
  let topology = initialTopology(seeds(ROLES));
  let at = 0;
  for (const deed of deeds) {
    at += 1;
    if (deed.kind === 'write') cluster.write(cluster.primary);
    else if (deed.kind === 'apply') cluster.apply(deed.node);
    else if (deed.kind === 'switch') cluster.switchTo(deed.node);
    else if (deed.kind === 'reseed') cluster.reseed(deed.node);
    else if (deed.kind === 'follow') cluster.follow(deed.node, deed.of);
    else {
      const finding = deed.kind === 'lose' ? 'timeout-query' : cluster.facts(deed.node);
      topology = observe(topology, observationOf(deed.node, finding, 10 * at));
      yield topology;
    }
  }
}

describe.each(['mysql', 'mariadb'] as const)('replication that is well, %s', (flavor) => {
  test('takes no replica out of reads, whatever is looked at when, who becomes the primary, and what is made anew', () => {
    fc.assert(
      fc.property(fc.array(arbitraryDeed, { minLength: 10, maxLength: 120 }), (deeds) => {
        for (const topology of played(new MadeUpCluster(flavor), deeds))
          for (const name of NAMES) expect(errantOf(topology, name)?.state).not.toBe('proven');
      }),
      { numRuns: 2_000 },
    );
  });

  test('and what a replica writes itself does, when all are looked at, where none was made anew', () => {
    const deeds = fc.array(
      arbitraryDeed.filter(({ kind }) => kind !== 'reseed'),
      { minLength: 10, maxLength: 60 },
    );
    fc.assert(
      fc.property(deeds, (before) => {
        const cluster = new MadeUpCluster(flavor);
        for (const _ of played(cluster, before));
        cluster.write(cluster.primary);
        for (const _ of NAMES) for (const name of NAMES) while (cluster.apply(name));
        const stray = NAMES.find((name) => name !== cluster.primary) ?? 'b';
        cluster.write(stray);
        let topology = initialTopology(seeds(ROLES));
        for (const at of [1, 2, 3])
          for (const name of NAMES)
            topology = observe(topology, observationOf(name, cluster.facts(name), 1000 * at));
        expect(errantOf(topology, stray)?.state).toBe('proven');
      }),
      { numRuns: 500 },
    );
  });
});
