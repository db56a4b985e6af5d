/** A switchover under writers that know nothing of leases: only the old primary's refusal keeps them from it. */
import { type Connection, createConnection } from 'mysql2/promise';
import { PlanExecutor } from '../../src/failover/change/plan-executor.js';
import { MetaStore } from '../../src/failover/meta/meta-store.js';
import { planSwitchover } from '../../src/failover/plan/plan-switchover.js';
import { surveyCluster } from '../../src/failover/survey/survey-cluster.js';
import { lockTargetOf, sourceFinder, votersOf } from '../../src/failover/voters.js';
import { parseMysqlNode } from '../../src/mysql/connection-options.js';
import type { LocalCluster } from '../../src/testing/index.js';

/** Switches over while eight connections write to the old primary; how many acknowledged writes the new one lacks. */
export async function switchUnderRawWriters(servers: LocalCluster, refuses: boolean): Promise<number> {
  const old = servers.primary;
  const { app, admin, repl } = servers.accounts;
  await old.query('CREATE TABLE shop.raw (id VARCHAR(40) NOT NULL PRIMARY KEY)');
  const voters = votersOf({
    nodes: servers.databases.map(({ id }) => parseMysqlNode('node', `mysql://${id}`, 'any')),
    witnesses: [],
    watchAs: admin,
    actAs: admin,
    addresses: {},
  });
  const meta = new MetaStore('raw');
  const [primary] = voters.filter(({ id }) => id === old.id);
  if (primary === undefined) throw new Error('no primary');
  await meta.prepare(primary);
  const connections = await Promise.all(
    Array.from({ length: 8 }, () =>
      createConnection({ host: '127.0.0.1', port: old.realPort, database: 'shop', ...app }),
    ),
  );
  const acknowledged: string[] = [];
  const running = connections.map((connection, index) => write(connection, index, acknowledged));
  const sourceOf = sourceFinder(voters);
  const survey = await surveyCluster(voters, sourceOf);
  const plan = planSwitchover(
    {
      opId: '00000000-0000-4000-8000-000000000000',
      cluster: 'raw',
      actor: 'test',
      epoch: 0,
      epochs: new Map(),
      surveys: new Map(
        [...survey.nodes].map(([id, node]) => [id, id === old.id ? node : { ...node, executed: new Map() }]),
      ),
      nodes: voters.map(({ id }) => id),
      witnesses: [],
      sources: survey.sources,
      sourceAt: (node) => ({
        host: '127.0.0.1',
        port: servers.databases.find(({ id }) => id === node)?.port ?? 0,
        user: repl.user,
        tls: false,
      }),
      wishes: { prefer: [], avoid: [], never: [] },
      isolated: new Set(),
      rules: { voters: 3, leaseMs: 1_500, handoverMs: 200 },
      hooks: new Set(),
      evidence: [],
    },
    old.id,
  );
  const steps = refuses
    ? plan.steps
    : // What is written after the final position was read is what the order protects.
      plan.steps.filter(({ id }) => !id.startsWith('refuse-writes') && !id.startsWith('same-position'));
  const outcome = await new PlanExecutor(
    { ...plan, steps },
    {
      targets: voters.map(lockTargetOf),
      rules: { voters: 3, leaseMs: 1_500, handoverMs: 200 },
      waitTimeoutS: 4,
      values: { replicationPassword: repl.password },
      runHook: async () => {},
      lookAgain: async () => {},
      confirm: async () => {},
      onStep: () => {},
      onMajority: () => {},
      onStatement: () => {},
    },
  ).run();
  for (const connection of connections) connection.destroy();
  await Promise.all(running);
  if (!outcome.ok) throw outcome.error;
  const next = servers.databases.find(({ id }) => id === plan.to);
  const rows = (await next?.query<{ id: string }>('SELECT id FROM shop.raw')) ?? [];
  const stored = new Set(rows.map(({ id }) => id));
  return acknowledged.filter((id) => !stored.has(id)).length;
}

async function write(connection: Connection, index: number, acknowledged: string[]): Promise<void> {
  for (let number = 0; ; number += 1) {
    const id = `${index}-${number}`;
    try {
      await connection.query('INSERT INTO raw VALUES (?)', [id]);
      acknowledged.push(id);
    } catch {
      return;
    }
  }
}
