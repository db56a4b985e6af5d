/** The watcher of two primaries: a process that asks every server of a cluster all the time whether it takes writes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LocalCluster } from '../../src/testing/index.js';
import { ROOT } from './run-node.js';
import { bothWritable, type TakenRow, twoPrimaries, type WritableTime } from './two-primaries.js';

const EVERY_MS = 20;

/** What it has seen of one server. */
interface NodeTimes {
  readonly looks: number;
  readonly times: readonly WritableTime[];
}

/** Watches from its opening until it is closed. */
export class WritableWatch {
  readonly #servers: LocalCluster;
  readonly #child: ChildProcess;

  private constructor(servers: LocalCluster, child: ChildProcess) {
    this.#servers = servers;
    this.#child = child;
  }

  static async open(servers: LocalCluster): Promise<WritableWatch> {
    const { user, password } = servers.accounts.admin;
    const sql = 'SELECT @@global.read_only=0 AS writable, UNIX_TIMESTAMP(SYSDATE(6)) AS at, @@port AS port';
    const nodes = servers.databases.map(({ id, socketPath }) => ({ id, socketPath, sql }));
    const child = fork(
      join(ROOT, 'test/support/writable-watcher.mjs'),
      [JSON.stringify({ nodes, user, password, everyMs: EVERY_MS })],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    await once(child, 'message');
    return new WritableWatch(servers, child);
  }

  /**
   * What was wrong so far, as sentences: two servers that took writes of `acknowledged` at the same time, and a server that runs and
   * was never looked at.
   */
  async wrong(acknowledged: ReadonlySet<string>): Promise<readonly string[]> {
    const answer = once(this.#child, 'message');
    this.#child.send('tell');
    const [seen] = (await answer) as [Readonly<Record<string, NodeTimes>>];
    const both = bothWritable(
      Object.fromEntries(Object.entries(seen).map(([node, { times }]) => [node, times])),
    );
    const blind = Object.entries(seen)
      .filter(([, { looks }]) => looks === 0)
      .map(([node]) => `nobody could see whether ${node} took writes`);
    return both.length === 0 ? blind : [...blind, ...twoPrimaries(both, await this.#rows(), acknowledged)];
  }

  /** What each server that runs has, its own and that of others: one that is dead may have been the only one to keep it. */
  async #rows(): Promise<readonly TakenRow[]> {
    const running = this.#servers.databases.filter((node) => node.running);
    const sql =
      'SELECT id, port, UNIX_TIMESTAMP(at) * 1000 AS at FROM shop.ledger WHERE port IS NOT NULL ORDER BY at';
    const all = await Promise.all(
      running.map((node) => node.query<{ id: string; port: number; at: string }>(sql)),
    );
    const rows = new Map<string, TakenRow>();
    for (const { id, port, at } of all.flat())
      rows.set(`${id} ${port} ${at}`, { id, port: Number(port), at: Number(at) });
    return [...rows.values()];
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }
}
