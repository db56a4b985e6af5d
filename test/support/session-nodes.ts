/** Nodes of a session store, and which sessions they hold. */
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionStore } from '../../src/session/session-store.js';
import type { MemcachedServers, TestMemcached } from '../integration/memcached-servers.js';
import { sessionKeysOn } from '../integration/session-keys-on.js';

/** Starts a node for each name. */
export async function startNodes<const Names extends readonly string[]>(
  servers: MemcachedServers,
  names: Names,
): Promise<Record<Names[number], TestMemcached>> {
  const started = names.map(async (name) => [name, await servers.start()] as const);
  return Object.fromEntries(await Promise.all(started)) as Record<Names[number], TestMemcached>;
}

/** The name of a node, as a store has it. */
export function nameOf({ host, port }: TestMemcached): string {
  return `${host}:${port}`;
}

/** A store that looks often, and gives a silent node up soon. */
export function openOn(nodes: readonly TestMemcached[], more: object = {}): Promise<SessionStore> {
  return createSessionStore({
    nodes: nodes.map(nameOf),
    monitorIntervalMs: 100,
    recopyAfterMs: 300,
    ...more,
  });
}

/** Saves so many sessions, and gives their ids. */
export async function saveSome(store: SessionStore, count: number): Promise<readonly string[]> {
  const sessions = Array.from({ length: count }, () => store.create());
  for (const [index, session] of sessions.entries()) {
    session.data['number'] = index;
    await store.save(session);
  }
  return sessions.map(({ id }) => id);
}

/** How many of these are not there, or cannot be read. */
export async function missingOf(store: SessionStore, ids: readonly string[]): Promise<number> {
  const found = await Promise.all(ids.map((id) => store.load(id).catch(() => ({ exists: false }))));
  return found.filter(({ exists }) => !exists).length;
}

/** How far a store trusts a node. */
export function standingOf(store: SessionStore, node: TestMemcached): string | undefined {
  return store.status().find((one) => one.node === nameOf(node))?.standing;
}

/** How many of the nodes hold each session. */
export async function copiesOf(
  nodes: readonly TestMemcached[],
  ids: readonly string[],
): Promise<readonly number[]> {
  const held = await Promise.all(nodes.map(async (node) => new Set(await sessionKeysOn(node))));
  return ids.map((id) => held.filter((keys) => keys.has(id)).length);
}
