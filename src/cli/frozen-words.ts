/** What a failover found on its replicas, for people. */
import type { FrozenReplicas } from '../failover/plan/frozen-replicas.js';

/** A line for each replica, and one of how commits waited for them. */
export function frozenWords({ replicas, commitWaits }: FrozenReplicas): readonly string[] {
  const lines = Object.entries(replicas).map(
    ([node, { received, acknowledges }]) =>
      `${node} had received ${received === '' ? 'nothing' : received}${acknowledges ? ', and acknowledges' : ''}`,
  );
  if (commitWaits === null)
    return [...lines, 'whether commits on the old primary waited for replicas is not known, or they did not'];
  const { acknowledgers, waitFor, timeoutMs } = commitWaits;
  return [
    ...lines,
    `commits on the old primary waited for ${waitFor} of the ${acknowledgers} replicas that acknowledged, ${timeoutMs} ms at most`,
  ];
}
