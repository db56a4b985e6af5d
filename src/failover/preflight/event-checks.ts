/** Whether there are scheduled events: the servers execute them on the primary only, and a change of the primary does not move them. */
import type { Deadline } from '../../common/deadline.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { NodeSurvey } from '../survey/node-survey.js';
import { EVENTS_SQL, eventWords, readEvents, type ScheduledEvent } from '../survey/scheduled-events.js';
import type { PreflightCheck } from './preflight.js';

/** Asks with the account that acts and with those of `others`, of which each sees what it has `EVENT` for. */
export async function eventChecks(
  survey: NodeSurvey,
  connections: readonly PhysicalConnection[],
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const seen = new Map<string, ScheduledEvent>();
  for (const connection of connections) {
    const rows = await connection.ask(EVENTS_SQL, deadline).catch(() => []);
    for (const event of readEvents(rows)) seen.set(`${event.database} ${event.name}`, event);
  }
  return [eventCheck(survey, [...seen.values()])];
}

/** What the events of a node mean for a change of the primary; pure. */
export function eventCheck(
  { node, channels }: NodeSurvey,
  events: readonly ScheduledEvent[],
): PreflightCheck {
  const enabled = events.filter(({ status }) => status === 'enabled');
  const where = channels.length > 0 ? 'is a replica and executes them' : 'executes them';
  return {
    name: 'scheduled-events',
    node,
    result: enabled.length === 0 ? 'pass' : 'warn',
    detail:
      enabled.length === 0
        ? 'no scheduled event is seen that this server executes'
        : `${node} has scheduled events (${eventWords(enabled)}) and ${where}: a change of the primary does not move them. After one run ` +
          'ALTER EVENT … ENABLE for them on the new primary, and, with sql_log_bin=0, ALTER EVENT … DISABLE ON SLAVE on the old one',
    sql: EVENTS_SQL,
  };
}
