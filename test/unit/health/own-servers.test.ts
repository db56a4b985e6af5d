import { describe, expect, test } from 'vitest';
import { OwnServers } from '../../../src/health/own-servers.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import type { NodeDescription, Observation } from '../../../src/topology/node-description.js';
import { observationOf, seeds, slave } from '../../spec/topology/made-up-servers.js';

const look = (serverId: number, ownName = 'web1:3306'): Observation =>
  observationOf('b', { ...slave('b', 'a'), serverId, ownName }, 0);

describe('what another process saw under an address', () => {
  test('is about the same server, or nobody can tell', () => {
    const servers = new OwnServers();
    expect(servers.compare(look(2))).toBe('same');
    servers.note(look(2));
    servers.note(observationOf('b', 'access-denied', 1));
    expect(servers.compare(look(2))).toBe('same');
    expect(servers.compare(observationOf('c', slave('c', 'a'), 0))).toBe('same');
  });

  test('is about another server: that is new once', () => {
    const servers = new OwnServers();
    servers.note(look(2));
    expect(servers.compare(look(3))).toBe('other');
    expect(servers.compare(look(3))).toBe('still-other');
    expect(servers.compare(look(2, 'web2:3306'))).toBe('other');
  });

  test.each(['timeout-query', 'refused', 'reset'] as const)(
    'says nothing here, where it is not reached: %s',
    (failure) => {
      const servers = new OwnServers();
      servers.note(look(2));
      servers.note(observationOf('b', failure, 1));
      expect([servers.isUnreached('b'), servers.compare(look(2))]).toEqual([true, 'unreached']);
      servers.note(look(2));
      expect([servers.isUnreached('b'), servers.compare(look(2))]).toEqual([false, 'same']);
    },
  );

  test('the address has come to stand for that one', () => {
    const servers = new OwnServers();
    servers.note(look(2));
    expect(servers.compare(look(3))).toBe('other');
    servers.note(look(3));
    expect(servers.compare(look(3))).toBe('same');
    servers.note(look(2));
    expect(servers.compare(look(3))).toBe('other');
  });
});

test('a node is as this process saw it last, whatever others say of it since', () => {
  const servers = new OwnServers();
  const own = slave('b', 'a');
  const told = slave('b', 'a', {}, { peers: [{ host: '203.0.113.9', port: 3306, serverId: 9 }] });
  const up = observe(initialTopology(seeds({ b: 'replica' })), observationOf('b', told, 0));
  const down = observe(up, observationOf('b', 'refused', 1));
  const [[nodeUp], [nodeDown]] = [up.nodes, down.nodes] as [NodeDescription[], NodeDescription[]];
  expect(servers.asSeenHere(nodeUp as NodeDescription).state).toBe('new');
  servers.note(observationOf('b', own, 0));
  expect(servers.asSeenHere(nodeUp as NodeDescription)).toMatchObject({ state: 'up', facts: own });
  expect(servers.asSeenHere(nodeDown as NodeDescription)).toMatchObject({ state: 'down', lastFacts: own });
});
