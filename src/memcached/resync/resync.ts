/**
 * Keeps the nodes complete: marks them when they are new, fills one that came back empty, mends one that missed writes. Every
 * process looks; on each node that needs work one is elected by a lease. Two that work at once do no harm.
 */
import { asError } from '../../common/as-error.js';
import { pause } from '../../common/backoff.js';
import { type CallOptions, Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { SafeEmitter } from '../../common/safe-emitter.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { MemcachedObservation } from '../memcached-monitor.js';
import type { MemcachedNode } from '../memcached-node.js';
import type { NodeAnswer } from '../node-observation.js';
import { assertMovable } from './assert-movable.js';
import { forgetNotes } from './forget-notes.js';
import { JobWaits } from './job-waits.js';
import { LossWatch } from './loss-watch.js';
import type { ResyncEvents } from './resync-events.js';
import type { JobDone, ResyncOptions } from './resync-options.js';
import {
  type NodeJob,
  type NodeView,
  planResync,
  planSkipped,
  type ResyncJob,
  spareMarkFor,
} from './resync-plan.js';
import { ResyncWorker } from './resync-worker.js';
import { RunningMoves } from './running-moves.js';

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

const LOOK_AGAIN_MS = 300;
/** While another process marks new nodes. */
const MARK_AGAIN_MS = 50;
const MARK_ROUNDS = 20;
/** How often a resync that was asked for mends a node that goes on to miss writes. */
const MEND_ROUNDS = 5;
/** What others should hold must not drive out what a node holds itself: above this part of its memory it takes none. */
const ROOMY = 0.7;
const UNREACHED = {
  reached: false,
  filled: false,
  items: 0,
  suspects: [],
  spareMark: undefined,
  roomy: false,
} as const;

/** See the head of this file. */
export class Resync extends SafeEmitter<ResyncEvents> {
  readonly #options: ResyncOptions;
  readonly #worker: ResyncWorker;
  readonly #stop = new AbortController();
  readonly #seen = new Map<NodeId, MemcachedObservation>();
  readonly #working = new Map<NodeId, Promise<JobDone | 'elsewhere'>>();
  readonly #waits = new JobWaits();
  readonly #moves = new RunningMoves();
  /** For whose copies a node had no room, as it was told last. */
  readonly #skipped = new Map<NodeId, string>();
  readonly #losses = new LossWatch();
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
    // A look may have been under way when its node was taken out.
    if (places.node(seen.node) === undefined) {
      this.forget(seen.node);
      return;
    }
    const before = this.#seen.get(seen.node);
    this.#seen.set(seen.node, seen);
    standings.learnAnswer(seen.node, seen.ok, performance.now());
    // What failed because the node was away is tried at once when it is back.
    if (!seen.ok) this.#waits.forget(seen.node);
    else {
      const { marker, suspects } = seen.answer;
      this.#losses.noted(seen.node, standings.suspectsOf(seen.node));
      standings.learnMarker(seen.node, marker);
      standings.learnSuspects(
        seen.node,
        new Set(suspects.keys()),
        places.nodes.map(({ id }) => id),
        seen.askedAt,
      );
      this.#watchMemory(seen.node, before?.ok === true ? before.answer : undefined, seen.answer);
    }
    this.#tellLosses();
    if (!this.#paused) this.#work();
  }

  /** Works from now on whenever a look asks for it. New nodes are marked before it resolves. Never rejects. */
  async start(): Promise<void> {
    this.#paused = false;
    for (const job of this.#plan(this.#views())) {
      if (job.kind === 'mark') await this.#markNew(job.nodes);
    }
    this.#work();
  }

  // Processes that are started together find new nodes together, and one of them marks them.
  async #markNew(nodes: readonly NodeId[]): Promise<void> {
    for (let round = 0; round < MARK_ROUNDS; round += 1) {
      await this.#worker.mark(nodes).catch(() => undefined);
      if (this.#views().every(({ filled }) => filled)) return;
      await pause(MARK_AGAIN_MS, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
    }
  }

  /**
   * Looks at all nodes now and brings every one that can be reached up to date; waits for it, also where another process is at it.
   *
   * @throws StormlampError `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async run(call: CallOptions = {}): Promise<readonly NodeResyncReport[]> {
    const { places } = this.#options;
    const deadline = Deadline.of(call);
    const reports = new Map<NodeId, NodeResyncReport>();
    const rounds = new Map<NodeId, number>();
    for (;;) {
      this.#checkOpen();
      await deadline.race('The resync', this.#lookAtAll());
      places.assertKept();
      const views = this.#views();
      const open = this.#plan(views).filter(
        (job) => job.kind === 'mark' || !isOver(reports.get(job.node), rounds.get(job.node) ?? 0),
      );
      if (open.length === 0)
        return places.nodes.map(({ id }) => reports.get(id) ?? this.#untouched(id, views));
      for (const job of open) if (job.kind === 'mend') rounds.set(job.node, (rounds.get(job.node) ?? 0) + 1);
      // What is under way goes on when the caller waits no more, as long as this process does.
      await deadline.race('The resync', Promise.all(open.map((job) => this.#runJob(job, reports))));
    }
  }

  /** Removes from a node that is to be one of ours what it says about items and about `others`; see {@link forgetNotes}. */
  async forgetNotes(node: MemcachedNode, others: readonly NodeId[], deadline: Deadline): Promise<void> {
    const { connect, operationTimeoutMs: timeoutMs } = this.#options;
    const { signal: given } = deadline;
    const signal = AbortSignal.any([this.#stop.signal, ...(given === undefined ? [] : [given])]);
    await deadline.race(
      'Looking at the new nodes',
      forgetNotes({ node, others, connect, signal, timeoutMs }),
    );
  }

  /** A node is no longer one of ours. */
  forget(node: NodeId): void {
    this.#seen.delete(node);
    this.#waits.forget(node);
    this.#losses.forget(node);
    this.#options.standings.forget(node);
  }

  /**
   * Brings to every node of the other list what it shall hold by that list, by whichever process is elected for it, and waits
   * for it: then that list may decide.
   *
   * @param take whether this process takes part, or only waits for others
   * @throws StormlampError `ERR_STORE_DOWN` when a node of the other list cannot be reached, or so many of the present one cannot that
   * sessions may be missing; what the work on a node came to; `ERR_TIMEOUT`, `ERR_ABORTED`.
   */
  async move(take: boolean, deadline: Deadline): Promise<void> {
    const unfilled = new Set<NodeId>();
    for (;;) {
      this.#checkOpen();
      await deadline.race('Moving sessions', this.#lookAtAll());
      const { places } = this.#options;
      const { other } = places;
      if (other === undefined) return;
      assertMovable(
        places,
        this.#seen,
        (node) => this.#options.standings.of(node),
        (node) => this.#isAway(node),
      );
      const fills = this.#plan(this.#views()).flatMap((job) => (job.kind === 'fill' ? [job] : []));
      const due = fills.filter(({ node, complete }) => complete || !unfilled.has(node));
      if (take && due.length > 0) {
        const done = await deadline.race(
          'Moving sessions',
          Promise.all(due.map((job) => this.#startJob(job))),
        );
        // What it still lacks, only nodes have that are given up, and that are to be taken out.
        for (const [index, { node, complete }] of due.entries())
          if (!complete && done[index] !== 'elsewhere') unfilled.add(node);
        if (done.includes('elsewhere')) await pause(LOOK_AGAIN_MS, this.#stop.signal);
        continue;
      }
      const marked = await Promise.all(other.nodes.map((node) => this.#worker.isMarked(node, other.ring)));
      const open = other.nodes.filter((_node, index) => marked[index] === false);
      if (open.length === 0) return;
      const lacking = fills.map(({ node }) => node);
      const move = (node: NodeId) => this.#startJob({ kind: 'move', node, unfilled: lacking });
      const done = await deadline.race(
        'Moving sessions',
        Promise.all(take ? open.map(({ id }) => move(id)) : []),
      );
      if (!take || done.includes('elsewhere')) await pause(LOOK_AGAIN_MS, this.#stop.signal);
    }
  }

  /** Gives up what is under way for the other list: it is not to decide. Never rejects. */
  async giveUpMoves(): Promise<void> {
    await this.#moves.giveUp();
  }

  /** Stops to work; what is under way is given up, and taken up again by another process. */
  async close(): Promise<void> {
    this.#paused = true;
    this.#stop.abort();
    await Promise.allSettled(this.#working.values());
  }

  async #runJob(job: ResyncJob, reports: Map<NodeId, NodeResyncReport>): Promise<void> {
    const { places } = this.#options;
    if (job.kind === 'mark') {
      await this.#worker.mark(job.nodes);
      // Another process may be at it.
      if (!this.#views().every(({ filled }) => filled)) await pause(MARK_AGAIN_MS, this.#stop.signal);
      return;
    }
    const { node } = job;
    // Its breaker lets nobody through before one more look went well.
    if (places.node(node)?.available === false) return await pause(LOOK_AGAIN_MS, this.#stop.signal);
    try {
      const done = await this.#startJob(job);
      if (done === 'elsewhere') return await pause(LOOK_AGAIN_MS, this.#stop.signal);
      const outcome = done.complete ? 'resynced' : 'incomplete';
      reports.set(node, { node, outcome, copied: done.copied, elapsedMs: done.elapsedMs, error: undefined });
      if (!done.complete && job.kind === 'mend') await pause(LOOK_AGAIN_MS, this.#stop.signal);
    } catch (error) {
      reports.set(node, { node, outcome: 'failed', copied: 0, elapsedMs: 0, error: asError(error) });
    }
  }

  // An old connection to a node that was just restarted fails; a new one tells how the node is.
  async #lookAtAll(): Promise<void> {
    const { monitor, places } = this.#options;
    const seen = await monitor.checkAll();
    await Promise.all(
      seen.map(async ({ ok, node: id }) => {
        const node = places.node(id);
        if (!ok && node !== undefined) await monitor.check(node);
      }),
    );
  }

  #work(): void {
    if (this.#stop.signal.aborted || !this.#options.places.nodes.every(({ id }) => this.#seen.has(id)))
      return;
    const views = this.#views();
    this.#tellSkipped(views);
    for (const job of this.#plan(views)) {
      if (job.kind === 'mark') void this.#worker.mark(job.nodes).catch(() => undefined);
      else if (this.#due(job)) void this.#startJob(job).catch(() => undefined);
    }
  }

  #due(job: NodeJob): boolean {
    if (this.#options.places.node(job.node)?.available !== true) return false;
    return this.#waits.isDue(job, this.#reached());
  }

  #startJob(job: NodeJob): Promise<JobDone | 'elsewhere'> {
    const running = this.#working.get(job.node);
    if (running !== undefined) return running;
    const views = this.#views();
    const begun =
      job.kind === 'move'
        ? this.#moves.run((givenUp) => this.#worker.run(job, views, givenUp))
        : this.#worker.run(job, views);
    const work = begun
      .then((done) => {
        if (done !== 'elsewhere' && !done.complete) this.#waits.incomplete(job, done, this.#reached());
        return done;
      })
      .catch((error: unknown) => {
        this.#waits.failed(job, error, this.#reached());
        if (!this.#stop.signal.aborted)
          this.publish('resync-failed', { node: job.node, error: asError(error) });
        throw error;
      })
      .finally(() => this.#working.delete(job.node));
    this.#working.set(job.node, work);
    return work;
  }

  #plan(views: readonly NodeView[]): readonly ResyncJob[] {
    const { places } = this.#options;
    if (places.replacement !== undefined) return [];
    const jobs = planResync(views, places.copies);
    // While nodes change, copies that seem to be in the wrong place are not.
    return places.other === undefined ? jobs : jobs.filter(({ kind }) => kind === 'fill' || kind === 'mend');
  }

  #views(): readonly NodeView[] {
    return this.#options.places.nodes.map(({ id }) => {
      const seen = this.#seen.get(id);
      if (seen?.ok !== true) return { node: id, ...UNREACHED, away: this.#isAway(id) };
      const { marker, memory, suspects, spareMark } = seen.answer;
      return {
        node: id,
        reached: true,
        // What is not in the list that decides need not hold anything yet, or any more.
        filled: marker !== undefined || !this.#options.places.isListed(id),
        items: memory.items,
        suspects: [...suspects.keys()],
        away: false,
        spareMark,
        roomy: memory.bytes < ROOMY * memory.limitBytes,
      };
    });
  }

  #isAway(node: NodeId): boolean {
    const { recopyAfterMs, standings } = this.#options;
    return recopyAfterMs > 0 && standings.silentMs(node, performance.now()) >= recopyAfterMs;
  }

  #tellLosses(): void {
    const { places } = this.#options;
    const views = this.#views().map((view) => {
      const seen = this.#seen.get(view.node);
      return { ...view, marker: seen?.ok === true ? seen.answer.marker : undefined };
    });
    const losses = this.#losses.look(views, places.copies, places.other !== undefined);
    for (const lost of losses) this.publish('sessions-lost', lost);
  }

  #tellSkipped(views: readonly NodeView[]): void {
    const { away, full } = planSkipped(views, this.#options.places.copies);
    for (const node of [...this.#skipped.keys()]) if (!full.includes(node)) this.#skipped.delete(node);
    for (const node of full) {
      const seen = this.#seen.get(node);
      if (seen?.ok !== true || this.#skipped.get(node) === spareMarkFor(away)) continue;
      this.#skipped.set(node, spareMarkFor(away));
      const { bytes, limitBytes } = seen.answer.memory;
      this.publish('recopy-skipped', { node, away, bytes, limitBytes });
    }
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

function isOver(report: NodeResyncReport | undefined, rounds: number): boolean {
  if (report?.outcome === 'incomplete') return rounds === 0 || rounds >= MEND_ROUNDS;
  return report?.outcome === 'failed';
}
