/** Does the work that was planned for one node: under its lease fills it and marks it, or brings it the writes that it missed. */
import type { CallOptions } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { SafeEmitter } from '../../common/safe-emitter.js';
import { allowManyListeners } from '../../common/shared-signal.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { leaseKey, spareKey, suspectKey } from '../copies/copy-key.js';
import type { NodeList } from '../copies/copy-places.js';
import { meansUnreachable } from '../copies/copy-report.js';
import type { MemcachedNode } from '../memcached-node.js';
import { areFilled, isAnew, isFilled } from './asked-marks.js';
import { compareNode } from './compare-node.js';
import { fillNode } from './fill-node.js';
import { ItemRate } from './item-rate.js';
import { markFilled, markNewNodes, nodeWasLost } from './mark-filled.js';
import { mendNode } from './mend-node.js';
import { noteRepair } from './repair-notes.js';
import type { ResyncEvents } from './resync-events.js';
import { ResyncLease } from './resync-lease.js';
import type { JobDone, ResyncOptions } from './resync-options.js';
import {
  keepsForOthers,
  type NodeJob,
  type NodeView,
  sourcesAreWhole,
  sourcesFor,
  spareMarkFor,
} from './resync-plan.js';
import { sourcesByOrder } from './sources-by-order.js';
import { sweepNode } from './sweep-node.js';

type FillJob = Extract<NodeJob, { kind: 'fill' }>;
type MendJob = Extract<NodeJob, { kind: 'mend' }>;
type RecopyJob = Extract<NodeJob, { kind: 'recopy' }>;
type MoveJob = Extract<NodeJob, { kind: 'move' }>;

const PROGRESS_EVERY_MS = 500;

/** See the head of this file. */
export class ResyncWorker {
  readonly #options: ResyncOptions;
  readonly #events: SafeEmitter<ResyncEvents>;
  readonly #stop: AbortSignal;
  readonly #leases = new Map<NodeId, ResyncLease>();

  /** @param stop ends all work */
  constructor(options: ResyncOptions, events: SafeEmitter<ResyncEvents>, stop: AbortSignal) {
    this.#options = options;
    this.#events = events;
    this.#stop = stop;
  }

  /**
   * Does a job; `'elsewhere'` when another process is at it, or the node went away since it was looked at.
   *
   * @param givenUp ends it before it is done; what was copied by then stays
   */
  async run(job: NodeJob, views: readonly NodeView[], givenUp?: AbortSignal): Promise<JobDone | 'elsewhere'> {
    const node = this.#node(job.node);
    const list = this.#listOf(job);
    const ring = list?.ring;
    const begun = { kind: job.kind, copied: 0, skipped: 0, total: null, elapsedMs: 0 };
    const lease = await ResyncLease.take(node, this.#call(), begun).catch((error: unknown) => {
      if (meansUnreachable(error)) return undefined;
      throw error;
    });
    if (lease === undefined) return 'elsewhere';
    // What was seen when the job was planned is old: a node that was marked since is believed, and what is added to it
    // now could bring back what others have destroyed on every node that they saw filled.
    if (ring !== undefined && (await this.isMarked(node, ring))) {
      await lease.release();
      await this.#options.monitor.check(node);
      return { copied: 0, elapsedMs: 0, complete: true };
    }
    // What a node of the present list lost is not what it shall hold by the next one either: first it gets that back.
    if (job.kind === 'move' && !(await areFilled(this.#options.places.list, this.#call(), job.unfilled))) {
      await lease.release();
      return 'elsewhere';
    }
    if (
      job.kind === 'fill' &&
      ((await this.#comesLater(job, views)) || !(await this.#sourcesKept(job, views)))
    ) {
      await lease.release();
      return 'elsewhere';
    }
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#stop, stop.signal, ...(givenUp === undefined ? [] : [givenUp])]);
    allowManyListeners(signal);
    lease.keep(() => stop.abort(nodeWasLost(job.node)), this.#call());
    this.#leases.set(job.node, lease);
    const started = performance.now();
    this.#events.publish('resync-started', { node: job.node, kind: job.kind });
    try {
      const { copied, complete } = await this.#do(job, views, signal);
      // One that was restarted in the midst had nothing to give, and nobody would hear of what was lost.
      if (ring !== undefined && complete && !(await this.#sourcesKept(job, views))) return 'elsewhere';
      // By a list that was given up meanwhile nobody wrote there from then on, also where the same nodes are to be a list again.
      if (givenUp?.aborted === true || list !== this.#listOf(job)) return 'elsewhere';
      if (ring !== undefined && complete) {
        const anew =
          job.kind === 'move'
            ? job.unfilled.includes(job.node)
            : await isAnew(job.node, views, this.#options.places, this.#call());
        const marker = await markFilled({ node, lease }, ring, anew, this.#call());
        if (ring === this.#options.places.ring) this.#options.standings.learnMarker(node.id, marker);
      }
      const elapsedMs = performance.now() - started;
      if (complete) {
        this.#events.publish('resynced', { node: job.node, kind: job.kind, copied, elapsedMs });
        await noteRepair(node, { kind: job.kind, items: copied, elapsedMs }, this.#call());
      }
      return { copied, elapsedMs, complete };
    } catch (error) {
      if (givenUp?.aborted === true) return 'elsewhere';
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      this.#leases.delete(job.node);
      await lease.release();
      if (!this.#stop.aborted) await this.#options.monitor.check(node);
    }
  }

  async #do(
    job: NodeJob,
    views: readonly NodeView[],
    signal: AbortSignal,
  ): Promise<Pick<JobDone, 'copied' | 'complete'>> {
    if (job.kind === 'mend') return await this.#mend(job, signal);
    if (job.kind === 'fill') return { copied: await this.#fill(job, views, signal), complete: job.complete };
    if (job.kind === 'move') return { copied: await this.#move(job, views, signal), complete: true };
    const { places, placeOf, connect } = this.#options;
    const { ring } = places;
    const node = this.#node(job.node);
    if (job.kind === 'sweep') {
      // Whoever has to stand in for others again needs what he keeps.
      const isWhole = (): boolean =>
        places.nodes.every(({ id, available }) => available && this.#options.standings.of(id) === 'filled');
      // A sweep that is given up, or whose process dies, leaves a part of them: who is away again then is not stood in for.
      await this.#markSpare(job.node, 'begun');
      const swept = await sweepNode({ node: job.node, places, placeOf, connect, isWhole, signal });
      if (swept.complete) await node.delete(spareKey(ring), this.#call());
      return { copied: swept.removed, complete: swept.complete };
    }
    // It is said before it is so: what is left behind by a process that dies must be found.
    await this.#markSpare(job.node, 'begun');
    const copied = await this.#recopy(job, views, signal);
    await this.#markSpare(job.node, spareMarkFor(job.away));
    return { copied, complete: true };
  }

  async #markSpare(node: NodeId, mark: string): Promise<void> {
    const key = spareKey(this.#options.places.ring);
    await this.#node(node).set(key, Buffer.from(mark), { ...this.#call(), exptime: 0 });
  }

  // Of nodes that are filled from each other one comes after the other, and new ones are marked together.
  async #comesLater({ node, sources }: FillJob, views: readonly NodeView[]): Promise<boolean> {
    const before = views.filter((view) => !view.filled && view.node < node && sources.includes(view.node));
    const leases = before.map((view) => this.#node(view.node).peek(leaseKey(view.node), this.#call()));
    return (await Promise.all(leases.map((lease) => lease.catch(() => null)))).some(
      (lease) => lease !== null,
    );
  }

  // What was seen of a source when the work was planned is old, too: whether they all still say that they are filled.
  async #sourcesKept({ node: filling }: NodeJob, views: readonly NodeView[]): Promise<boolean> {
    const { places, monitor } = this.#options;
    const nodes = views.flatMap(({ node, reached, filled }) =>
      reached && filled && node !== filling && places.isListed(node) ? [this.#node(node)] : [],
    );
    const kept = await areFilled({ nodes, ring: places.ring }, this.#call());
    if (!kept) await Promise.all(nodes.map((node) => monitor.check(node)));
    return kept;
  }

  /** Marks nodes that are all new, when they still are. */
  async mark(nodes: readonly NodeId[]): Promise<void> {
    const all = nodes.map((id) => this.#node(id));
    try {
      await markNewNodes(all, this.#options.places.ring, this.#call());
    } finally {
      // Seen one by one, the first would look filled beside a second that is not, and the second would be filled for nothing.
      await Promise.all(all.map((node) => this.#options.monitor.check(node)));
    }
  }

  /** Whether a node says that it is filled for `ring`. */
  isMarked(node: MemcachedNode, ring: string): Promise<boolean> {
    return isFilled(node, ring, this.#call());
  }

  /** The list for which a job fills its node; undefined for other jobs. */
  #listOf({ kind }: NodeJob): NodeList | undefined {
    const { places } = this.#options;
    return kind === 'fill' ? places.list : kind === 'move' ? places.other : undefined;
  }

  async #fill(job: FillJob, all: readonly NodeView[], signal: AbortSignal): Promise<number> {
    const views = new Map(all.map((view) => [view.node, view]));
    const { away, node } = job;
    // What is kept for others is found when those are back.
    if (away.length > 0) await this.#markSpare(node, 'begun');
    const copied = await this.#copy(job, views, signal, {
      sourcesOf: this.#sourcesFor(
        node,
        views,
        (holders, spares) =>
          holders.includes(node) || (away.length > 0 && keepsForOthers(node, holders, spares, away)),
      ),
      passes: sourcesAreWhole(views, job.node) ? 1 : job.sources.length,
      resumable: true,
    });
    await this.#mendAll(all, signal);
    return copied;
  }

  // Where sources missed writes, what was copied from them is old: the hints tell, before anybody believes this node.
  async #mendAll(all: readonly NodeView[], signal: AbortSignal): Promise<void> {
    for (const { node, reached, suspects } of all) {
      if (reached && suspects.length > 0) await this.#mendNoted(this.#node(node), undefined, signal);
    }
  }

  // What is there already may be old, from before all processes wrote there: it is compared, and what is missing is added.
  async #move(job: MoveJob, all: readonly NodeView[], signal: AbortSignal): Promise<number> {
    const { places, placeOf, connect, mend, itemsPerSecond } = this.#options;
    const node = this.#node(job.node);
    const views = new Map(all.map((view) => [view.node, view]));
    // By the list that is to decide it holds them; the first one by the list that decides now is what counts.
    const sourcesOf = sourcesByOrder(places, (place) => {
      const key = { key: '', place };
      const [first, ...others] = places.holders(key);
      if (first === node || !places.otherHolders(key).includes(node)) return [];
      const holders = [first, ...others].flatMap((one) => one?.id ?? []);
      return sourcesFor(holders, [], views, job.node);
    });
    const rate = new ItemRate(itemsPerSecond);
    await compareNode({
      node,
      sourceOf: (place) => sourcesOf(place)[0],
      placeOf,
      connect,
      mend,
      rate,
      signal,
    });
    const sources = all.flatMap((view) => (view.reached && view.node !== job.node ? [view.node] : []));
    const copied = await this.#copy({ ...job, sources }, views, signal, {
      sourcesOf,
      passes: sourcesAreWhole(views, job.node) ? 1 : places.copies,
      resumable: true,
    });
    await this.#mendAll(all, signal);
    return copied;
  }

  #recopy(job: RecopyJob, all: readonly NodeView[], signal: AbortSignal): Promise<number> {
    const views = new Map(all.map((view) => [view.node, view]));
    return this.#copy(job, views, signal, {
      sourcesOf: this.#sourcesFor(job.node, views, (holders, spares) =>
        keepsForOthers(job.node, holders, spares, job.away),
      ),
      passes: 1,
      resumable: false,
    });
  }

  async #copy(
    job: FillJob | RecopyJob | (MoveJob & Pick<FillJob, 'sources'>),
    views: ReadonlyMap<NodeId, NodeView>,
    signal: AbortSignal,
    what: {
      /** The nodes that the item at a place is taken from, the best first; none when the node shall not get it. */
      readonly sourcesOf: (place: string) => readonly NodeId[];
      readonly passes: number;
      /** Whether what it holds already may be a part of what it shall get. */
      readonly resumable: boolean;
    },
  ): Promise<number> {
    const { placeOf, connect, itemsPerSecond, lookAgainMs } = this.#options;
    const total = job.sources.reduce((sum, node) => sum + (views.get(node)?.items ?? 0), 0);
    const started = performance.now();
    const progress = { copied: 0, skipped: 0 };
    const tell = (): void => {
      const elapsedMs = performance.now() - started;
      this.#events.publish('resync-progress', { node: job.node, ...progress, total, elapsedMs });
      this.#leases.get(job.node)?.tell({ kind: job.kind, ...progress, total, elapsedMs });
    };
    const timer = setInterval(tell, PROGRESS_EVERY_MS);
    try {
      await fillNode({
        node: job.node,
        sources: job.sources,
        placeOf,
        sourcesOf: what.sourcesOf,
        passes: what.passes,
        connect,
        rate: new ItemRate(itemsPerSecond),
        resumed: what.resumable && (views.get(job.node)?.items ?? 0) * 20 > total,
        ...(lookAgainMs === undefined ? {} : { lookAgainMs }),
        isHeld: () => this.#leases.get(job.node)?.isHeld === true,
        signal,
        onBatch: (copied, skipped) => {
          progress.copied += copied;
          progress.skipped += skipped;
        },
      });
    } finally {
      clearInterval(timer);
      tell();
    }
    return progress.copied;
  }

  /** @param wanted whether the node shall get an item, by the nodes that hold it and those that may take it, in placement order */
  #sourcesFor(
    node: NodeId,
    views: ReadonlyMap<NodeId, NodeView>,
    wanted: (holders: readonly NodeId[], spares: readonly NodeId[]) => boolean,
  ): (place: string) => readonly NodeId[] {
    const { places } = this.#options;
    return sourcesByOrder(places, (place) => {
      const key = { key: '', place };
      const holders = places.holders(key).map(({ id }) => id);
      const spares = [...places.joint(key), ...places.spares(key)].map(({ id }) => id);
      return wanted(holders, spares) ? sourcesFor(holders, spares, views, node) : [];
    });
  }

  /** @returns `complete` is false when writes went on to miss the node */
  async #mend(job: MendJob, signal: AbortSignal): Promise<Pick<JobDone, 'copied' | 'complete'>> {
    let copied = 0;
    let complete = true;
    for (const id of job.reporters) {
      const reporter = this.#node(id);
      const noted = await reporter.get(suspectKey(job.node), this.#call());
      copied += await this.#mendNoted(reporter, this.#node(job.node), signal);
      // Noted anew meanwhile: somebody still cannot reach the node, or has just missed a write that this walk has not met.
      if (noted !== null) {
        const call = { ...this.#call(), cas: noted.cas };
        if ((await reporter.delete(suspectKey(job.node), call)) === 'exists') complete = false;
      }
      await this.#options.monitor.check(reporter);
    }
    return { copied, complete };
  }

  async #mendNoted(
    reporter: MemcachedNode,
    node: MemcachedNode | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const { connect, mend, itemsPerSecond } = this.#options;
    const rate = new ItemRate(itemsPerSecond);
    const { mended, error } = await mendNode({ node, reporter, connect, mend, rate, signal });
    if (error !== undefined) throw error;
    return mended;
  }

  #node(id: NodeId): MemcachedNode {
    const node = this.#options.places.node(id);
    if (node === undefined) throw new StormlampError(ErrorCode.INVALID_OPTION, `There is no node ${id}`);
    return node;
  }

  #call(): CallOptions {
    return { timeoutMs: this.#options.operationTimeoutMs };
  }
}
