/** Scheduled events that do not exist. */
import type { ScheduledEvent } from '../../../src/failover/survey/scheduled-events.js';

/** One of the database `shop` that the server with the id 1 executes. */
export function madeUpEvent(name: string, more: Partial<ScheduledEvent> = {}): ScheduledEvent {
  return {
    database: 'shop',
    name,
    definer: 'root@localhost',
    status: 'enabled',
    originator: 1,
    charset: 'utf8mb4',
    collation: 'utf8mb4_general_ci',
    ...more,
  };
}
