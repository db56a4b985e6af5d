/** Stories of clusters: what the probes find, round by round, and what the topology must then say. */
import type { ConfiguredRole, NodeRole, ServerFacts } from '../../../src/topology/node-description.js';
import { channel, type Finding, gtids, master, orphan, slave } from './made-up-servers.js';

/** What one round of probes finds, and what follows from it. */
export interface Round {
  /** What the probe of each node finds; nodes that are left out are not probed in this round. */
  readonly see: Readonly<Record<string, Finding>>;
  /** The node that takes writes, 'nobody', or the nodes that dispute it. */
  readonly writer: string | readonly string[];
  /** Roles of nodes, as far as the story is about them. */
  readonly roles?: Readonly<Record<string, NodeRole>>;
  /** All warnings as `code node`, sorted. */
  readonly warnings?: readonly string[];
  /** The epoch. */
  readonly epoch?: number;
}

/** A story. */
export interface TopologyCase {
  /** What it shows. */
  readonly name: string;
  /** The configured nodes. */
  readonly nodes: Readonly<Record<string, ConfiguredRole>>;
  /** What happens. */
  readonly rounds: readonly Round[];
}

const three = { a: 'primary', b: 'replica', c: 'replica' } as const;
const two = { a: 'primary', b: 'replica' } as const;
const anyThree = { a: 'any', b: 'any', c: 'any' } as const;
const healthy = { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') } as const;
const begin: Round = { see: healthy, writer: 'a', epoch: 1 };
const mariadb = (gtid: string, gtidState: string): Partial<ServerFacts> => ({
  flavor: 'mariadb',
  gtid,
  gtidState,
});
const mysql = (name: string, counts: Readonly<Record<string, number>>): Partial<ServerFacts> => ({
  gtid: gtids(counts),
  serverUuid: gtids({ [name]: 1 }).slice(0, 36),
});
const classic = { readOnly: false } as const;

export const topologyCases: readonly TopologyCase[] = [
  {
    name: 'a primary with two read-only replicas',
    nodes: three,
    rounds: [{ ...begin, roles: { a: 'primary', b: 'replica', c: 'replica' }, warnings: [] }],
  },
  {
    name: 'nothing is known before the first look',
    nodes: three,
    rounds: [{ see: {}, writer: 'nobody', epoch: 0 }],
  },
  {
    name: 'roles are observed although none is configured',
    nodes: anyThree,
    rounds: [
      {
        see: { a: slave('a', 'b'), b: master('b'), c: slave('c', 'b') },
        writer: 'b',
        roles: { a: 'replica', b: 'primary', c: 'replica' },
      },
    ],
  },
  {
    name: 'observation beats configuration when the roles were swapped before the start',
    nodes: three,
    rounds: [
      {
        see: { a: slave('a', 'b'), b: master('b'), c: slave('c', 'b') },
        writer: 'b',
        roles: { a: 'replica' },
        warnings: [],
      },
    ],
  },
  {
    name: 'a classic slave without read_only is a replica, with a warning',
    nodes: two,
    rounds: [
      {
        see: { a: master('a'), b: slave('b', 'a', {}, classic) },
        writer: 'a',
        roles: { b: 'replica' },
        warnings: ['writable-replica b'],
      },
    ],
  },
  {
    name: 'a classic slave is no candidate for writes when the primary dies',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a', {}, classic) }, writer: 'a' },
      {
        see: { a: 'refused', b: orphan('b', 'a', classic) },
        writer: 'nobody',
        roles: { b: 'replica' },
        epoch: 1,
      },
    ],
  },
  {
    name: 'a replica whose threads were stopped by hand is still a replica',
    nodes: two,
    rounds: [
      {
        see: { a: master('a'), b: slave('b', 'a', { io: 'no', sql: false, lagMs: null }, classic) },
        writer: 'a',
        roles: { b: 'replica' },
      },
    ],
  },
  {
    name: 'the primary is known by its server id although replicas see another address',
    nodes: anyThree,
    rounds: [{ see: healthy, writer: 'a', roles: { a: 'primary' } }],
  },
  {
    name: 'before the first connection the source is known by its address',
    nodes: { a: 'any', b: 'any' },
    rounds: [
      {
        see: {
          a: master('a'),
          b: slave('b', 'a', {
            sourceServerId: 0,
            sourceHost: 'PROXY',
            sourcePort: 4001,
            io: 'connecting',
            lagMs: null,
          }),
        },
        writer: 'a',
      },
    ],
  },
  {
    name: 'the death of the primary leaves no writer and does not start an epoch',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'refused', b: orphan('b', 'a'), c: orphan('c', 'a') }, writer: 'nobody', epoch: 1 },
    ],
  },
  {
    name: 'a primary that comes back goes on in the same epoch',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'timeout-query' }, writer: 'nobody' },
      { see: { a: master('a') }, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'a promotion by hand on three nodes is followed as soon as a replica follows it',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'refused', b: orphan('b', 'a'), c: orphan('c', 'a') }, writer: 'nobody' },
      { see: { b: master('b'), c: orphan('c', 'a') }, writer: 'nobody', roles: { b: 'unknown' } },
      {
        see: { b: master('b'), c: slave('c', 'b') },
        writer: 'b',
        roles: { b: 'primary', c: 'replica' },
        warnings: [],
        epoch: 2,
      },
    ],
  },
  {
    name: 'a planned switchover moves the writer and the epoch once',
    nodes: three,
    rounds: [
      begin,
      {
        see: { a: master('a', { readOnly: true }) },
        writer: 'nobody',
        roles: { a: 'primary' },
        warnings: ['read-only-primary a'],
      },
      {
        see: { a: slave('a', 'b'), b: master('b'), c: slave('c', 'b') },
        writer: 'b',
        warnings: [],
        epoch: 2,
      },
    ],
  },
  {
    name: 'a switchover there and back counts both ways',
    nodes: three,
    rounds: [
      begin,
      { see: { a: slave('a', 'b'), b: master('b'), c: slave('c', 'b') }, writer: 'b', epoch: 2 },
      { see: { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a') }, writer: 'a', epoch: 3 },
    ],
  },
  {
    name: 'two nodes: the promoted replica is taken although nobody can confirm it',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody' },
      { see: { b: master('b') }, writer: 'b', warnings: ['unfollowed-primary b'], epoch: 2 },
    ],
  },
  {
    name: 'two nodes: a process that starts after the promotion takes it too',
    nodes: two,
    rounds: [
      { see: { a: 'timeout-connect', b: master('b') }, writer: 'b', warnings: ['unfollowed-primary b'] },
    ],
  },
  {
    name: 'two nodes: the old primary that comes back writable does not get the writes back',
    nodes: two,
    rounds: [
      { see: { a: master('a', { gtid: gtids({ a: 9 }) }), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: master('b', { gtid: gtids({ a: 9, b: 1 }) }) }, writer: 'b' },
      {
        see: { a: master('a', { gtid: gtids({ a: 9 }) }) },
        writer: 'b',
        warnings: ['stale-primary a'],
        epoch: 2,
      },
    ],
  },
  {
    name: 'two nodes: an old primary with transactions of its own stops all writes',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: master('b', { gtid: gtids({ a: 9, b: 1 }) }) }, writer: 'b' },
      { see: { a: master('a', { gtid: gtids({ a: 10 }) }) }, writer: ['a', 'b'] },
    ],
  },
  {
    name: 'two nodes: a process that starts when both are writable does not trust the configuration over more transactions',
    nodes: two,
    rounds: [
      {
        see: {
          a: master('a', { flavor: 'mariadb', gtid: '0-1-9' }),
          b: master('b', { flavor: 'mariadb', gtid: '0-2-12' }),
        },
        writer: ['a', 'b'],
      },
    ],
  },
  {
    name: 'two nodes: a detached slave with fewer transactions does not dispute the primary',
    nodes: two,
    rounds: [
      {
        see: { a: master('a', { gtid: gtids({ a: 9 }) }), b: master('b', { gtid: gtids({ a: 7 }) }) },
        writer: 'a',
        warnings: ['stray-node b'],
      },
    ],
  },
  {
    name: 'a lone writable node is not taken before every other node was looked at',
    nodes: two,
    rounds: [
      { see: { b: master('b') }, writer: 'nobody', epoch: 0 },
      { see: { a: master('a') }, writer: 'a', roles: { b: 'unknown' } },
    ],
  },
  {
    name: 'a detached writable slave that stood beside the primary is not promoted by its death',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a', {}, classic) }, writer: 'a' },
      { see: { b: master('b') }, writer: 'a', roles: { b: 'unknown' }, warnings: ['stray-node b'] },
      { see: { a: master('a') }, writer: 'a' },
      { see: { a: 'refused' }, writer: 'nobody', roles: { b: 'unknown' } },
      { see: { a: master('a') }, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'a stray that follows again and is then promoted is no stray',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: master('b') }, writer: 'a' },
      { see: { b: slave('b', 'a') }, writer: 'a', roles: { b: 'replica' } },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody' },
      { see: { b: master('b') }, writer: 'b', epoch: 2 },
    ],
  },
  {
    name: 'a single node without a configured role is the primary',
    nodes: { a: 'any' },
    rounds: [{ see: { a: master('a') }, writer: 'a', warnings: [] }],
  },
  {
    name: 'a single read-only node has no writer',
    nodes: { a: 'any' },
    rounds: [{ see: { a: master('a', { readOnly: true }) }, writer: 'nobody', roles: { a: 'unknown' } }],
  },
  {
    name: 'the configured primary without any replica up is the primary',
    nodes: three,
    rounds: [{ see: { a: master('a'), b: 'refused', c: 'timeout-connect' }, writer: 'a', warnings: [] }],
  },
  {
    name: 'a read-only primary refuses writes with a warning and keeps its role for reads',
    nodes: three,
    rounds: [
      {
        see: { ...healthy, a: master('a', { readOnly: true }) },
        writer: 'nobody',
        roles: { a: 'primary', b: 'replica' },
        warnings: ['read-only-primary a'],
        epoch: 0,
      },
    ],
  },
  {
    name: 'an orphan replica (read-only, no source, no follower) has no role',
    nodes: three,
    rounds: [
      {
        see: { ...healthy, c: master('c', { readOnly: true }) },
        writer: 'a',
        roles: { c: 'unknown' },
        warnings: ['no-source c'],
      },
      { see: healthy, writer: 'a', warnings: [] },
    ],
  },
  {
    name: 'an old primary that comes back writable and holds nothing new is stale',
    nodes: three,
    rounds: [
      {
        see: { a: master('a', { gtid: gtids({ a: 100 }) }), b: slave('b', 'a'), c: slave('c', 'a') },
        writer: 'a',
      },
      { see: { a: 'refused', b: master('b'), c: slave('c', 'b') }, writer: 'b' },
      {
        see: {
          b: master('b', { gtid: gtids({ a: 100, b: 5 }) }),
          a: master('a', { gtid: gtids({ a: 100 }) }),
          c: slave('c', 'b'),
        },
        writer: 'b',
        roles: { a: 'unknown' },
        warnings: ['stale-primary a'],
        epoch: 2,
      },
    ],
  },
  {
    name: 'an old primary that comes back writable with a transaction of its own is a split brain',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'refused', b: master('b'), c: slave('c', 'b') }, writer: 'b' },
      {
        see: {
          b: master('b', { gtid: gtids({ a: 100, b: 5 }) }),
          a: master('a', { gtid: gtids({ a: 101 }) }),
          c: slave('c', 'b'),
        },
        writer: ['a', 'b'],
        epoch: 2,
      },
      { see: { a: master('a', { readOnly: true }) }, writer: 'b', warnings: ['no-source a'], epoch: 2 },
    ],
  },
  {
    name: 'an old MariaDB primary is stale when its binlog state is contained',
    nodes: three,
    rounds: [
      {
        see: {
          b: master('b', mariadb('0-2-105', '0-1-100,0-2-105')),
          a: master('a', mariadb('0-1-100', '0-1-100')),
          c: slave('c', 'b', {}, mariadb('0-2-105', '0-1-100,0-2-105')),
        },
        writer: 'b',
        warnings: ['stale-primary a'],
      },
    ],
  },
  {
    name: 'an old MariaDB primary whose sequence is lower but was written after the change is a split brain',
    nodes: three,
    rounds: [
      {
        see: {
          b: master('b', mariadb('0-2-105', '0-1-100,0-2-105')),
          a: master('a', mariadb('0-1-102', '0-1-102')),
          c: slave('c', 'b', {}, mariadb('0-2-105', '0-1-100,0-2-105')),
        },
        writer: ['a', 'b'],
      },
    ],
  },
  {
    name: 'without the binlog state nothing is proven on MariaDB',
    nodes: three,
    rounds: [
      {
        see: {
          b: master('b', { flavor: 'mariadb', gtid: '0-2-105' }),
          a: master('a', { flavor: 'mariadb', gtid: '0-1-100' }),
          c: slave('c', 'b', {}, { flavor: 'mariadb', gtid: '0-2-105' }),
        },
        writer: ['a', 'b'],
      },
    ],
  },
  {
    name: 'a primary that a node still follows is not stale, although it holds nothing of its own',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', { gtid: gtids({ a: 9 }) }),
          b: master('b', { gtid: gtids({ a: 9, b: 3 }) }),
          c: master('c', { channels: [channel('a'), channel('b', { name: 'other' })] }),
        },
        writer: ['a', 'b'],
      },
    ],
  },
  {
    name: 'nothing is stale while a replica follows a third server',
    nodes: { ...three, d: 'replica' },
    rounds: [
      {
        see: {
          a: master('a', { gtid: gtids({ a: 9 }) }),
          b: master('b', { gtid: gtids({ a: 9, b: 3 }) }),
          c: slave('c', 'b'),
          d: slave('d', 'z'),
        },
        writer: ['a', 'b'],
      },
    ],
  },
  {
    name: 'an id that two nodes share names neither: the address decides',
    nodes: anyThree,
    rounds: [
      {
        see: {
          a: master('a', { serverId: 7 }),
          b: master('b', { serverId: 7 }),
          c: slave('c', 'a', { sourceServerId: 7, sourceHost: 'proxy', sourcePort: 4001 }),
        },
        writer: 'a',
      },
    ],
  },
  {
    name: 'without GTIDs nothing is proven',
    nodes: three,
    rounds: [{ see: { a: master('a'), b: master('b'), c: slave('c', 'b') }, writer: ['a', 'b'] }],
  },
  {
    name: 'an old primary that is followed by nobody is not trusted by its configuration even while the new one is down',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'refused', b: master('b'), c: slave('c', 'b') }, writer: 'b', epoch: 2 },
      {
        see: { a: master('a'), b: 'refused', c: orphan('c', 'b') },
        writer: 'nobody',
        warnings: ['unfollowed-primary a'],
      },
    ],
  },
  {
    name: 'replicas that follow a server outside the list void the configured primary',
    nodes: three,
    rounds: [
      begin,
      {
        see: { b: slave('b', 'z'), c: slave('c', 'z') },
        writer: 'nobody',
        warnings: ['unfollowed-primary a'],
      },
    ],
  },
  {
    name: 'two followed primaries are a split brain, both are named',
    nodes: { a: 'primary', b: 'replica', c: 'replica', d: 'replica' },
    rounds: [
      {
        see: { a: master('a'), b: master('b'), c: slave('c', 'a'), d: slave('d', 'b') },
        writer: ['a', 'b'],
        roles: { a: 'unknown', b: 'unknown', c: 'replica', d: 'replica' },
        epoch: 0,
      },
    ],
  },
  {
    name: 'two configured primaries that are both writable and alone are a split brain',
    nodes: { a: 'primary', b: 'primary' },
    rounds: [{ see: { a: master('a'), b: master('b') }, writer: ['a', 'b'] }],
  },
  {
    name: 'a split brain ends when one of the two becomes a replica',
    nodes: { a: 'primary', b: 'primary' },
    rounds: [
      { see: { a: master('a'), b: master('b') }, writer: ['a', 'b'] },
      { see: { b: slave('b', 'a') }, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'of two configured primaries the followed one wins when the other holds nothing of its own',
    nodes: { a: 'primary', b: 'primary', c: 'replica' },
    rounds: [
      {
        see: {
          b: master('b', { gtid: gtids({ a: 9, b: 3 }) }),
          a: master('a', { gtid: gtids({ a: 9 }) }),
          c: slave('c', 'b'),
        },
        writer: 'b',
        warnings: ['stale-primary a'],
      },
    ],
  },
  {
    name: 'circular replication: the configured primary is the primary',
    nodes: two,
    rounds: [
      {
        see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic) },
        writer: 'a',
        roles: { a: 'primary', b: 'replica' },
        warnings: ['writable-replica b'],
      },
    ],
  },
  {
    name: 'circular replication: when the configured primary dies the other is not taken by itself',
    nodes: two,
    rounds: [
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic) }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a', classic) }, writer: 'nobody' },
    ],
  },
  {
    name: 'circular replication with a passive side: it is the primary once it is made writable after the active one died',
    nodes: two,
    rounds: [
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody' },
      { see: { b: orphan('b', 'a', classic) }, writer: 'b', epoch: 2 },
    ],
  },
  {
    name: 'circular replication with two configured primaries: the first writable one',
    nodes: { a: 'primary', b: 'primary' },
    rounds: [
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic) }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a', classic) }, writer: 'b', epoch: 2 },
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic) }, writer: 'a', epoch: 3 },
    ],
  },
  {
    name: 'circular replication: a switched active side shows in read_only',
    nodes: two,
    rounds: [
      { see: { a: slave('a', 'b'), b: slave('b', 'a', {}, classic) }, writer: 'b', roles: { a: 'replica' } },
    ],
  },
  {
    name: 'circular replication without a configured primary has no writer',
    nodes: { a: 'any', b: 'any' },
    rounds: [{ see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic) }, writer: 'nobody' }],
  },
  {
    name: 'a replica of a ring belongs to the ring',
    nodes: three,
    rounds: [
      {
        see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a', {}, classic), c: slave('c', 'b') },
        writer: 'a',
        roles: { c: 'replica' },
      },
    ],
  },
  {
    name: 'a chain: the relay is a replica although another node follows it',
    nodes: three,
    rounds: [
      {
        see: { a: master('a'), b: slave('b', 'a', {}, classic), c: slave('c', 'b') },
        writer: 'a',
        roles: { a: 'primary', b: 'replica', c: 'replica' },
      },
    ],
  },
  {
    name: 'a chain whose relay died still confirms its primary',
    nodes: three,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a'), c: slave('c', 'b') }, writer: 'a' },
      { see: { b: 'refused', c: orphan('c', 'b') }, writer: 'a', warnings: [], epoch: 1 },
    ],
  },
  {
    name: 'several channels: a node with any source is a replica',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a'),
          b: slave('b', 'a'),
          c: master('c', { channels: [channel('a'), channel('z', { name: 'other' })] }),
        },
        writer: 'a',
        roles: { c: 'replica' },
      },
    ],
  },
  {
    name: 'the second source of a replica is the primary of other data, whatever becomes of the first one',
    nodes: { a: 'primary', b: 'replica', c: 'replica', x: 'any' },
    rounds: [
      {
        see: {
          a: master('a', mysql('a', { a: 5 })),
          b: slave('b', 'a', {}, mysql('b', { a: 5 })),
          c: master('c', {
            ...mysql('c', { a: 5, x: 9 }),
            readOnly: true,
            channels: [channel('a'), channel('x', { name: 'other' })],
          }),
          x: master('x', mysql('x', { x: 9 })),
        },
        writer: 'a',
        roles: { a: 'primary', b: 'replica', c: 'replica', x: 'unknown' },
        warnings: [],
      },
      { see: { a: master('a', { ...mysql('a', { a: 5 }), readOnly: true }) }, writer: 'nobody' },
      { see: { a: 'refused' }, writer: 'nobody', roles: { x: 'unknown' } },
      { see: { a: master('a', mysql('a', { a: 5 })) }, writer: 'a' },
    ],
  },
  {
    name: 'the same for who never saw the first one',
    nodes: { a: 'primary', c: 'replica', x: 'any' },
    rounds: [
      {
        see: {
          a: 'refused',
          c: master('c', {
            readOnly: true,
            channels: [
              channel('a', { sourceHost: 'proxy', sourcePort: 4001, io: 'connecting', lagMs: null }),
              channel('x', { name: 'other' }),
            ],
          }),
          x: master('x', mysql('x', { x: 9 })),
        },
        writer: 'nobody',
      },
    ],
  },
  {
    name: 'a second source that has what the first one wrote is a rival',
    nodes: { a: 'primary', c: 'replica', x: 'any' },
    rounds: [
      {
        see: {
          a: master('a', mysql('a', { a: 5 })),
          c: master('c', { readOnly: true, channels: [channel('a'), channel('x', { name: 'other' })] }),
          x: master('x', mysql('x', { a: 4, x: 9 })),
        },
        writer: ['a', 'x'],
      },
    ],
  },
  {
    name: 'an overloaded primary that turns the monitor away keeps its role',
    nodes: three,
    rounds: [
      begin,
      {
        see: { a: 'too-many' },
        writer: 'a',
        roles: { a: 'primary' },
        warnings: ['blind-monitor a'],
        epoch: 1,
      },
    ],
  },
  {
    name: 'a primary that refuses the password of the monitor keeps its role until it is seen again',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'access-denied' }, writer: 'a', warnings: ['blind-monitor a'] },
      { see: { a: master('a') }, writer: 'a', warnings: [] },
    ],
  },
  {
    name: 'a server that never let the monitor in is down',
    nodes: three,
    rounds: [{ see: { a: 'access-denied', b: orphan('b', 'a'), c: orphan('c', 'a') }, writer: 'nobody' }],
  },
  {
    name: 'a lone writable node is not taken beside a full server that was never seen: it may be the primary of others',
    nodes: two,
    rounds: [
      {
        see: { a: 'too-many', b: master('b') },
        writer: 'nobody',
        warnings: ['blind-monitor a', 'stray-node b'],
      },
      { see: { a: master('a') }, writer: 'a', warnings: ['stray-node b'] },
    ],
  },
  {
    name: 'a server that never let the monitor in and then dies is no reason any more',
    nodes: two,
    rounds: [
      { see: { a: 'access-denied', b: master('b') }, writer: 'nobody' },
      { see: { a: 'refused' }, writer: 'b', warnings: ['unfollowed-primary b'] },
    ],
  },
  {
    name: 'a primary that is restarted and full is not replaced by the replica that is made writable meanwhile',
    nodes: two,
    rounds: [
      { see: { a: master('a'), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody' },
      { see: { a: 'too-many' }, writer: 'nobody' },
      { see: { b: master('b') }, writer: 'nobody' },
      { see: { a: master('a') }, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'a full server takes the writes from nobody who was promoted before it was back, or whom others follow',
    nodes: three,
    rounds: [
      { see: { a: 'too-many', b: master('b'), c: slave('c', 'b') }, writer: 'b', epoch: 1 },
      { see: { a: 'refused', c: 'refused' }, writer: 'b' },
      { see: { a: 'too-many', c: 'too-many' }, writer: 'b', epoch: 1 },
    ],
  },
  {
    name: 'circular replication: the active side that is back and full has not died',
    nodes: two,
    rounds: [
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody' },
      { see: { a: 'too-many' }, writer: 'nobody' },
      { see: { b: slave('b', 'a', {}, classic) }, writer: 'nobody' },
      { see: { a: slave('a', 'b', {}, classic) }, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'circular replication: the passive side keeps the writes while the other one is back and full',
    nodes: two,
    rounds: [
      { see: { a: slave('a', 'b', {}, classic), b: slave('b', 'a') }, writer: 'a' },
      { see: { a: 'refused', b: orphan('b', 'a', classic) }, writer: 'b', epoch: 2 },
      { see: { a: 'too-many' }, writer: 'b', epoch: 2 },
    ],
  },
  {
    name: 'an overloaded old primary gives way to the one that is promoted',
    nodes: three,
    rounds: [
      { see: { ...healthy, a: master('a', { gtid: gtids({ a: 9 }) }) }, writer: 'a' },
      {
        see: { a: 'too-many', b: master('b', { gtid: gtids({ a: 9, b: 1 }) }), c: slave('c', 'b') },
        writer: 'b',
        warnings: ['blind-monitor a', 'stale-primary a'],
        epoch: 2,
      },
    ],
  },
  {
    name: 'without the privilege to see replication the configuration decides, with a warning',
    nodes: two,
    rounds: [
      {
        see: {
          a: master('a', { replicationVisible: false }),
          b: master('b', { replicationVisible: false, readOnly: true }),
        },
        writer: 'a',
        roles: { b: 'replica' },
        warnings: ['unchecked-replication a', 'unchecked-replication b'],
      },
    ],
  },
  {
    name: 'the primary under a second name is one server, and its replicas follow it',
    nodes: { b: 'replica', a: 'primary', c: 'replica' },
    rounds: [
      {
        see: {
          a: master('a', { serverUuid: 'u', gtid: gtids({ a: 5 }) }),
          b: master('a', { serverUuid: 'u', gtid: gtids({ a: 5 }) }),
          c: slave('c', 'a'),
        },
        writer: 'a',
        roles: { a: 'primary', b: 'unknown', c: 'replica' },
        warnings: ['duplicate-server-id a'],
      },
    ],
  },
  {
    name: 'what may be the primary under a second name is not called stale, which would have it made read-only',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', mariadb('0-1-5', '0-1-5')),
          b: master('a', mariadb('0-1-5', '0-1-5')),
          c: slave('c', 'a', { sourceHost: 'proxy', sourcePort: 4002 }, mariadb('0-1-5', '0-1-5')),
        },
        writer: 'b',
        warnings: ['duplicate-server-id b', 'stray-node a'],
      },
    ],
  },
  {
    name: 'two nodes with one server id are named, and the id then proves nothing',
    nodes: three,
    rounds: [
      {
        see: { a: master('a'), b: slave('b', 'a'), c: slave('c', 'a', {}, { serverId: 2 }) },
        writer: 'a',
        warnings: ['duplicate-server-id c'],
      },
    ],
  },
  {
    name: 'a copied data directory is told by its uuid, and makes no server another one',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', { serverUuid: 'u', ownName: 'x:1' }),
          b: slave('b', 'a', {}, { serverUuid: 'v', ownName: 'y:1' }),
          c: slave('c', 'a', {}, { serverUuid: 'v', ownName: 'z:1' }),
        },
        writer: 'a',
        roles: { a: 'primary', b: 'replica', c: 'replica' },
        warnings: ['duplicate-server-uuid c'],
      },
      { see: { c: 'refused' }, writer: 'a', warnings: ['duplicate-server-uuid c'] },
      {
        see: { c: slave('c', 'a', {}, { serverUuid: 'w', ownName: 'z:1' }) },
        writer: 'a',
        warnings: [],
      },
    ],
  },
  {
    name: 'a copied machine is another server by its own name alone: the writable one beside the primary is a stray',
    nodes: { a: 'primary', b: 'any', c: 'replica' },
    rounds: [
      {
        see: {
          a: master('a', { serverUuid: 'u', ownName: 'x:1' }),
          b: master('a', { serverUuid: 'u', ownName: 'y:1' }),
          c: slave('c', 'a', { sourceHost: 'proxy', sourcePort: 4001 }, { serverUuid: 'v', ownName: 'z:1' }),
        },
        writer: 'a',
        roles: { a: 'primary', b: 'unknown', c: 'replica' },
        warnings: ['duplicate-server-id b', 'duplicate-server-uuid b', 'stray-node b'],
      },
    ],
  },
  {
    name: 'one server under two names is told by its id',
    nodes: { a: 'primary', b: 'replica' },
    rounds: [
      {
        see: { a: master('a'), b: master('a') },
        writer: 'a',
        roles: { b: 'unknown' },
        warnings: ['duplicate-server-id b', 'stray-node b'],
      },
    ],
  },
  {
    name: 'all nodes down: nobody takes writes, the last primary is remembered',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'reset', b: 'refused', c: 'timeout-query' }, writer: 'nobody', epoch: 1 },
      { see: healthy, writer: 'a', epoch: 1 },
    ],
  },
  {
    name: 'independent writable servers that nobody configured or follows have no writer',
    nodes: anyThree,
    rounds: [{ see: { a: master('a'), b: master('b'), c: master('c') }, writer: 'nobody' }],
  },
  {
    name: 'the old primary comes back as a replica of the new one',
    nodes: three,
    rounds: [
      begin,
      { see: { a: 'refused', b: master('b'), c: slave('c', 'b') }, writer: 'b', epoch: 2 },
      { see: { a: slave('a', 'b') }, writer: 'b', roles: { a: 'replica' }, warnings: [], epoch: 2 },
    ],
  },
  {
    name: 'MySQL: what a replica wrote itself is told, and what its primary wrote since the last look at it is not',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', mysql('a', { a: 9 })),
          b: slave('b', 'a', {}, mysql('b', { a: 12 })),
          c: slave('c', 'a', {}, mysql('c', { a: 9 })),
        },
        writer: 'a',
        warnings: [],
      },
      {
        see: { b: slave('b', 'a', {}, mysql('b', { a: 12, b: 1 })) },
        writer: 'a',
        roles: { b: 'replica' },
        // The primary may have become a replica since it was looked at, and got it from where b has it.
        warnings: [],
      },
      {
        see: { a: master('a', mysql('a', { a: 12 })) },
        writer: 'a',
        warnings: ['errant-transactions b'],
      },
      // The same transaction was given to the primary.
      { see: { a: master('a', mysql('a', { a: 12, b: 1 })) }, writer: 'a', warnings: [] },
    ],
  },
  {
    name: "MySQL: transactions of a former primary that the new one has are nobody's own",
    nodes: three,
    rounds: [
      {
        see: {
          a: slave('a', 'b', {}, mysql('a', { a: 9, b: 1 })),
          b: master('b', mysql('b', { a: 9, b: 4 })),
          c: slave('c', 'b', {}, mysql('c', { a: 9, b: 6 })),
        },
        writer: 'b',
        warnings: [],
      },
    ],
  },
  {
    name: 'MySQL: a replica that follows another server is not compared',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', mysql('a', { a: 9 })),
          b: slave('b', 'z', {}, mysql('b', { z: 7 })),
          c: slave('c', 'a', {}, mysql('c', { a: 9 })),
        },
        writer: 'a',
        warnings: [],
      },
    ],
  },
  {
    name: 'MariaDB: what a replica wrote itself is told, also in a domain of its own',
    nodes: three,
    rounds: [
      {
        see: {
          a: master('a', mariadb('0-1-9', '0-1-9')),
          b: slave('b', 'a', {}, mariadb('0-1-12', '0-1-12')),
          c: slave('c', 'a', {}, mariadb('0-1-9,5-3-1', '0-1-9,5-3-1')),
        },
        writer: 'a',
        warnings: [],
      },
      {
        see: {
          a: master('a', mariadb('0-1-12', '0-1-12')),
          b: slave('b', 'a', {}, mariadb('0-2-13', '0-1-12,0-2-13')),
        },
        writer: 'a',
        warnings: ['errant-transactions c'],
      },
      {
        see: { a: master('a', mariadb('0-1-13', '0-1-13')) },
        writer: 'a',
        warnings: ['errant-transactions b', 'errant-transactions c'],
      },
    ],
  },
  {
    name: 'MariaDB: a primary whose log does not name what it got as a replica accuses nobody',
    nodes: three,
    rounds: [
      {
        see: {
          a: slave('a', 'b', {}, mariadb('0-1-9', '0-1-9')),
          b: master('b', { ...mariadb('0-2-14', '0-2-14'), gtidApplied: '0-1-9' }),
          c: slave('c', 'b', {}, mariadb('0-2-14', '0-2-14')),
        },
        writer: 'b',
        warnings: [],
      },
    ],
  },
  {
    name: 'a replica whose threads stand still is told, and one that waits for a source that is down is not',
    nodes: three,
    rounds: [
      {
        see: {
          ...healthy,
          b: slave('b', 'a', { sql: false, lagMs: null, error: "Duplicate entry 'x' for key" }),
          c: slave('c', 'a', { io: 'no', lagMs: null }),
        },
        writer: 'a',
        roles: { b: 'replica', c: 'replica' },
        warnings: ['replication-stopped b', 'replication-stopped c'],
      },
      // Who cannot connect although the source lives was given a wrong account or address.
      { see: { b: slave('b', 'a'), c: orphan('c', 'a') }, writer: 'a', warnings: ['replication-stopped c'] },
      { see: { a: 'refused', b: orphan('b', 'a') }, writer: 'nobody', warnings: [] },
      { see: healthy, writer: 'a', warnings: [] },
    ],
  },
];
