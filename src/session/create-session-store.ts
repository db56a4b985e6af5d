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
 * answers (nodes: unless `onStoreDown` is `'anonymous'`).
 */
export async function createSessionStore<const O extends AnySessionOptions>(
  options: O,
): Promise<SessionStoreOf<O>> {
  const resolved = resolveStoreOptions(options);
  const store =
    resolved.kind === 'files'
      ? await openFileSessionStore(resolved.options)
      : await openMemcached(new SessionStore(resolved.options));
  return store as SessionStoreOf<O>;
}

async function openMemcached(store: SessionStore): Promise<SessionStore> {
  try {
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
