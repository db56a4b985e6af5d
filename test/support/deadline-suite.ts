/** Whatever happens to a node, every call of every kind ends by its deadline, and all goes on when the node is well again. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import type { DatabaseCase } from '../integration/database-matrix.js';
import { eventually } from '../integration/eventually.js';

const LIMIT_MS = 400;
const FAULT_MS = 900;

/** What a call may end with while a node is in trouble. */
const EXPECTED: ReadonlySet<string> = new Set([
  'ERR_TIMEOUT',
  'ERR_NODE_UNREACHABLE',
  'ERR_NO_PRIMARY',
  'ERR_NO_REPLICA',
  'ERR_OUTCOME_UNKNOWN',
  'ERR_CONNECTION_LOST',
  'ERR_TRANSACTION_LOST',
  'ERR_BREAKER_OPEN',
]);

interface Fault {
  readonly name: string;
  readonly begin: (node: LocalDatabaseNode, servers: LocalCluster) => Promise<() => Promise<unknown>>;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'SIGSTOP',
    begin: async (node) => {
      await node.pause();
      return () => node.resume();
    },
  },
  {
    name: 'SIGKILL and a restart',
    begin: async (node) => {
      await node.kill();
      return () => node.start();
    },
  },
  {
    name: 'a network that swallows everything',
    begin: async (node) => {
      const fault = node.faults.partition();
      return async () => fault.heal();
    },
  },
  {
    name: 'connections that the server has forgotten',
    begin: async (node) => {
      const fault = node.faults.halfOpen();
      return async () => fault.heal();
    },
  },
  {
    name: 'no connection to be had',
    begin: async (node, servers) => {
      await node.query('SET GLOBAL max_connections = 10');
      const { user, password } = servers.accounts.app;
      const held: Connection[] = [];
      const fill = (): Promise<boolean> =>
        createConnection({ host: node.host, port: node.realPort, user, password }).then(
          (connection) => held.push(connection) > 0,
          () => false,
        );
      for (let filling = true; filling; ) filling = await fill();
      return async () => {
        for (const connection of held) connection.destroy();
        await node.query('SET GLOBAL max_connections = 300');
      };
    },
  },
  {
    name: 'tables that are locked',
    begin: async (node, servers) => {
      const { user, password } = servers.accounts.admin;
      const holder = await createConnection({ host: node.host, port: node.realPort, user, password });
      await holder.query('FLUSH TABLES WITH READ LOCK');
      return async () => holder.destroy();
    },
  },
];

/** Declares the tests for some kinds of servers. */
export function testDeadlines(databases: readonly DatabaseCase[]): void {
  describe.each(databases)('$name', ({ options }) => {
    let servers: LocalCluster;
    let cluster: MysqlCluster;

    beforeAll(async () => {
      servers = await startLocalCluster({ ...options, replicas: 1, memcached: 0, php: false });
      await servers.primary.query('CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)');
      await servers.waitForReplication();
      cluster = await createMysqlCluster({ ...servers.options().mysql, pool: { max: 4 } });
    });
    afterAll(async () => {
      await cluster?.close();
      await servers?.close();
    });

    test.each(
      (['primary', 'replica'] as const).flatMap((role) =>
        FAULTS.map((fault) => ({ role, fault, name: fault.name })),
      ),
    )('$name, on the $role', async ({ role, fault }) => {
      const node = role === 'primary' ? servers.primary : servers.replicas[0];
      if (node === undefined) throw new Error('There is no replica');
      const callers = new Callers(cluster);
      const over = callers.run();
      const end = await fault.begin(node, servers);
      await new Promise((resolve) => setTimeout(resolve, FAULT_MS));
      await end();
      callers.stop();
      await over;
      expect(callers.late).toEqual([]);
      expect(callers.unexpected).toEqual([]);
      expect(callers.done).toBeGreaterThan(0);
      await eventually('all is well again', () => isWell(cluster));
    });

    test('the check finds calls without a limit', async () => {
      const callers = new Callers(cluster, 0);
      const over = callers.run();
      const fault = servers.primary.faults.partition();
      await eventually('somebody is late', () => callers.late.length > 0);
      fault.heal();
      callers.stop();
      await over;
      await eventually('all is well again', () => isWell(cluster));
    });
  });
}

async function isWell(cluster: MysqlCluster): Promise<boolean> {
  try {
    await cluster.query({ sql: 'INSERT INTO t (v) VALUES (1)', timeoutMs: 1_000 });
    await cluster.query({ sql: 'SELECT 1 FROM t LIMIT 1', timeoutMs: 1_000, preference: 'replica' });
  } catch {
    return false;
  }
  return cluster.stats().every(({ inFlight }) => inFlight === 0);
}

/** Callers of every kind, one call after the other, each with a limit. */
class Callers {
  readonly late: string[] = [];
  readonly unexpected: string[] = [];
  done = 0;
  #running = true;
  readonly #cluster: MysqlCluster;
  readonly #limitMs: number;

  constructor(cluster: MysqlCluster, limitMs = LIMIT_MS) {
    this.#cluster = cluster;
    this.#limitMs = limitMs;
  }

  stop(): void {
    this.#running = false;
  }

  async run(): Promise<void> {
    const cluster = this.#cluster;
    // 0 is no limit.
    const limit = { timeoutMs: this.#limitMs };
    const read = 'SELECT COUNT(*) FROM t WHERE v = ?';
    const write = 'INSERT INTO t (v) VALUES (?)';
    const kinds: Readonly<Record<string, () => Promise<unknown>>> = {
      query: () => cluster.query({ sql: read, values: [1], ...limit }),
      'query that writes': () => cluster.query({ sql: write, values: [1], ...limit }),
      execute: () => cluster.execute({ sql: read, values: [1], ...limit }),
      'execute that writes': () => cluster.execute({ sql: write, values: [1], ...limit }),
      transaction: () =>
        cluster.transaction(async (connection) => {
          await connection.query(read, [1]);
          await connection.query(write, [1]);
        }, limit),
      'read-only transaction': () =>
        cluster.transaction((connection) => connection.query(read, [1]), { readOnly: true, ...limit }),
      connection: async () => {
        const connection = await cluster.getConnection();
        try {
          await connection.query({ sql: write, values: [1], ...limit });
        } finally {
          connection.release();
        }
      },
    };
    await Promise.all(Object.entries(kinds).map(([kind, call]) => this.#loop(kind, call)));
  }

  async #loop(kind: string, call: () => Promise<unknown>): Promise<void> {
    while (this.#running) {
      // A timer of the same process, so that a busy machine is late for both.
      let isOver = false;
      const timer = setTimeout(() => {
        if (!isOver) this.late.push(kind);
      }, 2.5 * LIMIT_MS);
      try {
        await call();
        this.done += 1;
      } catch (error) {
        const { code } = error as { readonly code?: string };
        if (!EXPECTED.has(code ?? '')) this.unexpected.push(`${kind}: ${String(error)}`);
      }
      isOver = true;
      clearTimeout(timer);
      // A call that fails at once must not keep the timers from coming.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
