/** What a plan is carried out with, and how that may end. */
import type { NodeId } from '../../common/node-address.js';
import type { LockTarget } from '../locks/lock-session.js';
import type { StatementListener } from '../locks/statement-log.js';
import type { PlanStep } from '../plan/failover-plan.js';
import type { LeaseRules } from '../protocol/client-lease.js';
import type { PlanValues } from './plan-values.js';

/** What an executor works with. */
export interface ExecutorOptions {
  /** All voters. */
  readonly targets: readonly LockTarget[];
  /** The protocol's numbers. */
  readonly rules: LeaseRules;
  /** Seconds after which a server frees the locks of a silent process. */
  readonly waitTimeoutS: number;
  /** Values that steps may use from the beginning, such as passwords. */
  readonly values: Readonly<Record<string, string>>;
  /** Runs a hook; rejects when it vetoes. */
  readonly runHook: (name: string) => Promise<void>;
  /** Whether the plan would still be made, from a look at the servers of now; rejects when it would not. */
  readonly lookAgain: () => Promise<void>;
  /** Whether the reason of the change still holds, asked by the step of that id; rejects when it does not. */
  readonly confirm: (step: string) => Promise<void>;
  /** Told before and after every step; `error`: why it has failed. */
  readonly onStep: (
    step: PlanStep,
    phase: 'started' | 'finished' | 'failed',
    detail: string,
    error?: unknown,
  ) => void;
  /** Told, once or more, when a majority votes for the new primary. */
  readonly onMajority: () => void;
  /** Told about every statement. */
  readonly onStatement: StatementListener;
  /** Stops the plan before its point of no return. */
  readonly signal?: AbortSignal | undefined;
}

/** How a plan ended. */
export type ExecutionOutcome =
  | { readonly ok: true; readonly left: readonly NodeId[]; readonly values: PlanValues }
  | {
      readonly ok: false;
      /** The step that failed. */
      readonly step: string;
      readonly error: Error;
      /** `unchanged`: nothing was done yet. `undone`: all of it was taken back. `unfinished`: neither; repair is needed. */
      readonly clusterState: 'unchanged' | 'undone' | 'unfinished';
    };
