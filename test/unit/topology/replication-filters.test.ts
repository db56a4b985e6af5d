import { describe, expect, test } from 'vitest';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { selectNodes, whyUnfit } from '../../../src/topology/node-selection.js';
import { filtersOnWay } from '../../../src/topology/replication-filters.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import {
  channel,
  type Finding,
  master,
  observationOf,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

const CART = 'Replicate_Ignore_Table=shop.cart';
const filtered = (...filters: string[]): Finding => slave('b', 'a', { filters });

function seen(
  see: Readonly<Record<string, Finding>>,
  partialReplicas?: TopologyDescription['partialReplicas'],
): TopologyDescription {
  const roles = { a: 'primary', b: 'replica', c: 'replica' } as const;
  let topology = initialTopology(
    seeds(roles),
    undefined,
    [],
    partialReplicas === undefined ? {} : { partialReplicas },
  );
  const found = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a'), ...see };
  for (const [node, finding] of Object.entries(found))
    topology = observe(topology, observationOf(node, finding, 0));
  return topology;
}
const criteria = { preference: 'replica', maxLagMs: 5_000, now: 0, allows: () => true } as const;
const readers = (topology: TopologyDescription, changes = {}): string[] =>
  selectNodes(topology, { ...criteria, ...changes }).candidates.map(({ id }) => id);
const warned = ({ warnings }: TopologyDescription): string[] =>
  warnings.filter(({ code }) => code === 'partial-replica').map(({ node }) => node);

describe('a filter keeps a replica out of reads', () => {
  test.each([
    'Replicate_Do_DB=shop',
    'Replicate_Ignore_DB=logs',
    'Replicate_Do_Table=shop.cart',
    CART,
    'Replicate_Wild_Do_Table=shop.%',
    'Replicate_Wild_Ignore_Table=%.tmp\\_%',
    'Replicate_Rewrite_DB=(shop,store)',
    'Replicate_Do_Domain_Ids=0',
    'Replicate_Ignore_Domain_Ids=3',
    'Replicate_Ignore_Table=mysql.rds_history,shop.cart',
    'Replicate_Ignore_Server_Ids=9, 1',
  ])('%s', (filter) => {
    const topology = seen({ b: filtered(filter) });
    expect(readers(topology)).toEqual(['c']);
    expect(readers(topology, { maxLagMs: Number.POSITIVE_INFINITY })).toEqual(['c']);
    expect(warned(topology)).toEqual(['b']);
    expect(topology.warnings[0]?.message).toContain(`${filter} on b`);
  });
});

test.each([
  'Replicate_Ignore_DB=mysql,sys',
  'Replicate_Wild_Ignore_Table=mysql.rds\\_%,innodb_memcache.%',
  'Replicate_Ignore_Server_Ids=7',
])('a filter that hides nothing of the applications does not: %s', (filter) => {
  const topology = seen({ b: filtered(filter) });
  expect(readers(topology)).toEqual(['b', 'c']);
  expect(topology.warnings).toEqual([]);
});

test('what the source does not log is missing on all of its replicas, and in chains', () => {
  const topology = seen({ a: master('a', { binlogFilters: ['Binlog_Do_DB=shop'] }) });
  expect(warned(topology)).toEqual(['b', 'c']);
  expect(readers(topology)).toEqual([]);
  expect(readers(topology, { preference: 'replica-preferred' })).toEqual(['a']);
  const chain = seen({ b: filtered(CART), c: slave('c', 'b') });
  expect(warned(chain)).toEqual(['b', 'c']);
  expect(chain.warnings[1]?.message).toContain(`${CART} on b`);
  expect(warned(seen({ b: slave('b', 'a', {}, { binlogFilters: ['Binlog_Do_DB=x'] }) }))).toEqual([]);
});

test('what a replica may pass over is missing there, and below it', () => {
  const skippedErrors = ['slave_skip_errors=1062'];
  const own = seen({ b: slave('b', 'a', {}, { skippedErrors }) });
  expect([readers(own), warned(own)]).toEqual([['c'], ['b']]);
  expect(own.warnings[0]?.message).toContain('slave_skip_errors=1062 on b');
  const chain = seen({ b: slave('b', 'a', {}, { skippedErrors }), c: slave('c', 'b') });
  expect([readers(chain), warned(chain)]).toEqual([[], ['b', 'c']]);
  // The primary applies nothing.
  expect(warned(seen({ a: master('a', { skippedErrors }) }))).toEqual([]);
  expect(readers(seen({ b: slave('b', 'a', {}, { skippedErrors }) }, ['b']))).toEqual(['b', 'c']);
});

test('of several sources, only the filters of the primary’s channel count', () => {
  const other = channel('z', { name: 'other', filters: ['Replicate_Do_DB=archive'] });
  const b = slave('b', 'a', {});
  expect(warned(seen({ b: { ...b, channels: [channel('c', { filters: [CART] })] } }))).toEqual(['b']);
  const both = { ...b, channels: [channel('a'), other] };
  // A source that nobody knows may have its data from the primary.
  expect(warned(seen({ b: both }))).toEqual(['b']);
  const away = { ...b, channels: [channel('a'), channel('c', { name: 'other', filters: [CART] })] };
  expect(warned(seen({ b: away, c: master('c', { readOnly: true }) }))).toEqual([]);
});

test('the options let it serve all the same', () => {
  for (const partialReplicas of [['b'], 'all'] as const) {
    const topology = seen({ b: filtered(CART) }, partialReplicas);
    expect(readers(topology)).toEqual(['b', 'c']);
    expect(topology.warnings).toEqual([]);
  }
  expect(readers(seen({ b: filtered(CART) }, ['c']))).toEqual(['c']);
});

test('it says why, serves as soon as the filters are gone, and keeps nobody else from serving without a primary', () => {
  const before = seen({ b: filtered(CART) });
  const b = before.nodes[1];
  expect(b && whyUnfit(b, before, criteria)).toBe(`it has only a part of the data (${CART} on b)`);
  expect(readers(observe(before, observationOf('b', slave('b', 'a'), 1)))).toEqual(['b', 'c']);
  const late: Finding = slave('c', 'a', { lagMs: 60_000 });
  const lost = seen({ a: 'refused', b: filtered(CART), c: late });
  expect(readers(lost, { maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY })).toEqual(['c']);
});

test('long lists are cut in messages', () => {
  const tables = Array.from({ length: 500 }, (_, index) => `shop.t${index}`).join(',');
  const replica = { id: 'b', facts: slave('b', 'a', { filters: [`Replicate_Do_Table=${tables}`] }) };
  expect(filtersOnWay({ replica, between: [], head: undefined }).length).toBeLessThan(150);
});
