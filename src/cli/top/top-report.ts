/** What one picture of `stormlamp top` holds: plain values, as they stand in its JSON document. */

/** A database node. */
export interface TopDatabase {
  /** The node. */
  readonly node: string;
  /** Its role, or `down`. */
  readonly role: string;
  /** Statements per second that the server got from everybody; null when unknown. */
  readonly queriesPerSecond: number | null;
  /** Of these, reads. */
  readonly readsPerSecond: number | null;
  /** Of these, what changes rows: `INSERT`, `UPDATE`, `DELETE`, `REPLACE`, `LOAD DATA`. Null of a replica, too, which counts what it applies with them. */
  readonly writesPerSecond: number | null;
  /** Of a replica, changes of rows that it applied per second, and, if it takes any, those of clients; null of other nodes. */
  readonly appliedPerSecond: number | null;
  /** Connections that run a statement now; null when unknown. */
  readonly running: number | null;
  /** Connections that are open now. */
  readonly connected: number | null;
  /** Time that half of the statements of everybody took at most since the last look, in milliseconds; null where the server does not count it. */
  readonly queryP50Ms: number | null;
  /** Time that 19 of 20 of them took at most. */
  readonly queryP95Ms: number | null;
  /** Median round trip of a look itself, of the last 60, in milliseconds; null without one. It says nothing about statements. */
  readonly probeP50Ms: number | null;
  /** Round trip that 19 of 20 looks stay within. */
  readonly probeP95Ms: number | null;
  /** Lag with its age, now, in milliseconds; null when unknown or without a source. */
  readonly lagMs: number | null;
  /** The same of the last looks, oldest first. */
  readonly lags: readonly (number | null)[];
  /** Why the last look failed; null when it did not. */
  readonly error: string | null;
}

/** A repair under way. */
export interface TopRepair {
  /** `fill`, `mend`, `recopy`, `move` or `sweep`. */
  readonly kind: string;
  /** Items that were copied. */
  readonly copied: number;
  /** Items that were there already, or are gone from where they were. */
  readonly skipped: number;
  /** Items that there are to copy at most; null when unknown, as of a mend. */
  readonly total: number | null;
  /** Since it began. */
  readonly elapsedMs: number;
}

/** Repairs that were done. */
export interface TopRepaired {
  /** How many. */
  readonly repairs: number;
  /** Items that were copied, mended or removed. */
  readonly items: number;
  /** The last one: what it was, its items, how long it took, and when it ended, as ISO 8601. */
  readonly last: {
    readonly kind: string;
    readonly items: number;
    readonly elapsedMs: number;
    readonly at: string;
  };
}

/** A memcached node of the session store. */
export interface TopCache {
  /** The node. */
  readonly node: string;
  /** Whether it answered. */
  readonly up: boolean;
  /** `filled`; `warming`: it is filled again, or waits for it; `suspect`: it gets what it missed, or waits for it; `down`. */
  readonly standing: string;
  /** Reads per second by everybody; null when unknown. */
  readonly getsPerSecond: number | null;
  /** Writes per second by everybody. */
  readonly setsPerSecond: number | null;
  /** Items that were thrown out before their time, per second. */
  readonly evictionsPerSecond: number | null;
  /** Items that it holds. */
  readonly items: number | null;
  /** The repair of it that some process is at, as it was told last, which is up to a second ago; null for none. */
  readonly repair: TopRepair | null;
  /** The repairs that were done since it started; null when it tells of none. */
  readonly repaired: TopRepaired | null;
  /** Why the last look failed; null when it did not. */
  readonly error: string | null;
}

/** One picture. */
export interface TopReport {
  /** Whether every node answered and somebody takes writes. */
  readonly ok: boolean;
  /** When, as ISO 8601. */
  readonly at: string;
  /** The database nodes. */
  readonly databases: readonly TopDatabase[];
  /** The memcached nodes. */
  readonly caches: readonly TopCache[];
}
