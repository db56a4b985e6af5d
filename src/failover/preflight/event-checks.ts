/** Whether scheduled events can move with the primary, where there are any. */
import type { Deadline } from '../../common/deadline.js';
import { describeError } from '../../common/stormlamp-error.js';
import { quotedAccount } from '../../mysql/missing-privilege.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { isNameable } from '../plan/event-steps.js';
import { grantStatements } from '../survey/account-privileges.js';
import { type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { EVENTS_SQL, eventWords, readEvents, type ScheduledEvent } from '../survey/scheduled-events.js';
import type { PreflightCheck } from './preflight.js';

/** Asks with the account that acts, and with the application's, which may see events that the other one does not. */
export async function eventChecks(
  survey: NodeSurvey,
  acting: PhysicalConnection,
  application: PhysicalConnection | undefined,
  deadline: Deadline,
): Promise<readonly PreflightCheck[]> {
  const seen = new Map<string, ScheduledEvent>();
  let unread: unknown;
  for (const connection of application === undefined ? [acting] : [acting, application]) {
    try {
      const rows: readonly StatusRow[] = await connection.ask(EVENTS_SQL, deadline);
      for (const event of readEvents(rows)) seen.set(`${event.database} ${event.name}`, event);
    } catch (error) {
      if (connection === acting) unread = error;
    }
  }
  const [row]: readonly StatusRow[] = await acting.ask('SELECT CURRENT_USER() AS account', deadline);
  const account = quotedAccount(String(row?.['account'] ?? ''));
  const check = eventCheck(survey, [...seen.values()], account);
  return [unread === undefined ? check : unreadCheck(check, describeError(unread))];
}

/** What the events of a server mean for a change of the primary; `account`, quoted, is the one that acts. Pure. */
export function eventCheck(
  survey: NodeSurvey,
  events: readonly ScheduledEvent[],
  account: string,
): PreflightCheck {
  const { node, eventsLacking } = survey;
  const used = events.filter(({ status }) => status !== 'disabled');
  const unfit = used.filter((event) => !isNameable(event));
  const scheduler = variableOf(survey, 'event_scheduler') ?? 'OFF';
  const grants = grantStatements({ everywhere: new Set(eventsLacking), meta: new Set() }, account);
  const warnings =
    used.length === 0
      ? []
      : [
          ...(eventsLacking.length === 0
            ? []
            : [
                `scheduled events (${eventWords(used)}) stay where they are when the primary changes, and then run nowhere or on the old one: ` +
                  `the account of \`failover.credentials\` lacks ${eventsLacking.join(', ')} on ${node}; ${grants.join('; ')}`,
              ]),
          ...(unfit.length === 0
            ? []
            : [`no statement of a plan can name ${eventWords(unfit)}: it does not move with the primary`]),
          ...(scheduler.toUpperCase() === 'ON'
            ? []
            : [
                `event_scheduler is ${scheduler} on ${node}: as the primary it executes no scheduled event (${eventWords(used)}); ` +
                  'set it to ON, in its configuration file, too',
              ]),
        ];
  return {
    name: 'scheduled-events',
    node,
    result: warnings.length === 0 ? 'pass' : 'warn',
    detail: warnings.length === 0 ? passed(survey, used) : warnings.join('; '),
    sql: EVENTS_SQL,
  };
}

/** The account that acts could not read them: what it does not see it does not move. */
function unreadCheck(check: PreflightCheck, why: string): PreflightCheck {
  const known = check.result === 'warn' ? [check.detail] : [];
  const detail = `which scheduled events ${check.node} has could not be read (${why}), so that none would move with the primary`;
  return { ...check, result: 'warn', detail: [detail, ...known].join('; ') };
}

function passed({ node, eventsLacking }: NodeSurvey, used: readonly ScheduledEvent[]): string {
  if (used.length > 0) return `scheduled events (${eventWords(used)}) move with the primary`;
  return eventsLacking.includes('EVENT')
    ? `no scheduled event is seen on ${node}; the account of \`failover.credentials\` lacks EVENT, and would see none`
    : `${node} has no scheduled events`;
}
