/** What a session store of one's own has to bring: a place for bytes. Everything else is done by `createCustomSessionStore`. */

/** What every call of a backend is given last. */
export interface SessionBackendCall {
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A lock that a backend gave. */
export interface SessionBackendLock {
  /** Whether it is known to be no longer ours. What was saved under it is saved once more then. Default: never. */
  readonly lost?: boolean;
  /** Gives it back. What it throws is ignored. */
  release(): Promise<unknown> | unknown;
}

/**
 * A place for sessions: a table, an object store, a map. A key is the id of a session, or an id followed by `.replaced`, under which a
 * small note is kept for a while after `regenerate`. What a method throws becomes the cause of an `ERR_STORE_DOWN`, unless it is an
 * error of stormlamp.
 */
export interface SessionBackend {
  /** What results and diagnostics call it. Default `'backend'`. */
  readonly name?: string;
  /** The bytes of a key; null or undefined when there are none, or their time is over. */
  read(
    key: string,
    call: SessionBackendCall,
  ): Promise<Uint8Array | null | undefined> | Uint8Array | null | undefined;
  /** Stores bytes, in place of others, until `endsAt` (milliseconds since 1970). The bytes are not changed later. */
  write(key: string, bytes: Buffer, endsAt: number, call: SessionBackendCall): Promise<unknown> | unknown;
  /** Has a key end at `endsAt` (milliseconds since 1970) instead of when it would; without one it does nothing. */
  touch(key: string, endsAt: number, call: SessionBackendCall): Promise<unknown> | unknown;
  /** Removes a key, if there is one. */
  remove(key: string, call: SessionBackendCall): Promise<unknown> | unknown;
  /**
   * Takes the lock of a session, and waits until it is free or the signal fires. Needed where several processes use the backend:
   * without it requests of one process alone do not undo each other's changes.
   */
  lock?(key: string, call: SessionBackendCall): Promise<SessionBackendLock> | SessionBackendLock;
  /** Lets go of everything. Called by the store's `close`, once. */
  close?(): Promise<unknown> | unknown;
}
