/** One session in this process: its variables as plain data, and what they were when they were loaded. */
import { equalVariables } from '../php/equal-variables.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import type { SessionHandler } from '../php/session-handler.js';
import { SessionView } from '../php/session-view.js';
import { Turns } from './turns.js';

/** The variables of a session: `req.session`, or `Session.data`. */
export interface SessionVariables {
  /** A variable of PHP's `$_SESSION`. */
  [variable: string]: unknown;
}

/** A lock of the store that a session holds. */
export interface HeldSessionLock {
  /** Whether it is known to be no longer ours. */
  readonly lost: boolean;
  /** Gives it back. Never rejects; again: nothing. */
  release(): Promise<void>;
}

/** A loaded or new session. `data` may be changed freely; `SessionStore.save` finds out what changed. */
export class Session {
  /** The id that the browser's cookie holds. */
  readonly id: string;
  #view: SessionView;
  #stored: boolean;
  #mustWrite = false;
  #inherited: SessionDocument | undefined;
  #lock: HeldSessionLock | undefined;
  /** What each variable was when the changes to save were collected. */
  #held: ReadonlyMap<string, unknown> = new Map();

  /** @internal Whoever writes the session waits here for whoever does already. */
  readonly turns: Turns = new Turns();

  private constructor(id: string, view: SessionView, stored: boolean) {
    this.id = id;
    this.#view = view;
    this.#stored = stored;
  }

  /** @internal A session that the store does not hold. */
  static absent(id: string, handler: SessionHandler): Session {
    return new Session(id, new SessionView(SessionDocument.decode('', handler)), false);
  }

  /** @internal A session that the store holds. */
  static stored(id: string, document: SessionDocument): Session {
    return new Session(id, new SessionView(document), true);
  }

  /** The variables of `$_SESSION`: lists are arrays, maps plain objects, numbers numbers. */
  get data(): Record<string, unknown> {
    return this.#view.data;
  }

  /** @internal Whether nobody has looked at a variable yet. */
  isUnseen(name: string): boolean {
    return this.#view.isUnseen(name);
  }

  /** Whether the store held the session when it was loaded or last saved. */
  get exists(): boolean {
    return this.#stored;
  }

  /** Whether the session was loaded with PHP's session lock, which nobody else gets until it is saved or released. */
  get locked(): boolean {
    return this.#lock !== undefined;
  }

  /** Gives the session lock back without saving. What is changed can still be saved. Never rejects; without a lock: nothing. */
  async release(): Promise<void> {
    await this.takeLock()?.release();
  }

  /** Whether a save would write anything. Reading it throws `ERR_PHP_VALUE` for a value that PHP has no counterpart for. */
  get changed(): boolean {
    return this.#mustWrite || this.#view.changes().size > 0;
  }

  /** @internal Holds a lock from now on. */
  holdLock(lock: HeldSessionLock): void {
    this.#lock = lock;
  }

  /** @internal Hands the lock over to whoever gives it back. */
  takeLock(): HeldSessionLock | undefined {
    const lock = this.#lock;
    this.#lock = undefined;
    return lock;
  }

  /** @internal What was stored when the session was loaded. */
  get base(): SessionDocument {
    return this.#view.document;
  }

  /** @internal What a save has to write; undefined when there is nothing to write. */
  pendingChanges(): ReadonlyMap<string, VariableChange> | undefined {
    const changes = this.#view.changes();
    this.#held = this.#view.held();
    return changes.size > 0 || this.#mustWrite ? changes : undefined;
  }

  /**
   * @internal The same variables under a new id, to be written even when none is changed.
   *
   * @param inherited what the changes are merged into; undefined writes all variables that were loaded
   */
  renamed(id: string, inherited: SessionDocument | undefined): Session {
    // The old session goes on with its own data when this one is written.
    const session = new Session(id, this.#view.shared(), false);
    session.#mustWrite = true;
    session.#inherited = inherited;
    return session;
  }

  /** @internal What a save merges into when the store holds nothing under this id: the session that this one replaces. */
  get inherited(): SessionDocument | undefined {
    return this.#inherited;
  }

  /**
   * @internal Takes over what a save wrote. Values that were written as they are here stay the same objects, so that
   * references that the application holds stay live; what others had changed is new. What was set, changed or deleted
   * since the changes were collected stays so, and is for the next save.
   *
   * @param ours what was loaded with the changes that were collected
   */
  wrote(written: SessionDocument, ours: SessionDocument): void {
    const before = this.#view;
    // Nobody else wrote meanwhile: by far the most saves.
    const alone = ours === written || ours.bytes.equals(written.bytes);
    const equal = alone ? undefined : equalVariables(ours, written);
    const isOurs = (name: string): boolean => equal?.has(name) !== false;
    const kept = new Map<string, unknown>();
    const changed = new Map<string, unknown>();
    const removed: string[] = [];
    const others: string[] = [];
    for (const name of new Set([...written.keys, ...this.#held.keys(), ...Object.keys(before.data)])) {
      if (before.isUnseen(name)) continue;
      const value = before.has(name) ? before.data[name] : undefined;
      const held = this.#held.get(name);
      const replaced = held !== SessionView.UNSEEN && !Object.is(held, value);
      if (value === undefined) {
        if (replaced || held === SessionView.UNSEEN) removed.push(name);
      } else if (replaced) changed.set(name, value);
      else if (isOurs(name)) kept.set(name, value);
      else others.push(name);
    }
    const stored = others.length === 0 ? undefined : before.storedIn(ours, others);
    for (const name of others) if (stored?.has(name) !== true) changed.set(name, before.data[name]);
    const unknown = [...removed, ...changed.keys()].filter((name) => !isOurs(name));
    const after = before.succeededBy(
      unknown.length === 0 ? written : withVariablesOf(ours, written, unknown),
    );
    this.#view = after;
    for (const [name, value] of kept) after.adopt(name, value);
    for (const [name, value] of changed) setVariable(after.data, name, value);
    for (const name of removed) delete after.data[name];
    this.#stored = true;
    this.#mustWrite = false;
    this.#inherited = undefined;
  }
}

/**
 * What others wrote, with some variables as they were known here: whoever changed these since did not know what others made of them,
 * which is a conflict for the next save, and nothing to be overwritten unasked.
 */
function withVariablesOf(
  ours: SessionDocument,
  written: SessionDocument,
  names: readonly string[],
): SessionDocument {
  const changes = names.map((name): [string, VariableChange] => [
    name,
    ours.has(name) ? { kind: 'set', value: ours.get(name) } : { kind: 'delete' },
  ]);
  return SessionDocument.decode(written.encodeWith(new Map(changes)), written.handler, undefined, 'later');
}

/** Sets a variable whatever its name is; plain assignment of `__proto__` would set the prototype. */
export function setVariable(data: object, name: string, value: unknown): void {
  Object.defineProperty(data, name, { value, enumerable: true, configurable: true, writable: true });
}
