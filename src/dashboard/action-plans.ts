/** What the page can do to the cluster: first a plan in words, then, if it is confirmed, the plan. */
import { randomUUID } from 'node:crypto';
import type { AnyCluster } from '../cluster-readiness.js';
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type PageChange, planSteps, SwitchoverAction } from './switchover-action.js';

/** A plan as it is shown. */
export interface ActionPlan {
  /** Confirms exactly this plan. */
  readonly id: string;
  /** What is done, step by step. */
  readonly steps: readonly string[];
}

/** Plans that nobody confirmed within this time are forgotten, milliseconds. */
const PLAN_MS = 60_000;
/** How long a node is out, milliseconds; it comes back by itself when nobody lets it in. */
const OUT_MS = 600_000;
/** Plans that are kept. */
const MAX_PLANS = 20;

/** Makes and carries out plans for one cluster. */
export class ActionPlans {
  readonly #cluster: AnyCluster;
  readonly #plans = new Map<string, { readonly until: number; readonly run: () => void }>();
  readonly #carriedOut = new Set<string>();
  readonly #out = new Map<NodeId, { readonly until: number; readonly end: Disposable }>();
  readonly #switchover: SwitchoverAction;

  /** Makes an empty set. */
  constructor(cluster: AnyCluster) {
    this.#cluster = cluster;
    this.#switchover = new SwitchoverAction(cluster);
  }

  /** What the last switchover that was asked for here has come to; null when there was none. */
  get change(): PageChange | null {
    return this.#switchover.last;
  }

  /**
   * The plan of an action; undefined for an action or a node that there is not. Rejects with why a node cannot become the
   * primary.
   */
  async make(action: unknown, node: unknown): Promise<ActionPlan | undefined> {
    const known = this.#cluster.topology().nodes.find(({ id }) => id === node);
    if (known === undefined) return undefined;
    const { id } = known;
    if (action === 'isolate') {
      const steps = this.#isolationSteps(id);
      return this.#keep(steps, () => {
        this.#assertSame(id, steps, this.#isolationSteps(id));
        this.#isolate(id);
      });
    }
    if (action === 'release' && this.isOutHere(id)) {
      return this.#keep(
        [`Let calls of this process go to ${id} again, a tenth of its share at first`],
        () => {
          if (!this.isOutHere(id)) throw changed(`${id} is not out any more. Nothing was done.`);
          this.#release(id);
        },
      );
    }
    if (action === 'switchover' && this.#cluster.failover.state.mode !== 'follow') {
      const plan = await this.#switchover.plan(id);
      return this.#keep(planSteps(plan), () => this.#switchover.start(plan));
    }
    return undefined;
  }

  /**
   * Carries out a plan; false when it is not known, or too old.
   *
   * @throws StormlampError `ERR_CHANGE_REFUSED` when the node is another one by now than the plan says: nothing was done.
   */
  confirm(id: unknown): boolean {
    const plan = typeof id === 'string' ? this.#plans.get(id) : undefined;
    if (plan === undefined || performance.now() > plan.until) return false;
    this.#plans.delete(id as string);
    plan.run();
    const [oldest] = this.#carriedOut;
    if (this.#carriedOut.size >= MAX_PLANS && oldest !== undefined) this.#carriedOut.delete(oldest);
    this.#carriedOut.add(id as string);
    return true;
  }

  /** Whether a plan was carried out here, one of the last: a second click confirms it once more. */
  wasCarriedOut(id: unknown): boolean {
    return typeof id === 'string' && this.#carriedOut.has(id);
  }

  /** Whether `node` is out because this page took it out; somebody else's decision is not the page's to end. */
  isOutHere(node: NodeId): boolean {
    return (this.#out.get(node)?.until ?? 0) > performance.now();
  }

  /** Lets all nodes in again that were taken out here. */
  close(): void {
    for (const node of [...this.#out.keys()]) this.#release(node);
  }

  #keep(steps: readonly string[], run: () => void): ActionPlan {
    const id = randomUUID();
    const [oldest] = this.#plans.keys();
    if (this.#plans.size >= MAX_PLANS && oldest !== undefined) this.#plans.delete(oldest);
    this.#plans.set(id, { until: performance.now() + PLAN_MS, run });
    return { id, steps };
  }

  #isolationSteps(node: NodeId): readonly string[] {
    return [
      `Send no calls of this process to ${node}`,
      this.#isWriter(node)
        ? 'It is the primary: until it is let in, every write of this process fails'
        : 'It is not the primary: should it become that while it is out, every write of this process fails',
      'Let it in again after ten minutes, or when you say so',
    ];
  }

  #isWriter(node: NodeId): boolean {
    const { writer } = this.#cluster.topology();
    return writer.kind === 'primary' && writer.node === node;
  }

  /** Between a plan and its confirmation is a minute, and often the one in which the primary changes. */
  #assertSame(node: NodeId, planned: readonly string[], present: readonly string[]): void {
    if (planned.join('\n') === present.join('\n')) return;
    const role = this.#isWriter(node) ? 'is the primary by now' : 'is not the primary any more';
    throw changed(`${node} ${role}: the plan is another one. Nothing was done; look again.`);
  }

  #isolate(node: NodeId): void {
    this.#release(node);
    const end = this.#cluster.failover.isolate(node, { reason: 'taken out on the live page', ttlMs: OUT_MS });
    this.#out.set(node, { until: performance.now() + OUT_MS, end });
  }

  #release(node: NodeId): void {
    this.#out.get(node)?.end[Symbol.dispose]();
    this.#out.delete(node);
  }
}

/** The error of a plan that is another one by the time it is confirmed. */
function changed(message: string): StormlampError {
  return new StormlampError(ErrorCode.CHANGE_REFUSED, message);
}
