import { describe, expect, test } from 'vitest';
import { galeraFacts, groupReplicationFacts } from '../../../src/mysql/group-status.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { committedPosition } from '../../../src/topology/gtid-position.js';
import {
  effectiveLagMs,
  type GroupFacts,
  roleOf,
  type ServerFacts,
} from '../../../src/topology/node-description.js';
import { selectNodes } from '../../../src/topology/node-selection.js';
import { identityOf } from '../../../src/topology/server-peers.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import {
  type Finding,
  gtids,
  master,
  observationOf,
  seeds,
  slave,
} from '../../spec/topology/made-up-servers.js';

const group = (facts: Partial<GroupFacts> = {}): GroupFacts => ({
  kind: 'group-replication',
  state: 'online',
  hasQuorum: true,
  writes: 'elsewhere',
  queue: 0,
  members: [],
  ...facts,
});
const gr = (name: string, facts: Partial<GroupFacts> = {}): Finding =>
  master(name, { readOnly: facts.writes !== 'here', group: group(facts) });
const galera = (name: string, facts: Partial<GroupFacts> = {}): Finding =>
  master(name, { group: group({ kind: 'galera', writes: 'everywhere', ...facts }) });

function seen(...rounds: Readonly<Record<string, Finding>>[]): TopologyDescription {
  let topology = initialTopology(seeds({ a: 'any', b: 'primary', c: 'any', d: 'replica' }));
  rounds.forEach((round, index) => {
    for (const [node, finding] of Object.entries(round)) {
      topology = observe(topology, observationOf(node, finding, 1_000 * (index + 1)));
    }
  });
  return topology;
}
const readers = (topology: TopologyDescription, now: number, maxLagMs = 5_000): string[] =>
  selectNodes(topology, { preference: 'replica', maxLagMs, now, allows: () => true }).candidates.map(
    ({ id }) => id,
  );

describe('Group Replication', () => {
  test('names the primary itself, whatever is configured, and its secondaries are replicas', () => {
    const topology = seen({ a: gr('a', { writes: 'here' }), b: gr('b'), c: gr('c'), d: 'refused' });
    expect(topology.writer).toEqual({ kind: 'primary', node: 'a' });
    expect(topology.nodes.map(roleOf)).toEqual(['primary', 'replica', 'replica', 'unknown']);
    expect(topology.warnings).toEqual([]);
    expect(readers(topology, 1_000)).toEqual(['b', 'c']);
  });

  test('a member that recovers, failed or lost the majority neither writes nor reads', () => {
    for (const facts of [{ state: 'joining' }, { hasQuorum: false }, { state: 'offline' }] as const) {
      const topology = seen({ a: gr('a', { writes: 'here' }), b: gr('b', facts), c: gr('c'), d: 'refused' });
      expect(readers(topology, 1_000)).toEqual(['c']);
    }
    const minority = seen({
      a: gr('a', { writes: 'here', hasQuorum: false }),
      b: 'refused',
      c: 'refused',
      d: 'refused',
    });
    expect(minority.writer).toEqual({ kind: 'no-primary' });
  });

  test('the next primary is followed', () => {
    const healthy = { a: gr('a', { writes: 'here' }), b: gr('b'), c: gr('c'), d: 'refused' } as const;
    const topology = seen(healthy, { a: 'refused', c: gr('c', { writes: 'here' }) });
    expect(topology).toMatchObject({ writer: { node: 'c' }, epoch: 2 });
  });

  test('a member with something to apply was in step when it had nothing', () => {
    const a = gr('a', { writes: 'here' });
    const topology = seen(
      { a, b: gr('b'), c: gr('c', { queue: 3 }), d: 'refused' },
      { b: gr('b', { queue: 2 }) },
    );
    const [, b, c] = topology.nodes;
    expect(b && effectiveLagMs(b, 2_500)).toBe(1_500);
    expect(c && effectiveLagMs(c, 2_500)).toBeNull();
    expect(readers(topology, 2_500)).toEqual(['b']);
    expect(readers(topology, 2_500, 1_000)).toEqual([]);
  });

  describe('a member whose queue is never empty', () => {
    const facts = (name: string, count: number, more: Partial<GroupFacts> = {}): Finding =>
      master(name, { readOnly: name !== 'a', gtid: gtids({ a: count }), group: group(more) });
    const busy = (applied: (second: number) => number): TopologyDescription => {
      let topology = initialTopology(seeds({ a: 'any', b: 'any' }), 'compared');
      for (let second = 0; second <= 30; second += 1) {
        const a = facts('a', 10 + 100 * second, { writes: 'here' });
        topology = observe(topology, observationOf('a', a, 1_000 * second));
        const b = facts('b', 10 + applied(second), { queue: second === 0 ? 0 : 5 });
        topology = observe(topology, observationOf('b', b, 1_000 * second + 100));
      }
      return topology;
    };
    const lagOf = ({ nodes: [, b] }: TopologyDescription): number | null | undefined =>
      b && effectiveLagMs(b, 30_100);

    test('is as fresh as the look at the primary that it has caught up with', () => {
      const topology = busy((second) => 100 * second - 50);
      expect(lagOf(topology)).toBe(1_100);
      expect(readers(topology, 30_100)).toEqual(['b']);
    });

    test('is late by what it lacks, when it stands still', () => {
      const topology = busy((second) => 100 * Math.min(second, 10));
      expect(lagOf(topology)).toBe(20_100);
      expect(readers(topology, 30_100)).toEqual([]);
    });

    test.each(['elsewhere', 'everywhere'] as const)(
      'that hears nothing is late, however empty (%s)',
      (writes) => {
        let topology = initialTopology(seeds({ a: 'any', b: 'any' }), 'compared');
        for (let second = 0; second <= 30; second += 1) {
          const a = facts('a', 10 + 100 * second, { writes: writes === 'elsewhere' ? 'here' : writes });
          topology = observe(topology, observationOf('a', a, 1_000 * second));
          const b = facts('b', 10 + 100 * Math.min(second, 10), { writes, queue: 0 });
          topology = observe(topology, observationOf('b', b, 1_000 * second + 100));
        }
        expect(lagOf(topology)).toBe(19_100);
        expect(readers(topology, 30_100)).toEqual([]);
      },
    );

    test('of a group that writes everywhere is not compared with one member alone', () => {
      let topology = initialTopology(seeds({ a: 'any', b: 'any' }), 'compared');
      for (let second = 0; second <= 30; second += 1) {
        for (const name of ['a', 'b']) {
          const queue = name === 'b' && second > 0 ? 5 : 0;
          const one = facts(name, 10, { writes: 'everywhere', queue });
          topology = observe(topology, observationOf(name, one, 1_000 * second + 100));
        }
      }
      expect(lagOf(topology)).toBe(30_000);
    });
  });

  test('a classic replica of any member has the data of the group', () => {
    const topology = seen({ a: gr('a', { writes: 'here' }), b: gr('b'), c: gr('c'), d: slave('d', 'c') });
    expect(readers(topology, 1_000)).toEqual(['b', 'c', 'd']);
  });

  test('a plugin that was never started makes no group', () => {
    const rows = [
      { id: 'x', host: 'h', port: 1, state: 'OFFLINE', role: '', is_self: 1, single_primary: 'ON' },
    ];
    expect(groupReplicationFacts(rows)).toBeUndefined();
    expect(groupReplicationFacts([])).toBeUndefined();
  });

  test('the rows of its members are read', () => {
    const row = { host: 'h', port: 3306, role: 'SECONDARY', is_self: 0, single_primary: 1, queue: 4 };
    const facts = groupReplicationFacts([
      { ...row, state: 'ONLINE', role: 'PRIMARY', is_self: 1 },
      { ...row, state: 'UNREACHABLE', port: 3307 },
      { ...row, state: 'UNREACHABLE', host: '' },
    ]);
    expect(facts).toMatchObject({ state: 'online', hasQuorum: false, writes: 'here', queue: 4 });
    expect(facts?.members).toEqual([
      { host: 'h', port: 3306, serverId: 0 },
      { host: 'h', port: 3307, serverId: 0 },
    ]);
  });
});

describe('Galera', () => {
  test('writes go to one member: the configured primary, else the first by id', () => {
    const all = { a: galera('a'), b: galera('b'), c: galera('c'), d: 'refused' } as const;
    expect(seen(all).writer).toEqual({ kind: 'primary', node: 'b' });
    expect(seen(all, { b: 'refused' }).writer).toEqual({ kind: 'primary', node: 'a' });
    expect(seen(all, { b: 'refused' }, { b: galera('b') }).writer).toEqual({ kind: 'primary', node: 'b' });
    expect(seen(all).warnings).toEqual([]);
  });

  test('a donor and a member outside of the primary component are left out', () => {
    const donor = seen({ a: galera('a', { state: 'donor' }), b: galera('b'), c: galera('c'), d: 'refused' });
    expect(readers(donor, 1_000)).toEqual(['c']);
    const cut = seen({
      a: galera('a'),
      b: galera('b', { hasQuorum: false, state: 'offline' }),
      c: galera('c'),
      d: 'refused',
    });
    expect([cut.writer, readers(cut, 1_000)]).toEqual([{ kind: 'primary', node: 'a' }, ['c']]);
  });

  test('a member that lost all others is no primary, though it is configured as such, nor is one of a group that failed', () => {
    const alone = galera('b', { hasQuorum: false, state: 'offline' });
    const topology = seen({ a: 'refused', b: alone, c: 'refused', d: 'refused' });
    expect([topology.writer, topology.nodes.map(roleOf)[1]]).toEqual([{ kind: 'no-primary' }, 'unknown']);
    const failed = seen({ a: 'refused', b: gr('b', { state: 'offline' }), c: 'refused', d: 'refused' });
    expect([failed.writer, failed.nodes.map(roleOf)[1]]).toEqual([{ kind: 'no-primary' }, 'unknown']);
  });

  test('a replica of a member that lost the others serves nothing that has to be fresh', () => {
    const b = galera('b', { hasQuorum: false, state: 'offline' });
    const topology = seen({ a: 'refused', b, c: 'refused', d: slave('d', 'b') });
    expect(readers(topology, 1_000)).toEqual([]);
    expect(readers(topology, 1_000, Number.POSITIVE_INFINITY)).toEqual(['d']);
    expect(readers(seen({ a: galera('a'), b, c: 'refused', d: slave('d', 'a') }), 1_000)).toEqual(['d']);
  });

  describe('a member that stays behind what the others committed, with an empty queue,', () => {
    const at = (name: string, number: number, more: Partial<GroupFacts> = {}): Finding =>
      galera(name, { committed: { history: 'x', number }, ...more });
    const start = { b: at('b', 5), a: at('a', 5), c: at('c', 5), d: 'refused' } as const;
    const lagOf = (topology: TopologyDescription, now: number): number | null => {
      const [a] = topology.nodes;
      return a === undefined ? null : effectiveLagMs(a, now);
    };

    test('is late since it was last seen in step', () => {
      const topology = seen(start, { b: at('b', 6) }, { a: at('a', 5) }, { a: at('a', 5), b: at('b', 6) });
      expect(lagOf(topology, 4_000)).toBe(3_000);
      expect(readers(topology, 4_000, 2_000)).toEqual([]);
      expect(lagOf(seen(start, { b: at('b', 6) }, { a: at('a', 5) }, { a: at('a', 6) }), 4_000)).toBe(0);
    });

    test('makes late who replicates from it', () => {
      const d = slave('d', 'a');
      const topology = seen({ ...start, d }, { b: at('b', 6) }, { a: at('a', 5) }, { b: at('b', 6), d });
      expect(readers(topology, 4_000, 2_000)).toEqual([]);
      const [, , , last] = topology.nodes;
      expect(last && effectiveLagMs(last, 4_000)).toBe(3_000);
      expect(
        readers(seen({ ...start, d }, { b: at('b', 6) }, { a: at('a', 6) }, { d }), 4_000, 1_500),
      ).toEqual(['a', 'd']);
    });

    test('is not late by what was committed after the last look at it', () => {
      const topology = seen(start, { a: at('a', 5) }, { b: at('b', 9), c: at('c', 9) });
      expect(lagOf(topology, 3_000)).toBe(1_000);
    });

    test('is as fresh as the looks that it reached, when it is always a moment behind', () => {
      const round = (number: number) =>
        [{ b: at('b', number + 3), c: at('c', number) }, { a: at('a', number + 2) }] as const;
      const topology = seen(start, ...round(10), ...round(20), ...round(30), ...round(40));
      expect(lagOf(topology, 9_000)).toBe(3_000);
      const [a] = topology.nodes;
      expect(a).toMatchObject({ lacks: { history: 'x', number: 43, at: 8_000 } });
    });

    test('is as fresh as the looks that it reached also while something is queued', () => {
      const topology = seen(start, { b: at('b', 6) }, { a: at('a', 6, { queue: 2 }) });
      // The third member was not looked at again: what it may have committed since is not known.
      expect(lagOf(topology, 3_000)).toBe(2_000);
      const later = seen(start, { b: at('b', 6), c: at('c', 6) }, { a: at('a', 6, { queue: 2 }) });
      expect(lagOf(later, 3_000)).toBe(1_000);
    });

    test('is compared with those only that are of its cluster, sound, and seen now', () => {
      for (const c of [
        at('c', 9, { committed: { history: 'y', number: 9 } }),
        at('c', 9, { state: 'offline', hasQuorum: false }),
        galera('c'),
        'refused',
      ] as const) {
        expect(lagOf(seen(start, { c }, { a: at('a', 5) }), 3_000)).toBe(0);
      }
    });
  });

  test('members with one server_id are told apart', () => {
    const facts = (memberId: string) =>
      ({ flavor: 'mariadb', serverId: 1, group: group({ kind: 'galera', memberId }) }) as ServerFacts;
    expect(identityOf(facts('x'))).not.toBe(identityOf(facts('y')));
    expect(identityOf(facts('x'))).toBe(identityOf(facts('x')));
  });

  test('what it committed has numbers for others in the shared domain only', () => {
    const facts = (gtidDomain: number | undefined) =>
      ({
        flavor: 'mariadb',
        gtid: '0-2-9',
        gtidState: '0-2-9,7-1-22',
        group: group({ kind: 'galera', gtidDomain }),
      }) as ServerFacts;
    expect(committedPosition(facts(undefined))).toBeUndefined();
    expect(committedPosition(facts(7))?.text).toBe('7-1-22');
  });

  test('its status is read', () => {
    const status = (changes: Record<string, string>, gtids?: Record<string, unknown>) =>
      galeraFacts(
        Object.entries({
          wsrep_cluster_status: 'Primary',
          wsrep_ready: 'ON',
          wsrep_local_state: '4',
          wsrep_local_recv_queue: '0',
          wsrep_incoming_addresses: '10.0.0.1:3306,[::1]:3307,AUTO',
          ...changes,
        }).map(([Variable_name, Value]) => ({ Variable_name, Value })),
        gtids,
      );
    expect(status({ wsrep_gcomm_uuid: 'x' }, { is_shared: 1, domain: 7 })).toMatchObject({
      memberId: 'x',
      gtidDomain: 7,
    });
    expect(status({}, { is_shared: 0, domain: 7 })?.gtidDomain).toBeUndefined();
    const committed = (number: string) =>
      status({ wsrep_local_state_uuid: 'x', wsrep_last_committed: number })?.committed;
    expect(committed('17')).toEqual({ history: 'x', number: 17 });
    expect([committed('-1'), committed('18446744073709551615'), committed('')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(status({})).toEqual({
      kind: 'galera',
      state: 'online',
      hasQuorum: true,
      writes: 'everywhere',
      queue: 0,
      members: [
        { host: '10.0.0.1', port: 3306, serverId: 0 },
        { host: '::1', port: 3307, serverId: 0 },
      ],
    });
    expect(status({ wsrep_local_state: '2' })?.state).toBe('donor');
    expect(status({ wsrep_cluster_status: 'non-Primary', wsrep_ready: 'OFF' })).toMatchObject({
      hasQuorum: false,
      state: 'offline',
    });
    expect(galeraFacts([])).toBeUndefined();
  });
});
