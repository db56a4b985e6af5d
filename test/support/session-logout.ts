/** Users log out while three processes read, touch and change their sessions in tight loops: is anybody logged in again? */
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { FaultProxy } from '../../src/testing/faults/fault-proxy.js';
import type { MemcachedServers } from '../integration/memcached-servers.js';
import { whole } from './session-faults.js';

/** What was seen. */
export interface LogoutReport {
  readonly users: number;
  /** Loads that began after the logout was acknowledged and found the session, in any process. */
  readonly backAgain: number;
  /** Sessions that are there in the end, for any process. */
  readonly leftInTheEnd: number;
  /** Logouts that nobody could acknowledge. */
  readonly refused: number;
  /** Loads in all. */
  readonly loads: number;
}

/**
 * Plays it.
 *
 * @param cut whether the process that logs out is cut off from one of the nodes meanwhile
 */
export async function playLogouts(
  servers: MemcachedServers,
  { users, cut }: { readonly users: number; readonly cut: boolean },
): Promise<LogoutReport> {
  const nodes = [await servers.start(), await servers.start()];
  const proxies = await Promise.all(nodes.map(({ port }) => FaultProxy.open(() => port)));
  const names = nodes.map(({ host, port }) => `${host}:${port}`);
  // A busy machine is not the matter of this.
  const options = { nodes: names, monitorIntervalMs: 200, operationTimeoutMs: 2_000 };
  const addressMap = Object.fromEntries(
    names.map((name, index) => [name, `127.0.0.1:${proxies[index]?.port}`]),
  );
  const leaving = await createSessionStore({ ...options, addressMap });
  const readers = await Promise.all([0, 1, 2].map(() => createSessionStore(options)));
  try {
    const ids = await Promise.all(
      Array.from({ length: users }, async () => {
        const session = leaving.create();
        session.data['user'] = 'ada';
        await leaving.save(session);
        return session.id;
      }),
    );
    const gone = new Set<string>();
    const report = { users, backAgain: 0, leftInTheEnd: 0, refused: 0, loads: 0 };
    const stop = new AbortController();
    const reading = Promise.all(
      readers.flatMap((store) => [0, 1].map((loop) => readAll(store, ids, gone, report, loop, stop.signal))),
    );
    if (cut) proxies[0]?.partition();
    for (const id of ids) {
      try {
        await leaving.destroy(id);
        gone.add(id);
      } catch {
        report.refused += 1;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const proxy of proxies) proxy.heal();
    await Promise.all([leaving, ...readers].map(whole));
    stop.abort();
    await reading;
    for (const store of [leaving, ...readers]) {
      for (const id of gone) if ((await store.load(id)).exists) report.leftInTheEnd += 1;
    }
    return report;
  } finally {
    for (const proxy of proxies) proxy.heal();
    await Promise.all([leaving, ...readers].map((store) => store.close()));
    for (const proxy of proxies) proxy.destroy();
    await Promise.all(nodes.map(({ server }) => server.kill()));
  }
}

async function readAll(
  store: SessionStore,
  ids: readonly string[],
  gone: ReadonlySet<string>,
  report: { backAgain: number; loads: number },
  loop: number,
  signal: AbortSignal,
): Promise<void> {
  for (let turn = loop; !signal.aborted; turn += 1) {
    const id = ids[(turn * 7) % ids.length] ?? '';
    const wasGone = gone.has(id);
    try {
      const session = await store.load(id);
      report.loads += 1;
      if (session.exists && wasGone) report.backAgain += 1;
      // As a page does: mostly only touched, now and then changed.
      if (session.exists && turn % 5 === 0) {
        session.data['seen'] = turn;
        await store.save(session);
      } else if (session.exists) await store.touch(id);
    } catch {
      // A lock that somebody keeps, or a node that is away: the next turn.
    }
  }
}
