/** Which server is to execute which scheduled events: those that ran on the primary run on the next one, and only there; pure. */
import type { NodeId } from '../../common/node-address.js';
import { type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { eventWords, type ScheduledEvent } from '../survey/scheduled-events.js';
import { type EventChange, eventSteps, isNameable } from './event-steps.js';
import type { PlanStep } from './failover-plan.js';
import type { PlanContext } from './plan-context.js';

/** Steps, and what an operator should know of what they leave. */
export interface EventHandover {
  /** For the old primary, while it takes writes still. */
  readonly before: readonly PlanStep[];
  /** For the new primary, once it takes writes. */
  readonly after: readonly PlanStep[];
  readonly warnings: readonly string[];
}

/** What is known of the primary that events are taken over from. */
export interface EventSource {
  readonly from: NodeId;
  /** Whether it is to cease executing them in this plan. */
  readonly ceases?: boolean;
  /** Whether a change that was left unfinished may have made it cease already. */
  readonly unfinished?: boolean;
}

/** Hands the events over to `to`. */
export function eventHandover(context: PlanContext, to: NodeId, source: EventSource): EventHandover {
  const { surveys } = context;
  const { from, ceases = false } = source;
  const [old, next] = [surveys.get(from), surveys.get(to)];
  if (next === undefined) return NOTHING;
  if (next.events === undefined) return { ...NOTHING, warnings: unreadHere(context, to, source) };
  const unread = ceases && old !== undefined && old.events === undefined && next.events.length > 0;
  const unreadThere = unread
    ? [
        `Which scheduled events ${from} executes could not be read: this change has none of them cease there; ${LATER}`,
      ]
    : [];
  const found = eventsToRun(context, next.events, source);
  if (found.events.length === 0) return { ...NOTHING, warnings: unreadThere };
  const here = new Set(next.events.map(keyOf));
  const stopping = ceases ? (old?.events ?? []).filter((event) => isRunBoth(event, here)) : [];
  const lacking = [next, ...(stopping.length > 0 && old !== undefined ? [old] : [])].flatMap((survey) =>
    survey.eventsLacking.length === 0 ? [] : [`${survey.eventsLacking.join(', ')} on ${survey.node}`],
  );
  if (lacking.length > 0) {
    const why = `the account of failover.credentials lacks ${lacking.join(' and ')}`;
    return { ...NOTHING, warnings: [`${told(found.events)} will not run on ${to}: ${why}`] };
  }
  const [fit, unfit] = split(found.events);
  return {
    before:
      old === undefined
        ? []
        : eventSteps(old, changesTo('replica-side-disabled', split(stopping)[0]), {
            phase: 'events',
            why: `${to} executes it from then on`,
            undo: true,
          }),
    after: afterVotes(
      to,
      eventSteps(next, changesTo('enabled', fit), {
        phase: 'repoint',
        why: `it ran on ${from}, and no replica executes it`,
        isPrimary: true,
      }),
    ),
    warnings: [
      ...unreadThere,
      ...(unfit.length === 0
        ? []
        : [`${told(unfit)} will not run on ${to}: no statement of a plan can name what is called so`]),
      ...(found.isGuess
        ? [
            `${told(found.events)} will run on ${to}; whether somebody had disabled one of them on ${from} cannot be known`,
          ]
        : []),
      ...(variableOf(next, 'event_scheduler')?.toUpperCase() === 'ON'
        ? []
        : [
            `event_scheduler is ${variableOf(next, 'event_scheduler') ?? 'OFF'} on ${to}: no event runs there`,
          ]),
    ],
  };
}

/** What makes `node`, which was a primary, leave the events to `primary`: all that it executes and that are there, too. */
export function eventLeave(
  context: PlanContext,
  node: NodeId,
  primary: NodeId,
): { readonly steps: readonly PlanStep[]; readonly warnings: readonly string[] } {
  const [survey, source] = [context.surveys.get(node), context.surveys.get(primary)];
  const nothing = { steps: [], warnings: [] };
  if (survey === undefined || source === undefined || survey.eventsLacking.length > 0) return nothing;
  // Of a replica of another node it is told apart which of them it shall execute, once it follows.
  if (survey.channels.length > 0) return nothing;
  const unread = [survey, source].filter(({ events }) => events === undefined);
  const isIdle = survey.events?.every(({ status }) => status !== 'enabled') === true;
  if (isIdle || source.events?.length === 0) return nothing;
  if (unread.length > 0) {
    const where = unread.map((each) => each.node).join(' and ');
    const warning = `Which scheduled events ${where} executes could not be read: ${node} is made to follow as it is; ${LATER}`;
    return { steps: [], warnings: [warning] };
  }
  const there = new Set(source.events?.map(keyOf));
  const events = split((survey.events ?? []).filter((event) => isRunBoth(event, there)))[0];
  const options = { phase: 'rejoin', why: `${primary} executes it` };
  return { steps: eventSteps(survey, changesTo('replica-side-disabled', events), options), warnings: [] };
}

/**
 * What is not as it should be on `node` while `primary` is the primary and `node` is that, or follows it: an event that both execute;
 * one that a change has left with nobody; one that somebody has disabled on the primary, which a replica cannot tell from one that
 * runs there, so that it is told. Nothing while nobody knows what either of the two has.
 */
export function eventRepairs(
  context: PlanContext,
  node: NodeId,
  primary: NodeId,
  isTaken: boolean,
): readonly EventChange[] {
  const { surveys, sources } = context;
  const [survey, source] = [surveys.get(node), surveys.get(primary)];
  if (survey?.events === undefined || source?.events === undefined) return [];
  if (survey.eventsLacking.length > 0) return [];
  if (node === primary) {
    const left = survey.events.filter(
      (event) => isLeft(context, survey, event) || (isTaken && isCeased(survey, event)),
    );
    return changesTo('enabled', split(left)[0]);
  }
  if (survey.channels.length !== 1 || sources.get(node) !== primary) return [];
  const there = new Map(source.events.map((event) => [keyOf(event), event]));
  const id = serverId(survey);
  const changes = split(survey.events)[0].flatMap((event): readonly EventChange[] => {
    const counterpart = there.get(keyOf(event));
    if (counterpart === undefined) return [];
    const isDouble =
      counterpart.status === 'enabled' ||
      (counterpart.status === 'replica-side-disabled' && counterpart.originator === id);
    if (event.status === 'enabled' && isDouble) return [{ event, to: 'replica-side-disabled' }];
    return event.status === 'replica-side-disabled' && counterpart.status === 'disabled'
      ? [{ event, to: 'disabled' }]
      : [];
  });
  return changes;
}

/** Whether a server has events that it executed once and does not any more, because that was said on itself. */
export function hasCeased(survey: NodeSurvey | undefined): boolean {
  return survey?.events?.some((event) => isCeased(survey, event)) === true;
}

const NOTHING: EventHandover = { before: [], after: [], warnings: [] };
/** Who puts right what a plan that knows too little leaves. */
const LATER = 'the elected process puts that right once it can read them (with `autoRejoin`)';

/** What is to be said where nobody knows which events the new primary has. */
function unreadHere(context: PlanContext, to: NodeId, source: EventSource): readonly string[] {
  const { from } = source;
  const old = context.surveys.get(from);
  if (old?.events !== undefined && runningOn(old, source).length === 0) return [];
  const remedy =
    old === undefined
      ? 'run `ALTER EVENT … ENABLE` there for those that shall, unless that one is back before'
      : LATER;
  return [
    `Which scheduled events ${to} has could not be read: this change has none of those of ${from} run there; ${remedy}`,
  ];
}

/**
 * `steps` on the new primary, but not before writes may flow: a backup keeps events from being altered, and the session that waits
 * for it is the one that would let them. In the phase in which the others are made to follow: after it nobody is held any more.
 */
function afterVotes(to: NodeId, steps: readonly PlanStep[]): readonly PlanStep[] {
  if (steps.length === 0) return steps;
  return [
    {
      id: `event-wait@${to}`,
      phase: 'repoint',
      action: 'wait-votes',
      node: to,
      why: 'writes flow while events are altered, which may wait for the lock of a backup',
      optional: true,
    },
    ...steps,
  ];
}

/** The events that `old` executes, or did before a change that was left unfinished. */
function runningOn(old: NodeSurvey, { unfinished = false }: EventSource): readonly ScheduledEvent[] {
  return (old.events ?? []).filter(
    (event) => event.status === 'enabled' || (unfinished && isCeased(old, event)),
  );
}

/** Those of `events`, which `next` has, that are to run there. */
function eventsToRun(
  { surveys, ran }: PlanContext,
  events: readonly ScheduledEvent[],
  source: EventSource,
): { readonly events: readonly ScheduledEvent[]; readonly isGuess: boolean } {
  const { from } = source;
  const idle = events.filter(({ status }) => status !== 'enabled');
  const old = surveys.get(from);
  if (old?.events !== undefined) {
    const running = new Set(runningOn(old, source).map(keyOf));
    return { events: idle.filter((event) => running.has(keyOf(event))), isGuess: false };
  }
  // What somebody has disabled on the primary replicas have as what runs there, until the elected process has told them.
  const seen = ran?.get(from);
  const known = new Map((seen ?? []).map((event) => [keyOf(event), event]));
  const running = idle.filter((event) => {
    const status = known.get(keyOf(event))?.status;
    return status === undefined ? event.status === 'replica-side-disabled' : status === 'enabled';
  });
  return { events: running, isGuess: seen === undefined };
}

/**
 * Whether nobody executes `event` because a change has taken it from a server and not given it to the primary: one that answers has
 * ceased to, or one that does not was last seen to execute it as the primary.
 */
function isLeft({ surveys, ran }: PlanContext, primary: NodeSurvey, event: ScheduledEvent): boolean {
  if (event.status !== 'replica-side-disabled') return false;
  const key = keyOf(event);
  const others = [...surveys.values()].filter(({ node }) => node !== primary.node);
  const found = others.flatMap((survey) => {
    const own = survey.events?.find((other) => keyOf(other) === key);
    return own === undefined ? [] : [{ survey, own }];
  });
  // Who executes it, or may, ceases first.
  if (others.some(({ events }) => events === undefined)) return false;
  if (found.some(({ own }) => own.status === 'enabled')) return false;
  if (found.some(({ survey, own }) => isCeased(survey, own))) return true;
  return [...(ran ?? [])].some(
    ([node, events]) =>
      node !== primary.node &&
      !surveys.has(node) &&
      events.some((other) => keyOf(other) === key && other.status === 'enabled'),
  );
}

function isCeased(survey: NodeSurvey, { status, originator }: ScheduledEvent): boolean {
  return status === 'replica-side-disabled' && originator === serverId(survey);
}

function isRunBoth(event: ScheduledEvent, there: ReadonlySet<string>): boolean {
  return event.status === 'enabled' && there.has(keyOf(event));
}

function changesTo(to: ScheduledEvent['status'], events: readonly ScheduledEvent[]): readonly EventChange[] {
  return events.map((event) => ({ event, to }));
}

function split(
  events: readonly ScheduledEvent[],
): readonly [readonly ScheduledEvent[], readonly ScheduledEvent[]] {
  return [events.filter(isNameable), events.filter((event) => !isNameable(event))];
}

function keyOf({ database, name }: ScheduledEvent): string {
  return `${database}\n${name}`;
}

function serverId(survey: NodeSurvey): number {
  return Number(survey.variables.get('server_id'));
}

function told(events: readonly ScheduledEvent[]): string {
  return `Scheduled events (${eventWords(events)})`;
}
