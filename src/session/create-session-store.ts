/** Makes a session store that is ready to serve. */
import { resolveSessionOptions, type SessionOptions } from './session-options.js';
import { SessionStore } from './session-store.js';

/**
 * Connects to the memcached nodes that hold PHP's sessions.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; `ERR_PROTOCOL` or `ERR_ACCESS_DENIED` naming the node that is not
 * memcached or refuses the login; `ERR_STORE_DOWN` when no node answers (unless `onStoreDown` is `'anonymous'`).
 */
export async function createSessionStore(options: SessionOptions): Promise<SessionStore> {
  const store = new SessionStore(resolveSessionOptions(options));
  try {
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
