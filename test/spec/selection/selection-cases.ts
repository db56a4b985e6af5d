/** Reads and writes that look for a node: the cluster as it is, what is asked, who may serve and why the others may not. */
import type { ConfiguredRole, NodeSeed } from '../../../src/topology/node-description.js';
import type { SelectionCriteria } from '../../../src/topology/node-selection.js';
import { channel, type Finding, gtids, master, orphan, slave } from '../topology/made-up-servers.js';

/** What a case asks for besides the defaults `replica-preferred` and 5 000 ms; `closed` lists open breakers, `seen` is a causal token. */
export type Wish = Partial<Omit<SelectionCriteria, 'allows' | 'avoid' | 'now' | 'causal'>> & {
  readonly seen?: string;
  readonly closed?: readonly string[];
  readonly avoid?: readonly string[];
};

/** A case. */
export interface SelectionCase {
  /** What it shows. */
  readonly name: string;
  /** Configured roles; primary a with replicas b and c when left out. */
  readonly nodes?: Readonly<Record<string, ConfiguredRole>>;
  /** Changes to the seeds. */
  readonly seeds?: Readonly<Record<string, Partial<NodeSeed>>>;
  /** Rounds of findings; round n is seen at n seconds. */
  readonly see: readonly Readonly<Record<string, Finding>>[];
  /** Milliseconds from the last round to the question. */
  readonly later?: number;
  /** What is asked. */
  readonly wish?: Wish;
  /** Who may serve. */
  readonly serves: readonly string[];
  /** Words in the reason against a node. */
  readonly against?: Readonly<Record<string, RegExp>>;
}

const healthy = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') } as const;
const behind = (name: string, lagMs: number): Finding => slave(name, 'a', { lagMs });
/** What the client asks for unless it is told otherwise. */
const on = { maxLagWithoutPrimaryMs: Number.POSITIVE_INFINITY } as const;
const dead = { a: 'refused', b: orphan('b', 'a'), c: orphan('c', 'a') } as const;

export const selectionCases: readonly SelectionCase[] = [
  {
    name: 'reads go to the replicas',
    see: [healthy],
    serves: ['b', 'c'],
    against: { a: /another node is preferred/ },
  },
  {
    name: 'writes go to the primary only',
    see: [healthy],
    wish: { preference: 'primary' },
    serves: ['a'],
    against: { b: /it is a replica/ },
  },
  {
    name: 'primary-preferred takes the primary',
    see: [healthy],
    wish: { preference: 'primary-preferred' },
    serves: ['a'],
  },
  {
    name: 'primary-preferred takes replicas while there is no primary',
    see: [healthy, { a: 'timeout-query' }],
    wish: { preference: 'primary-preferred' },
    serves: ['b', 'c'],
    against: { a: /down \(timeout-query\)/ },
  },
  {
    name: 'replica never takes the primary',
    see: [{ a: master('a'), b: 'refused', c: 'refused' }],
    wish: { preference: 'replica' },
    serves: [],
    against: { a: /it is the primary/ },
  },
  {
    name: 'replica-preferred falls back to the primary',
    see: [{ a: master('a'), b: 'refused', c: 'refused' }],
    serves: ['a'],
  },
  {
    name: 'nearest takes all that are fresh',
    see: [healthy],
    wish: { preference: 'nearest' },
    serves: ['b', 'c', 'a'],
  },
  {
    name: 'a replica that is too far behind is left out',
    see: [{ ...healthy, b: behind('b', 6000) }],
    serves: ['c'],
    against: { b: /6000 ms behind, more than 5000/ },
  },
  {
    name: 'a replica at exactly the limit serves',
    see: [{ ...healthy, b: behind('b', 5000) }],
    serves: ['b', 'c'],
  },
  {
    name: 'the age of the measurement counts',
    see: [{ ...healthy, b: behind('b', 4000) }],
    later: 1500,
    serves: ['c'],
  },
  {
    name: 'an old measurement of no lag is no freshness',
    see: [healthy],
    later: 5001,
    serves: ['a'],
    against: { b: /5001 ms behind/ },
  },
  {
    name: 'all behind: the primary serves',
    see: [{ ...healthy, b: behind('b', 9000), c: behind('c', 9000) }],
    serves: ['a'],
  },
  {
    name: 'unknown lag is not zero',
    see: [{ ...healthy, b: slave('b', 'a', { lagMs: null }) }],
    serves: ['c'],
    against: { b: /lag is unknown/ },
  },
  {
    name: 'a stopped applying thread is left out with its error',
    see: [{ ...healthy, b: slave('b', 'a', { sql: false, lagMs: null, error: 'Duplicate entry' }) }],
    serves: ['c'],
    against: { b: /applying thread is stopped \(Duplicate entry\)/ },
  },
  {
    name: 'a stopped receiving thread is left out while the primary lives',
    see: [healthy, { ...healthy, b: slave('b', 'a', { io: 'no', lagMs: null }) }],
    serves: ['c'],
    against: { b: /receiving thread is stopped/ },
  },
  {
    name: 'a replica that lost a living primary is left out',
    see: [healthy, { ...healthy, b: orphan('b', 'a') }],
    serves: ['c'],
    against: { b: /not connected \(error connecting\)/ },
  },
  {
    name: 'a replica that is delayed on purpose is left out even while its lag is not measured so',
    see: [{ ...healthy, b: slave('b', 'a', { delayMs: 60_000, lagMs: 0 }) }],
    serves: ['c'],
    against: { b: /delayed on purpose by 60000/ },
  },
  {
    name: 'an infinite limit takes any replica that answers',
    see: [{ ...healthy, b: slave('b', 'a', { sql: false, lagMs: null }) }],
    wish: { maxLagMs: Number.POSITIVE_INFINITY },
    serves: ['b', 'c'],
  },
  {
    name: 'a limit of zero takes only what was just measured',
    see: [healthy],
    wish: { maxLagMs: 0 },
    serves: ['b', 'c'],
  },
  {
    name: 'an open breaker is left out',
    see: [healthy],
    wish: { closed: ['b'] },
    serves: ['c'],
    against: { b: /breaker is open/ },
  },
  { name: 'all breakers open: nobody', see: [healthy], wish: { closed: ['a', 'b', 'c'] }, serves: [] },
  {
    name: 'a node that was not looked at yet is left out',
    see: [{ a: master('a') }],
    wish: { preference: 'replica' },
    serves: [],
    against: { b: /not looked at yet/ },
  },
  {
    name: 'a retry takes another replica',
    see: [healthy],
    wish: { avoid: ['b'] },
    serves: ['c'],
    against: { b: /already tried/ },
  },
  {
    name: 'a retry of both replicas takes the primary',
    see: [healthy],
    wish: { avoid: ['b', 'c'] },
    serves: ['a'],
  },
  {
    name: 'a retry takes the same node when it is all there is',
    see: [healthy],
    wish: { avoid: ['a', 'b', 'c'] },
    serves: ['b', 'c'],
  },
  {
    name: 'the zone is preferred',
    seeds: { b: { zone: 'x' }, c: { zone: 'y' } },
    see: [healthy],
    wish: { zone: 'x' },
    serves: ['b'],
  },
  {
    name: 'another zone serves when the own zone cannot',
    seeds: { b: { zone: 'x' }, c: { zone: 'y' } },
    see: [{ ...healthy, b: 'refused' }],
    wish: { zone: 'x' },
    serves: ['c'],
  },
  {
    name: 'a zone that no node has changes nothing',
    see: [healthy],
    wish: { zone: 'z' },
    serves: ['b', 'c'],
  },
  {
    name: 'affinity: this process reads from the primary',
    see: [healthy],
    wish: { affinity: 'a' },
    serves: ['a'],
  },
  {
    name: 'affinity to a replica that is too far behind gives the others',
    see: [{ ...healthy, b: behind('b', 9000) }],
    wish: { affinity: 'b' },
    serves: ['c'],
  },
  {
    name: 'affinity does not bind a retry',
    see: [healthy],
    wish: { affinity: 'b', avoid: ['b'] },
    serves: ['c'],
  },
  {
    name: 'affinity never lets a write go to a replica',
    see: [healthy],
    wish: { preference: 'primary', affinity: 'b' },
    serves: ['a'],
  },
  {
    name: 'weight 0 takes nothing while another can',
    seeds: { b: { weight: 0 } },
    see: [healthy],
    serves: ['c'],
  },
  {
    name: 'weight 0 serves when nobody else can',
    seeds: { b: { weight: 0 } },
    see: [{ ...healthy, c: 'refused' }],
    serves: ['b'],
  },
  {
    name: 'a replica of somebody else is left out although its lag is zero',
    see: [
      healthy,
      { a: 'refused', b: master('b'), c: slave('c', 'b') },
      { ...healthy, a: slave('a', 'b'), b: master('b'), c: slave('c', 'z') },
    ],
    serves: ['a'],
    against: { c: /replicates from 10\.0\.0\.26:3306, not from the primary b/ },
  },
  {
    name: 'a replica behind a relay is as far behind as both together',
    see: [{ a: master('a'), b: behind('b', 3000), c: slave('c', 'b', { lagMs: 3000 }) }],
    serves: ['b'],
    against: { c: /6000 ms behind/ },
  },
  {
    name: 'a replica behind a relay that lost the primary is left out',
    see: [{ a: master('a'), b: orphan('b', 'a'), c: slave('c', 'b') }],
    serves: ['a'],
  },
  {
    name: 'the slowest of several channels counts',
    see: [
      {
        ...healthy,
        b: master('b', {
          readOnly: true,
          channels: [channel('a'), channel('a', { name: 'late', lagMs: 9000 })],
        }),
      },
    ],
    serves: ['c'],
  },
  {
    name: 'a node that is neither primary nor replica takes no reads',
    see: [{ ...healthy, c: master('c') }],
    serves: ['b'],
    against: { c: /neither the primary nor a replica/ },
  },
  {
    name: 'a read-only primary still serves reads',
    see: [{ a: master('a', { readOnly: true }), b: 'refused', c: 'refused' }],
    serves: ['a'],
  },
  {
    name: 'a read-only primary takes no writes',
    see: [{ ...healthy, a: master('a', { readOnly: true }) }],
    wish: { preference: 'primary', forWrite: true },
    serves: [],
    against: { a: /takes no writes/ },
  },
  {
    name: '... and serves reads that ask for the primary',
    see: [{ ...healthy, a: master('a', { readOnly: true }) }],
    wish: { preference: 'primary' },
    serves: ['a'],
    against: { b: /it is a replica/ },
  },
  {
    name: '... that was made read-only serves them, too',
    see: [healthy, { a: master('a', { readOnly: true }) }],
    wish: { preference: 'primary' },
    serves: ['a'],
  },
  {
    name: 'a read-only node that others follow by now does not, while the last primary may live unseen',
    see: [healthy, { a: 'timeout-connect', b: master('b', { readOnly: true }), c: slave('c', 'b') }],
    wish: { preference: 'primary' },
    serves: [],
    against: { b: /not yet seen to take the place of a/ },
  },
  {
    name: '... and serves them once it takes writes',
    see: [healthy, { a: 'timeout-connect', b: master('b'), c: slave('c', 'b') }],
    wish: { preference: 'primary' },
    serves: ['b'],
  },
  {
    name: 'split brain: a read-only node that the replicas follow is no primary to read from, whatever is preferred',
    nodes: { a: 'primary', b: 'primary', c: 'any', d: 'replica' },
    see: [{ a: master('a'), b: master('b'), c: master('c', { readOnly: true }), d: slave('d', 'c') }],
    wish: { preference: 'primary-preferred' },
    serves: ['d'],
    against: { c: /other nodes claim to be the primary/ },
  },
  {
    name: 'split brain: nobody takes writes',
    nodes: { a: 'primary', b: 'primary', c: 'replica' },
    see: [{ a: master('a'), b: master('b'), c: slave('c', 'a') }],
    wish: { preference: 'primary', forWrite: true },
    serves: [],
  },
  {
    name: '... and nobody serves reads that ask for the primary',
    nodes: { a: 'primary', b: 'primary', c: 'replica' },
    see: [{ a: master('a'), b: master('b'), c: slave('c', 'a') }],
    wish: { preference: 'primary' },
    serves: [],
  },
  {
    name: 'split brain: replicas go on serving reads, the disputed nodes do not',
    nodes: { a: 'primary', b: 'primary', c: 'replica' },
    see: [{ a: master('a'), b: master('b'), c: slave('c', 'a') }],
    serves: ['c'],
  },
  { name: 'the primary died: replicas that were in step serve on', see: [healthy, dead], serves: ['b', 'c'] },
  {
    name: 'the primary died: they serve until they may be too old, for it may live where nobody here can see it',
    see: [healthy, dead],
    later: 4_000,
    serves: ['b', 'c'],
  },
  {
    name: '... and no longer when the bound holds',
    see: [healthy, dead],
    later: 4_001,
    serves: [],
    against: { b: /may be 5001 ms behind, more than 5000 ms/ },
  },
  {
    name: '... but for as long as it takes when reads are to go on without a primary',
    see: [healthy, dead],
    later: 3_600_000,
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: '... or for as long as is allowed',
    see: [healthy, dead],
    later: 59_000,
    wish: { maxLagWithoutPrimaryMs: 60_000 },
    serves: ['b', 'c'],
  },
  {
    name: '... and then no longer',
    see: [healthy, dead],
    later: 59_001,
    wish: { maxLagWithoutPrimaryMs: 60_000 },
    serves: [],
    against: { b: /may be 60001 ms behind, more than 60000 ms/ },
  },
  {
    name: 'a smaller bound for the time without a primary takes nothing away from the other',
    see: [healthy, dead],
    later: 4_000,
    wish: { maxLagWithoutPrimaryMs: 0 },
    serves: ['b', 'c'],
  },
  {
    name: 'without a primary, a replica that is as late while there is one does not serve',
    see: [{ ...healthy, b: behind('b', 9_000) }],
    wish: on,
    serves: ['c'],
  },
  ...(['reset', 'server-shutdown', 'timeout-connect', 'other'] as const).map(
    (failure): SelectionCase => ({
      name: `however the primary is missed (${failure}), reads go on`,
      see: [healthy, { ...dead, a: failure }, { ...dead, a: 'refused' }],
      later: 3_600_000,
      wish: on,
      serves: ['b', 'c'],
    }),
  ),
  {
    name: 'the primary died: they serve on however often they are looked at',
    see: [healthy, dead, dead, dead, dead, dead, dead, dead],
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: 'the primary died and two others claim its place: nothing is known about the rest',
    nodes: { a: 'replica', b: 'primary', c: 'replica', d: 'primary' },
    see: [
      { ...healthy, d: slave('d', 'a') },
      { ...dead, b: master('b'), d: master('d') },
    ],
    serves: [],
    against: { c: /lag is unknown/ },
  },
  {
    name: 'the primary died: a replica that was too far behind stays out',
    see: [{ ...healthy, b: behind('b', 4500) }, dead],
    serves: ['c'],
    against: { b: /5500 ms behind/ },
  },
  {
    name: '... and when reads go on, what counts is how far it is behind the freshest that is left',
    see: [{ ...healthy, b: behind('b', 5500) }, dead],
    later: 3_600_000,
    wish: on,
    serves: ['c'],
    against: { b: /5500 ms further behind than another replica, more than 5000 ms/ },
  },
  {
    name: '... unless it has caught up with it since',
    see: [
      { ...healthy, b: behind('b', 5500) },
      {
        a: 'refused',
        b: orphan('b', 'a', { gtid: gtids({ a: 7 }) }),
        c: orphan('c', 'a', { gtid: gtids({ a: 7 }) }),
      },
    ],
    later: 3_600_000,
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: 'the freshest that is left serves, however late it was',
    see: [
      { a: master('a'), b: behind('b', 60_000), c: 'refused' },
      { a: 'refused', b: orphan('b', 'a') },
    ],
    wish: on,
    serves: ['b'],
  },
  {
    name: 'the primary died while a replica had long lost it: what it missed counts',
    see: [
      healthy,
      { b: orphan('b', 'a') },
      ...Array.from({ length: 6 }, () => ({ a: master('a'), c: slave('c', 'a') })),
      { a: 'refused', c: orphan('c', 'a') },
    ],
    serves: ['c'],
    against: { b: /8000 ms behind/ },
  },
  {
    name: '... also when reads go on without a primary',
    see: [
      healthy,
      { b: orphan('b', 'a') },
      ...Array.from({ length: 6 }, () => ({ a: master('a'), c: slave('c', 'a') })),
      { a: 'refused', c: orphan('c', 'a') },
    ],
    wish: on,
    serves: ['c'],
    against: { b: /7000 ms further behind/ },
  },
  {
    name: 'the primary died: a replica whose applying thread stopped stays out',
    see: [healthy, { ...dead, b: slave('b', 'a', { io: 'connecting', sql: false, lagMs: null }) }],
    serves: ['c'],
  },
  {
    name: 'a process that starts after the death knows no lag and serves nothing',
    see: [dead],
    serves: [],
    against: { b: /lag is unknown/ },
  },
  {
    name: '... unless any lag is allowed',
    see: [dead],
    wish: { maxLagMs: Number.POSITIVE_INFINITY },
    serves: ['b', 'c'],
  },
  {
    name: '... or reads are to go on without a primary',
    see: [dead],
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: '... for a limited time: an unknown lag may be more',
    see: [dead],
    wish: { maxLagWithoutPrimaryMs: 3_600_000 },
    serves: [],
    against: { b: /lag is unknown: the receiving thread is not connected \(error connecting\)/ },
  },
  {
    name: 'of replicas whose lag nobody knows, one that another one is ahead of does not serve',
    see: [
      {
        ...dead,
        b: orphan('b', 'a', { gtid: gtids({ a: 7 }) }),
        c: orphan('c', 'a', { gtid: gtids({ a: 9 }) }),
      },
    ],
    wish: on,
    serves: ['c'],
    against: { b: /lag is unknown.*, and c has more/ },
  },
  {
    name: '... two that have what the other lacks both serve',
    see: [
      {
        ...dead,
        b: orphan('b', 'a', { gtid: gtids({ a: 7, b: 1 }) }),
        c: orphan('c', 'a', { gtid: gtids({ a: 9, c: 1 }) }),
      },
    ],
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: '... nor does one whose receiving thread somebody stopped, but one whose thread gave up does',
    see: [
      {
        ...dead,
        b: slave('b', 'a', { io: 'no', lagMs: null }),
        c: slave('c', 'a', {
          io: 'no',
          lagMs: null,
          reception: { position: '', heartbeats: null, heartbeatMs: null, errno: 2003 },
        }),
      },
    ],
    wish: on,
    serves: ['c'],
    against: { b: /its receiving thread was stopped/ },
  },
  {
    name: 'of a primary that nobody heard of, what the replicas report of themselves counts',
    see: [{ a: 'refused', b: slave('b', 'a'), c: behind('c', 60_000) }],
    wish: on,
    serves: ['b'],
    against: { c: /60000 ms further behind/ },
  },
  {
    name: '... and when the bound holds, they are no use',
    see: [{ a: 'refused', b: slave('b', 'a'), c: behind('c', 60_000) }],
    serves: [],
    against: { b: /lag is unknown/ },
  },
  {
    name: 'replicas of a primary that is none of the nodes serve by what they report',
    nodes: { b: 'replica', c: 'replica' },
    see: [{ b: slave('b', 'a'), c: behind('c', 60_000) }],
    wish: on,
    serves: ['b'],
    against: { c: /may be 60000 ms behind, more than 5000 ms/ },
  },
  {
    name: '... and go on when they have lost it',
    nodes: { b: 'replica', c: 'replica' },
    see: [
      { b: slave('b', 'a'), c: behind('c', 60_000) },
      { b: orphan('b', 'a'), c: orphan('c', 'a') },
    ],
    later: 3_600_000,
    wish: on,
    serves: ['b'],
    against: { c: /60000 ms further behind/ },
  },
  {
    name: 'a primary that was not looked at yet may live: a replica whose lag is unknown does not serve',
    see: [{ b: orphan('b', 'a'), c: orphan('c', 'a') }],
    wish: on,
    serves: [],
    against: { b: /lag is unknown/ },
  },
  {
    name: 'a primary that only refuses writes answers: the bound holds for a replica that has lost another one',
    see: [{ a: master('a', { readOnly: true }), b: slave('b', 'a'), c: orphan('c', 'z') }],
    wish: { ...on, preference: 'replica' },
    serves: ['b'],
    against: { c: /lag is unknown/ },
  },
  {
    name: 'a replica whose lag nobody knows does not serve beside one whose lag is known, unless it has as much',
    nodes: { a: 'primary', b: 'replica', c: 'replica', d: 'replica' },
    see: [
      { a: master('a'), b: slave('b', 'a', {}, { gtid: gtids({ a: 5 }) }), c: 'refused', d: 'refused' },
      {
        a: 'refused',
        b: orphan('b', 'a', { gtid: gtids({ a: 5 }) }),
        c: orphan('c', 'a', { gtid: gtids({ a: 4 }) }),
        d: orphan('d', 'a', { gtid: gtids({ a: 5 }) }),
      },
    ],
    wish: on,
    serves: ['b', 'd'],
    against: { c: /lag is unknown.*, and b may be fresher/ },
  },
  {
    name: 'a new primary ends the grace of a replica that still follows the dead one',
    nodes: { a: 'primary', b: 'replica', c: 'replica', d: 'replica' },
    see: [
      { ...healthy, d: slave('d', 'a') },
      { ...dead, d: orphan('d', 'a') },
      { b: master('b'), c: slave('c', 'b'), d: 'refused' },
      { d: 'refused' },
    ],
    serves: ['c'],
    against: { d: /down/ },
  },
  {
    name: 'a node that may have been promoted takes writes: the bound holds for the others',
    see: [healthy, dead, { b: orphan('b', 'a') }, { b: master('b') }],
    later: 1_000,
    wish: on,
    serves: ['c'],
    against: { b: /neither/ },
  },
  {
    name: '... until they are too old',
    see: [healthy, dead, { b: orphan('b', 'a') }, { b: master('b') }],
    later: 2_001,
    wish: on,
    serves: [],
    against: { c: /5001 ms behind, more than 5000 ms/ },
  },
  {
    name: '... which a writable node that stood beside the living primary does not do',
    nodes: { a: 'primary', b: 'replica', c: 'replica', d: 'any' },
    see: [
      { ...healthy, d: master('d') },
      { ...healthy, d: master('d') },
      { ...dead, d: master('d') },
    ],
    later: 3_600_000,
    wish: on,
    serves: ['b', 'c'],
  },
  {
    name: 'the primary is only out of our sight: replicas that still get its changes serve by the normal rule',
    see: [healthy, { a: 'timeout-connect', b: behind('b', 100), c: behind('c', 9000) }],
    serves: ['b'],
  },
  {
    name: 'a causal token takes only a replica that was seen there',
    see: [
      {
        a: master('a'),
        b: slave('b', 'a', {}, { gtid: gtids({ a: 10 }) }),
        c: slave('c', 'a', {}, { gtid: gtids({ a: 9 }) }),
      },
    ],
    wish: { seen: gtids({ a: 10 }) },
    serves: ['b'],
    against: { c: /not yet seen at/ },
  },
  {
    name: 'a causal token that no replica reached takes the primary',
    see: [healthy],
    wish: { seen: gtids({ a: 10 }) },
    serves: ['a'],
  },
  {
    name: 'without the privilege to see replication a replica serves only when any lag is allowed',
    nodes: { a: 'primary', b: 'replica' },
    see: [{ a: master('a'), b: master('b', { readOnly: true, replicationVisible: false }) }],
    serves: ['a'],
    against: { b: /cannot be read/ },
  },
  { name: 'an empty cluster serves nobody', nodes: {}, see: [], serves: [] },
];
