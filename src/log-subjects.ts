/**
 * What the lines about a state are about. Of these the log has the last word: a line that says otherwise than the one before it
 * is written, however often it was written a moment ago. Events without a subject tell what happened, not what is.
 */
import type { FailoverEvents } from './failover/failover-events.js';
import type { MysqlClusterEvents } from './mysql/mysql-events.js';
import type { FileSessionStoreEvents } from './session/file-session-events.js';

/** The subjects of one part's events. */
export type LogSubjects<Events> = { readonly [E in keyof Events]?: (payload: Events[E]) => string };

/** The subjects of the MySQL client. */
export const mysqlSubjects: LogSubjects<MysqlClusterEvents> = {
  'primary-changed': () => 'writer',
  'node-changed': ({ after }) => `node ${after.id}`,
  'replica-fitness-changed': ({ node }) => `fitness ${node}`,
  'warning-began': ({ code, node }) => `warning ${code} ${node}`,
  'warning-ended': ({ code, node }) => `warning ${code} ${node}`,
  'breaker-changed': ({ node, operation }) => `breaker ${node} ${operation}`,
};

/** The subjects of session stores. */
export const sessionSubjects: LogSubjects<FileSessionStoreEvents> = {
  'breaker-changed': ({ node, operation }) => `breaker ${node} ${operation}`,
  'node-standing': ({ node }) => `standing ${node}`,
  'resync-started': ({ node }) => `resync ${node}`,
  resynced: ({ node }) => `resync ${node}`,
  'resync-failed': ({ node }) => `resync ${node}`,
  'nodes-changed': () => 'nodes',
  'mount-changed': ({ mount }) => `mount ${mount}`,
  'mount-repaired': ({ mount }) => `repair ${mount}`,
  'repair-failed': ({ mount }) => `repair ${mount}`,
};

/** The subjects of the failover manager. */
export const failoverSubjects: LogSubjects<FailoverEvents> = {
  'primary-followed': () => 'primary',
  'primary-lost': () => 'primary',
  'primary-returned': () => 'primary',
  'split-brain': () => 'primary',
  'failure-detected': ({ kind }) => `failure ${kind}`,
  'failure-cleared': ({ kind }) => `failure ${kind}`,
  'lease-gained': () => 'lease',
  'lease-lost': () => 'lease',
  'change-started': () => 'change',
  'change-done': () => 'change',
  'change-aborted': () => 'change',
  'leadership-changed': () => 'leadership',
};
