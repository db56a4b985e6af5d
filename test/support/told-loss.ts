/** Whether what a failover lost is what its plan had said: counted, or within the time that the plan says nobody has seen. */
import type { ExpectedLoss } from '../../src/failover/plan/failover-plan.js';
import type { AppEvent, Operation } from './app-fleet.js';

/** What a plan said, and how long it took from there until the locks were held: leases may have been renewed meanwhile. */
export interface ToldLoss {
  readonly loss: ExpectedLoss;
  readonly lockedAfterMs: number;
}

/** What the failovers that were made said, in the order of their ends. */
export function toldLosses(events: readonly AppEvent[]): readonly ToldLoss[] {
  const plans = new Map<string, { readonly loss: ExpectedLoss; readonly at: number; readonly app: string }>();
  const told: ToldLoss[] = [];
  for (const { event, app, at, detail } of events) {
    const { opId, kind, loss } = (detail['plan'] ?? detail) as {
      opId?: string;
      kind?: string;
      loss?: ExpectedLoss;
    };
    if (opId === undefined || kind !== 'failover' || loss === undefined) continue;
    if (event === 'change-started') plans.set(opId, { loss, at, app });
    const plan = plans.get(opId);
    if (event !== 'change-done' || plan === undefined) continue;
    const locked = events.find(
      (each) =>
        each.event === 'step' &&
        each.app === plan.app &&
        each.at >= plan.at &&
        each.detail['id'] === 'lock-change' &&
        each.detail['phase'] === 'finished',
    );
    told.push({ loss, lockedAfterMs: (locked?.at ?? plan.at) - plan.at });
  }
  return told;
}

/** The lost writes that no plan had told of, in words; none when every plan was honest. */
export function untoldLosses(lost: readonly Operation[], told: readonly ToldLoss[]): readonly string[] {
  const counted = told.reduce((sum, { loss }) => sum + (loss.transactions ?? Number.POSITIVE_INFINITY), 0);
  const seen = lost.filter(({ began, ended = began }) => !told.some((each) => covers(each, began, ended)));
  if (seen.length <= counted) return [];
  const said = told
    .map(
      ({ loss }) =>
        `${loss.transactions} known lost (known: ${loss.known}), last seen ${loss.seenAt} and ${loss.unseenMs} ms on`,
    )
    .join('; ');
  const which = seen.map(({ id, began, ended }) => `${id} (${began} to ${ended})`).slice(0, 5);
  return [
    `${seen.length} lost writes of which no plan told: ${which.join(', ')}. Told: ${said || 'nothing'}`,
  ];
}

function covers({ loss, lockedAfterMs }: ToldLoss, began: number, ended: number): boolean {
  const { known, seenAt, unseenMs } = loss;
  return !known && seenAt !== null && ended >= seenAt && began <= seenAt + unseenMs + lockedAfterMs;
}
