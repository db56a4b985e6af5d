/** Rivals for one lock on servers made up in this process: servers are restarted, and links are cut without a word. */
import type { LockTarget } from '../../../../src/failover/locks/lock-session.js';
import { MajorityLock, type MajorityLockOptions } from '../../../../src/failover/locks/majority-lock.js';
import type { PhysicalConnection } from '../../../../src/mysql/physical-connection.js';

/** How long a lease lives after its last renewal, milliseconds. */
export const LEASE_MS = 5_000;
const DELAY_MS = 5;

/** A session as its server sees it. */
interface Session {
  readonly rival: string;
  isAlive: boolean;
  waitTimeoutMs: number;
  idle: NodeJS.Timeout | undefined;
  tell: (error: Error) => void;
}

/** A server with named locks, which a restart forgets. */
export class LockServer {
  readonly name: string;
  isUp = true;
  /** Rivals between whom and this server nothing passes. */
  readonly cut = new Set<string>();
  readonly #holders = new Map<string, Session>();
  readonly #sessions = new Set<Session>();
  readonly #delay: () => number;

  constructor(name: string, delay: () => number = () => DELAY_MS) {
    this.name = name;
    this.#delay = delay;
  }

  /** Who holds the lock. */
  get holder(): string | undefined {
    return [...this.#holders.values()][0]?.rival;
  }

  /** All sessions and locks are gone; who is cut off is not told. */
  stop(): void {
    this.isUp = false;
    for (const session of this.#sessions) this.#end(session);
  }

  start(): void {
    this.isUp = true;
  }

  restart(): void {
    this.stop();
    this.start();
  }

  /** The server as `rival` has it. */
  targetOf(rival: string): LockTarget {
    return {
      voter: this.name,
      connect: (deadline) =>
        deadline.race(
          `connecting to ${this.name}`,
          this.#pass(rival, () => {
            if (!this.isUp) throw new Error('ECONNREFUSED');
            return this.#connection(rival);
          }),
        ),
    };
  }

  #connection(rival: string): PhysicalConnection {
    const listeners = new Set<(error: Error) => void>();
    let lost: Error | undefined;
    const session: Session = {
      rival,
      isAlive: true,
      waitTimeoutMs: 28_800_000,
      idle: undefined,
      tell: (error) => {
        lost ??= error;
        for (const listener of listeners) listener(lost);
        listeners.clear();
      },
    };
    this.#sessions.add(session);
    return {
      threadId: 1,
      onLost: (listener: (error: Error) => void) => {
        if (lost !== undefined) listener(lost);
        else listeners.add(listener);
        return () => listeners.delete(listener);
      },
      destroy: () => {
        session.tell(new Error('destroyed'));
        void this.#pass(rival, () => this.#end(session)).catch(() => undefined);
      },
      ask: (sql: string, deadline: Parameters<LockTarget['connect']>[0]) =>
        deadline.race(
          sql,
          this.#pass(rival, () => {
            if (session.isAlive) return this.#execute(session, sql);
            const error = new Error('ECONNRESET');
            session.tell(error);
            throw error;
          }),
        ),
    } as unknown as PhysicalConnection;
  }

  /** What reaches the server, and whose answer comes back; of what is dropped nobody hears. */
  #pass<T>(rival: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const back = (settle: () => void): void => {
        setTimeout(() => {
          if (!this.cut.has(rival)) settle();
        }, this.#delay());
      };
      setTimeout(() => {
        if (this.cut.has(rival)) return;
        try {
          const result = work();
          back(() => resolve(result));
        } catch (error) {
          back(() => reject(error));
        }
      }, this.#delay());
    });
  }

  #execute(session: Session, sql: string): readonly object[] {
    const timeout = /wait_timeout=(\d+)/.exec(sql)?.[1];
    if (timeout !== undefined) session.waitTimeoutMs = Number(timeout) * 1_000;
    clearTimeout(session.idle);
    session.idle = setTimeout(() => this.#end(session), session.waitTimeoutMs);
    const lock = /LOCK\('([^']+)'/.exec(sql)?.[1] ?? '';
    const holder = this.#holders.get(lock);
    if (sql.includes('GET_LOCK')) {
      if (holder === undefined) this.#holders.set(lock, session);
      return [{ got: (holder ?? session) === session ? 1 : 0 }];
    }
    if (sql.includes('RELEASE_LOCK') && holder === session) this.#holders.delete(lock);
    return [{ held: holder === session ? 1 : 0 }];
  }

  #end(session: Session): void {
    clearTimeout(session.idle);
    session.isAlive = false;
    this.#sessions.delete(session);
    for (const [lock, holder] of this.#holders) if (holder === session) this.#holders.delete(lock);
    setTimeout(() => {
      if (!this.cut.has(session.rival)) session.tell(new Error('ECONNRESET'));
    }, this.#delay());
  }
}

/** Takes part in the race for the lock as a lease does; without a reserve, so that it is in charge to the very last moment. */
export class Rival {
  readonly name: string;
  /** How often it took charge. */
  turns = 0;
  readonly #options: Omit<MajorityLockOptions, 'locks'>;
  readonly #random: () => number;
  #lock: MajorityLock | undefined;
  #leadAt = 0;
  #leads = false;
  #busy = false;
  #nextAt = 0;

  constructor(
    name: string,
    servers: readonly LockServer[],
    options: Pick<MajorityLockOptions, 'regainMs' | 'timeoutMs'>,
    random: () => number = () => 0.5,
  ) {
    this.name = name;
    this.#options = { ...options, targets: servers.map((server) => server.targetOf(name)) };
    this.#random = random;
  }

  get inCharge(): boolean {
    return this.#leads && this.#lock?.held === true;
  }

  /** Looks at the time, as often as a lease does. */
  tick(): void {
    const now = performance.now();
    if (this.#lock === undefined) {
      if (!this.#busy && now >= this.#nextAt) void this.take();
    } else if (!this.#lock.held) this.leave();
    else if (!this.#leads && now >= this.#leadAt) {
      this.#leads = true;
      this.turns += 1;
    }
  }

  async take(): Promise<void> {
    this.#busy = true;
    try {
      this.#lock = await MajorityLock.take({ ...this.#options, locks: ['lease'] });
      this.#leadAt = performance.now() + LEASE_MS;
    } catch {
      this.#nextAt = performance.now() + 200 + 1_800 * this.#random();
    }
    this.#busy = false;
  }

  leave(): void {
    this.#leads = false;
    void this.#lock?.release();
    this.#lock = undefined;
    this.#nextAt = performance.now() + 100 + LEASE_MS * this.#random();
  }
}
