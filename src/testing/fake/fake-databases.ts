/** Databases that exist in this process only: who is the primary, who is up, and how far replicas are behind. */
import type { HealthProbe } from '../../health/health-probe.js';
import { connectError } from '../../mysql/connect-error.js';
import type { ConnectionFactory } from '../../mysql/connection-factory.js';
import type { MysqlNodeConfig } from '../../mysql/connection-options.js';
import { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { ServerPorts } from '../../mysql/server-ports.js';
import { parseServerVersion } from '../../mysql/server-version.js';
import type { ServerFacts } from '../../topology/node-description.js';
import { FakeAnswers, type FakeReply, type FakeStatement } from './fake-answers.js';
import { FakeDriverConnection } from './fake-driver-connection.js';
import { StatementChecks } from './statement-checks.js';

const VERSION = '10.11.14-MariaDB';
const PORT = 3306;

/** One database. */
export interface FakeDatabase {
  /** Its name and host. */
  readonly name: string;
  /** Its `server_id`. */
  readonly serverId: number;
  /** Whether it answers. */
  isUp: boolean;
  /** How far it says to be behind, milliseconds; null when it does not know. */
  lagMs: number | null;
  /** The last commit that it has, when it stands still; undefined when it has all. */
  standsAt: number | undefined;
  /** Its open connections. */
  readonly connections: Set<FakeDriverConnection>;
}

/** All databases of one cluster. */
export class FakeDatabases implements ServerPorts {
  /** By name, in their order. */
  readonly all: ReadonlyMap<string, FakeDatabase>;
  /** What they answer. */
  readonly answers: FakeAnswers = new FakeAnswers();
  /** What they got, in order. */
  readonly statements: FakeStatement[] = [];
  /** See {@link ServerPorts.takesValues}. */
  readonly takesValues = true;
  /** The name of the primary. */
  primary: string;
  #commits = 0;
  #threads = 0;

  /** Makes databases; the first one is the primary. */
  constructor(names: readonly [string, ...string[]]) {
    this.primary = names[0];
    this.all = new Map(
      names.map((name, at) => [
        name,
        { name, serverId: at + 1, isUp: true, lagMs: 0, standsAt: undefined, connections: new Set() },
      ]),
    );
  }

  /** See {@link ServerPorts.connectionsTo}. */
  connectionsTo(config: MysqlNodeConfig): ConnectionFactory {
    const node = config.seed.id;
    const checks = new StatementChecks(config);
    return {
      node,
      config,
      connect: async (deadline) => {
        deadline.check('Connecting');
        const database = this.#of(config);
        if (!database.isUp) throw connectError({ node, user: 'fake', error: refused(node) });
        this.#threads += 1;
        const raw = new FakeDriverConnection(this, database, this.#threads, checks);
        database.connections.add(raw);
        return new PhysicalConnection({
          node,
          raw: raw.asDriver(),
          version: parseServerVersion(VERSION),
          setupSql: () => 'DO 0',
        });
      },
    };
  }

  /** See {@link ServerPorts.probeOf}. */
  probeOf({ config }: Parameters<ServerPorts['probeOf']>[0]): HealthProbe {
    return {
      probe: async () => {
        const database = this.#of(config);
        if (!database.isUp) throw refused(config.seed.id);
        return this.#facts(database);
      },
      close: () => undefined,
    };
  }

  /** Nothing to end: a reply that nobody waits for is thrown away. */
  async kill(): Promise<'finished'> {
    return 'finished';
  }

  /** What a database is now. */
  roleOf({ name }: FakeDatabase): 'primary' | 'replica' {
    return name === this.primary ? 'primary' : 'replica';
  }

  /** The position of a database. */
  positionOf({ standsAt }: FakeDatabase): string {
    const at = Math.min(standsAt ?? this.#commits, this.#commits);
    return at === 0 ? '' : `0-1-${at}`;
  }

  /** Notes a commit on the primary, and gives its GTID. */
  commit(): string {
    this.#commits += 1;
    return `0-1-${this.#commits}`;
  }

  /** Whether a database has what `gtid` names. */
  hasApplied({ standsAt }: FakeDatabase, gtid: string): boolean {
    return Number(gtid.split('-')[2] ?? 0) <= (standsAt ?? this.#commits);
  }

  /** Lets a replica stand where it is now, or go on. */
  setLag(database: FakeDatabase, lagMs: number | null): void {
    database.lagMs = lagMs;
    database.standsAt = lagMs === 0 ? undefined : (database.standsAt ?? this.#commits);
  }

  /** The reply to a statement of a caller. */
  async replyTo(database: FakeDatabase, sql: string, values: readonly unknown[]): Promise<FakeReply> {
    const statement: FakeStatement = { sql, values, node: database.name, role: this.roleOf(database) };
    this.statements.push(statement);
    return this.answers.replyTo(statement);
  }

  #of({ seed }: MysqlNodeConfig): FakeDatabase {
    const database = this.all.get(seed.address.host ?? '');
    if (database === undefined) throw refused(seed.id);
    return database;
  }

  #facts(database: FakeDatabase): ServerFacts {
    const isPrimary = this.roleOf(database) === 'primary';
    const source = this.all.get(this.primary);
    const isConnected = source?.isUp === true;
    return {
      flavor: 'mariadb',
      version: VERSION,
      serverId: database.serverId,
      readOnly: !isPrimary,
      gtid: this.positionOf(database),
      gtidApplied: this.positionOf(database),
      replicationVisible: true,
      channels: isPrimary
        ? []
        : [
            {
              name: '',
              sourceHost: this.primary,
              sourcePort: PORT,
              sourceServerId: source?.serverId ?? 0,
              io: isConnected ? 'yes' : 'connecting',
              sql: true,
              lagMs: isConnected ? database.lagMs : null,
              delayMs: 0,
              error: '',
            },
          ],
    };
  }
}

function refused(node: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${node}`), { code: 'ECONNREFUSED', fatal: true });
}
