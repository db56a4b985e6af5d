/** Short words for seeds and for what probes of made-up servers find, so that a case reads as a story. */
import type {
  ConfiguredRole,
  NodeSeed,
  Observation,
  ProbeFailure,
  ReplicationChannel,
  ServerFacts,
} from '../../../src/topology/node-description.js';

/** What a probe of one server finds: its facts, or a failure. */
export type Finding = ServerFacts | ProbeFailure;

/** Server ids of the made-up servers: a is 1, b is 2, and so on; replicas know each other by addresses clients never see. */
export const serverIdOf = (name: string): number => name.charCodeAt(0) - 96;
const inside = (name: string): { host: string; port: number } => ({
  host: `10.0.0.${serverIdOf(name)}`,
  port: 3306,
});

/** Seeds with the given configured roles; clients see every node through a proxy of its own. */
export function seeds(roles: Readonly<Record<string, ConfiguredRole>>): NodeSeed[] {
  return Object.entries(roles).map(([id, configuredRole]) => ({
    id,
    address: { host: 'proxy', port: 4000 + serverIdOf(id) },
    configuredRole,
    weight: 1,
  }));
}

/** A server without a source that takes writes. */
export function master(name: string, facts: Partial<ServerFacts> = {}): ServerFacts {
  return {
    flavor: 'mysql',
    version: '9.7.4',
    serverId: serverIdOf(name),
    readOnly: false,
    channels: [],
    gtid: '',
    replicationVisible: true,
    ...facts,
  };
}

/** A channel from `source`, in step. */
export function channel(source: string, changes: Partial<ReplicationChannel> = {}): ReplicationChannel {
  const { host, port } = inside(source);
  return {
    name: '',
    sourceHost: host,
    sourcePort: port,
    sourceServerId: serverIdOf(source),
    io: 'yes',
    sql: true,
    lagMs: 0,
    delayMs: 0,
    error: '',
    ...changes,
  };
}

/** A read-only replica of `source`, in step. */
export function slave(
  name: string,
  source: string,
  changes: Partial<ReplicationChannel> = {},
  facts: Partial<ServerFacts> = {},
): ServerFacts {
  return master(name, { readOnly: true, channels: [channel(source, changes)], ...facts });
}

/** A replica that cannot reach its source. */
export function orphan(name: string, source: string, facts: Partial<ServerFacts> = {}): ServerFacts {
  return slave(name, source, { io: 'connecting', lagMs: null, error: 'error connecting' }, facts);
}

/** MySQL's set of the first `count` transactions of each named server. */
export function gtids(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(
      ([name, count]) =>
        `${String(serverIdOf(name)).padStart(8, '0')}-0000-0000-0000-000000000000:1-${count}`,
    )
    .join(',');
}

/** The observation that a probe at `at` makes of `finding`. */
export function observationOf(node: string, finding: Finding, at: number): Observation {
  if (typeof finding === 'string') {
    return { node, at, ok: false, failure: finding, error: new Error(`made up: ${finding}`) };
  }
  return { node, at, ok: true, latencyMs: 1, facts: finding };
}
