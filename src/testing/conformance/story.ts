/** What the stories about session stores are told with. */
import assert from 'node:assert/strict';
import type { SessionStorePort } from '../../session/session-store-port.js';

/** What a story minds besides the store. */
export interface StoryLimits {
  /** How long it waits for what takes time by itself, milliseconds. */
  readonly timeoutMs: number;
}

/** One promise of a store, told; rejects when it is broken. */
export type Story = (store: SessionStorePort, limits: StoryLimits) => Promise<void>;

/** The id of a new session that was saved with `data`. */
export async function saved(
  store: SessionStorePort,
  data: Readonly<Record<string, unknown>>,
): Promise<string> {
  const session = store.create();
  Object.assign(session.data, data);
  await store.save(session);
  return session.id;
}

/** An id that nothing was saved under. */
export function unusedId(store: SessionStorePort): string {
  return store.create().id;
}

/** Data without its proxies. */
export function plain(data: object): unknown {
  return JSON.parse(JSON.stringify(data));
}

/** In how many places two ids differ. */
export function differences(one: string, other: string): number {
  return (
    [...one].filter((letter, at) => letter !== other[at]).length + Math.max(0, other.length - one.length)
  );
}

/** The code of the error that a call ended with; '' when it did not. */
export function codeOf(result: PromiseSettledResult<unknown> | undefined): string {
  if (result?.status !== 'rejected') return '';
  return String((result.reason as { readonly code?: unknown } | undefined)?.code ?? '');
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something is so. */
export async function until(what: string, timeoutMs: number, is: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await is())) {
    assert.ok(performance.now() < end, `${what} (waited ${timeoutMs} ms)`);
    await pause(20);
  }
}
