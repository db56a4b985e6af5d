/** A process in a game: the copies, their standings, its resync, and its part in a change of nodes, over servers that live in memory. */
import { Deadline } from '../../../../src/common/deadline.js';
import { SafeEmitter } from '../../../../src/common/safe-emitter.js';
import { ErrorCode, StormlampError } from '../../../../src/common/stormlamp-error.js';
import { NodeStandings } from '../../../../src/memcached/copies/node-standings.js';
import { ReplicatedCopies } from '../../../../src/memcached/copies/replicated-copies.js';
import { takeOnNodes } from '../../../../src/memcached/copies/take-on-nodes.js';
import type { MemcachedMonitor } from '../../../../src/memcached/memcached-monitor.js';
import type { MemcachedItem, MemcachedNode } from '../../../../src/memcached/memcached-node.js';
import { askNode, type NodeAnswer, nodeMarks } from '../../../../src/memcached/node-observation.js';
import { forgetNotes } from '../../../../src/memcached/resync/forget-notes.js';
import { MendCopies } from '../../../../src/memcached/resync/mend-copies.js';
import type { Resync } from '../../../../src/memcached/resync/resync.js';
import type { ResyncEvents } from '../../../../src/memcached/resync/resync-events.js';
import { type NodeView, planResync } from '../../../../src/memcached/resync/resync-plan.js';
import { ResyncWorker } from '../../../../src/memcached/resync/resync-worker.js';
import { NodeChange } from '../../../../src/session/node-change.js';
import { sessionPlacement, sessionRing } from '../../../../src/session/session-keys.js';
import type { SessionNodes } from '../../../../src/session/session-nodes.js';
import { resolveSessionOptions } from '../../../../src/session/session-options.js';
import { ModelNode, type ModelServer, type Network } from './model-world.js';

/**
 * The content that says which writes went into it. A write is a name, which stays, or a variable and how often it was changed, as
 * `a=2`: of a variable that was changed before only the value that comes first is kept.
 */
export function encode(all: readonly string[]): Buffer {
  const variables = new Set<string>();
  const kept = [...new Set(all)].filter((tag) => {
    const [name = '', value] = tag.split('=');
    if (value === undefined) return true;
    if (variables.has(name)) return false;
    variables.add(name);
    return true;
  });
  return Buffer.from(JSON.stringify(kept.sort()));
}

/** Whether a write, or a later one of the same variable, is among those that went into a content. */
export function isKept(tag: string, all: readonly string[]): boolean {
  const [name, value] = tag.split('=');
  if (value === undefined) return all.includes(tag);
  return all.some((other) => {
    const [variable, count] = other.split('=');
    return variable === name && Number(count) >= Number(value);
  });
}

/** The writes that went into a content. */
export function tags(item: MemcachedItem | null): string[] {
  return item === null ? [] : (JSON.parse(item.value.toString()) as string[]);
}

/** Which servers are nodes, as their indexes. */
export interface NodeLists {
  /** At the beginning. */
  readonly before: readonly number[];
  /** After a change; undefined where the nodes stay. */
  readonly after: readonly number[] | undefined;
  /** Whether they are changed back after that. */
  readonly back?: boolean;
}

const STEPS = ['prepare', 'switch', 'finish'] as const;
/** So often a node may be worked on by somebody else. */
const PATIENCE = 50;

/** See the head of this file. */
export class ModelProcess {
  /** The ways to all servers. */
  readonly ways: readonly ModelNode[];
  /** The nodes by its present list, or lists. */
  nodes: readonly ModelNode[];
  /** Steps of the change that it took. */
  steps = 0;
  readonly standings = new NodeStandings();
  readonly copies: ReplicatedCopies;
  readonly #answers = new Map<string, NodeAnswer>();
  readonly #mending: MendCopies;
  readonly #worker: ResyncWorker;
  readonly #change: NodeChange;
  /** The list that each step is for. */
  readonly #lists: readonly (readonly string[])[];

  /** @param place where sessions are, in a game whose nodes stay; in others they are where a store has them */
  constructor(
    servers: readonly ModelServer[],
    network: Network,
    lists: NodeLists,
    place: (place: string) => readonly number[],
    copies = 2,
  ) {
    this.ways = servers.map((server) => new ModelNode(server, network));
    const named = (indexes: readonly number[]): string[] =>
      indexes.flatMap((index) => servers[index]?.id ?? []);
    const store = resolveSessionOptions({ nodes: named(lists.before), operationTimeoutMs: 1_000, copies });
    this.nodes = this.#named(store.nodes);
    const changes =
      lists.after === undefined ? [] : [lists.after, ...(lists.back === true ? [lists.before] : [])];
    this.#lists = changes.flatMap((list) => STEPS.map(() => named(list)));
    this.copies = new ReplicatedCopies({
      nodes: this.nodes,
      place: lists.after === undefined ? place : sessionPlacement(store),
      copies,
      ring: sessionRing(store),
      standings: this.standings,
      operationTimeoutMs: 1_000,
      noteLifetimeMs: 1_000_000,
      giveUpMs: Number.POSITIVE_INFINITY,
    });
    this.#mending = new MendCopies({
      copies: this.copies,
      locked: (key, _deadline, work) => this.locked(key.place, work),
      // Of items that are no sessions one counts.
      merge: (item, rivals) =>
        item.value[0] === 0x5b ? { value: encode([item, ...rivals].flatMap(tags)), flags: 0 } : item,
      exptimeOn: () => Promise.resolve(0),
      lookAgainMs: 0,
      timeoutMs: 0,
    });
    const monitor = { check: (node: ModelNode) => this.look(node) } as unknown as MemcachedMonitor;
    this.#worker = new ResyncWorker(
      {
        places: this.copies.places,
        standings: this.standings,
        monitor,
        placeOf: (key) => (/^s\.\d+$/.test(key) ? key.slice(2) : undefined),
        connect: async (id) => {
          const node = this.nodes.find((one) => one.id === id);
          await node?.version();
          return node?.text() as never;
        },
        mend: (key, call) => this.#mending.mend(key, call),
        itemsPerSecond: 0,
        recopyAfterMs: 0,
        operationTimeoutMs: 1_000,
        lookAgainMs: 0,
      },
      new SafeEmitter<ResyncEvents>(),
      new AbortController().signal,
    );
    this.#change = new NodeChange({
      store,
      copies: this.copies,
      nodes: this.#nodesForChange() as SessionNodes,
      resync: {
        move: () => this.#move(),
        forget: (id: string) => this.#forget(id),
        forgetNotes: (node: ModelNode, others: readonly string[]) =>
          forgetNotes({
            node,
            others,
            connect: async () => node.text(),
            signal: new AbortController().signal,
            timeoutMs: 1_000,
          }),
      } as unknown as Resync,
    });
  }

  /** Mends a session whose copies were seen to differ. */
  async mend(session: number): Promise<void> {
    await this.#mending.mend({ key: `s.${session}`, place: `${session}` }, {});
  }

  /** Takes its next step of the change; rejects when that cannot be taken. */
  async step(): Promise<void> {
    const at = this.steps;
    const step = STEPS[at % STEPS.length];
    const list = this.#lists[at];
    if (step === undefined || list === undefined) return;
    await this.#change.take(list, { step });
    this.steps = Math.max(this.steps, at + 1);
  }

  // What a change uses of a store's nodes.
  #nodesForChange(): Partial<SessionNodes> {
    const check = async (node: ModelNode) => {
      await this.look(node);
      return this.#answers.has(node.id)
        ? { node: node.id, ok: true }
        : { node: node.id, ok: false, error: new Error('cut') };
    };
    return {
      standings: this.standings,
      monitor: {
        check,
        checkAll: () => Promise.all(this.nodes.map(check)),
      } as unknown as MemcachedMonitor,
      some: (ids) => this.#named(ids),
      add: ({ id }) => {
        this.nodes = [...this.nodes, ...this.#named([{ id }])];
      },
      remove: (ids) => {
        this.nodes = this.nodes.filter((node) => !ids.some(({ id }) => id === node.id));
      },
    };
  }

  #named(ids: readonly { readonly id: string }[]): readonly ModelNode[] {
    return ids.flatMap(({ id }) => this.ways.filter((node) => node.id === id));
  }

  #forget(id: string): void {
    this.#answers.delete(id);
    this.standings.forget(id);
  }

  // As the store's own resync does it, without its clock.
  async #move(): Promise<void> {
    const { places } = this.copies;
    for (let attempt = 0; attempt < PATIENCE; attempt += 1) {
      await this.lookAtAll();
      const { other } = places;
      if (other === undefined) return;
      const isDown = ({ id }: { readonly id: string }): boolean => !this.#answers.has(id);
      if (other.nodes.some(isDown) || places.list.nodes.filter(isDown).length >= places.copies)
        throw new StormlampError(ErrorCode.STORE_DOWN, 'nodes are away');
      const isBehind = ({ id }: { readonly id: string }): boolean => this.standings.of(id) !== 'filled';
      if (places.list.nodes.some(isDown) && places.list.nodes.some((node) => !isDown(node) && isBehind(node)))
        throw new StormlampError(
          ErrorCode.STORE_DOWN,
          'a node missed or lost writes that one which is away may hold',
        );
      const views = this.#views();
      const fills = planResync(views, places.copies).flatMap((job) => (job.kind === 'fill' ? [job] : []));
      await Promise.all(fills.map((job) => this.#worker.run(job, views)));
      const marked = await Promise.all(other.nodes.map((node) => this.#worker.isMarked(node, other.ring)));
      const open = other.nodes.filter((_node, index) => marked[index] === false);
      if (open.length === 0) return;
      await Promise.all(
        open.map(({ id }) => this.#worker.run({ kind: 'move', node: id, unfilled: [] }, this.#views())),
      );
    }
    throw new StormlampError(ErrorCode.TIMEOUT, 'somebody else is at it all the time');
  }

  /** The session lock as it is in PHP, on every node where the store takes it. */
  async locked<T>(session: string, work: () => Promise<T>): Promise<T> {
    const lock = { key: `s.lock.${session}`, place: session };
    const deadline = Deadline.of(undefined);
    const held = new Map<string, ModelNode>();
    const take = async (node: MemcachedNode): Promise<ModelNode | undefined> =>
      (await node.add(lock.key, Buffer.from('1'), { exptime: 30 })).status === 'stored'
        ? (node as ModelNode)
        : undefined;
    try {
      for (let attempt = 0; attempt < 200; attempt += 1)
        if (await takeOnNodes(this.copies.places, { key: lock, held, take, every: true }, deadline))
          return await work();
    } finally {
      await Promise.all(Array.from(held.values(), (node) => node.delete(lock.key).catch(() => undefined)));
    }
    throw Object.assign(new Error('locked'), { code: 'ERR_SESSION_LOCKED' });
  }

  async look(node: ModelNode): Promise<void> {
    const others = this.nodes.filter((other) => other !== node).map(({ id }) => id);
    try {
      const answer = await askNode(node, nodeMarks(this.copies.places.ring), others, {});
      this.#answers.set(node.id, answer);
      this.copies.places.learnReplaced(node.id, answer.replaced);
      this.standings.learnMarker(node.id, answer.marker);
      this.standings.learnSuspects(
        node.id,
        new Set(answer.suspects.keys()),
        this.nodes.map(({ id }) => id),
      );
    } catch {
      this.#answers.delete(node.id);
    }
  }

  async lookAtAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.look(node)));
  }

  /** Does what there is to do; how many jobs there were. */
  async resync(): Promise<number> {
    await this.lookAtAll();
    const views = this.#views();
    const { places } = this.copies;
    if (places.replacement !== undefined) return 0;
    const planned = planResync(views, places.copies);
    const jobs =
      places.other === undefined ? planned : planned.filter(({ kind }) => kind === 'fill' || kind === 'mend');
    await Promise.allSettled(
      jobs.map((job) => (job.kind === 'mark' ? this.#worker.mark(job.nodes) : this.#worker.run(job, views))),
    );
    return jobs.length;
  }

  #views(): readonly NodeView[] {
    const { places } = this.copies;
    return this.nodes.map(({ id }) => {
      const answer = this.#answers.get(id);
      return {
        node: id,
        reached: answer !== undefined,
        filled: answer?.marker !== undefined || (answer !== undefined && !places.isListed(id)),
        items: answer?.memory.items ?? 0,
        suspects: [...(answer?.suspects.keys() ?? [])],
        away: answer === undefined,
        spareMark: answer?.spareMark,
        roomy: true,
      };
    });
  }
}
