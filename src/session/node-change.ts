/**
 * Changes the list of nodes while the store serves, step by step, each step in every process before any goes on to the next:
 * whoever is one step ahead or behind writes to the same nodes, and nobody decides by a copy that others do not write.
 */
import { type CallOptions, Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { invalidOption, readChoice, rejectUnknownOptions } from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { spareKey } from '../memcached/copies/copy-key.js';
import type { NodeList } from '../memcached/copies/copy-places.js';
import { type MissedCopy, storeDown } from '../memcached/copies/copy-report.js';
import { fillMarkerKey } from '../memcached/copies/fill-marker.js';
import { onAllCopies } from '../memcached/copies/on-all-copies.js';
import { listReplaced } from '../memcached/copies/replaced-list.js';
import type { ReplicatedCopies } from '../memcached/copies/replicated-copies.js';
import type { MemcachedObservation } from '../memcached/memcached-monitor.js';
import type { MemcachedNode } from '../memcached/memcached-node.js';
import type { Resync } from '../memcached/resync/resync.js';
import { ChangeNote } from './change-note.js';
import { ReplacedNote } from './replaced-note.js';
import { sessionPlacement, sessionRing } from './session-keys.js';
import type { SessionNodes } from './session-nodes.js';
import type { ResolvedSessionOptions } from './session-options.js';
import { resolvePlacement, resolveSessionNodes, withAddressMap } from './session-placement-options.js';

/**
 * `prepare`: the old list decides, and the nodes of the new one take every write, too. `switch`: the new list decides once its nodes
 * hold all that they shall hold, and the old ones take every write. `finish`: the new list is alone. `cancel`: back from `prepare`.
 */
export type NodeChangeStep = 'prepare' | 'switch' | 'finish' | 'cancel';

/** How the nodes are changed. */
export interface SetNodesOptions extends CallOptions {
  /** The step. */
  readonly step: NodeChangeStep;
  /** Weights of the new nodes, in their order, as in `placement.weights`; 1 each when left out. */
  readonly weights?: readonly number[];
  /** Where new nodes are reached from here, as the option of the same name. */
  readonly addressMap?: Readonly<Record<string, string>>;
}

/** How far a process has come in a change of nodes. */
export interface NodeChangeState {
  /** The step that it took last. */
  readonly step: 'prepare' | 'switch';
  /** The nodes that there shall be. */
  readonly nodes: readonly NodeId[];
}

/** What it works on. */
export interface NodeChangeOptions {
  /** The options of the store as they were given; how many copies there are stays. */
  readonly store: ResolvedSessionOptions;
  /** The nodes. */
  readonly nodes: SessionNodes;
  /** Their copies. */
  readonly copies: ReplicatedCopies;
  /** What fills them. */
  readonly resync: Resync;
}

type Phase =
  | { readonly kind: 'steady' }
  | { readonly kind: 'prepare' | 'switch'; readonly next: ResolvedSessionOptions };

/** So often it is tried to list a node's keys, which waits for others who do. */
const ATTEMPTS = 6;
const STEPS: readonly NodeChangeStep[] = ['prepare', 'switch', 'finish', 'cancel'];
/** The phase that a step begins in; the same step again changes nothing. */
const FROM = { prepare: 'steady', switch: 'prepare', finish: 'switch', cancel: 'prepare' } as const;

/** See the head of this file. */
export class NodeChange {
  readonly #options: NodeChangeOptions;
  readonly #note: ChangeNote;
  readonly #replaced: ReplacedNote;
  /** Nodes that were away when a change was finished, and on which is still to be said that what they hold by the old list is swept. */
  readonly #unswept = new Set<NodeId>();
  #current: ResolvedSessionOptions;
  #phase: Phase = { kind: 'steady' };
  #turn: Promise<unknown> = Promise.resolve();

  /** @param options the store's parts */
  constructor(options: NodeChangeOptions) {
    this.#options = options;
    this.#note = new ChangeNote(options.store);
    this.#replaced = new ReplacedNote(options.store);
    this.#current = options.store;
  }

  /** The store's options with the nodes of the list that decides. */
  get options(): ResolvedSessionOptions {
    return this.#current;
  }

  /** The change that is under way: the list that is to be, and the step that was taken last; undefined for none. */
  get underWay(): NodeChangeState | undefined {
    const phase = this.#phase;
    return phase.kind === 'steady'
      ? undefined
      : { step: phase.kind, nodes: phase.next.nodes.map(({ id }) => id) };
  }

  /** A node was looked at. */
  observed({ node: id, ok }: Pick<MemcachedObservation, 'node' | 'ok'>): void {
    if (!ok) return;
    this.#note.observed(id);
    this.#replaced.observed(id);
    const node = this.#options.copies.places.node(id);
    if (this.#unswept.delete(id) && node !== undefined) void this.#sweepLater([node]);
  }

  /** Takes a step, after those that were asked for before. */
  take(nodes: readonly string[], options: SetNodesOptions): Promise<void> {
    const step = this.#turn.then(() => this.#take(nodes, options));
    this.#turn = step.catch(() => undefined);
    return step;
  }

  async #take(nodes: readonly string[], options: SetNodesOptions): Promise<void> {
    rejectUnknownOptions('setNodes', options, ['step', 'weights', 'addressMap', 'timeoutMs', 'signal']);
    if (options?.step === undefined)
      throw invalidOption('setNodes.step', "'prepare', 'switch', 'finish' or 'cancel'", undefined);
    const step = readChoice('setNodes.step', options.step, STEPS, 'prepare');
    const next = this.#resolve(nodes, options);
    const phase = this.#phase;
    const same = phase.kind === 'steady' ? isSame(next, this.#current) : isSame(next, phase.next);
    if (same && phase.kind === (step === 'finish' || step === 'cancel' ? 'steady' : step)) return;
    if (phase.kind !== FROM[step] || same !== (phase.kind !== 'steady')) throw outOfTurn(step, next, phase);
    const { replacement } = this.#options.copies.places;
    // Only the change that the others made already can be made after them.
    if (replacement !== undefined && replacement.by !== sessionRing(next)) throw listReplaced(replacement);
    if (replacement !== undefined && step === 'cancel') throw listReplaced(replacement);
    const deadline = Deadline.of(options);
    if (step === 'prepare') await this.#prepare(next, deadline);
    else if (step === 'switch') await this.#switch(next, deadline);
    else if (step === 'finish') await this.#finish(next);
    else await this.#cancel(next);
  }

  async #prepare(next: ResolvedSessionOptions, deadline: Deadline): Promise<void> {
    const { nodes, copies } = this.#options;
    const added = next.nodes.filter(({ id }) => copies.places.node(id) === undefined);
    for (const seed of added) nodes.add(seed);
    const looks = Promise.all(nodes.some(added).map((node) => nodes.monitor.check(node)));
    const { list } = copies.places;
    const other = this.#listOf(next);
    try {
      const seen = await deadline.race('Looking at the new nodes', looks);
      assertReached(seen.flatMap((one) => (one.ok ? [] : [{ node: one.node, error: one.error }])));
      // Where that list decides already, what nodes say for it is believed by the others.
      if (copies.places.replacement === undefined) await this.#beginAnew(other, nodes.some(added), deadline);
    } catch (error) {
      nodes.remove(added);
      throw error;
    }
    await this.#note.keep([...new Set([...list.nodes, ...other.nodes])], other.ring);
    copies.places.relist(list, other, true);
    this.#phase = { kind: 'prepare', next };
  }

  // What nodes say for this list, and added ones about others, is of an earlier change. What others say who take part in this one already
  // stays: they may decide by it. What an added node noted for them may be known to it alone, when those that decide lost what they had.
  async #beginAnew(
    { nodes, ring }: NodeList,
    added: readonly MemcachedNode[],
    deadline: Deadline,
  ): Promise<void> {
    const { copies, resync, store } = this.#options;
    const present = copies.places.list.nodes;
    const others = [...present, ...nodes].map(({ id }) => id);
    const call = (): CallOptions => deadline.callWithin(store.operationTimeoutMs);
    for (let attempt = 1; ; attempt += 1) {
      if (await this.#note.isOn(present, ring, call())) return;
      const key = fillMarkerKey(ring);
      const missed: MissedCopy[] = [];
      await onAllCopies(nodes, missed, deadline, async (node) => {
        const mark = await node.peek(key, call());
        if (mark !== null) await node.delete(key, { ...call(), cas: mark.cas });
        if (added.includes(node) && !(await this.#note.isOn([node], ring, call())))
          await resync.forgetNotes(node, others, deadline);
      });
      // While somebody else lists its keys, as who takes the same step.
      const isBusy = missed.some(({ error }) => isStormlampError(error, ErrorCode.MEMCACHED));
      if (isBusy && attempt < ATTEMPTS) continue;
      assertReached(missed);
      return;
    }
  }

  async #switch(next: ResolvedSessionOptions, deadline: Deadline): Promise<void> {
    const { nodes, copies, resync, store } = this.#options;
    const { places } = copies;
    const list = this.#listOf(next);
    if (places.replacement === undefined) {
      await resync.move(store.resync, deadline);
      // It may have been replaced in an earlier change.
      await deadline.race('The new list', this.#replaced.takeBack(list.nodes, list.ring));
    }
    const markers = await Promise.all(
      list.nodes.map((node) =>
        node.peek(fillMarkerKey(list.ring), deadline.callWithin(store.operationTimeoutMs)),
      ),
    );
    places.relist(list, places.list);
    // What was known of the nodes was known by the old list.
    for (const node of places.nodes) nodes.standings.learnMarker(node.id, undefined);
    for (const [index, node] of list.nodes.entries())
      nodes.standings.learnMarker(node.id, markers[index]?.value.toString('latin1'));
    this.#phase = { kind: 'switch', next };
    this.#current = next;
    await nodes.monitor.checkAll();
  }

  async #finish(next: ResolvedSessionOptions): Promise<void> {
    const { places } = this.#options.copies;
    const { list, other } = places;
    places.relist(list);
    this.#phase = { kind: 'steady' };
    this.#current = next;
    if (other !== undefined) {
      // Before its marks are gone: by a list without any a process that does not know better fills the nodes.
      const nodes = [...new Set([...list.nodes, ...other.nodes])];
      const said = { ring: other.ring, by: list.ring, nodes: next.nodes.map(({ id }) => id) };
      await this.#replaced.tell(nodes, said);
      await Promise.all([this.#note.drop(), this.#unmark(other)]);
      await this.#sweepLater(list.nodes.filter((node) => other.nodes.includes(node)));
    }
    this.#drop((other?.nodes ?? []).filter((node) => !list.nodes.includes(node)));
  }

  async #cancel(next: ResolvedSessionOptions): Promise<void> {
    const { places } = this.#options.copies;
    const { list, other } = places;
    // What goes on copying could say of a node that it is complete after it is written to no more.
    await this.#options.resync.giveUpMoves();
    places.relist(list);
    this.#phase = { kind: 'steady' };
    // Nodes that were filled for the list that is not to be miss every write from now on.
    if (other !== undefined) await Promise.all([this.#note.drop(), this.#unmark(other)]);
    const kept = new Set(list.nodes.map(({ id }) => id));
    this.#drop(this.#options.nodes.some(next.nodes.filter(({ id }) => !kept.has(id))));
  }

  // What is on the nodes by the old list is swept, once they say that there is something.
  async #sweepLater(nodes: readonly MemcachedNode[]): Promise<void> {
    const { copies, store } = this.#options;
    const options = { timeoutMs: store.operationTimeoutMs, exptime: 0 };
    const told = nodes.map((node) =>
      node.set(spareKey(copies.places.ring), Buffer.from('moved'), options).catch(() => {
        this.#unswept.add(node.id);
      }),
    );
    await Promise.all(told);
  }

  // A marker that is left would be believed by whoever is started with its list. One that is away keeps it until a change to that list.
  async #unmark({ nodes, ring }: NodeList): Promise<void> {
    const call = { timeoutMs: this.#options.store.operationTimeoutMs };
    await Promise.allSettled(nodes.map((node) => node.delete(fillMarkerKey(ring), call)));
  }

  #drop(gone: readonly MemcachedNode[]): void {
    this.#options.nodes.remove(gone);
    for (const { id } of gone) this.#unswept.delete(id);
    for (const { id } of gone) this.#replaced.forget(id);
    for (const { id } of gone) this.#options.resync.forget(id);
  }

  #listOf(next: ResolvedSessionOptions): NodeList {
    return {
      nodes: this.#options.nodes.some(next.nodes),
      place: sessionPlacement(next),
      ring: sessionRing(next),
    };
  }

  #resolve(given: readonly string[], { weights, addressMap }: SetNodesOptions): ResolvedSessionOptions {
    const { handler, copies, placement } = this.#current;
    const nodes = withAddressMap(
      'setNodes.addressMap',
      resolveSessionNodes('nodes', given, handler),
      addressMap,
    );
    if (nodes.length < copies)
      throw invalidOption('nodes', `at least ${copies} nodes, for as many copies of each session`, given);
    const { weights: _old, ...rest } = placement;
    const weighted = weights === undefined ? rest : { ...rest, weights };
    return {
      ...this.#current,
      nodes,
      placement: resolvePlacement('setNodes', weighted, handler, nodes.length),
    };
  }
}

function assertReached(failures: readonly { readonly node: NodeId; readonly error: unknown }[]): void {
  if (failures.length > 0) throw storeDown(failures, 'A node of the new list cannot be reached');
}

function isSame(one: ResolvedSessionOptions, other: ResolvedSessionOptions): boolean {
  return sessionRing(one) === sessionRing(other);
}

function outOfTurn(step: NodeChangeStep, { nodes }: ResolvedSessionOptions, phase: Phase): StormlampError {
  const asked = nodes.map(({ id }) => id).join(', ');
  const state =
    phase.kind === 'steady'
      ? 'no change is under way, or these are the nodes already'
      : `the change to ${phase.next.nodes.map(({ id }) => id).join(', ')} is at step '${phase.kind}'`;
  return new StormlampError(
    ErrorCode.CHANGE_REFUSED,
    `The step '${step}' to the nodes ${asked} cannot be taken now: ${state}. The steps are 'prepare', 'switch' and 'finish', in this order, each in every process before the next`,
  );
}
