/** Makes a session store that is ready to serve. */

import type { FileSessionStore } from './file-session-store.js';
import { openFileSessionStore } from './open-file-session-store.js';
import { SessionStore } from './session-store.js';
import { type AnySessionOptions, resolveStoreOptions } from './store-options.js';

/**
 * The store that options `O` make: in files for `mounts`, on memcached for `nodes`. With `phpIni` alone only PHP's
 * `session.save_handler` knows, and the store's `kind` tells.
 */
export type SessionStoreOf<O> = O extends { readonly mounts: readonly string[] }
  ? FileSessionStore
  : O extends { readonly nodes: readonly string[] }
    ? SessionStore
    : O extends { readonly phpIni: string | readonly string[] }
      ? SessionStore | FileSessionStore
      : SessionStore;

/**
 * Connects to the memcached nodes, or opens the folders, that hold PHP's sessions.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` for settings of a php.ini that cannot be followed, and
 * where files cannot be locked; `ERR_PROTOCOL` naming a node that is not memcached; `ERR_ACCESS_DENIED` for a node that
 * refuses the login, or when PHP could not read the files that this process writes; `ERR_STORE_DOWN` when no node or mount
 * answers (nodes: unless `onStoreDown` is `'anonymous'`); `ERR_CHANGE_REFUSED` when the nodes were replaced by others with `setNodes`.
 */
export async function createSessionStore<const O extends AnySessionOptions>(
  options: O,
): Promise<SessionStoreOf<O>> {
  return (await openStore(options, false)) as SessionStoreOf<O>;
}

/**
 * Does that also for nodes that were replaced: on memcached nothing is read or written before the steps are taken that the others took.
 *
 * @internal
 */
export async function openStore(
  options: AnySessionOptions,
  replacedToo: boolean,
): Promise<SessionStore | FileSessionStore> {
  const resolved = resolveStoreOptions(options);
  return resolved.kind === 'files'
    ? await openFileSessionStore(resolved.options)
    : await openMemcached(new SessionStore(resolved.options), replacedToo);
}

async function openMemcached(store: SessionStore, replacedToo: boolean): Promise<SessionStore> {
  try {
    await store.start(replacedToo);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
