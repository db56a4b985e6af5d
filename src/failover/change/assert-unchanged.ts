/** Whether a plan is still what would be planned: between a look and the locks somebody else may have made a change; pure. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { isEventStep } from '../plan/event-steps.js';
import type { FailoverPlan, PlanStep } from '../plan/failover-plan.js';

/**
 * That `again`, planned from a look that is younger than the locks, does to every node what `plan` does. A node that only one of
 * the two looks has found is no difference unless it is the primary before or after: its steps fail by themselves, and what is
 * left out is put right later.
 *
 * @throws StormlampError `ERR_CHANGE_REFUSED` naming what is different.
 */
export function assertUnchanged(plan: FailoverPlan, again: FailoverPlan): void {
  const was = `${plan.from ?? 'nobody'} to ${plan.to}, epoch ${plan.epoch}`;
  const is = `${again.from ?? 'nobody'} to ${again.to}, epoch ${again.epoch}`;
  if (was !== is) throw changed(`it would be from ${is} now, not from ${was}`);
  const before = stepsByNode(plan);
  const now = stepsByNode(again);
  for (const node of new Set([...before.keys(), ...now.keys()])) {
    const [mine, theirs] = [before.get(node), now.get(node)];
    const isKey = node === plan.from || node === plan.to;
    if (mine === theirs || ((mine === undefined || theirs === undefined) && !isKey)) continue;
    throw changed(`what has to be done on ${node} is different now`);
  }
  assertDefiners(plan, again);
  const [told, loses] = [plan.loss, again.loss];
  if ((loses.transactions ?? 0) > (told.transactions ?? 0) || (told.known && !loses.known))
    throw changed(`it would lose more than was told: ${loses.why}`);
}

/** That every event that is altered is altered in the name of who defines it now. */
function assertDefiners(plan: FailoverPlan, again: FailoverPlan): void {
  const altered = ({ steps }: FailoverPlan): ReadonlyMap<string, string> =>
    new Map(
      steps.filter(isEventStep).flatMap(({ node, sql = '' }) => {
        const [, definer, event] = /^ALTER DEFINER=(.*?) EVENT (.*)$/.exec(sql) ?? [];
        return definer === undefined ? [] : [[`${node} ${event}`, definer]];
      }),
    );
  const now = altered(again);
  for (const [event, definer] of altered(plan))
    if ((now.get(event) ?? definer) !== definer) throw changed(`${event} has another definer now`);
}

/**
 * The statements of each node, in order; the name of the plan, which is in some of them, left out. So are scheduled events, of which
 * the server itself drops those that are over.
 */
function stepsByNode({ steps, opId }: FailoverPlan): ReadonlyMap<string, string> {
  const byNode = new Map<string, string>();
  for (const { node, id, sql = '' } of steps.filter(isAboutNode).filter((step) => !isEventStep(step))) {
    byNode.set(node, `${byNode.get(node) ?? ''}${id} ${sql.replaceAll(opId, '')}\n`);
  }
  return byNode;
}

function isAboutNode(step: PlanStep): step is PlanStep & { readonly node: string } {
  return step.node !== null;
}

function changed(what: string): StormlampError {
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `The cluster is not any more as it was when this was planned: ${what}. Nothing was done; plan it again`,
  );
}
