/** A cluster with application processes for one scenario of the fault list, and what every scenario looks at in the end. */
import type { FailoverOptions } from '../../src/failover/failover-options.js';
import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { type App, type AppEvent, AppFleet, now, type Verdict } from './app-fleet.js';
import { writableNodes } from './crash-at-step.js';
import { relayLogSins } from './relay-log-sins.js';

/** How a world is made. */
export interface WorldOptions {
  readonly flavor?: 'mariadb' | 'mysql';
  readonly replicas?: number;
  readonly serverArgs?: readonly string[];
  readonly failover?: FailoverOptions;
  readonly semiSync?: boolean;
  /** Writers of each of the two processes. */
  readonly writers?: number;
}

/** Servers, two processes that write, and one of them elected. */
export class World implements AsyncDisposable {
  readonly servers: LocalCluster;
  readonly fleet: AppFleet;
  readonly first: LocalDatabaseNode;

  private constructor(servers: LocalCluster, fleet: AppFleet) {
    this.servers = servers;
    this.fleet = fleet;
    this.first = servers.primary;
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const {
      flavor = 'mariadb',
      replicas = 2,
      serverArgs = [],
      failover = {},
      semiSync = false,
      writers = 2,
    } = options;
    const semiSyncArgs = [
      '--rpl-semi-sync-slave-enabled=1',
      '--rpl-semi-sync-master-wait-point=AFTER_SYNC',
      '--rpl-semi-sync-master-timeout=600000',
    ];
    const mysql = semiSync ? [...serverArgs, ...semiSyncArgs] : serverArgs;
    const servers = await startLocalCluster({
      php: false,
      memcached: 0,
      flavor,
      replicas,
      serverArgs: { mysql },
    });
    try {
      const fleet = await AppFleet.open(servers);
      if (semiSync) await servers.primary.query('SET GLOBAL rpl_semi_sync_master_enabled=1');
      const world = new World(servers, fleet);
      for (const name of ['a', 'b'])
        await world.app(name, writers, { maxLoss: semiSync ? 'none' : 'any', ...failover });
      await eventually(
        'somebody is elected, and everybody writes',
        () => world.event('leadership-changed', 0) !== undefined && world.acknowledgedAfter(0) > 30,
        90_000,
      );
      return world;
    } catch (error) {
      await servers.close();
      throw error;
    }
  }

  /** Starts one more process. */
  app(name: string, writers: number, failover: FailoverOptions = {}): Promise<App> {
    return this.fleet.start({
      name,
      writers,
      mysql: { blockMs: 60_000 },
      failover: { leaseMs: 3_000, host: name, ...failover },
    });
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
    return this.fleet.operations().filter(({ outcome, began }) => outcome === 'acknowledged' && began > since)
      .length;
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
   * Ends the writers and checks what every scenario must satisfy: one node takes writes, nothing acknowledged is lost (unless
   * `mayLose` says how much), nothing doubled, refused writes are not there, no relay log was thrown away.
   */
  async finish(options: { readonly mayLose?: boolean } = {}): Promise<Verdict> {
    await this.fleet.stopWriters();
    const [primary, second] = await this.until('one node takes writes', async () => {
      const writable = await writableNodes(this.servers);
      return writable.length === 1 ? writable : undefined;
    });
    if (primary === undefined || second !== undefined) throw new Error('not one primary');
    const verdict = await this.fleet.verdict(primary);
    const sins = relayLogSins(
      this.fleet.events.filter(({ event }) => event === 'statement'),
      (node) => node !== this.first.id,
    );
    const wrong = [
      ...(options.mayLose === true ? [] : verdict.lost.map((id) => `lost ${id}`)),
      ...verdict.doubled.map((id) => `doubled ${id}`),
      ...verdict.resurrected.map((id) => `refused and stored ${id}`),
      ...verdict.torn.map((id) => `torn ${id}`),
      ...sins,
    ];
    if (wrong.length > 0) throw new Error(`${wrong.slice(0, 20).join('\n')}\n${this.fleet.story(0)}`);
    return verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet.close();
    await this.servers.close();
  }
}
