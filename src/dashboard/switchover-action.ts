/** A switchover on the page: its plan in words, made as it was confirmed, and what became of it. */
import type { AnyCluster } from '../cluster-readiness.js';
import { type Clock, systemClock } from '../common/clock.js';
import type { NodeId } from '../common/node-address.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { FailoverPlan } from '../failover/plan/failover-plan.js';

/** What the last change that was asked for on the page has come to. */
export interface PageChange {
  /** Whether it is under way, complete, or was given up. */
  readonly state: 'running' | 'done' | 'failed';
  /** The same in words. */
  readonly text: string;
}

/** For so long after its end a change is shown to pages, also to those that were opened since; the timeline keeps it, milliseconds. */
const SHOWN_MS = 60_000;

/** The switchovers of one cluster. */
export class SwitchoverAction {
  readonly #cluster: AnyCluster;
  readonly #clock: Clock;
  #last: PageChange | null = null;
  #endedAt = 0;

  /** Nothing is under way. */
  constructor(cluster: AnyCluster, clock: Clock = systemClock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  /** What the last one has come to; null when there was none, or it has been over for a minute. */
  get last(): PageChange | null {
    const isOver = this.#last !== null && this.#last.state !== 'running';
    return isOver && this.#clock.now() - this.#endedAt > SHOWN_MS ? null : this.#last;
  }

  /** The plan that makes `node` the primary. Rejects with why there is none. */
  plan(node: NodeId): Promise<FailoverPlan> {
    return this.#cluster.failover.plan('switchover', node);
  }

  /**
   * Makes what was confirmed, in the background; a cluster that would need other steps by now is left alone.
   *
   * @throws StormlampError `ERR_CHANGE_REFUSED` while another one is under way: nothing was done.
   */
  start(confirmed: FailoverPlan): void {
    const { from, to } = confirmed;
    if (this.#last?.state === 'running')
      throw new StormlampError(
        ErrorCode.CHANGE_REFUSED,
        'Another switchover of this page is under way. Nothing was done; look again when it is over.',
      );
    this.#last = { state: 'running', text: `Switching over from ${from} to ${to} …` };
    this.#make(confirmed).then(
      (change) => this.#ended(change),
      (error: unknown) => this.#ended({ state: 'failed', text: `No switchover: ${describeError(error)}` }),
    );
  }

  #ended(change: PageChange): void {
    this.#last = change;
    this.#endedAt = this.#clock.now();
  }

  async #make(confirmed: FailoverPlan): Promise<PageChange> {
    const { from, to } = confirmed;
    const present = await this.plan(to);
    if (outline(present) !== outline(confirmed))
      return { state: 'failed', text: 'No switchover: the cluster has changed since the plan. Look again.' };
    const result = await this.#cluster.failover.switchover({ to });
    if (result.ok)
      return {
        state: 'done',
        text: `Switched over from ${from} to ${to}: writes waited ${Math.round(result.writeGapMs)} ms.`,
      };
    return {
      state: 'failed',
      text: `The switchover was given up at ${result.at}: ${result.error.message}. The cluster is ${result.clusterState}.`,
    };
  }
}

/** The steps of a plan as the page shows them. */
export function planSteps(plan: FailoverPlan): readonly string[] {
  const steps = plan.steps.map(({ node, sql, action, why, pointOfNoReturn }) => {
    return `${node ?? 'all voters'}: ${sql ?? action} (${why})${pointOfNoReturn === true ? ' — no way back from here' : ''}`;
  });
  return [`Make ${plan.to} the primary instead of ${plan.from}; no acknowledged write is lost`, ...steps];
}

function outline({ kind, from, to, steps }: FailoverPlan): string {
  return JSON.stringify([kind, from, to, steps.map(({ id, node }) => [id, node])]);
}
