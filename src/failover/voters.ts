/** Who votes: the data nodes and the witnesses, and how each of them is reached for looking and for acting. */
import type { NodeId } from '../common/node-address.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type ConnectionFactory, createConnectionFactory } from '../mysql/connection-factory.js';
import { forAdministration, type MysqlNodeConfig } from '../mysql/connection-options.js';
import type { CredentialsSource, MysqlCredentials } from '../mysql/connection-settings.js';
import type { ReplicationChannel } from '../topology/node-description.js';
import type { LockTarget } from './locks/lock-session.js';

/** A server that votes. */
export interface Voter {
  /** Its name. */
  readonly id: NodeId;
  /** Whether it holds the data and can become the primary, or only votes. */
  readonly kind: 'data' | 'witness';
  /** Connections that only look. */
  readonly watch: ConnectionFactory;
  /** Connections that may change the server. What they write of times is UTC: servers may be in several time zones. */
  readonly act: ConnectionFactory;
  /** Where the other servers reach it. */
  readonly address: { readonly host: string; readonly port: number };
}

/** What voters are made of. */
export interface VoterParts {
  /** The data nodes. */
  readonly nodes: readonly MysqlNodeConfig[];
  /** Servers that only vote, with the account that acts there. */
  readonly witnesses: readonly MysqlNodeConfig[];
  /** The account that looks. Default: that of each node. */
  readonly watchAs: MysqlCredentials | CredentialsSource | undefined;
  /** The account that acts. */
  readonly actAs: MysqlCredentials | CredentialsSource;
  /** Where the other servers reach a node, when that is not where this process does. */
  readonly addresses: Readonly<Record<NodeId, { readonly host: string; readonly port: number }>>;
}

/** The voters of a cluster. */
export function votersOf(parts: VoterParts): readonly Voter[] {
  const { nodes, witnesses, watchAs, actAs, addresses } = parts;
  const voter = (kind: Voter['kind'], watch: MysqlNodeConfig, act: MysqlNodeConfig): Voter => {
    const { id, address } = act.seed;
    const { host = 'localhost', port = 3306 } = address;
    return Object.freeze({
      id,
      kind,
      watch: createConnectionFactory(watch),
      act: createConnectionFactory({ ...act, session: { time_zone: '+00:00' } }),
      address: addresses[id] ?? { host, port },
    });
  };
  return [
    ...nodes.map((config) =>
      voter(
        'data',
        forAdministration(config, watchAs),
        forAdministration(config, actAs, 'failover.credentials'),
      ),
    ),
    // A witness is no node of the client: its account is its own, or the one that acts.
    ...witnesses.map((config) => forAdministration(config)).map((config) => voter('witness', config, config)),
  ];
}

/** A voter as something that can be locked. */
export function lockTargetOf({ id, act }: Voter): LockTarget {
  return { voter: id, connect: (deadline) => act.connect(deadline) };
}

/**
 * Knows the nodes by the addresses that replicas have for their sources. What a replica is told is an address, and it takes
 * effect at once; which server answers there is only known after it has connected.
 */
export function sourceFinder(voters: readonly Voter[]): (channel: ReplicationChannel) => NodeId | undefined {
  const byAddress = new Map(
    voters.map(({ id, address }) => [`${address.host}:${address.port}`.toLowerCase(), id]),
  );
  return ({ sourceHost, sourcePort }) => byAddress.get(`${sourceHost}:${sourcePort}`.toLowerCase());
}

/** The error of mode `auto` with fewer than three voters, which says what to do. */
export function tooFewVoters(voters: readonly Voter[]): StormlampError {
  const names = voters.map(({ id }) => id).join(' and ');
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `Mode 'auto' needs at least 3 voters, and there are ${voters.length} (${names}): when one of two is dead, the other one cannot ` +
      'know whether it is dead or cut off. Add a `witness`: a small MySQL or MariaDB on a machine that runs neither database; ' +
      "or add a replica; or use mode 'approve', where a person decides",
  );
}
