/**
 * One game with the copies: processes write, destroy and read sessions while links are cut and servers start anew, in any order of
 * all requests. Afterwards no acknowledged write is missing that survived on any server, and nothing that was destroyed can be read.
 */
import { expect } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import type { ChangeReport } from '../../../../src/memcached/copies/copy-answers.js';
import { tombKey } from '../../../../src/memcached/copies/copy-key.js';
import { fillMarkerKey } from '../../../../src/memcached/copies/fill-marker.js';
import type { MemcachedItem } from '../../../../src/memcached/memcached-node.js';
import { encode, isKept, ModelProcess, tags } from './model-process.js';
import { Chance, type ModelNode, ModelServer, Network } from './model-world.js';

/** What happens. */
export type Step =
  /**
   * `write`: a save that looks at the copies before it makes up its mind, and not again; `rush`: one whose lock was lost; `read-all`: all
   * sessions, together.
   */
  | {
      readonly do: 'save' | 'write' | 'rush' | 'read' | 'read-all' | 'touch';
      readonly process: number;
      readonly session: number;
    }
  | { readonly do: 'destroy'; readonly process: number; readonly session: number }
  | { readonly do: 'cut' | 'join'; readonly process: number; readonly server: number }
  | { readonly do: 'wipe'; readonly server: number }
  /** `step`: the process takes its next step of the change of nodes, when all have taken the one before. */
  | { readonly do: 'look' | 'resync' | 'step'; readonly process: number };

/** What happens at about the same time. */
export interface Round {
  /** What happens before anybody does anything. */
  readonly first: readonly Step[];
  /** What happens at the same time. */
  readonly together: readonly Step[];
  /** What happens in the middle of it. */
  readonly amid: readonly Step[];
}

const isFillMarker = (name: string): boolean => name.startsWith(fillMarkerKey(''));
const key = (session: number) => ({ key: `s.${session}`, place: `${session}` });

/** What really happened, to compare with. */
class Truth {
  readonly acknowledged = new Map<number, Set<string>>();
  readonly excused = new Set<string>();
  readonly destroyed = new Set<number>();
  /** Sessions that somebody wanted to destroy who cannot say whether he did. */
  readonly doubtful = new Set<number>();
  /** Destroyed sessions whose tombstones were wiped while a copy was left somewhere. */
  readonly undead = new Set<number>();
  readonly #servers: readonly ModelServer[];

  constructor(servers: readonly ModelServer[]) {
    this.#servers = servers;
  }

  isStored(session: number, tag: string): boolean {
    return this.#servers.some(({ items }) => isKept(tag, tags(items.get(key(session).key) ?? null)));
  }

  holdsAny(session: number): boolean {
    return this.#servers.some(({ items }) => items.has(key(session).key));
  }

  wiped(server: ModelServer): void {
    for (const [session, known] of this.acknowledged) {
      const others = this.#servers.filter((other) => other !== server);
      const left = others.flatMap((other) => tags(other.items.get(key(session).key) ?? null));
      for (const tag of known) if (!isKept(tag, left)) this.excused.add(tag);
      const buried = others.some((other) => other.items.has(tombKey(key(session).key)));
      if (!buried && server.items.has(tombKey(key(session).key))) this.undead.add(session);
    }
    server.wipe();
  }
}

/** How large a game is. */
export interface GameSize {
  readonly servers: number;
  readonly processes: number;
  readonly sessions: number;
  /** How many servers hold a session. Default 2. */
  readonly copies?: number;
  /**
   * Whether everybody goes on changing a variable of his own, of which two copies can hold different values. Then nobody is to write where
   * others do not see it while they do the same: one server starts anew, or one process cannot reach it.
   */
  readonly variables?: boolean;
  /**
   * Whether one server is away from everybody, and back, while another one starts anew; no other faults then, and none in the middle of
   * a round: a write that was under way when both happen can be on a spare server alone.
   */
  readonly dies?: boolean;
  /** The servers that are nodes before and after a change of nodes, and perhaps a change back; all of them always when left out. */
  readonly change?: {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly back?: boolean;
  };
}

/**
 * Plays a game; the same one with the same seed. Rejects when something was lost or is back.
 *
 * @param trace told of every request and of what happens, to see how a counterexample comes about
 */
export async function playGame(
  size: GameSize,
  rounds: readonly Round[],
  seed: number,
  trace?: (line: string) => void,
): Promise<void> {
  const chance = new Chance(seed);
  const network = new Network(chance);
  network.trace = trace;
  const servers = Array.from({ length: size.servers }, (_, index) => new ModelServer(`n${index}:11211`));
  const place = (text: string): readonly number[] =>
    servers.map((_server, index) => (Number(text) + index) % servers.length);
  const lists = size.change ?? { before: servers.map((_server, index) => index), after: undefined };
  const processes = Array.from(
    { length: size.processes },
    () => new ModelProcess(servers, network, lists, place, size.copies),
  );
  const truth = new Truth(servers);
  let count = 0;
  /** How often a connection was cut or came back. */
  let cuts = 0;
  /** Servers that started anew in this round. */
  const wiped = new Set<ModelServer>();
  const deadline = (): Deadline => Deadline.of(undefined);

  const save = async (
    who: ModelProcess,
    session: number,
    how: 'create' | 'save' | 'write' | 'rush' = 'save',
    turn = 0,
  ): Promise<void> => {
    count += 1;
    const tag = size.variables === true ? `${turn}=${count}` : `t${count}`;
    const locked = (work: () => Promise<ChangeReport | undefined>) =>
      how === 'rush' ? work() : who.locked(`${session}`, work);
    const report = await locked(async () => {
      const before = how === 'write' ? await who.copies.readToChange(key(session), deadline()) : undefined;
      // As long as it takes: others do what they want meanwhile.
      if (before !== undefined) await who.nodes[0]?.version().catch(() => undefined);
      return await who.copies.change(
        key(session),
        ({ item, rivals }) =>
          item === null && how !== 'create'
            ? undefined
            : { value: encode([tag, ...tags(item), ...rivals.flatMap(tags)]), exptime: 0 },
        deadline(),
        before?.seen,
      );
    });
    if (report === undefined || report.reached.length === 0) return;
    // Wiped after it was stored and before anybody was told.
    if (!truth.isStored(session, tag)) truth.excused.add(tag);
    const known = truth.acknowledged.get(session) ?? new Set();
    truth.acknowledged.set(session, known.add(tag));
    trace?.(`${processes.indexOf(who)} was told that ${tag} of session ${session} is stored`);
  };

  const readAll = async (who: ModelProcess): Promise<void> => {
    const sessions = Array.from({ length: size.sessions }, (_, session) => session);
    const all = who.copies.readMany(sessions.map(key), deadline());
    const item = async (session: number): Promise<MemcachedItem | null> => {
      const result = (await all)[session] as PromiseSettledResult<{ readonly item: MemcachedItem | null }>;
      if (result.status === 'rejected') throw result.reason;
      return result.value.item;
    };
    await Promise.all(sessions.map((session) => read(who, session, item)));
  };

  const read = async (
    who: ModelProcess,
    session: number,
    itemOf: (session: number) => Promise<MemcachedItem | null>,
  ): Promise<void> => {
    const wasDestroyed = truth.destroyed.has(session) && !truth.undead.has(session);
    // Whoever reaches none of the servers that know of it cannot know. Nor does he, before he looks again, when only spare servers
    // do: a healthy session is read from its holders, and who destroyed it reached none of them.
    const knows = (): boolean => {
      const holders = who.copies.holders(key(session)) as readonly ModelNode[];
      const plain = holders.every(({ id, link }) => link.up && who.standings.of(id) === 'filled');
      const tells = ({ link, server }: ModelNode): boolean =>
        link.up && server.items.has(tombKey(key(session).key));
      const silent = who.nodes.every(({ link }) => link.up) && !who.nodes.some(tells);
      return silent || (plain ? holders : who.nodes).some(tells);
    };
    const knew = knows();
    const before = cuts;
    const alive = (): boolean =>
      truth.holdsAny(session) && !truth.destroyed.has(session) && !truth.doubtful.has(session);
    const wasAlive = alive();
    // Servers that started anew in this round, or before and are not filled again.
    const blank = (): number =>
      servers.filter((server) => wiped.has(server) || ![...server.items.keys()].some(isFillMarker)).length;
    const wereBlank = blank();
    const item = await itemOf(session);
    // Who reaches nobody whose miss counts is told that nobody knows.
    // Who asks one server before it gets the session, and the other one after that lost everything, sees it nowhere.
    if (servers.length === 2 && wasAlive && alive() && Math.max(wereBlank, blank()) < 2)
      expect(item, `session ${session} is there and was read as none`).not.toBeNull();
    // Who is cut off meanwhile may have asked in vain, and know it again by the end.
    if (wasDestroyed && knew && knows() && before === cuts && !truth.undead.has(session))
      expect(item, `session ${session} was destroyed and could be read`).toBeNull();
  };

  const act = async (step: Step, turn: number): Promise<void> => {
    const who = processes['process' in step ? step.process % processes.length : 0] as ModelProcess;
    const session = 'session' in step ? step.session % size.sessions : 0;
    try {
      const itemOf = async (one: number) => (await who.copies.read(key(one), deadline())).item;
      if (step.do === 'save' || step.do === 'write' || step.do === 'rush')
        await save(who, session, step.do, turn);
      else if (step.do === 'touch')
        await who.copies.touch(key(session), 0, deadline(), turn % 2 === 0 ? 'one' : 'all');
      else if (step.do === 'read') await read(who, session, itemOf);
      else if (step.do === 'read-all') await readAll(who);
      else if (step.do === 'look') await who.lookAtAll();
      else if (step.do === 'resync') await who.resync();
      else if (step.do === 'step') {
        if (processes.every(({ steps }) => steps >= who.steps)) await who.step();
      } else if (step.do === 'destroy') {
        // Until it is known to be destroyed it may be so.
        const known = truth.destroyed.has(session);
        if (!known) truth.doubtful.add(session);
        const { reached } = await who.locked(`${session}`, () => who.copies.delete(key(session), deadline()));
        if (reached.length === 0) return;
        truth.destroyed.add(session);
        truth.doubtful.delete(session);
      }
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      trace?.(`${JSON.stringify(step)} failed: ${String(error)}`);
    }
  };

  // With three servers one kind of fault at a time: one server that starts anew, or one process that is cut off. With both the only
  // copy can be on a spare server that nobody has a reason to ask. Two servers go through anything.
  const one = chance.below(2) === 0 && size.dies !== true ? ['wipe'] : ['cut', 'join'];
  const anything = servers.length === 2 && size.variables !== true;
  const kinds = anything || size.dies === true ? ['wipe', 'cut', 'join'] : one;
  const fragile = chance.below(servers.length);
  const lonely = chance.below(processes.length);
  const happen = (step: Step): void => {
    if (!kinds.includes(step.do)) return;
    trace?.(`* ${JSON.stringify(step)}`);
    if (step.do === 'wipe') {
      const server = servers[anything ? step.server % 2 : fragile] as ModelServer;
      truth.wiped(server);
      wiped.add(server);
    }
    if (step.do === 'cut' || step.do === 'join') {
      const who = anything ? step.process % processes.length : lonely;
      const server = size.variables === true ? fragile : step.server % servers.length;
      const ways =
        size.dies === true
          ? processes.map(({ ways: all }) => all[(fragile + 1) % servers.length])
          : [processes[who]?.ways[server]];
      for (const way of ways) if (way !== undefined) way.link.up = step.do === 'join';
      cuts += 1;
    }
  };

  await network.drive(Promise.all(processes.map((one) => one.resync())));
  await network.drive(Promise.all(processes.map((one) => one.lookAtAll())));
  for (let session = 0; session < size.sessions; session += 1)
    await network.drive(save(processes[0] as ModelProcess, session, 'create'));

  for (const { first, together, amid } of rounds) {
    wiped.clear();
    for (const server of servers) server.settle();
    trace?.(`- ${JSON.stringify(together)}`);
    for (const step of first) happen(step);
    const left = [...amid];
    await network.drive(Promise.all(together.map(act)), () => {
      const next = chance.below(6) === 0 ? left.shift() : undefined;
      if (next !== undefined && size.dies !== true) happen(next);
    });
  }

  // Everything is reachable again, and comes to rest.
  for (const { ways } of processes) for (const { link } of ways) link.up = true;
  // Nobody is left who holds a lock: the others expire.
  for (const { items } of servers)
    for (const name of items.keys()) if (name.startsWith('s.lock.')) items.delete(name);
  for (let round = 0; round < 8; round += 1) {
    const work = Promise.all(processes.map((one) => one.resync()));
    await network.drive(work);
    if ((await work).every((jobs) => jobs === 0)) break;
  }
  await network.drive(Promise.all(processes.map((one) => one.lookAtAll())));
  for (const who of processes) {
    for (let session = 0; session < size.sessions; session += 1) {
      const work = who.copies.read(key(session), deadline());
      await network.drive(work);
      const { item, rivals } = await work;
      const found = [item, ...rivals].flatMap(tags);
      if (truth.destroyed.has(session)) {
        if (!truth.undead.has(session)) expect(item, `session ${session} was destroyed`).toBeNull();
      } else if (!truth.doubtful.has(session)) {
        const lost = [...(truth.acknowledged.get(session) ?? [])].filter(
          (tag) => !isKept(tag, found) && !truth.excused.has(tag),
        );
        expect(lost, `session ${session}: acknowledged, survived somewhere, and not found`).toEqual([]);
      }
    }
  }
}
