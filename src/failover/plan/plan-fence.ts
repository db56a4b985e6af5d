/** Puts the self-fence event where it has to be, and tells a primary that has fenced itself; pure. */
import type { NodeId } from '../../common/node-address.js';
import { lockName } from '../protocol/lock-name.js';
import { majorityOf } from '../protocol/majority.js';
import { createFence, DROP_FENCE, fenceComment, TICK_S } from '../self-fence/fence-event.js';
import { isOn } from '../survey/node-survey.js';
import type { FailoverPlan } from './failover-plan.js';
import { lockStep, lockSteps, type PlanContext } from './plan-context.js';
import { rejoinOf } from './plan-repair.js';
import { statementsOf } from './statement-steps.js';

/**
 * Makes the event on the first node that `mayBe` and lacks it or has another one, or takes it away where it is not wanted any more; undefined
 * when all is as it should be. Nothing of it is logged: what replicates would not be executed by a replica.
 */
export function planFence(
  context: PlanContext,
  primary: NodeId,
  mayBe: (node: NodeId) => boolean,
): FailoverPlan | undefined {
  const { cluster, selfFenceMs = 0 } = context;
  const wanted = selfFenceMs === 0 ? undefined : fenceComment(cluster, selfFenceMs);
  const surveys = [...context.surveys.values()];
  // Nobody guards the primary any more: it closes soon.
  if (wanted === undefined) surveys.sort((a, b) => Number(b.node === primary) - Number(a.node === primary));
  for (const { node, version, variables } of surveys) {
    const state = context.fences?.get(node);
    if (state === undefined || !state.hasHome || !mayBe(node)) continue;
    if (wanted === undefined ? !state.exists : state.comment === wanted) continue;
    const step = statementsOf('self-fence', node);
    const isShut = version.flavor === 'mysql' && isOn(variables.get('super_read_only'));
    const [open, shut] = ['SET GLOBAL super_read_only=0', 'SET GLOBAL super_read_only=1'];
    return rejoinOf(context, node, primary, [
      ...lockSteps('nobody else changes this node'),
      ...(isShut ? [step('open-for-event', open, 'ordinary users still cannot write', { undo: shut })] : []),
      ...(node === primary && state.exists
        ? [
            step(
              'guard',
              `DO GET_LOCK('${lockName(cluster, 'guard')}', 0)`,
              'its event does not close it from now on',
            ),
            step('last-look', `DO SLEEP(${2 * TICK_S})`, 'a look of the event that has begun is over'),
            step(
              'still-open',
              'SELECT @@GLOBAL.read_only AS read_only',
              'without the event it would stay closed',
              {
                expect: '0',
              },
            ),
          ]
        : []),
      step('unlogged', 'SET SESSION sql_log_bin=0', 'every node has an event of its own'),
      step('drop-self-fence', DROP_FENCE, 'one of other numbers, or none'),
      ...(wanted === undefined
        ? []
        : [
            step(
              'make-self-fence',
              createFence(version.flavor, cluster, selfFenceMs),
              'as the primary it stops taking writes when no manager sees a majority for it',
            ),
          ]),
      ...(isShut ? [step('shut-after-event', shut, 'as it was')] : []),
      lockStep('release', 'release', 'release', 'nothing else is changed'),
    ]);
  }
  return undefined;
}

/** Whether a plan only puts the event in its place. */
export function isFencePlan({ steps }: FailoverPlan): boolean {
  return steps.some(({ phase }) => phase === 'self-fence');
}

/**
 * The primary that its event has made refuse writes, and that everybody who answers still votes for; undefined when there is none.
 * `votes`: the node that each other voter votes for, null for none; only those that answer.
 */
export function fencedPrimary(
  { surveys, fences, epochs, rules }: PlanContext,
  votes: ReadonlyMap<NodeId, NodeId | null>,
): NodeId | undefined {
  // A former primary that was left as it is may have fenced itself, too.
  const fenced = [...surveys.values()].filter(
    ({ node, channels, readOnly }) => channels.length === 0 && readOnly && fences?.get(node)?.fenced === true,
  );
  const given = [...votes].flatMap(([voter, vote]) => (vote === null || voter === vote ? [] : [vote]));
  const node = fenced.find((each) => given.includes(each.node))?.node;
  if (node === undefined || given.some((vote) => vote !== node)) return undefined;
  if (given.length + 1 < majorityOf(rules.voters)) return undefined;
  // Whoever took over from it has a later one.
  return (epochs.get(node) ?? 0) >= Math.max(0, ...epochs.values()) ? node : undefined;
}
