/** A cluster with application processes for one scenario of the fault list, and what every scenario looks at in the end. */
import type { FailoverOptions } from '../../src/failover/failover-options.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import {
  type LocalCluster,
  type LocalClusterOptions,
  type LocalDatabaseNode,
  startLocalCluster,
} from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import {
  type App,
  type AppEvent,
  AppFleet,
  type AppOptions,
  type EndPoint,
  now,
  type ReaderCounts,
  type Verdict,
} from './app-fleet.js';
import { writableNodes } from './crash-at-step.js';
import { PrivateNetwork } from './private-network.js';
import { wrongReads } from './read-verdict.js';
import { relayLogSins } from './relay-log-sins.js';
import { askInOldWords } from './replication-words.js';
import { toldLosses, untoldLosses } from './told-loss.js';
import { WritableWatch } from './writable-watch.js';

/** How a world is made. */
export interface WorldOptions {
  readonly flavor?: 'mariadb' | 'mysql';
  readonly versions?: LocalClusterOptions['versions'];
  readonly replicas?: number;
  readonly serverArgs?: readonly string[];
  readonly failover?: FailoverOptions;
  readonly semiSync?: boolean;
  /** Writers of each process. */
  readonly writers?: number;
  /** Readers of each process that writes. Default: one of each kind. */
  readonly readers?: Partial<ReaderCounts>;
  /** Pause of a writer after every write, milliseconds. */
  readonly pauseMs?: number;
  /** The names of the processes. */
  readonly processes?: readonly string[];
  /** Changes the servers before anybody writes. */
  readonly prepare?: (servers: LocalCluster) => Promise<void>;
  /** How many servers only vote. */
  readonly witnesses?: number;
  /** Whether each process has a network of its own, whose links can be cut. */
  readonly separate?: boolean;
  /** Whether one of the processes is waited for that acts by itself. Default true. */
  readonly elects?: boolean;
  /** What the hooks of all processes answer. */
  readonly hooks?: AppOptions['hooks'];
}

/** Servers, processes that write, and one of them elected. */
export class World implements AsyncDisposable {
  /** Which servers it has. */
  readonly name: string;
  readonly servers: LocalCluster;
  readonly fleet: AppFleet;
  readonly first: LocalDatabaseNode;
  readonly #witnesses: readonly LocalCluster[];
  readonly #options: WorldOptions;
  readonly #watch: WritableWatch;
  readonly #networks = new Map<string, PrivateNetwork>();
  #verdict: Verdict | undefined;

  private constructor(
    servers: LocalCluster,
    fleet: AppFleet,
    witnesses: readonly LocalCluster[],
    watch: WritableWatch,
    version: string,
    options: WorldOptions,
  ) {
    this.servers = servers;
    this.fleet = fleet;
    this.first = servers.primary;
    this.#witnesses = witnesses;
    this.#watch = watch;
    const voters = witnesses.length === 0 ? '' : `, and ${witnesses.length} that only vote`;
    this.name = `${version}, ${servers.databases.length} nodes${voters}`;
    this.#options = options;
  }

  /** What came of all writes, once that was asked. */
  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  /** The servers that only vote. */
  get witnesses(): readonly LocalDatabaseNode[] {
    return this.#witnesses.map(({ primary }) => primary);
  }

  /** The network of a process that has one of its own. */
  network(name: string): PrivateNetwork {
    const network = this.#networks.get(name);
    if (network === undefined) throw new Error(`${name} has no network of its own`);
    return network;
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const {
      flavor = 'mariadb',
      versions,
      replicas = 2,
      serverArgs = [],
      semiSync = false,
      writers = 2,
      processes = ['a', 'b'],
      witnesses: voters = 0,
      elects = true,
    } = options;
    const [source, replica] = flavor === 'mysql' ? ['source', 'replica'] : ['master', 'slave'];
    const semiSyncArgs = [
      ...(flavor === 'mysql'
        ? ['--plugin-load-add=semisync_source.so', '--plugin-load-add=semisync_replica.so']
        : []),
      `--loose-rpl-semi-sync-${replica}-enabled=1`,
      `--loose-rpl-semi-sync-${source}-wait-point=AFTER_SYNC`,
      `--loose-rpl-semi-sync-${source}-timeout=600000`,
    ];
    const mysql = semiSync ? [...serverArgs, ...semiSyncArgs] : serverArgs;
    const servers = await startLocalCluster({
      php: false,
      memcached: 0,
      flavor,
      ...(versions === undefined ? {} : { versions }),
      replicas,
      serverArgs: { mysql },
    });
    const witnesses: LocalCluster[] = [];
    let watch: WritableWatch | undefined;
    let fleet: AppFleet | undefined;
    try {
      for (let index = 0; index < voters; index += 1)
        witnesses.push(await startLocalCluster({ php: false, memcached: 0, replicas: 0, flavor }));
      await options.prepare?.(servers);
      fleet = await AppFleet.open(servers);
      if (semiSync) await servers.primary.query(`SET GLOBAL rpl_semi_sync_${source}_enabled=1`);
      watch = await WritableWatch.open(servers);
      const [{ version } = { version: '' }] = await servers.primary.query<{ version: string }>(
        "SELECT SUBSTRING_INDEX(VERSION(), '-', 1) AS version",
      );
      const server = `${flavor === 'mysql' ? 'MySQL' : 'MariaDB'} ${version}`;
      const world = new World(servers, fleet, witnesses, watch, server, options);
      for (const name of processes) await world.app(name, writers);
      await eventually(
        'somebody is elected, and everybody writes',
        () =>
          (!elects || world.event('leadership-changed', 0) !== undefined) && world.acknowledgedAfter(0) > 30,
        90_000,
      );
      return world;
    } catch (error) {
      await watch?.close();
      await fleet?.close();
      await Promise.all([servers, ...witnesses].map((cluster) => cluster.close()));
      throw error;
    }
  }

  /** Starts one more process. */
  async app(
    name: string,
    writers: number,
    failover: FailoverOptions = {},
    more: Partial<AppOptions> = {},
  ): Promise<App> {
    const witness = this.#witnesses.map(
      ({ primary, accounts: { admin } }) => `mysql://${admin.user}:${admin.password}@${primary.id}`,
    );
    const voters = witness.length === 0 ? {} : { witness };
    const ports = [...this.servers.databases, ...this.witnesses].map(({ port }) => port);
    const network = this.#options.separate === true ? await PrivateNetwork.open(ports) : undefined;
    if (network !== undefined) this.#networks.set(name, network);
    const { readers, hooks, semiSync = false, pauseMs = 5 } = this.#options;
    return await this.fleet.start({
      name,
      writers,
      ...(writers > 0 ? { readers: { own: 1, newest: 1, ...readers } } : {}),
      pauseMs,
      ...(hooks === undefined ? {} : { hooks }),
      mysql: { blockMs: 60_000 },
      failover: {
        leaseMs: 3_000,
        host: name,
        ...voters,
        maxLoss: semiSync ? 'none' : 'any',
        ...this.#options.failover,
        ...failover,
      },
      ...(network === undefined ? {} : { network }),
      ...more,
    });
  }

  /** Starts a process that acts when it is asked to only, and ends at a point of its plan. */
  async victim(name: string, killAt: EndPoint): Promise<App> {
    return await this.app(name, 0, { automatic: false }, { killAt });
  }

  /** The process that is elected. */
  leader(): App {
    const last = [...this.fleet.events]
      .reverse()
      .find(({ event, detail }) => event === 'leadership-changed' && detail['leads'] === true);
    const app = this.fleet.apps.find(({ name }) => name === last?.app);
    if (app === undefined) throw new Error('nobody is elected');
    return app;
  }

  event(name: string, since: number, is?: (event: AppEvent) => boolean): AppEvent | undefined {
    return this.fleet.event(name, since, is);
  }

  acknowledgedAfter(since: number): number {
    return this.fleet.acknowledgedAfter(since);
  }

  /** Resolves with the plan of the failover that is made after `since`. */
  async failedOver(since: number): Promise<FailoverPlan> {
    const done = await this.until('another node takes over', () =>
      this.event('change-done', since, ({ detail }) => (detail['plan'] as FailoverPlan).kind === 'failover'),
    );
    await this.until('writes go on', () => this.acknowledgedAfter(done.at) > 5);
    return done.detail['plan'] as FailoverPlan;
  }

  /** That no failover begins for `ms`; the only way to see that something does not happen. */
  async noFailover(since: number, ms: number): Promise<void> {
    const end = now() + ms;
    await this.until(
      'the time is over',
      () =>
        now() > end ||
        this.event('change-started', since, ({ detail }) => detail['kind'] === 'failover') !== undefined,
    );
    const started = this.event('change-started', since, ({ detail }) => detail['kind'] === 'failover');
    if (started !== undefined) throw new Error(`a failover began\n${this.fleet.story(since)}`);
  }

  /** Asks a server what is written in the words of MariaDB. */
  async ask(node: LocalDatabaseNode, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return await askInOldWords(node, this.servers.flavor, sql);
  }

  node(id: string): LocalDatabaseNode {
    const node = this.servers.databases.find((each) => each.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  async until<T>(
    what: string,
    question: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return await eventually(what, question, 120_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.fleet.story(0)}`);
    });
  }

  /**
   * Ends writers and readers and checks what every scenario must satisfy: one node takes writes, and no two took them at the same time,
   * nothing acknowledged is lost (unless it `mayLose`, and then not more than the plans of the failovers told), nothing doubled, refused
   * writes are not there, no relay log was thrown away, and every read was shown what it may be shown.
   */
  async finish(
    options: {
      /** `'untold'`: also what no plan told of. */
      readonly mayLose?: boolean | 'untold';
      /** Whether a node replicated from another one before it was changed. Default: all but the first primary. */
      readonly hadSource?: (node: string) => boolean;
      /** Rows that are of none of the processes, and that these may be shown. */
      readonly others?: readonly string[];
    } = {},
  ): Promise<Verdict> {
    await this.fleet.stopWriters();
    const [primary, second] = await this.until('one node takes writes', async () => {
      const writable = await writableNodes(this.servers);
      return writable.length === 1 ? writable : undefined;
    });
    if (primary === undefined || second !== undefined) throw new Error('not one primary');
    const verdict = await this.fleet.verdict(primary);
    this.#verdict = verdict;
    const sins = relayLogSins(
      this.fleet.events.filter(({ event }) => event === 'statement'),
      options.hadSource ?? ((node) => node !== this.first.id),
    );
    const isLost = new Set(verdict.lost);
    const operations = this.fleet.operations();
    const reads = this.fleet.reads();
    const lost = operations.filter(({ id }) => isLost.has(id));
    const wrong = [
      ...((options.mayLose ?? false) ? [] : verdict.lost.map((id) => `lost ${id}`)),
      ...(options.mayLose === 'untold' ? [] : untoldLosses(lost, toldLosses(this.fleet.events))),
      ...verdict.doubled.map((id) => `doubled ${id}`),
      ...verdict.resurrected.map((id) => `refused and stored ${id}`),
      ...verdict.torn.map((id) => `torn ${id}`),
      ...sins,
      ...(await this.twoPrimaries()),
      ...(reads.length === 0 ? ['no read was answered'] : []),
      ...wrongReads(reads, {
        operations,
        stored: await this.fleet.stored(primary),
        primary: primary.id,
        events: this.fleet.events,
        ports: new Map(this.servers.databases.map(({ realPort, id }) => [realPort, id])),
        others: new Set(options.others),
      }),
    ];
    if (wrong.length > 0) throw new Error(`${wrong.slice(0, 20).join('\n')}\n${this.fleet.story(0)}`);
    return verdict;
  }

  /** Where two nodes took writes of the processes, or of `others`, that were acknowledged at the same time, as sentences. */
  async twoPrimaries(others: readonly string[] = []): Promise<readonly string[]> {
    const own = this.fleet.operations().filter(({ outcome }) => outcome === 'acknowledged');
    return await this.#watch.wrong(new Set([...own.map(({ id }) => id), ...others]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const network of this.#networks.values()) network.heal();
    await this.#watch.close();
    await this.fleet.close();
    for (const network of this.#networks.values()) await network[Symbol.asyncDispose]();
    await Promise.all([this.servers, ...this.#witnesses].map((cluster) => cluster.close()));
  }
}
