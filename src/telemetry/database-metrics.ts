/** The metrics of the database nodes, from what the client knows already. */
import { type AnyCluster, failoverStateOf, partOf } from '../cluster-readiness.js';
import type { NodeStats } from '../mysql/cluster-node.js';
import { effectiveLagMs, type NodeDescription } from '../topology/node-description.js';
import { votedWriter } from '../topology/voted-writer.js';
import type { Metric, Sample } from './metric.js';

const POOL_ATTRIBUTES = {
  node: 'db.client.connection.pool.name',
  state: 'db.client.connection.state',
} as const;

/** See the head of this file. */
export const databaseMetrics: readonly Metric[] = [
  {
    name: 'stormlamp_node_up',
    instrument: 'stormlamp.node.up',
    help: 'Whether a database node answers the monitor.',
    type: 'gauge',
    unit: '1',
    across: 'min',
    read: ofNodes((node) => [sample(node, {}, node.state === 'up' ? 1 : 0)]),
  },
  {
    name: 'stormlamp_node_primary',
    instrument: 'stormlamp.node.primary',
    help: 'Whether a database node takes the writes, and this process may send them there.',
    type: 'gauge',
    unit: '1',
    across: 'max',
    read: (cluster) => {
      const topology = partOf(() => cluster.topology());
      if (topology === undefined) return [];
      const primary = votedWriter(topology, failoverStateOf(cluster));
      return topology.nodes.map((node) => sample(node, {}, node.id === primary ? 1 : 0));
    },
  },
  {
    name: 'stormlamp_node_lag_seconds',
    instrument: 'stormlamp.node.lag',
    help: 'How far a replica is behind, the age of that measurement included; absent while it is not known.',
    type: 'gauge',
    unit: 's',
    read: ofNodes((node) => {
      if (node.state !== 'up' || node.role !== 'replica') return [];
      const lag = effectiveLagMs(node, performance.now());
      return lag === null || !Number.isFinite(lag) ? [] : [sample(node, {}, lag / 1000)];
    }),
  },
  {
    name: 'stormlamp_node_probe_seconds',
    instrument: 'stormlamp.node.probe.duration',
    help: 'How long the last look of the monitor took.',
    type: 'gauge',
    unit: 's',
    read: ofNodes((node) => (node.state === 'up' ? [sample(node, {}, node.latencyMs / 1000)] : [])),
  },
  {
    name: 'stormlamp_topology_epoch',
    instrument: 'stormlamp.topology.epoch',
    help: 'Grows with every new primary that this process sees.',
    type: 'gauge',
    unit: '1',
    across: 'max',
    read: (cluster) => {
      const epoch = partOf(() => cluster.topology().epoch);
      return epoch === undefined ? [] : [{ labels: {}, value: epoch }];
    },
  },
  {
    name: 'stormlamp_topology_warnings',
    instrument: 'stormlamp.topology.warnings',
    help: 'Present troubles of the topology, by code.',
    type: 'gauge',
    unit: '{warning}',
    read: (cluster) =>
      (partOf(() => cluster.topology().warnings) ?? []).map(({ code, node }) => ({
        labels: { node, code },
        value: 1,
      })),
  },
  {
    name: 'stormlamp_statements_total',
    instrument: 'stormlamp.statements',
    help: 'Statements that were sent to a node, by what they are to it.',
    type: 'counter',
    unit: '{statement}',
    read: ofStats(({ node, reads, writes }) => [
      { labels: { node, operation: 'read' }, value: reads },
      { labels: { node, operation: 'write' }, value: writes },
    ]),
  },
  {
    name: 'stormlamp_statement_faults_total',
    instrument: 'stormlamp.statement.faults',
    help: 'Statements that failed in a way that speaks against the node.',
    type: 'counter',
    unit: '{statement}',
    read: ofStats(({ node, faults }) => [{ labels: { node }, value: faults }]),
  },
  {
    name: 'stormlamp_statements_in_flight',
    instrument: 'stormlamp.statements.in_flight',
    help: 'Statements that are under way.',
    type: 'gauge',
    unit: '{statement}',
    additive: true,
    read: ofStats(({ node, inFlight }) => [{ labels: { node }, value: inFlight }]),
  },
  {
    name: 'stormlamp_pool_connections',
    instrument: 'db.client.connection.count',
    help: 'Connections to a node, by whether somebody uses them.',
    type: 'gauge',
    unit: '{connection}',
    additive: true,
    attributes: POOL_ATTRIBUTES,
    read: ofStats(({ node, pool }) => [
      { labels: { node, state: 'idle' }, value: pool.idle },
      { labels: { node, state: 'used' }, value: pool.borrowed },
    ]),
  },
  {
    name: 'stormlamp_pool_max_connections',
    instrument: 'db.client.connection.max',
    help: 'Connections to a node that may be open at the same time.',
    type: 'gauge',
    unit: '{connection}',
    additive: true,
    attributes: POOL_ATTRIBUTES,
    read: ofStats(({ node, pool }) => [{ labels: { node }, value: pool.max }]),
  },
  {
    name: 'stormlamp_pool_waiting',
    instrument: 'db.client.connection.pending_requests',
    help: 'Callers who wait for a connection to a node.',
    type: 'gauge',
    unit: '{request}',
    additive: true,
    attributes: POOL_ATTRIBUTES,
    read: ofStats(({ node, pool }) => [{ labels: { node }, value: pool.waiting }]),
  },
  {
    name: 'stormlamp_breaker_closed',
    instrument: 'stormlamp.breaker.closed',
    help: 'Whether the breaker of a node lets calls of a class through freely.',
    type: 'gauge',
    unit: '1',
    across: 'min',
    read: ofStats(({ node, breakers }) =>
      Object.entries(breakers).map(([operation, { phase }]) => ({
        labels: { node, operation },
        value: phase === 'closed' ? 1 : 0,
      })),
    ),
  },
  {
    name: 'stormlamp_failure',
    instrument: 'stormlamp.failure',
    help: 'What is wrong with the primary, by kind; absent when nothing is.',
    type: 'gauge',
    unit: '1',
    read: (cluster) => {
      const kind = partOf(() => cluster.failover.state.failure);
      return kind == null ? [] : [{ labels: { kind }, value: 1 }];
    },
  },
];

function ofNodes(read: (node: NodeDescription) => readonly Sample[]): Metric['read'] {
  return (cluster) => (partOf(() => cluster.topology().nodes) ?? []).flatMap(read);
}

function ofStats(read: (stats: NodeStats) => readonly Sample[]): Metric['read'] {
  return (cluster: AnyCluster) => (partOf(() => cluster.mysql.stats()) ?? []).flatMap(read);
}

function sample({ id }: NodeDescription, labels: Readonly<Record<string, string>>, value: number): Sample {
  return { labels: { node: id, ...labels }, value };
}
