/** The statements by which one server begins, or ceases, to execute scheduled events; nothing else of an event changes. */
import { isAtLeast, type ServerVersion } from '../../mysql/server-version.js';
import { isOn, type NodeSurvey } from '../survey/node-survey.js';
import type { ScheduledEvent } from '../survey/scheduled-events.js';
import type { PlanStep } from './failover-plan.js';
import { statementsOf } from './statement-steps.js';

/** What an event of one server shall be. */
export interface EventChange {
  readonly event: ScheduledEvent;
  readonly to: ScheduledEvent['status'];
}

/** How the steps stand in their plan. */
export interface EventStepOptions {
  /** Their phase. */
  readonly phase: string;
  /** Why. */
  readonly why: string;
  /** Whether they are taken back with the rest. */
  readonly undo?: boolean;
  /** Whether it is the new primary, which takes writes by then and is left so; nothing comes after them in the same session. */
  readonly isPrimary?: boolean;
}

const OPEN = 'SET GLOBAL super_read_only=0';
const SHUT = 'SET GLOBAL super_read_only=1';

/**
 * `ALTER EVENT` for each of `changes` on the server of `survey`, none of them logged: what an event is differs from server to server.
 * The definer is named, else whoever alters the event becomes it; so is the character set, which the server takes from the session.
 * MySQL wants `super_read_only` off for it; ordinary users cannot write meanwhile.
 */
export function eventSteps(
  survey: NodeSurvey,
  changes: readonly EventChange[],
  { phase, why, undo = false, isPrimary = false }: EventStepOptions,
): readonly PlanStep[] {
  if (changes.length === 0) return [];
  const { node, version, variables } = survey;
  const step = statementsOf(phase, node);
  const first = { optional: true as const };
  const isShut = !isPrimary && version.flavor === 'mysql' && isOn(variables.get('super_read_only'));
  const sorted = [...changes].sort((a, b) => (sessionOf(a.event) < sessionOf(b.event) ? -1 : 1));
  const steps: PlanStep[] = [
    ...(isShut
      ? [step('event-open', OPEN, 'ordinary users still cannot write', { ...first, undo: SHUT })]
      : []),
    step('event-unlogged', 'SET SESSION sql_log_bin=0', 'what is changed here is this server’s own', first),
    ...(!isPrimary
      ? [step('event-keep', KEEP, 'the character set of the session is changed for some statements', first)]
      : []),
  ];
  let session = '';
  sorted.forEach(({ event, to }, index) => {
    if (session !== sessionOf(event)) {
      session = sessionOf(event);
      steps.push(step(`event-charset-${index}`, session, 'that of the events that come next', first));
    }
    steps.push(
      step(`event-${index}`, alterEvent(version, event, to), why, {
        optional: 'alone',
        ...(undo ? { undo: `${session}; ${alterEvent(version, event, event.status)}` } : {}),
      }),
    );
  });
  if (!isPrimary) steps.push(step('event-restore', RESTORE, 'the character set is as it was'));
  if (isShut) steps.push(step('event-shut', SHUT, 'as it was'));
  return steps;
}

/** The same as statements; the character set of the session is another one after them. */
export function alterStatements(
  version: ServerVersion,
  events: readonly ScheduledEvent[],
  to: ScheduledEvent['status'],
): readonly string[] {
  return events.flatMap((event) => [sessionOf(event), alterEvent(version, event, to)]);
}

/** Whether a step only changes which server executes an event. */
export function isEventStep({ id }: PlanStep): boolean {
  return id.startsWith('event-');
}

/**
 * Whether a statement can name the event: not where a name has characters that plans are written with, or where it is not to be
 * written in the character set that the event needs.
 */
export function isNameable({ database, name, definer, charset, collation }: ScheduledEvent): boolean {
  const names = database + name + definer;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
  if (/[{};\\\u0000-\u001f]/.test(names) || !/^\w+$/.test(charset) || !/^\w+$/.test(collation)) return false;
  return /^utf8/.test(charset) || /^[\u0020-\u007e]*$/.test(names);
}

const KEEP = 'SET @ha_charset=@@SESSION.character_set_client, @ha_collation=@@SESSION.collation_connection';
/** Where it was not kept it was not changed either; NULL would be an error, and that the end of the plan. */
const RESTORE =
  'SET SESSION character_set_client=COALESCE(@ha_charset, @@SESSION.character_set_client), ' +
  'collation_connection=COALESCE(@ha_collation, @@SESSION.collation_connection)';

function sessionOf({ charset, collation }: ScheduledEvent): string {
  return `SET SESSION character_set_client=${charset}, collation_connection=${collation}`;
}

function alterEvent(
  version: ServerVersion,
  { database, name, definer }: ScheduledEvent,
  to: ScheduledEvent['status'],
): string {
  const words = {
    enabled: 'ENABLE',
    disabled: 'DISABLE',
    'replica-side-disabled':
      version.flavor === 'mysql' && isAtLeast(version, 8, 4, 0) ? 'DISABLE ON REPLICA' : 'DISABLE ON SLAVE',
  };
  return `ALTER DEFINER=${account(definer)} EVENT ${quotedName(database)}.${quotedName(name)} ${words[to]}`;
}

/** `user@host`; MariaDB gives a role as `role@`. */
function account(definer: string): string {
  const at = definer.lastIndexOf('@');
  const parts = [definer.slice(0, at), definer.slice(at + 1)].filter(
    (part, index) => index === 0 || part !== '',
  );
  return parts.map(quotedName).join('@');
}

function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
