/** Several application processes that write to one cluster, and what they were told, compared with what is stored. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FailoverOptions } from '../../src/failover/failover-options.js';
import type { LocalCluster, LocalDatabaseNode } from '../../src/testing/index.js';
import type { PrivateNetwork } from './private-network.js';
import { type ReadNote, readNotes } from './read-journal.js';
import { ROOT } from './run-node.js';
import { WriteJournal } from './write-journal.js';

/** Replaces itself by the process, in a network namespace with nothing but a loopback. */
const NAMESPACE = {
  execPath: 'unshare',
  execArgv: ['--net', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', process.execPath],
};

/** What a process told. */
export interface AppEvent {
  readonly app: string;
  readonly event: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** How many readers a process has. */
export interface ReaderCounts {
  /** Those that write in a scope and read what they wrote. */
  readonly own: number;
  /** Those that do the same without a scope: nothing promises that they see it. */
  readonly unscoped: number;
  /** Those that read the newest rows, outside of a scope. */
  readonly newest: number;
}

/** A point of a plan at which a process ends. */
export interface EndPoint {
  /** The step, without its node. */
  readonly step: string;
  /** Before it, in the middle of it (a statement of it is sent, and not answered), or after it. */
  readonly phase: 'started' | 'sent' | 'finished';
  /** The kind of plan. Default: whichever comes there first. */
  readonly kind?: string;
  /** SIGSTOP: it can go on later. Default SIGKILL. */
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

/** How a process is started. */
export interface AppOptions {
  readonly name: string;
  /** Writers that work at the same time. */
  readonly writers?: number;
  /** Readers that work at the same time. Default: none. */
  readonly readers?: Partial<ReaderCounts>;
  /** Pause of a writer after every write, milliseconds. */
  readonly pauseMs?: number;
  /** More options of its failover manager. */
  readonly failover?: FailoverOptions;
  /** More options of its MySQL client. */
  readonly mysql?: object;
  /** What its hooks answer; `'hang'`: nothing, ever. */
  readonly hooks?: {
    readonly approve?: unknown;
    readonly fence?: unknown;
    readonly beforeFailover?: unknown;
    readonly beforeSwitchover?: unknown;
    readonly afterPromote?: unknown;
    readonly afterFailover?: unknown;
  };
  /** Where the process kills, or stops, itself. */
  readonly killAt?: EndPoint;
  /** The process lives in a network namespace of its own, and reaches the servers over these links only. */
  readonly network?: PrivateNetwork;
}

/** One write and what its process was told of it. */
export interface Operation {
  readonly id: string;
  readonly outcome: 'acknowledged' | 'refused' | 'unknown';
  readonly began: number;
  /** When it was told; undefined when its process died before. */
  readonly ended: number | undefined;
  readonly why: string;
  /** How many rows it is. */
  readonly rows: number;
}

/** What came of all writes. */
export interface Verdict {
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  /** Acknowledged and not stored. */
  readonly lost: readonly string[];
  /** Stored more often than written. */
  readonly doubled: readonly string[];
  /** Refused, and stored all the same. */
  readonly resurrected: readonly string[];
  /** Half of a transaction. */
  readonly torn: readonly string[];
}

/** A running application process. */
export class App {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  readonly #waiting = new Map<
    number,
    (message: { result?: unknown; error?: { code?: string; message: string } }) => void
  >();
  #next = 0;

  constructor(name: string, child: ChildProcess, onEvent: (event: AppEvent) => void) {
    this.name = name;
    this.child = child;
    let ready = (): void => {};
    let failed = (_: Error): void => {};
    this.ready = new Promise((resolve, reject) => {
      ready = resolve;
      failed = reject;
    });
    this.ready.catch(() => undefined);
    child.on('message', (message: Record<string, unknown>) => {
      if (typeof message['event'] === 'string') {
        if (message['event'] === 'ready') ready();
        onEvent({ app: name, ...message } as unknown as AppEvent);
      } else this.#waiting.get(Number(message['id']))?.(message as never);
    });
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        failed(new Error(`${name} ended with ${signal ?? code}`));
        for (const answer of this.#waiting.values())
          answer({ error: { message: `${name} ended with ${signal ?? code}` } });
        resolve();
      });
    });
  }

  /** Asks the process to do something; rejects with the code and message of its error, or when it dies. */
  ask<T>(command: string, argument?: unknown): Promise<T> {
    this.#next += 1;
    const id = this.#next;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result as T);
        else reject(Object.assign(new Error(error.message), { code: error.code }));
      });
      if (this.child.connected) this.child.send({ id, command, argument });
      else this.#waiting.get(id)?.({ error: { message: `${this.name} is not there any more` } });
    });
  }

  /** Whether the process is there. */
  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** The processes of one cluster. */
export class AppFleet {
  readonly apps: App[] = [];
  readonly events: AppEvent[] = [];
  readonly #servers: LocalCluster;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'stormlamp-fleet-'));
  readonly #journals: WriteJournal[] = [];
  readonly #reads = new Map<string, string>();

  private constructor(servers: LocalCluster) {
    this.#servers = servers;
  }

  /** Makes the table that is written to. */
  static async open(servers: LocalCluster): Promise<AppFleet> {
    await servers.primary.query(
      'CREATE TABLE IF NOT EXISTS shop.ledger (id VARCHAR(40) NOT NULL, part INT NOT NULL, ' +
        'at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), port INT NULL, KEY (id), KEY (at))',
    );
    // What lets processes compare the epoch with every look.
    await servers.primary.query(`GRANT SELECT ON ha_meta.* TO '${servers.accounts.monitor.user}'@'%'`);
    return new AppFleet(servers);
  }

  /** What a manager of this cluster is told. */
  failoverOptions(more: FailoverOptions = {}): FailoverOptions {
    const { admin, repl } = this.#servers.accounts;
    return { mode: 'auto', credentials: admin, replication: repl, maxLoss: 'any', ...more };
  }

  /** Starts a process and resolves when it is connected. */
  async start(options: AppOptions): Promise<App> {
    const journal = join(this.#folder, `${options.name}-${this.#journals.length}`);
    this.#journals.push(new WriteJournal(journal));
    this.#reads.set(`${journal}.reads`, options.name);
    const config = {
      name: options.name,
      mysql: { ...this.#servers.options().mysql, ...options.mysql },
      failover: this.failoverOptions(options.failover),
      writers: options.writers ?? 0,
      readers: options.readers,
      pauseMs: options.pauseMs ?? 5,
      journal,
      hooks: { approve: 'allow', ...options.hooks },
      killAt: options.killAt,
      ways: options.network?.ways ?? [],
    };
    const child = fork(join(ROOT, 'test/support/failover-app.mjs'), [JSON.stringify(config)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(options.network === undefined ? {} : NAMESPACE),
    });
    const app = new App(options.name, child, (event) => this.events.push(event));
    this.apps.push(app);
    await app.ready;
    return app;
  }

  /** All writes so far, in the order of their end. */
  operations(): readonly Operation[] {
    const operations = this.#journals.flatMap((journal) => [...journal.read().values()]);
    return operations.sort((a, b) => (a.ended ?? 0) - (b.ended ?? 0));
  }

  /** All reads so far that were answered. */
  reads(): readonly ReadNote[] {
    return [...this.#reads].flatMap(([file, app]) => readNotes(app, file));
  }

  /** How many writes that began after `from` are acknowledged by now. */
  acknowledgedAfter(from: number): number {
    let count = 0;
    for (const journal of this.#journals)
      for (const { outcome, began } of journal.read().values())
        if (outcome === 'acknowledged' && began > from) count += 1;
    return count;
  }

  /** How many rows `node` has of each write. */
  async stored(node: LocalDatabaseNode): Promise<ReadonlyMap<string, number>> {
    const sql = 'SELECT id, COUNT(*) AS count FROM shop.ledger GROUP BY id';
    const rows = await node.query<{ id: string; count: number }>(sql);
    return new Map(rows.map(({ id, count }) => [id, Number(count)]));
  }

  /** Compares what the processes were told with what `node` has. */
  async verdict(node: LocalDatabaseNode): Promise<Verdict> {
    // Before the rows: what is acknowledged after they were read is not among them.
    const operations = this.operations();
    const stored = await this.stored(node);
    const of = (outcome: Operation['outcome']): readonly Operation[] =>
      operations.filter((each) => each.outcome === outcome);
    const name = ({ id }: Operation): string => id;
    return {
      acknowledged: of('acknowledged').length,
      refused: of('refused').length,
      unknown: of('unknown').length,
      lost: of('acknowledged')
        .filter(({ id }) => !stored.has(id))
        .map(name),
      doubled: operations
        .filter(({ id }) => (stored.get(id) ?? 0) > 2)
        .map(name)
        .concat(
          of('acknowledged')
            .filter(({ id, rows: wanted }) => (stored.get(id) ?? 0) > wanted)
            .map(name),
        ),
      resurrected: of('refused')
        .filter(({ id }) => stored.has(id))
        .map(name),
      torn: of('acknowledged')
        .filter(({ id, rows: wanted }) => stored.has(id) && (stored.get(id) ?? 0) < wanted)
        .map(name),
    };
  }

  /** The longest time between two acknowledgements of anybody, from `from` on, milliseconds. */
  longestGapMs(from: number, to: number = Number.POSITIVE_INFINITY): number {
    const times = this.operations()
      .filter(({ outcome, ended = 0 }) => outcome === 'acknowledged' && ended >= from && ended <= to)
      .map(({ ended = 0 }) => ended);
    let last = from;
    let longest = 0;
    for (const time of times) {
      longest = Math.max(longest, time - last);
      last = time;
    }
    return longest;
  }

  /** Resolves with the first event of that name after `from` that satisfies `is`. */
  event(name: string, from: number, is: (event: AppEvent) => boolean = () => true): AppEvent | undefined {
    return this.events.find((event) => event.event === name && event.at >= from && is(event));
  }

  /** How long the steps called `name` took that began after the first step called `after` since `from`, milliseconds. */
  stepMs(name: string, from: number, after: string): number {
    const steps = this.events.filter(({ event, at }) => event === 'step' && at >= from);
    const first = steps.findIndex(({ detail }) => String(detail['id']).split('@')[0] === after);
    const own = steps
      .slice(Math.max(0, first))
      .filter(({ detail }) => String(detail['id']).split('@')[0] === name);
    const began = own.find(({ detail }) => detail['phase'] === 'started');
    const ended = own.find(({ detail }) => detail['phase'] === 'finished');
    return began === undefined || ended === undefined ? 0 : ended.at - began.at;
  }

  /** How long each kind of step took that began since `from`, from the first step called `after` on, milliseconds. */
  profile(from: number, after: string): ReadonlyMap<string, number> {
    const steps = this.events.filter(({ event, at }) => event === 'step' && at >= from);
    const name = (detail: AppEvent['detail']): string => String(detail['id']).split('@')[0] ?? '';
    const first = steps.findIndex(({ detail }) => name(detail) === after);
    const began = new Map<string, number>();
    const took = new Map<string, number>();
    for (const { at, detail } of steps.slice(Math.max(0, first))) {
      const id = String(detail['id']);
      if (detail['phase'] === 'started') began.set(id, at);
      else took.set(name(detail), Math.max(took.get(name(detail)) ?? 0, at - (began.get(id) ?? at)));
    }
    return took;
  }

  /** What happened since `from`, for the message of a test that failed. */
  story(from: number): string {
    return this.events
      .filter(({ event, at }) => at >= from && event !== 'statement')
      .map(
        ({ app, event, at, detail }) =>
          `${Math.round(at - from)} ${app} ${event} ${JSON.stringify(detail).slice(0, 300)}`,
      )
      .join('\n');
  }

  /** Stops the writers of all living processes. */
  async stopWriters(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.ask('stop').catch(() => undefined)));
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    await Promise.all(
      this.apps.map(async (app) => {
        app.signal('SIGCONT');
        const closing = app.ask('close').catch(() => undefined);
        const timer = setTimeout(() => app.signal('SIGKILL'), 10_000);
        await Promise.race([closing, app.exited]);
        await app.exited;
        clearTimeout(timer);
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The time, as the processes note it. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
