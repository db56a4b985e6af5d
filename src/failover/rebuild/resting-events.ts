/**
 * Keeps a node whose data is made anew from executing the scheduled events that come with it: the copy says that it does, as the
 * primary of which it is one, and what they write is on no other node.
 */
import { describeError } from '../../common/stormlamp-error.js';
import { alterStatements, isNameable } from '../plan/event-steps.js';
import { EVENTS_SQL, eventWords, readEvents } from '../survey/scheduled-events.js';
import type { RebuildSession } from './rebuild-options.js';

/** What the event scheduler of the node was set to before. */
export interface RestingEvents {
  /** Whether it executed events. */
  readonly isOn: boolean;
  /** What it was set to for its next start (MySQL); undefined when nothing. */
  readonly persisted: string | undefined;
}

/**
 * Stops the event scheduler, on MySQL also for the start after a clone, whose settings the node keeps. Never rejects: where that may
 * not be done the events are executed until the node is made to follow.
 */
export async function restEvents(
  session: RebuildSession,
  log: (message: string) => void,
): Promise<RestingEvents> {
  const isMysql = session.version.flavor === 'mysql';
  try {
    const [row] = await session.ask('SELECT @@GLOBAL.event_scheduler AS scheduler');
    const isOn = String(row?.['scheduler']).toUpperCase() === 'ON';
    const [kept] =
      isMysql && isOn
        ? await session
            .ask(
              "SELECT VARIABLE_VALUE AS value FROM performance_schema.persisted_variables WHERE VARIABLE_NAME='event_scheduler'",
            )
            .catch(() => [])
        : [];
    if (isOn) await session.ask(`SET ${isMysql ? 'PERSIST' : 'GLOBAL'} event_scheduler=OFF`);
    return { isOn, persisted: kept === undefined ? undefined : String(kept['value']) };
  } catch (error) {
    log(`Scheduled events are executed on the node until it follows: ${describeError(error)}`);
    return { isOn: false, persisted: undefined };
  }
}

/** Has the node leave to the primary the events that came with its data, and starts the scheduler again. Never rejects. */
export async function leaveEvents(
  session: RebuildSession,
  { isOn, persisted }: RestingEvents,
  log: (message: string) => void,
): Promise<void> {
  try {
    const events = readEvents(await session.ask(EVENTS_SQL)).filter(({ status }) => status === 'enabled');
    if (events.length > 0) await session.ask('SET SESSION sql_log_bin=0');
    for (const sql of alterStatements(session.version, events.filter(isNameable), 'replica-side-disabled'))
      await session.ask(sql);
    const unfit = events.filter((event) => !isNameable(event));
    if (unfit.length > 0)
      log(`The node executes scheduled events of the primary, too (${eventWords(unfit)})`);
  } catch (error) {
    log(
      `The node may execute scheduled events of the primary, too, until it follows: ${describeError(error)}`,
    );
  }
  if (!isOn) return;
  try {
    const isMysql = session.version.flavor === 'mysql';
    if (isMysql && persisted === undefined) await session.ask('RESET PERSIST IF EXISTS event_scheduler');
    await session.ask(`SET ${persisted === undefined ? 'GLOBAL' : 'PERSIST'} event_scheduler=ON`);
  } catch (error) {
    log(`The event scheduler of the node is off, and was on before: ${describeError(error)}`);
  }
}
