import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode } from '../../../src/common/stormlamp-error.js';
import type { ConnectionFactory } from '../../../src/mysql/connection-factory.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { onSameServer } from '../../../src/mysql/same-server.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import { master, observationOf, seeds } from '../../spec/topology/made-up-servers.js';

/** A node whose monitor sees the servers in `sights`, one after each look, and a connection to `server`. */
function nodeWith(server: string | undefined, ...sights: (string | undefined)[]) {
  let looks = 0;
  let closed = 0;
  let later = server;
  const made = {
    node: 'a',
    server,
    destroy: () => {
      closed += 1;
      made.server = later;
    },
  };
  const connection = made as unknown as PhysicalConnection;
  const factory = { node: 'a', connect: async () => connection } as unknown as ConnectionFactory;
  const watcher = {
    get topology() {
      const ownName = sights[Math.min(looks, sights.length - 1)];
      const facts = master('a', ownName === undefined ? {} : { ownName });
      return observe(initialTopology(seeds({ a: 'primary' })), observationOf('a', facts, 1));
    },
    reconnect: () => undefined,
    refresh: async () => {
      looks += 1;
    },
  };
  const connect = () => onSameServer(factory, watcher).connect(Deadline.of({ timeoutMs: 1_000 }));
  const moveTo = (other: string): void => {
    later = other;
  };
  return { connect, connection, moveTo, counts: () => ({ looks, closed }) };
}

describe('a new connection', () => {
  test.each([
    ['to the server that the monitor sees', 'db1 3306 1', ['db1:3306'], 0],
    ['to one that does not say which it is', undefined, ['db1:3306'], 0],
    ['while the monitor does not know', 'db1 3306 1', [undefined], 0],
  ] as const)('%s is taken', async (_, server, sights, looks) => {
    const { connect, connection, counts } = nodeWith(server, ...sights);
    expect(await connect()).toBe(connection);
    expect(counts()).toEqual({ looks, closed: 0 });
  });

  test('to one that the monitor sees when it looks anew is taken, when every attempt leads there', async () => {
    const { connect, connection, counts } = nodeWith('db2 3306 1', 'db1:3306', 'db2:3306');
    expect(await connect()).toBe(connection);
    expect(counts()).toEqual({ looks: 1, closed: 3 });
  });

  test('to one of several servers is tried again, and the monitor stays where it is', async () => {
    const { connect, connection, counts, moveTo } = nodeWith('db2 3306 1', 'db1:3306');
    moveTo('db1 3306 1');
    expect(await connect()).toBe(connection);
    expect(counts()).toEqual({ looks: 0, closed: 1 });
  });

  test.each([
    ['another name', 'db2 3306 1'],
    ['another port', 'db1 3307 1'],
    ['another server_id', 'db1 3306 2'],
  ])('to a server with %s is closed, and both are named', async (_, server) => {
    const { connect, counts } = nodeWith(server, 'db1:3306');
    await expect(connect()).rejects.toMatchObject({
      code: ErrorCode.NODE_UNREACHABLE,
      node: 'a',
      message: expect.stringContaining(`another server (${server}) than the monitor looks at (db1 3306 1)`),
    });
    expect(counts()).toEqual({ looks: 1, closed: 4 });
  });
});
