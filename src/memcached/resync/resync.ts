/**
 * Keeps the nodes complete: marks them when they are new, fills one that came back empty, mends one that missed writes. Every
 * process looks; on each node that needs work one is elected by a lease. Two that work at once do no harm.
 */
import { type CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedObservation } from '../memcached-monitor.js';
import type { NodeAnswer } from '../node-observation.js';
import type { ResyncEvents } from './resync-events.js';
import { type NodeJob, type NodeView, planResync, type ResyncJob } from './resync-plan.js';
import { type JobDone, type ResyncOptions, ResyncWorker } from './resync-worker.js';

/** What became of one node in a resync that was asked for. */
export interface NodeResyncReport {
  /** The node. */
  readonly node: NodeId;
  /** Whether it is complete now, was so before, or why it is not. */
  readonly outcome: 'resynced' | 'complete' | 'incomplete' | 'unreachable' | 'failed';
  /** Items that this process copied or mended. */
  readonly copied: number;
  /** How long this process worked on it, in milliseconds. */
  readonly elapsedMs: number;
  /** What went wrong. */
  readonly error: Error | undefined;
}

const LOOK_ELSEWHERE_MS = 300;
/** After a failure, and while a source is missing. */
const AGAIN_MS = 5_000;
const UNSUPPORTED_AGAIN_MS = 600_000;

/** See the head of this file. */
export class Resync extends SafeEmitter<ResyncEvents> {
  readonly #options: ResyncOptions;
  readonly #worker: ResyncWorker;
  readonly #stop = new AbortController();
  readonly #seen = new Map<NodeId, MemcachedObservation>();
  readonly #working = new Map<NodeId, Promise<JobDone | 'elsewhere'>>();
  readonly #notBefore = new Map<NodeId, { readonly at: number; readonly reached: string }>();
  #paused = true;

  /** Does nothing before `start`, or when it is asked for. */
  constructor(options: ResyncOptions) {
    super();
    this.#options = options;
    this.#worker = new ResyncWorker(options, this, this.#stop.signal);
  }

  /** Takes in what a look at a node found; the standings know it at once. */
  observed(seen: MemcachedObservation): void {
    const { standings, places } = this.#options;
    const before = this.#seen.get(seen.node);
    this.#seen.set(seen.node, seen);
    if (seen.ok) {
      const { marker, suspects } = seen.answer;
      standings.learnMarker(seen.node, marker);
      standings.learnSuspects(
        seen.node,
        new Set(suspects.keys()),
        places.nodes.map(({ id }) => id),
      );
      this.#watchMemory(seen.node, before?.ok === true ? before.answer : undefined, seen.answer);
    }
    if (!this.#paused) this.#work();
  }

  /** Works from now on whenever a look asks for it. New nodes are marked before it resolves. Never rejects. */
  async start(): Promise<void> {
    this.#paused = false;
    for (const job of planResync(this.#views())) {
      if (job.kind === 'mark') await this.#worker.mark(job.nodes).catch(() => undefined);
    }
    this.#work();
  }

  /**
   * Looks at all nodes now and brings every one that can be reached up to date; waits for it, also where another process is at it.
   *
   * @throws StormlampError `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async run(call: CallOptions = {}): Promise<readonly NodeResyncReport[]> {
    const { monitor, places } = this.#options;
    const deadline = Deadline.of(call);
    const reports = new Map<NodeId, NodeResyncReport>();
    for (;;) {
      this.#checkOpen();
      await deadline.race('The resync', monitor.checkAll());
      const views = this.#views();
      const open = planResync(views).filter(
        (job) => job.kind === 'mark' || !hasFailed(reports.get(job.node)),
      );
      if (open.length === 0)
        return places.nodes.map(({ id }) => reports.get(id) ?? this.#untouched(id, views));
      // What is under way goes on when the caller waits no more, as long as this process does.
      await deadline.race('The resync', Promise.all(open.map((job) => this.#runJob(job, reports))));
    }
  }

  /** Stops to work; what is under way is given up, and taken up again by another process. */
  async close(): Promise<void> {
    this.#paused = true;
    this.#stop.abort();
    await Promise.allSettled(this.#working.values());
  }

  async #runJob(job: ResyncJob, reports: Map<NodeId, NodeResyncReport>): Promise<void> {
    if (job.kind === 'mark') return await this.#worker.mark(job.nodes);
    const { node } = job;
    try {
      const done = await this.#startJob(job);
      if (done === 'elsewhere') {
        await new Promise((resolve) => setTimeout(resolve, LOOK_ELSEWHERE_MS).unref());
        return;
      }
      const outcome = done.complete ? 'resynced' : 'incomplete';
      reports.set(node, { node, outcome, copied: done.copied, elapsedMs: done.elapsedMs, error: undefined });
    } catch (error) {
      reports.set(node, { node, outcome: 'failed', copied: 0, elapsedMs: 0, error: asError(error) });
    }
  }

  #work(): void {
    if (this.#stop.signal.aborted || this.#seen.size < this.#options.places.nodes.length) return;
    for (const job of planResync(this.#views())) {
      if (job.kind === 'mark') void this.#worker.mark(job.nodes).catch(() => undefined);
      else if (this.#due(job)) void this.#startJob(job).catch(() => undefined);
    }
  }

  // What failed is not tried again at once, but as soon as another node can be reached.
  #due({ node }: NodeJob): boolean {
    const wait = this.#notBefore.get(node);
    return wait === undefined || performance.now() >= wait.at || wait.reached !== this.#reached();
  }

  #startJob(job: NodeJob): Promise<JobDone | 'elsewhere'> {
    const running = this.#working.get(job.node);
    if (running !== undefined) return running;
    const work = this.#worker
      .run(job, this.#views())
      .then((done) => {
        if (done !== 'elsewhere' && !done.complete) this.#later(job.node, AGAIN_MS);
        return done;
      })
      .catch((error: unknown) => {
        // A server that only speaks the binary protocol will not learn the other one.
        this.#later(
          job.node,
          isStormlampError(error, ErrorCode.UNSUPPORTED) ? UNSUPPORTED_AGAIN_MS : AGAIN_MS,
        );
        if (!this.#stop.signal.aborted)
          this.publish('resync-failed', { node: job.node, error: asError(error) });
        throw error;
      })
      .finally(() => this.#working.delete(job.node));
    this.#working.set(job.node, work);
    return work;
  }

  #views(): readonly NodeView[] {
    return this.#options.places.nodes.map(({ id }) => {
      const seen = this.#seen.get(id);
      if (seen?.ok !== true) return { node: id, reached: false, filled: false, items: 0, suspects: [] };
      const { marker, memory, suspects } = seen.answer;
      return {
        node: id,
        reached: true,
        filled: marker !== undefined,
        items: memory.items,
        suspects: [...suspects.keys()],
      };
    });
  }

  #watchMemory(node: NodeId, before: NodeAnswer | undefined, { memory }: NodeAnswer): void {
    if (before === undefined) return;
    const evictions = memory.evictions - before.memory.evictions;
    const refusals = memory.refusals - before.memory.refusals;
    if (evictions <= 0 && refusals <= 0) return;
    const { bytes, limitBytes } = memory;
    this.publish('memory-short', {
      node,
      evictions: Math.max(0, evictions),
      refusals: Math.max(0, refusals),
      bytes,
      limitBytes,
    });
  }

  #later(node: NodeId, ms: number): void {
    this.#notBefore.set(node, { at: performance.now() + ms, reached: this.#reached() });
  }

  #reached(): string {
    return [...this.#seen.values()].flatMap((seen) => (seen.ok ? [seen.node] : [])).join(' ');
  }

  #untouched(node: NodeId, views: readonly NodeView[]): NodeResyncReport {
    const seen = this.#seen.get(node);
    const filled = views.some((view) => view.node === node && view.filled);
    const outcome = seen?.ok !== true ? 'unreachable' : filled ? 'complete' : 'incomplete';
    const error = seen?.ok === false ? asError(seen.error) : undefined;
    return { node, outcome, copied: 0, elapsedMs: 0, error };
  }

  #checkOpen(): void {
    if (this.#stop.signal.aborted) throw new StormlampError(ErrorCode.ABORTED, 'The resync was aborted');
  }
}

function hasFailed(report: NodeResyncReport | undefined): boolean {
  return report?.outcome === 'failed' || report?.outcome === 'incomplete';
}

function asError(error: unknown): Error {
  return isStormlampError(error) || error instanceof Error ? error : new Error(describeError(error));
}
