/** Kills the process that makes a change at one step of its plan, and looks whether another one finishes or undoes it. */

import type { FailoverPlan } from '../../src/failover/plan/failover-plan.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { type App, type AppFleet, type EndPoint, now, type Verdict } from './app-fleet.js';

/** Where the process dies. */
export type CrashPoint = Pick<EndPoint, 'step' | 'phase' | 'kind'>;

/** Starts a process that acts when it is asked to, and dies at a point of its plan. */
export type StartVictim = (name: string, killAt: EndPoint) => Promise<App>;

/** What came of it. */
export interface CrashResult {
  readonly point: CrashPoint;
  /** Whether the process died there; false when its change went by without that step. */
  readonly died: boolean;
  /** The steps of its plan, without their nodes, each once; none where another process was faster. */
  readonly steps: readonly string[];
  /** How long nobody's write was acknowledged, milliseconds. */
  readonly outageMs: number;
  /** The primary in the end. */
  readonly primary: string;
  readonly verdict: Verdict;
}

/**
 * Starts a process that switches over and dies at `point`, while the others write. Fails when no single node takes writes in the
 * end, or when nobody's write is acknowledged any more.
 */
export async function crashAtStep(
  servers: LocalCluster,
  fleet: AppFleet,
  point: CrashPoint,
  start: StartVictim = victimOf(fleet),
): Promise<CrashResult> {
  return await crash(servers, fleet, { point, start, work: (victim) => victim.ask('switchover') });
}

/**
 * Kills the primary, and the process that fails over at `point`. The writers pause until all replicas have everything, so that
 * nothing is lost for any other reason. The old primary is started again afterwards, and follows.
 */
export async function crashInFailover(
  servers: LocalCluster,
  fleet: AppFleet,
  point: CrashPoint,
  start: StartVictim = victimOf(fleet),
): Promise<CrashResult> {
  const [old] = await writableNodes(servers);
  if (old === undefined) throw new Error('no node takes writes');
  const apps = [...fleet.apps];
  let killed = false;
  const work = async (victim: App): Promise<void> => {
    if (!killed) {
      killed = true;
      const held = apps.filter(({ alive }) => alive);
      await Promise.all(held.map((app) => app.ask('hold')));
      await everywhere(servers, old);
      await old.kill();
      await Promise.all(held.map((app) => app.ask('go')));
    }
    await victim.ask('failover', { force: true, acceptLoss: true });
  };
  const result = await crash(servers, fleet, { point, start, work });
  await old.start();
  await eventually(
    `after ${point.step} ${point.phase} the old primary follows`,
    async () => {
      const [primary, second] = await writableNodes(servers);
      return second === undefined && (await followed(servers, primary));
    },
    180_000,
  );
  return result;
}

/**
 * Kills the process that fails over from a primary that lives. The writers pause until all replicas have everything and the process is
 * dead, so that nothing of theirs is lost for any other reason. What the managers wrote meanwhile may be on the old primary only: once
 * another one has taken over, it may be left as it is.
 */
export async function crashInForcedFailover(
  servers: LocalCluster,
  fleet: AppFleet,
  point: CrashPoint,
  start: StartVictim = victimOf(fleet),
): Promise<CrashResult> {
  const apps = [...fleet.apps];
  return await crash(servers, fleet, {
    point,
    start,
    work: async (victim) => {
      const held = apps.filter(({ alive }) => alive);
      await Promise.all(held.map((app) => app.ask('hold')));
      const [old] = await writableNodes(servers);
      try {
        if (old === undefined) return;
        await everywhere(servers, old);
        await victim.ask('failover', { force: true, acceptLoss: true });
      } finally {
        await Promise.all(held.map((app) => app.ask('go')));
      }
    },
    mayDiverge: true,
  });
}

/** Takes a replica's source away, and kills the process that gives it back at `point`. */
export async function crashInRejoin(
  servers: LocalCluster,
  fleet: AppFleet,
  point: CrashPoint,
  start: StartVictim = victimOf(fleet),
): Promise<CrashResult> {
  const work = async (victim: App): Promise<void> => {
    const [primary] = await writableNodes(servers);
    const replica = servers.databases.find((node) => node !== primary);
    if (replica === undefined) throw new Error('a replica is needed');
    const word = servers.flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    const [status] = await replica.query(`SHOW ${word} STATUS`);
    if (status !== undefined) {
      await replica.query(`STOP ${word}`);
      await replica.query(`RESET ${word} ALL`);
    }
    await victim.ask('rejoin', replica.id);
  };
  return await crash(servers, fleet, { point, start, work });
}

/** Starts it beside the other processes of `fleet`, with the options that they have by default. */
function victimOf(fleet: AppFleet): StartVictim {
  return (name, killAt) =>
    fleet.start({ name, failover: { host: name, leaseMs: 3_000, automatic: false }, killAt });
}

/** How a process is brought to die. */
interface Crash {
  readonly point: CrashPoint;
  readonly start: StartVictim;
  readonly work: (victim: App) => Promise<unknown>;
  /** Whether a node may be left with transactions of its own. */
  readonly mayDiverge?: boolean;
}

/** Lets a new process do `work` until it dies at `point`, and waits until everything is well again. */
async function crash(
  servers: LocalCluster,
  fleet: AppFleet,
  { point, start, work, mayDiverge = false }: Crash,
): Promise<CrashResult> {
  // On a busy machine a process may be too late to see any node at its start, and ends.
  const victim = await eventually(
    'the process that shall die has started',
    () => start(`k${fleet.apps.length}`, point).catch(() => undefined),
    120_000,
  );
  const { name } = victim;
  const since = now();
  const tell = (error: unknown): never => {
    throw new Error(`${String(error)}\n${fleet.story(since)}`);
  };
  // What an earlier crash has left may still be in repair: then nothing can be planned yet.
  await eventually(
    `the process dies at ${point.step}, or its change is over`,
    async () => {
      if (victim.alive) await work(victim).catch(() => undefined);
      return !victim.alive || fleet.event('change-done', since, ({ app }) => app === name) !== undefined;
    },
    120_000,
  ).catch(tell);
  const died = now();
  const [primary] = await eventually(
    `after ${point.step} ${point.phase} one node takes writes, the others follow it, and writes go on`,
    async () => {
      if (fleet.acknowledgedAfter(died) === 0) return undefined;
      const writable = await writableNodes(servers);
      const left = fleet.events.filter(
        ({ event, at }) => mayDiverge && event === 'node-diverged' && at >= since,
      );
      const alone = new Set(left.map(({ detail }) => String(detail['node'])));
      return writable.length === 1 && (await followed(servers, writable[0], alone)) ? writable : undefined;
    },
    180_000,
  ).catch(tell);
  if (primary === undefined) throw new Error('no node takes writes');
  return {
    point,
    died: !victim.alive,
    steps: stepsOf(fleet, name, since),
    outageMs: fleet.longestGapMs(since, now()),
    primary: primary.name,
    verdict: await fleet.verdict(primary),
  };
}

/** The names of the steps of all plans that `app` began since then. */
export function stepsOf(fleet: AppFleet, app: string, since: number): readonly string[] {
  const plans = fleet.events.filter(
    (each) => each.event === 'change-started' && each.app === app && each.at >= since,
  );
  const ids = plans.flatMap(({ detail }) => (detail as unknown as FailoverPlan).steps.map(({ id }) => id));
  return [...new Set(ids.map((id) => id.split('@')[0] ?? ''))];
}

/** Waits until every replica has executed everything that `primary` has. */
export async function everywhere(servers: LocalCluster, primary: LocalDatabaseNode): Promise<void> {
  const [variable, wait] =
    servers.flavor === 'mysql'
      ? ['@@global.gtid_executed', 'WAIT_FOR_EXECUTED_GTID_SET']
      : ['@@gtid_current_pos', 'MASTER_GTID_WAIT'];
  const [row] = await primary.query<{ position: string }>(`SELECT ${variable} AS position`);
  for (const node of servers.databases) {
    if (node === primary || !node.running) continue;
    await node.query(`SELECT ${wait}(?, 10)`, [row?.position ?? '']);
  }
}

/** The nodes that take the writes of ordinary users. */
export async function writableNodes(servers: LocalCluster): Promise<LocalDatabaseNode[]> {
  const found: LocalDatabaseNode[] = [];
  for (const node of servers.databases) {
    if (!node.running) continue;
    const [row] = await node.query<{ writable: number }>('SELECT @@global.read_only=0 AS writable');
    if (Number(row?.writable) === 1) found.push(node);
  }
  return found;
}

export async function followed(
  servers: LocalCluster,
  primary: LocalDatabaseNode | undefined,
  alone: ReadonlySet<string> = new Set(),
): Promise<boolean> {
  const sql = servers.flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
  for (const node of servers.databases) {
    if (node === primary || !node.running || alone.has(node.id)) continue;
    const [status] = await node.query(sql);
    const port = Number(status?.['Source_Port'] ?? status?.['Master_Port'] ?? 0);
    const io = status?.['Replica_IO_Running'] ?? status?.['Slave_IO_Running'];
    if (port !== primary?.port || io !== 'Yes') return false;
  }
  return true;
}
