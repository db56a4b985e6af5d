import { describe, expect, test } from 'vitest';
import { OwnServers } from '../../../src/health/own-servers.js';
import type { Observation } from '../../../src/topology/node-description.js';
import { observationOf, slave } from '../../spec/topology/made-up-servers.js';

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
