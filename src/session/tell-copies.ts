/** Tells listeners of a store about copies that an operation missed. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { CopyKey } from '../memcached/copies/copy-key.js';
import type { CopyReport } from '../memcached/copies/copy-report.js';
import type { NodeStandings } from '../memcached/copies/node-standings.js';
import type { SessionStore } from './session-store.js';

/** Every copy that a change missed. */
export function tellMissed(
  store: SessionStore,
  operation: 'save' | 'touch' | 'destroy',
  report: CopyReport,
): void {
  for (const { node, error } of report.missed) store.publish('copy-missed', { operation, node, error });
}

/** That another node than the first one decided about a read. */
export function tellDecider(
  store: SessionStore,
  standings: NodeStandings,
  key: CopyKey,
  decider: NodeId,
): void {
  if (store.listenerCount('copy-missed') === 0) return;
  const first = store.copies.holders(key)[0]?.id;
  if (first === undefined || first === decider) return;
  const standing = standings.of(first);
  const why = standing === 'filled' ? 'did not answer' : `is ${standing}`;
  const error = new StormlampError(ErrorCode.NODE_UNREACHABLE, `${first} ${why}; ${decider} decided`);
  store.publish('copy-missed', { operation: 'load', node: first, error });
}
