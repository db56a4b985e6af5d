/** The replica of a cluster that was started with one. */
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';

/** The first replica; throws where there is none. */
export function firstReplica({ replicas: [first] }: LocalCluster): LocalDatabaseNode {
  if (first === undefined) throw new Error('There is no replica');
  return first;
}
