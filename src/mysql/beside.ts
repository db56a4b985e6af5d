/** Work on a node over another connection than the one that a session holds. */
import type { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { workOn } from './answer-of.js';
import { failureOf } from './failure-policy.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { SessionPorts } from './session-ports.js';

/**
 * What `work` does with a connection of its own to `node`, whatever its breakers for statements say. Rejects as `work` does, or as
 * the pool.
 */
export async function beside<T>(
  ports: SessionPorts,
  node: NodeId,
  deadline: Deadline,
  work: (connection: PhysicalConnection) => Promise<T>,
): Promise<T> {
  const connection = await ports.node(node).acquire('side', deadline);
  let isUsable = false;
  try {
    const result = await workOn(ports, connection, work);
    isUsable = true;
    return result;
  } catch (error) {
    isUsable = failureOf(error, connection, false).meaning.connection === 'usable';
    throw error;
  } finally {
    if (isUsable) ports.release(connection);
    else ports.discard(connection);
  }
}
