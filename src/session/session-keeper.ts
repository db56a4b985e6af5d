/** What keeps a store's sessions: memcached nodes or files. It knows bytes, copies and locks; what a session is, the store knows. */
import type { Deadline } from '../common/deadline.js';
import type { RetiredNote } from './retired-note.js';
import type { HeldSessionLock, Session } from './session.js';
import type { SessionStoreEvents } from './session-events.js';
import type { SessionSaveResult } from './session-store-port.js';
import type { SessionChanges } from './session-writer.js';

/** A session as it was found. */
export interface FoundSession {
  /** Its bytes; null when it is not there. */
  readonly bytes: Buffer | null;
  /** Who answered, where that is one. */
  readonly place: string | undefined;
  /** What was found beside it about the id that replaced it. */
  readonly note: Buffer | undefined;
}

/** A session that is locked until its lock is released. */
export interface LockedSession {
  /** The lock. */
  readonly lock: HeldSessionLock;
  /** Reads the session. */
  read(): Promise<FoundSession>;
}

/** What a keeper asks of its store. */
export interface KeeperHost {
  /** Tells listeners of an event. */
  tell<E extends keyof SessionStoreEvents>(event: E, payload: SessionStoreEvents[E]): void;
  /** When a session ends that was replaced, in milliseconds since 1970; undefined for every other. */
  endOf(id: string): number | undefined;
}

/** See the head of this file. Ids were checked before. Errors: as the methods of the stores. */
export interface SessionKeeper<Options = unknown> {
  /** The options in force. */
  readonly options: Options;
  /** Begins to keep sessions for a store. */
  serve(host: KeeperHost): void;
  /** Reads a session without any lock. */
  read(id: string, deadline: Deadline): Promise<FoundSession>;
  /** Takes PHP's lock of a session. */
  lock(id: string, deadline: Deadline): Promise<LockedSession>;
  /** Merges changes into what is stored now, under the lock, and tells the session what was written of it. */
  save(session: Session, changes: SessionChanges, deadline: Deadline): Promise<SessionSaveResult>;
  /** Stores bytes as they are, under the lock. */
  store(id: string, bytes: Buffer, deadline: Deadline): Promise<SessionSaveResult>;
  /** Gives a session a new life; one that is over at `endsAt` (milliseconds since 1970) when that is given. */
  touch(id: string, endsAt: number | undefined, deadline: Deadline): Promise<void>;
  /** Removes a session, under the lock. */
  remove(target: string | Session, deadline: Deadline): Promise<void>;
  /** Runs `work` under the lock of a session with what is stored of it now. */
  locked<T>(session: Session, deadline: Deadline, work: (found: FoundSession) => Promise<T>): Promise<T>;
  /** Writes down which id replaced a session. */
  note(id: string, note: RetiredNote, deadline: Deadline): Promise<unknown>;
  /** Whether that was written down. */
  hasNote(id: string, deadline: Deadline): Promise<boolean>;
  /** Forgets it. */
  forgetNote(id: string, deadline: Deadline): Promise<unknown>;
  /** Lets go of everything, once `work` that is under way has come to its end. */
  close(work: Promise<void>): Promise<void>;
}
