/** Kills the process that makes a change at one step of its plan, and looks whether another one finishes or undoes it. */
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import { eventually } from '../integration/eventually.js';
import { type AppFleet, now, type Verdict } from './app-fleet.js';

/** Where the process dies. */
export interface CrashPoint {
  /** The step, without its node. */
  readonly step: string;
  /** Before it, or after it. */
  readonly phase: 'started' | 'finished';
}

/** What came of it. */
export interface CrashResult {
  readonly point: CrashPoint;
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
): Promise<CrashResult> {
  const name = `k${fleet.apps.length}`;
  const victim = await fleet.start({ name, failover: { host: name, leaseMs: 3_000 }, killAt: point });
  const since = now();
  let gone = false;
  void victim.exited.then(() => {
    gone = true;
  });
  // What an earlier crash has left may still be in repair: then nothing can be planned yet.
  await eventually(
    `the process dies at ${point.step}, or its change is over`,
    async () => {
      if (!gone) await victim.ask('switchover').catch(() => undefined);
      return gone || fleet.event('change-done', since, ({ app }) => app === name) !== undefined;
    },
    120_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${fleet.story(since)}`);
  });
  const died = now();
  const [primary] = await eventually(
    `after ${point.step} ${point.phase} one node takes writes, the others follow it, and writes go on`,
    async () => {
      const writes = fleet
        .operations()
        .some(({ outcome, began }) => outcome === 'acknowledged' && began > died);
      if (!writes) return undefined;
      const writable = await writableNodes(servers);
      return writable.length === 1 && (await followed(servers, writable[0])) ? writable : undefined;
    },
    90_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${fleet.story(since)}`);
  });
  if (primary === undefined) throw new Error('no node takes writes');
  return {
    point,
    outageMs: fleet.longestGapMs(since, now()),
    primary: primary.name,
    verdict: await fleet.verdict(primary),
  };
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

async function followed(servers: LocalCluster, primary: LocalDatabaseNode | undefined): Promise<boolean> {
  const sql = servers.flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
  for (const node of servers.databases) {
    if (node === primary || !node.running) continue;
    const [status] = await node.query(sql);
    const port = Number(status?.['Source_Port'] ?? status?.['Master_Port'] ?? 0);
    const io = status?.['Replica_IO_Running'] ?? status?.['Slave_IO_Running'];
    if (port !== primary?.port || io !== 'Yes') return false;
  }
  return true;
}
