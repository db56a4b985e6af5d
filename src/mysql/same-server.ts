/** Lets no connection into a pool that leads to another server than the one that the monitor of the node looks at. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import type { ServerFacts } from '../topology/node-description.js';
import { nodeIn } from '../topology/topology-description.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { PhysicalConnection } from './physical-connection.js';

/**
 * The same factory, whose connections are to the server that the monitor sees. A name may stand for several servers, or for
 * another one since the monitor connected: then that one connects anew, and looks, first.
 *
 * `connect` then also rejects with `ERR_NODE_UNREACHABLE` naming both servers.
 */
export function onSameServer(factory: ConnectionFactory, watcher: Watcher): ConnectionFactory {
  const { node } = factory;
  const facts = (): ServerFacts | undefined => {
    const found = nodeIn(watcher.topology, node);
    return found?.state === 'up' ? found.facts : undefined;
  };
  return {
    ...factory,
    connect: async (deadline) => {
      let connection = await factory.connect(deadline);
      // Of several servers behind a name, the next attempt may meet the right one; one that has moved is met every time.
      for (let again = 0; again < ATTEMPTS && isElsewhere(connection, facts()); again += 1) {
        connection.destroy();
        connection = await factory.connect(deadline);
      }
      const { server } = connection;
      if (server === undefined || !isElsewhere(connection, facts())) return connection;
      try {
        watcher.reconnect(node);
        await deadline.race(`Looking at ${node}`, watcher.refresh(node));
        if (!isOther(server, facts())) return connection;
        throw new StormlampError(
          ErrorCode.NODE_UNREACHABLE,
          `A connection to ${node} was closed, because it led to another server (${server}) than the monitor looks at (${nameOf(facts())}): ` +
            'the name stands for several servers. Give each of them a name of its own, or list their addresses',
          { node },
        );
      } catch (error) {
        connection.destroy();
        throw error;
      }
    },
  };
}

type Watcher = Pick<TopologyWatcher, 'topology' | 'reconnect' | 'refresh'>;

/** So often another connection is made before the monitor is told to connect anew. */
const ATTEMPTS = 3;

function isElsewhere({ server }: PhysicalConnection, facts: ServerFacts | undefined): boolean {
  return server !== undefined && isOther(server, facts);
}

/** `server` as {@link PhysicalConnection.server} tells it: host, port and `server_id`. */
function isOther(server: string, facts: ServerFacts | undefined): boolean {
  const seen = nameOf(facts);
  return seen !== undefined && seen !== server;
}

function nameOf(facts: ServerFacts | undefined): string | undefined {
  if (facts?.ownName === undefined) return undefined;
  return `${facts.ownName.replace(/:(\d+)$/, ' $1')} ${facts.serverId}`;
}
