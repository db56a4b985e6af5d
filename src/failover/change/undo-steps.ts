/** Takes back what a plan has done before it failed. */
import type { NodeId } from '../../common/node-address.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { LockSession } from '../locks/lock-session.js';
import type { PlanStep } from '../plan/failover-plan.js';
import type { ExecutorOptions } from './executor-options.js';

/** How it is done. */
export interface UndoMeans {
  /** The session that holds the locks of a node; throws where there is none any more. */
  readonly session: (node: NodeId | null) => LockSession;
  /** Fills the places of a statement. */
  readonly fill: (sql: string) => string;
  readonly onStep: ExecutorOptions['onStep'];
  /** For one statement, milliseconds. */
  readonly timeoutMs: number;
}

/** Takes back `done`, the last one first; whether all of it was. Never rejects. */
export async function undoSteps(done: readonly PlanStep[], means: UndoMeans): Promise<boolean> {
  const { session, fill, onStep, timeoutMs } = means;
  let complete = true;
  for (const step of [...done].reverse()) {
    for (const sql of (step.undo ?? '').split('; ')) {
      const told = { ...step, id: `undo-${step.id}`, sql };
      try {
        await session(step.node).ask(fill(sql), timeoutMs);
        onStep(told, 'finished', '');
      } catch (error) {
        complete = false;
        onStep(told, 'failed', describeError(error));
      }
    }
  }
  return complete;
}
