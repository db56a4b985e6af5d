/** Stories of failures, and of what only looks like one: what is seen second by second, and what must then be said. */
import type { VoterCount } from '../../../src/failover/detector/detector-input.js';
import type { DetectorPolicy } from '../../../src/failover/detector/detector-policy.js';
import type { TestimonySays } from '../../../src/failover/detector/testimony.js';
import type { FailureKind } from '../../../src/failover/failure-kind.js';
import type { Suspicion } from '../../../src/failover/suspicion.js';
import type { ConfiguredRole, ProbeFailure } from '../../../src/topology/node-description.js';
import { gtids, master, orphan, slave } from '../topology/made-up-servers.js';
import {
  connected,
  cut,
  deaf,
  hears,
  locked,
  rejected,
  type Scripted,
  type Step,
  stopped,
  waiting,
  writes,
} from './scripted-cluster.js';

/** A story. */
export interface DetectorCase {
  /** What it shows. */
  readonly name: string;
  /** The configured nodes. */
  readonly nodes: Readonly<Record<string, ConfiguredRole>>;
  /** What happens. */
  readonly steps: readonly Step[];
  /** What is wrong at the end. */
  readonly failure: FailureKind | null;
  /** Whether a failover is warranted then; the default is no. */
  readonly warranted?: boolean;
  /** Levels of nodes, as far as the story is about them. */
  readonly levels?: Readonly<Record<string, Suspicion>>;
  /** What replicas say about the primary. */
  readonly says?: Readonly<Record<string, TestimonySays>>;
  /** Whether the process does not trust itself at the end. */
  readonly tilted?: boolean;
  readonly voters?: VoterCount;
  readonly policy?: Partial<DetectorPolicy>;
  readonly isolated?: readonly string[];
}

const three = { a: 'primary', b: 'replica', c: 'replica' } as const;
const two = { a: 'primary', b: 'replica' } as const;
const one = { a: 'primary' } as const;
const a = master('a');
const well: Step = [6, { a, b: hears('b'), c: hears('c') }];
const wellTwo: Step = [6, { a, b: hears('b') }];
const bothCut = { b: cut('b'), c: cut('c') } as const;

const STRONG: readonly ProbeFailure[] = ['refused', 'reset', 'server-shutdown'];
const WEAK: readonly ProbeFailure[] = ['timeout-connect', 'timeout-query', 'protocol', 'other'];
const ALIVE: readonly ProbeFailure[] = ['too-many', 'access-denied'];

/** Every way in which a probe can fail, with replicas that confirm it, deny it, or cannot tell. */
const byFailure: readonly DetectorCase[] = [...STRONG, ...WEAK].flatMap((failure): DetectorCase[] => {
  const kind = STRONG.includes(failure) ? 'dead-primary' : 'unreachable-primary';
  return [
    {
      name: `${failure} once is a suspicion`,
      nodes: three,
      steps: [well, [1, { a: failure }]],
      failure: kind,
      levels: { a: 'suspect', b: 'up', c: 'up' },
    },
    {
      name: `${failure} for five seconds, and the replicas lost it, too`,
      nodes: three,
      steps: [well, [5, { a: failure, ...bothCut }]],
      failure: kind,
      warranted: true,
      levels: { a: 'objectively-down' },
      says: { b: 'lost', c: 'lost' },
    },
    {
      name: `${failure} for ten seconds, but the replicas hear from it`,
      nodes: three,
      steps: [well, [10, { a: failure }]],
      failure: kind,
      levels: { a: 'down' },
      says: { b: 'receiving', c: 'receiving' },
    },
    {
      name: `${failure} for ten seconds, and one of two replicas still hears from it`,
      nodes: three,
      steps: [well, [10, { a: failure, b: cut('b') }]],
      failure: kind,
      levels: { a: 'down' },
      says: { b: 'lost', c: 'receiving' },
    },
    {
      name: `${failure} while this process stalls`,
      nodes: three,
      steps: [well, [10, { a: failure, ...bothCut }, { stalled: true }]],
      failure: kind,
      tilted: true,
      levels: { a: 'suspect' },
    },
    {
      name: `${failure} on a replica says nothing about the primary`,
      nodes: three,
      steps: [well, [10, { b: failure }]],
      failure: null,
      levels: { a: 'up', b: 'down', c: 'up' },
    },
  ];
});

/** Refusals that only a living server can send. */
const byRefusal: readonly DetectorCase[] = ALIVE.flatMap((failure): DetectorCase[] => [
  {
    name: `${failure} for a minute is no failure, whatever the replicas say`,
    nodes: three,
    steps: [well, [60, { a: failure, ...bothCut }]],
    failure: failure === 'too-many' ? 'overloaded' : 'all-replicas-broken',
    levels: { a: 'suspect' },
  },
  {
    name: `${failure} between two refused connections proves life: the count begins anew`,
    nodes: three,
    steps: [well, [2, { a: 'refused', ...bothCut }], [1, { a: failure }], [2, { a: 'refused' }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: `${failure} on a replica is its own matter`,
    nodes: three,
    steps: [well, [10, { b: failure }]],
    failure: null,
    levels: { b: 'suspect', a: 'up' },
  },
  {
    name: `a replica that answers with ${failure} testifies nothing`,
    nodes: two,
    steps: [wellTwo, [1, { b: cut('b') }], [8, { a: 'refused', b: failure }]],
    failure: 'dead-primary',
    levels: { a: 'down' },
    says: { b: 'unreachable' },
  },
]);

/** Errors of a replica's connection that its source itself sent. */
const byErrno: readonly DetectorCase[] = [1040, 1045, 1129, 1130, 1226, 1236, 13114].map((errno) => ({
  name: `a replica that retries although its source answered ${errno} does not confirm a death`,
  nodes: two,
  steps: [wellTwo, [8, { a: 'timeout-query', b: rejected('b', 'a', errno) }]],
  failure: 'unreachable-primary',
  levels: { a: 'down' },
  says: { b: 'refused' },
}));

const levels: readonly DetectorCase[] = [
  {
    name: 'all is well',
    nodes: three,
    steps: [well],
    failure: null,
    levels: { a: 'up', b: 'up', c: 'up' },
    says: { b: 'receiving', c: 'receiving' },
  },
  {
    name: 'one server without replicas',
    nodes: one,
    steps: [[6, { a }]],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'nothing was looked at',
    nodes: three,
    steps: [[1, {}]],
    failure: 'no-primary',
    levels: { a: 'unknown', b: 'unknown', c: 'unknown' },
  },
  {
    name: 'until every node was looked at there is no primary',
    nodes: three,
    steps: [[6, { a, b: hears('b') }]],
    failure: 'no-primary',
    levels: { c: 'unknown' },
  },
  {
    name: 'two failures over two seconds are a suspicion',
    nodes: three,
    steps: [well, [2, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'three failures within two and a half seconds are a suspicion',
    nodes: three,
    steps: [well, [3, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'four failures over three seconds are down',
    nodes: three,
    steps: [well, [4, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'two failures far apart, however long ago the first is, are a suspicion',
    nodes: three,
    steps: [well, [1, { a: 'refused' }], [6, { a: null }], [1, { a: 'refused' }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'a success between failures begins the count anew',
    nodes: three,
    steps: [well, [2, { a: 'refused' }], [1, { a }], [2, { a: 'refused' }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'a blip is over with the next answer',
    nodes: three,
    steps: [well, [2, { a: 'timeout-query' }], [1, { a }]],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'flapping every other second is never down',
    nodes: three,
    steps: [
      well,
      ...Array.from({ length: 20 }, (_, n): Step => [1, { a: n % 2 === 0 ? 'timeout-query' : a }]),
    ],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'who was down returns, and is not up with the first answer',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }], [1, { a, b: hears('b'), c: hears('c') }]],
    failure: null,
    levels: { a: 'returning' },
  },
  {
    name: 'three answers within two seconds are not enough to be up again',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }], [3, { a, b: hears('b'), c: hears('c') }]],
    failure: null,
    levels: { a: 'returning' },
  },
  {
    name: 'four answers over three seconds are',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }], [4, { a, b: hears('b'), c: hears('c') }]],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'who fails again while returning is down at once when it has failed for long enough',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }], [2, { a }], [4, { a: 'refused' }]],
    failure: 'dead-primary',
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'who fails once while returning is a suspect',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }], [2, { a }], [1, { a: 'refused' }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'an isolated node is called isolated, whatever it does',
    nodes: three,
    steps: [well, [6, { b: 'refused' }]],
    failure: null,
    isolated: ['b'],
    levels: { b: 'isolated' },
  },
  {
    name: 'a primary is as dead where an operator has taken it out of one process as it is for all others',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    isolated: ['a'],
    warranted: true,
    levels: { a: 'isolated' },
  },
  {
    name: 'a primary that lives is not failed over from because an operator has taken it out',
    nodes: three,
    steps: [well, [6, { a, b: hears('b'), c: hears('c') }]],
    failure: null,
    isolated: ['a'],
    levels: { a: 'isolated' },
  },
  {
    name: 'a faster policy is down sooner',
    nodes: three,
    steps: [well, [3, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    policy: { downAfterFailures: 2, downAfterMs: 1_000 },
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'a slower policy is down later',
    nodes: three,
    steps: [well, [8, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    policy: { downAfterMs: 10_000 },
    levels: { a: 'suspect' },
  },
  {
    name: 'the whole cluster was down before the first look',
    nodes: three,
    steps: [[8, { a: 'refused', b: 'refused', c: 'refused' }]],
    failure: 'no-primary',
    levels: { a: 'down', b: 'down', c: 'down' },
  },
];

const corroboration: readonly DetectorCase[] = [
  {
    name: 'a frozen primary: replicas are connected and hear nothing',
    nodes: three,
    steps: [well, [8, { a: 'timeout-query', b: deaf('b'), c: deaf('c') }]],
    failure: 'unreachable-primary',
    warranted: true,
    says: { b: 'silent', c: 'silent' },
  },
  {
    name: 'a frozen primary: two silent seconds are not yet silence',
    nodes: three,
    steps: [well, [4, { a: 'timeout-query', b: deaf('b'), c: deaf('c') }]],
    failure: 'unreachable-primary',
    says: { b: 'receiving' },
    levels: { a: 'down' },
  },
  {
    name: 'a frozen primary whose replicas cannot count heartbeats: nobody can tell',
    nodes: three,
    steps: [
      [6, { a, b: connected('b'), c: connected('c') }],
      [20, { a: 'timeout-query' }],
    ],
    failure: 'unreachable-primary',
    says: { b: 'connected' },
    levels: { a: 'down' },
  },
  {
    name: 'events that come in are a sign of life, without heartbeats too',
    nodes: three,
    steps: [
      [6, { a, b: writes('b'), c: writes('c') }],
      [10, { a: 'timeout-connect' }],
    ],
    failure: 'unreachable-primary',
    levels: { a: 'down' },
  },
  {
    name: 'one silent and one lost replica confirm together',
    nodes: three,
    steps: [well, [8, { a: 'timeout-query', b: deaf('b'), c: cut('c') }]],
    failure: 'unreachable-primary',
    warranted: true,
    says: { b: 'silent', c: 'lost' },
  },
  {
    name: 'one silent replica and one that hears: a veto',
    nodes: three,
    steps: [well, [8, { a: 'timeout-query', b: deaf('b') }]],
    failure: 'unreachable-primary',
    says: { b: 'silent', c: 'receiving' },
  },
  {
    name: 'only this process is cut off from the primary: the replicas veto',
    nodes: three,
    steps: [well, [60, { a: 'timeout-connect' }]],
    failure: 'unreachable-primary',
    levels: { a: 'down' },
  },
  {
    name: 'only replication is cut: the primary answers',
    nodes: three,
    steps: [well, [10, bothCut]],
    failure: 'all-replicas-broken',
    levels: { a: 'up' },
    says: { b: 'lost', c: 'lost' },
  },
  {
    name: 'replication hangs without an error: the primary answers, the replicas hear nothing',
    nodes: three,
    steps: [well, [10, { b: deaf('b'), c: deaf('c') }]],
    failure: 'all-replicas-broken',
    levels: { a: 'up' },
    says: { b: 'silent', c: 'silent' },
  },
  {
    name: 'replication of one replica is cut: no trouble of the primary',
    nodes: three,
    steps: [well, [10, { b: cut('b') }]],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'replication that is cut for two seconds is not yet broken',
    nodes: three,
    steps: [well, [2, bothCut]],
    failure: null,
  },
  {
    name: 'appliers stand still everywhere: no replica follows',
    nodes: three,
    steps: [
      well,
      [
        8,
        { b: hears('b', 'a', { sql: false, lagMs: null }), c: hears('c', 'a', { sql: false, lagMs: null }) },
      ],
    ],
    failure: 'all-replicas-broken',
    says: { b: 'receiving' },
  },
  {
    name: 'a dead primary whose replicas have broken appliers, but hear it: a veto',
    nodes: two,
    steps: [wellTwo, [8, { a: 'timeout-query', b: hears('b', 'a', { sql: false, lagMs: null }) }]],
    failure: 'unreachable-primary',
    levels: { a: 'down' },
  },
  {
    name: 'all replicas are dead: the primary works',
    nodes: three,
    steps: [well, [10, { b: 'refused', c: 'refused' }]],
    failure: 'all-replicas-broken',
    levels: { a: 'up', b: 'down', c: 'down' },
  },
  {
    name: 'primary and one replica die together, the other confirms',
    nodes: three,
    steps: [well, [6, { a: 'refused', b: 'refused', c: cut('c') }]],
    failure: 'dead-primary',
    warranted: true,
    says: { b: 'unreachable', c: 'lost' },
  },
  {
    name: 'primary and all replicas die together: nobody can confirm',
    nodes: three,
    steps: [well, [10, { a: 'refused', b: 'refused', c: 'refused' }]],
    failure: 'dead-primary',
    levels: { a: 'down' },
  },
  {
    name: 'a primary without replicas dies: nobody can confirm',
    nodes: one,
    steps: [
      [6, { a }],
      [10, { a: 'refused' }],
    ],
    failure: 'dead-primary',
    levels: { a: 'down' },
  },
  {
    name: 'a receiving thread that an operator stopped knows nothing',
    nodes: two,
    steps: [
      [6, { a, b: stopped('b') }],
      [8, { a: 'refused' }],
    ],
    failure: 'dead-primary',
    says: { b: 'stopped' },
    levels: { a: 'down' },
  },
  {
    name: 'one stopped replica does not silence the other',
    nodes: three,
    steps: [well, [2, { b: stopped('b') }], [8, { a: 'refused', c: cut('c') }]],
    failure: 'dead-primary',
    warranted: true,
    says: { b: 'stopped', c: 'lost' },
  },
  {
    name: 'a replica that was stopped after it had lost its source still knows',
    nodes: two,
    steps: [wellTwo, [4, { a: 'refused', b: cut('b') }], [4, { b: stopped('b') }]],
    failure: 'dead-primary',
    warranted: true,
    says: { b: 'lost' },
  },
  {
    name: 'a replica that was stopped after it had fallen silent still knows',
    nodes: two,
    steps: [wellTwo, [8, { a: 'timeout-query', b: deaf('b') }], [4, { b: stopped('b') }]],
    failure: 'unreachable-primary',
    warranted: true,
    says: { b: 'lost' },
  },
  {
    name: 'a replica that stopped with an error of its own knows nothing',
    nodes: two,
    steps: [wellTwo, [2, { b: stopped('b', 'a', 1236) }], [8, { a: 'refused' }]],
    failure: 'dead-primary',
    says: { b: 'stopped' },
    levels: { a: 'down' },
  },
  {
    name: 'a replica that connects again vetoes again',
    nodes: two,
    steps: [wellTwo, [5, { a: 'timeout-connect', b: cut('b') }], [3, { b: hears('b') }]],
    failure: 'unreachable-primary',
    says: { b: 'receiving' },
    levels: { a: 'down' },
  },
  {
    name: 'a replica that was not looked at since the primary failed is not heard',
    nodes: two,
    steps: [
      [6, { a, b: cut('b') }],
      [4, { a: 'refused', b: null }],
    ],
    failure: 'dead-primary',
    says: { b: 'unreachable' },
    levels: { a: 'down' },
  },
  {
    name: 'what a replica said more than five seconds ago is not heard',
    nodes: two,
    steps: [wellTwo, [1, { a: 'refused', b: cut('b') }], [8, { b: null }]],
    failure: 'dead-primary',
    says: { b: 'unreachable' },
    levels: { a: 'down' },
  },
  {
    name: 'replicas of another server do not testify',
    nodes: three,
    steps: [
      [6, { a, b: hears('b'), c: slave('c', 'z') }],
      [8, { a: 'refused', b: cut('b') }],
    ],
    failure: 'dead-primary',
    warranted: true,
    says: { b: 'lost' },
  },
  {
    name: 'only direct replicas testify: the second tier hears the first',
    nodes: three,
    steps: [
      [6, { a, b: hears('b'), c: hears('c', 'b') }],
      [8, { a: 'refused', b: cut('b') }],
    ],
    failure: 'dead-primary',
    warranted: true,
    says: { b: 'lost' },
  },
  {
    name: 'an intermediate source that dies is no trouble of the primary',
    nodes: three,
    steps: [
      [6, { a, b: hears('b'), c: hears('c', 'b') }],
      [8, { b: 'refused', c: cut('c', 'b') }],
    ],
    failure: 'all-replicas-broken',
    levels: { a: 'up', b: 'objectively-down' },
  },
  {
    name: 'a replica just repointed to another source does not speak of the old one',
    nodes: three,
    steps: [well, [6, { a: 'refused', b: master('b'), c: hears('c', 'b') }]],
    failure: null,
    levels: { a: 'down', b: 'up' },
  },
  {
    name: 'a connecting thread without an error number has lost its source',
    nodes: two,
    steps: [wellTwo, [6, { a: 'refused', b: cut('b', 'a', 0) }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'a replica that lost its connection (2013) has lost its source',
    nodes: two,
    steps: [wellTwo, [6, { a: 'refused', b: cut('b', 'a', 2013) }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'a replica that hears while the primary is only slow for a moment',
    nodes: two,
    steps: [wellTwo, [2, { a: 'timeout-query' }]],
    failure: 'unreachable-primary',
    levels: { a: 'suspect' },
    says: { b: 'receiving' },
  },
  {
    name: 'heartbeats that go on while events stand still are life',
    nodes: two,
    steps: [[30, { a, b: hears('b') }]],
    failure: null,
    says: { b: 'receiving' },
  },
  {
    name: 'more silent periods may be asked for',
    nodes: two,
    steps: [wellTwo, [8, { a: 'timeout-query', b: deaf('b') }]],
    failure: 'unreachable-primary',
    policy: { silentHeartbeats: 20 },
    says: { b: 'receiving' },
    levels: { a: 'down' },
  },
];

const nonFailures: readonly DetectorCase[] = [
  {
    name: 'applications are refused for lack of room while the monitor still gets answers',
    nodes: three,
    steps: [well, [3, {}, { door: { a: 'too-many' } }]],
    failure: 'overloaded',
    levels: { a: 'up' },
  },
  {
    name: 'one connection that succeeds ends an overload',
    nodes: three,
    steps: [well, [3, {}, { door: { a: 'too-many' } }], [1, {}, { door: { a: null } }]],
    failure: null,
  },
  {
    name: 'an overload that nobody met again is forgotten',
    nodes: three,
    steps: [well, [1, {}, { door: { a: 'too-many' } }], [12, {}]],
    failure: null,
  },
  {
    name: 'an overload of a replica is no trouble of the primary',
    nodes: three,
    steps: [well, [3, {}, { door: { b: 'too-many' } }]],
    failure: null,
  },
  {
    name: 'applications that cannot connect for another reason tell nothing here',
    nodes: three,
    steps: [well, [3, {}, { door: { a: 'access-denied' } }]],
    failure: null,
  },
  {
    name: 'an overloaded primary that dies is dead',
    nodes: three,
    steps: [well, [3, { a: 'too-many' }], [6, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'commits that wait three seconds for an acknowledgement are locked',
    nodes: three,
    steps: [well, [5, { a: waiting(8) }]],
    failure: 'locked-semisync',
    levels: { a: 'up' },
  },
  {
    name: 'commits that wait for a moment are how it works',
    nodes: three,
    steps: [well, [2, { a: waiting(8, 2) }]],
    failure: null,
  },
  {
    name: 'commits that one look saw waiting, and nobody has looked at since, may have gone through',
    nodes: three,
    steps: [well, [1, { a: waiting(8, 2) }], [4, { a: null }]],
    failure: null,
  },
  {
    name: 'commits that wait now and then are not locked',
    nodes: three,
    steps: [well, ...Array.from({ length: 10 }, (_, n): Step => [1, { a: waiting(n % 2) }])],
    failure: null,
  },
  {
    name: 'on a busy primary some commit waits at every look, and each is acknowledged',
    nodes: three,
    steps: [well, [9, { a: (n) => waiting(3, 2, 100 * n) }]],
    failure: null,
  },
  {
    name: 'commits that wait since the last acknowledgement are locked',
    nodes: three,
    steps: [well, [4, { a: (n) => waiting(3, 2, 100 * n) }], [5, { a: waiting(8, 0, 900) }]],
    failure: 'locked-semisync',
  },
  {
    name: 'a lock that was released is over',
    nodes: three,
    steps: [well, [6, { a: waiting(8) }], [1, { a: waiting(0, 1) }]],
    failure: null,
  },
  {
    name: 'locked commits with replicas cut off are locked first',
    nodes: three,
    steps: [well, [8, { a: waiting(8), ...bothCut }]],
    failure: 'locked-semisync',
  },
  {
    name: 'a locked primary that dies is dead',
    nodes: three,
    steps: [well, [5, { a: waiting(8) }], [5, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'statements that wait three seconds for the lock of a backup: locked',
    nodes: three,
    steps: [well, [5, { a: locked(3) }]],
    failure: 'locked',
    levels: { a: 'up' },
  },
  {
    name: 'a lock of a moment, as every backup takes it, is no trouble',
    nodes: three,
    steps: [well, [2, { a: locked(3) }]],
    failure: null,
  },
  {
    name: 'a lock that one look saw, and nobody has looked at since, may be over',
    nodes: three,
    steps: [well, [1, { a: locked(3) }], [4, { a: null }]],
    failure: null,
  },
  {
    name: 'a lock that nobody waits for is not seen, and stops nobody',
    nodes: three,
    steps: [well, [9, { a: locked(0) }]],
    failure: null,
  },
  {
    name: 'statements that wait while others are committed: the server is not locked as a whole',
    nodes: three,
    steps: [well, [9, { a: (n) => locked(1, n) }]],
    failure: null,
  },
  {
    name: 'where nobody numbers transactions, the statements that wait are all there is',
    nodes: three,
    steps: [well, [5, { a: master('a', { blockedWrites: 1, gtid: '' }) }]],
    failure: 'locked',
  },
  {
    name: 'a lock that is given back is over',
    nodes: three,
    steps: [well, [6, { a: locked(3) }], [1, { a: locked(0) }]],
    failure: null,
  },
  {
    name: 'a lock for the second time is counted from its own beginning',
    nodes: three,
    steps: [well, [3, { a: locked(3) }], [1, { a: locked(0) }], [2, { a: locked(3) }]],
    failure: null,
  },
  {
    name: 'a backup whose lock waits for a commit that nobody acknowledges: the commit is the cause',
    nodes: three,
    steps: [well, [6, { a: { ...waiting(1), blockedWrites: 4 } }]],
    failure: 'locked-semisync',
  },
  {
    name: 'a locked primary with its replicas cut off is locked first',
    nodes: three,
    steps: [well, [8, { a: locked(3), ...bothCut }]],
    failure: 'locked',
  },
  {
    name: 'a primary under the lock of a backup that dies is dead',
    nodes: three,
    steps: [well, [5, { a: locked(3) }], [5, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'a primary under the lock of a backup that freezes is unreachable',
    nodes: three,
    steps: [well, [5, { a: locked(3) }], [6, { a: 'timeout-query', b: deaf('b'), c: deaf('c') }]],
    failure: 'unreachable-primary',
    warranted: true,
  },
  {
    name: 'statements that wait on a replica are no trouble of the primary',
    nodes: three,
    steps: [well, [6, { b: hears('b', 'a', {}, { blockedWrites: 2 }) }]],
    failure: null,
  },
  {
    name: 'an operator made the primary read-only',
    nodes: three,
    steps: [well, [6, { a: master('a', { readOnly: true }) }]],
    failure: 'read-only-primary',
    levels: { a: 'up' },
  },
  {
    name: 'a read-only primary that dies is dead',
    nodes: three,
    steps: [well, [3, { a: master('a', { readOnly: true }) }], [6, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'a read-only primary that takes writes again is well',
    nodes: three,
    steps: [well, [3, { a: master('a', { readOnly: true }) }], [2, { a }]],
    failure: null,
  },
  {
    name: 'two writable nodes that are both followed are a split brain',
    nodes: three,
    steps: [well, [3, { b: master('b', { gtid: gtids({ b: 3 }) }), c: hears('c', 'b') }]],
    failure: 'split-brain',
  },
  {
    name: 'a split brain with one side dead is a promotion that is followed',
    nodes: three,
    steps: [well, [3, { b: master('b'), c: hears('c', 'b') }], [5, { a: 'refused' }]],
    failure: null,
    levels: { a: 'down' },
  },
  {
    name: 'the primary became a replica of a stranger: nobody is the primary',
    nodes: three,
    steps: [well, [4, { a: slave('a', 'z') }]],
    failure: 'no-primary',
  },
  {
    name: 'two nodes of a fresh cluster, none of which takes writes',
    nodes: two,
    steps: [[5, { a: slave('a', 'z'), b: slave('b', 'z') }]],
    failure: 'no-primary',
  },
  {
    name: 'a promotion by hand is followed',
    nodes: three,
    steps: [well, [4, { a: 'refused', ...bothCut }], [2, { b: master('b'), c: hears('c', 'b') }]],
    failure: null,
  },
  {
    name: 'a password changed on one node is no failure',
    nodes: three,
    steps: [well, [30, { a: 'access-denied' }]],
    failure: null,
    levels: { a: 'suspect' },
  },
  {
    name: 'a password changed before the first look: the node lives all the same',
    nodes: three,
    steps: [[6, { a: 'access-denied', b: hears('b'), c: hears('c') }]],
    failure: 'no-primary',
    levels: { a: 'suspect' },
  },
];

const forA = new Map([
  ['b', 'a'],
  ['c', 'a'],
]);
const majority: readonly DetectorCase[] = [
  {
    name: 'who begins to look when the primary is dead knows it by the votes',
    nodes: three,
    steps: [[8, { a: 'refused', ...bothCut }]],
    voters: { total: 3, reachable: 2, votedFor: 'a', votes: forA },
    failure: 'dead-primary',
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'who begins to look when the primary is dead, and no majority votes for it, judges nobody',
    nodes: three,
    steps: [[8, { a: 'refused', ...bothCut }]],
    voters: { total: 3, reachable: 2 },
    failure: 'no-primary',
  },
  {
    name: 'the votes are for a node that is only not heard by this process',
    nodes: three,
    steps: [[8, { a: 'timeout-connect', b: hears('b'), c: hears('c') }]],
    voters: { total: 3, reachable: 2, votedFor: 'a', votes: forA },
    failure: 'unreachable-primary',
    levels: { a: 'down' },
    says: { b: 'receiving', c: 'receiving' },
  },
  {
    name: 'the votes are for a node that took over unseen, and died: whoever was seen before is a replica of it',
    nodes: three,
    steps: [well, [8, { a: orphan('a', 'b'), b: 'refused', c: orphan('c', 'b') }]],
    voters: {
      total: 3,
      reachable: 2,
      votedFor: 'b',
      votes: new Map([
        ['a', 'b'],
        ['c', 'b'],
      ]),
    },
    failure: 'dead-primary',
    warranted: true,
    levels: { b: 'objectively-down' },
  },
  {
    name: 'the votes are for a node that answers and takes no writes',
    nodes: three,
    steps: [[8, { a: master('a', { readOnly: true }), b: hears('b'), c: hears('c') }]],
    voters: { total: 3, reachable: 3, votedFor: 'a', votes: forA },
    failure: 'read-only-primary',
  },
  {
    name: 'a majority of the voters is needed for a verdict',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    voters: { total: 3, reachable: 2 },
    warranted: true,
  },
  {
    name: 'one of two voters is no majority',
    nodes: two,
    steps: [wellTwo, [6, { a: 'refused', b: cut('b') }]],
    failure: 'majority-lost',
    voters: { total: 2, reachable: 1 },
    levels: { a: 'down' },
  },
  {
    name: 'two of four voters are no majority',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }]],
    failure: 'majority-lost',
    voters: { total: 4, reachable: 2 },
    levels: { a: 'down' },
  },
  {
    name: 'three of five voters are one',
    nodes: three,
    steps: [well, [6, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    voters: { total: 5, reachable: 3 },
    warranted: true,
  },
  {
    name: 'two nodes and a witness',
    nodes: two,
    steps: [wellTwo, [6, { a: 'refused', b: cut('b') }]],
    failure: 'dead-primary',
    voters: { total: 3, reachable: 2 },
    warranted: true,
  },
  {
    name: 'this process is cut off from everybody',
    nodes: three,
    steps: [well, [8, { a: 'timeout-connect', b: 'timeout-connect', c: 'timeout-connect' }]],
    failure: 'majority-lost',
    voters: { total: 3, reachable: 0 },
    levels: { a: 'down' },
  },
  {
    name: 'without voters nobody asks for a majority',
    nodes: two,
    steps: [wellTwo, [6, { a: 'refused', b: cut('b') }]],
    failure: 'dead-primary',
    warranted: true,
  },
  {
    name: 'a lost majority is told although the primary is well',
    nodes: three,
    steps: [well],
    failure: 'majority-lost',
    voters: { total: 5, reachable: 2 },
  },
  {
    name: 'a split brain is told before a lost majority',
    nodes: three,
    steps: [well, [3, { b: master('b', { gtid: gtids({ b: 3 }) }), c: hears('c', 'b') }]],
    failure: 'split-brain',
    voters: { total: 5, reachable: 2 },
  },
];

const tilt: readonly DetectorCase[] = [
  {
    name: 'a process that tilts calls nobody down, although it saw it before',
    nodes: three,
    steps: [well, [8, { a: 'refused', ...bothCut }]],
    failure: 'dead-primary',
    tilted: true,
    levels: { a: 'suspect' },
  },
  {
    name: 'failures that were seen while it stalled do not count afterwards',
    nodes: three,
    steps: [well, [8, { a: 'refused', ...bothCut }, { stalled: true }], [2, {}]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'after a stall the count begins anew and comes to the same end',
    nodes: three,
    steps: [well, [8, { a: 'refused', ...bothCut }, { stalled: true }], [5, {}]],
    failure: 'dead-primary',
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'a short stall in the middle of failures is neither a failure nor an answer',
    nodes: three,
    steps: [well, [2, { a: 'refused', ...bothCut }], [2, {}, { stalled: true }], [1, {}]],
    failure: 'dead-primary',
    warranted: true,
    levels: { a: 'objectively-down' },
  },
  {
    name: 'the looks of a short stall themselves do not count',
    nodes: three,
    steps: [well, [2, { a: 'refused', ...bothCut }], [4, {}, { stalled: true }]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'a long stall in the middle of failures begins the count anew',
    nodes: three,
    steps: [well, [2, { a: 'refused', ...bothCut }], [8, {}, { stalled: true }], [2, {}]],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'an answer after a short stall ends the failures before it',
    nodes: three,
    steps: [
      well,
      [2, { a: 'refused', ...bothCut }],
      [1, {}, { stalled: true }],
      [1, { a }],
      [2, { a: 'refused' }],
    ],
    failure: 'dead-primary',
    levels: { a: 'suspect' },
  },
  {
    name: 'answers count although the process stalled',
    nodes: three,
    steps: [well, [8, { a }, { stalled: true }]],
    failure: null,
    levels: { a: 'up' },
  },
  {
    name: 'everything fails at once while the process stalls',
    nodes: three,
    steps: [well, [8, { a: 'timeout-query', b: 'timeout-query', c: 'timeout-query' }, { stalled: true }]],
    failure: 'unreachable-primary',
    tilted: true,
  },
];

export const detectorCases: readonly DetectorCase[] = [
  ...levels,
  ...corroboration,
  ...nonFailures,
  ...majority,
  ...tilt,
  ...byFailure,
  ...byRefusal,
  ...byErrno,
];

/** Findings from which property tests build stories. */
export const anyFinding: Readonly<Record<'a' | 'b' | 'c', readonly Scripted[]>> = {
  a: [
    a,
    'refused',
    'reset',
    'timeout-query',
    'timeout-connect',
    'too-many',
    'access-denied',
    waiting(3),
    master('a', { readOnly: true }),
    null,
  ],
  b: [
    hears('b'),
    deaf('b'),
    writes('b'),
    connected('b'),
    cut('b'),
    rejected('b'),
    stopped('b'),
    'refused',
    'timeout-query',
    null,
  ],
  c: [
    hears('c'),
    deaf('c'),
    writes('c'),
    connected('c'),
    cut('c'),
    rejected('c'),
    stopped('c'),
    'refused',
    'timeout-query',
    null,
  ],
};
