/** What the doctor thinks of database servers: a pure judgement of what was read from them. */
import { errantTransactions, isOlderThanReplication } from '../../topology/errant-transactions.js';
import type { ServerFacts } from '../../topology/node-description.js';
import { type FilteringServer, filtersOnWay } from '../../topology/replication-filters.js';
import { mayBeSameServer } from '../../topology/replication-graph.js';
import type { WriterState } from '../../topology/topology-description.js';
import { type Check, Checks } from './check.js';
import { judgeSettings } from './judge-settings.js';

/** What was read from one server. */
export interface DatabaseFacts {
  /** The node. */
  readonly node: string;
  /** What the monitor reads. */
  readonly facts: ServerFacts;
  /** Server variables by name, in lower case. */
  readonly variables: ReadonlyMap<string, string>;
  /** Settings of the application's session by name, in lower case; empty where it could not log in. */
  readonly settings: ReadonlyMap<string, string>;
  /** How many connections the application's account may have here (`MAX_USER_CONNECTIONS`, `max_user_connections`); 0 is no limit. */
  readonly accountLimit: number;
  /** How far the server's clock is ahead of this machine's, in milliseconds. */
  readonly clockAheadMs: number;
  /** The GRANT that the monitor's account lacks to see who waits for the lock of the whole server; '' when it sees them. */
  readonly lockSightGrant: string;
}

/** What the configuration says that the servers have to fit. */
export interface DatabaseNeeds {
  /** Connections that one process may open to a node. */
  readonly poolMax: number;
  /** Whether the monitor uses the application's account, too. */
  readonly monitorsToo: boolean;
  /** Nodes that the configuration calls primary. */
  readonly primaries: readonly string[];
  /** Who takes writes; undefined where nobody could be looked at. */
  readonly writer: WriterState | undefined;
  /** Replicas that may have a part of the data: `mysql.reads.partialReplicas`. */
  readonly partialReplicas: readonly string[] | 'all';
  /** Replicas that may have transactions of their own: `mysql.reads.errantReplicas`. */
  readonly errantReplicas: readonly string[] | 'all';
}

const CLOCK_LIMIT_MS = 2_000;
/** Connections of a monitor to its node. */
const MONITOR_CONNECTIONS = 2;

/** Judges all servers that could be read. */
export function judgeDatabases(servers: readonly DatabaseFacts[], needs: DatabaseNeeds): readonly Check[] {
  const checks = new Checks('mysql');
  for (const server of servers) {
    judgeOne(checks, server, needs);
    if (server.facts.channels.length > 0) judgeReplica(checks, server);
  }
  judgeTogether(checks, servers, needs);
  return checks.list;
}

function judgeOne(
  checks: Checks,
  { node, facts, variables, accountLimit, clockAheadMs, lockSightGrant }: DatabaseFacts,
  needs: DatabaseNeeds,
): void {
  const { flavor, version, serverId } = facts;
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  const isOld = flavor === 'mariadb' ? major < 10 || (major === 10 && minor < 5) : major < 8;
  checks.expect(!isOld, 'warning', node, 'version of the server', {
    found: `${flavor} ${version}`,
    expected: flavor === 'mariadb' ? 'MariaDB 10.5 or newer' : 'MySQL 8.0 or newer',
    fix: 'upgrade the server; older ones are not tested',
  });
  checks.expect(serverId > 0, 'failed', node, 'server_id', {
    found: String(serverId),
    expected: 'a number of its own, not 0',
    fix: `set \`server_id\` in the [mysqld] section of ${node} and restart it`,
  });
  checks.expect(isOn(variables.get('log_bin')), 'warning', node, 'binary log', {
    found: variables.get('log_bin') ?? 'unknown',
    expected: 'ON, so that others can replicate from it',
    fix: `set \`log_bin\` in the [mysqld] section of ${node} and restart it`,
  });
  if (flavor === 'mysql') {
    checks.expect(variables.get('gtid_mode') === 'ON', 'warning', node, 'GTIDs', {
      found: `gtid_mode=${variables.get('gtid_mode') ?? 'unknown'}`,
      expected: 'ON: without it nobody can tell what a replica has',
      fix: 'set `gtid_mode=ON` and `enforce_gtid_consistency=ON` on every node',
    });
  }
  const connections = Number(variables.get('max_connections') ?? 0);
  checks.expect(connections === 0 || connections >= needs.poolMax * 2, 'warning', node, 'connections', {
    found: `max_connections=${connections}, pool.max=${needs.poolMax}`,
    expected: 'room for several processes',
    fix: `raise \`max_connections\` on ${node}, or lower \`mysql.pool.max\``,
  });
  judgeAccountLimit(checks, node, accountLimit, needs);
  checks.expect(lockSightGrant === '', 'warning', node, 'who waits for a lock', {
    found:
      lockSightGrant === '' ? 'seen by the monitor' : 'the account of the monitor sees no sessions of others',
    expected:
      'that it does, or nobody is told of a primary that is locked (FLUSH TABLES WITH READ LOCK, a backup)',
    fix: `run \`${lockSightGrant}\` on the primary`,
  });
  checks.expect(Math.abs(clockAheadMs) <= CLOCK_LIMIT_MS, 'warning', node, 'clock', {
    found: `${Math.round(clockAheadMs)} ms ahead of this machine`,
    expected: `at most ${CLOCK_LIMIT_MS} ms apart`,
    fix: `let both machines keep their time by NTP`,
  });
}

/** A server refuses what is over the limit of an account (`ER_USER_LIMIT_REACHED`), however much room itself has. */
function judgeAccountLimit(
  checks: Checks,
  node: string,
  limit: number,
  { poolMax, monitorsToo }: DatabaseNeeds,
): void {
  if (limit === 0) return;
  const each = poolMax + (monitorsToo ? MONITOR_CONNECTIONS : 0);
  checks.expect(limit >= 2 * each, limit < each ? 'failed' : 'warning', node, 'connections of the account', {
    found: `MAX_USER_CONNECTIONS=${limit}; a process opens up to ${each} here (pool.max=${poolMax}${monitorsToo ? `, and ${MONITOR_CONNECTIONS} of the monitor` : ''})`,
    expected: 'room for every process: that many for each of them, on every node',
    fix: `raise it by \`ALTER USER … WITH MAX_USER_CONNECTIONS n\` (or \`max_user_connections\` on ${node}), or lower \`mysql.pool.max\``,
  });
}

/**
 * Commits of several workers in another order than the primary's: a replica shows a later one and not yet an earlier one. Default
 * since MySQL 8.0.27 is to keep the order; MariaDB always does, in a domain.
 */
function judgeOrder(checks: Checks, node: string, variables: ReadonlyMap<string, string>): void {
  const of = (name: string): string | undefined =>
    variables.get(`replica_${name}`) ?? variables.get(`slave_${name}`);
  const order = of('preserve_commit_order');
  const workers = Number(of('parallel_workers') ?? 0);
  if (order === undefined) return;
  checks.expect(isOn(order) || workers <= 1, 'warning', node, 'order of commits', {
    found: `replica_preserve_commit_order=${order} with ${workers} workers`,
    expected: 'ON: what a write met without changing it counts as older than the write',
    fix: `run \`STOP REPLICA SQL_THREAD; SET GLOBAL replica_preserve_commit_order=ON; START REPLICA SQL_THREAD\` on ${node}, and put it into its configuration`,
  });
}

function judgeReplica(checks: Checks, { node, facts, variables }: DatabaseFacts): void {
  checks.expect(facts.readOnly, 'warning', node, 'read_only of a replica', {
    found: facts.readOnly ? 'ON' : 'OFF: ordinary users can write here',
    expected: 'ON',
    fix: `run \`SET GLOBAL ${facts.flavor === 'mysql' ? 'super_read_only' : 'read_only'}=1\` on ${node}, and put it into its configuration`,
  });
  const updates = variables.get('log_slave_updates') ?? variables.get('log_replica_updates');
  checks.expect(isOn(updates), 'warning', node, 'binary log of what it replicates', {
    found: `log_slave_updates=${updates ?? 'unknown'}`,
    expected: 'ON, or it cannot become the primary of others',
    fix: `set \`log_slave_updates\` in the [mysqld] section of ${node} and restart it`,
  });
  judgeOrder(checks, node, variables);
  for (const { name, io, sql, error, lagMs, delayMs } of facts.channels) {
    const channel = name === '' ? 'replication' : `replication channel ${name}`;
    checks.expect(io === 'yes' && sql, 'failed', node, channel, {
      found:
        io === 'yes' && sql
          ? `runs, ${lagMs ?? 'unknown'} ms behind`
          : `receiving: ${io}, applying: ${sql ? 'yes' : 'no'}${error === '' ? '' : `, ${error}`}`,
      expected: 'both threads run',
      fix: `mend what it says, then run \`START ${facts.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'}\` on ${node}`,
    });
    if (delayMs > 0)
      checks.bad('warning', node, `delay of ${channel}`, {
        found: `${delayMs} ms on purpose`,
        expected: 'none: it serves no read that asks for less, and cannot take over at once',
        fix: `set ${facts.flavor === 'mysql' ? 'SOURCE_DELAY' : 'MASTER_DELAY'}=0 on ${node}, or list it for backups only`,
      });
  }
}

/** Who has no source although it is no primary: what is written elsewhere never reaches it. */
function judgeSources(checks: Checks, servers: readonly DatabaseFacts[], { primaries }: DatabaseNeeds): void {
  const isFollowed = (id: number): boolean =>
    servers.some(({ facts }) => facts.channels.some(({ sourceServerId }) => sourceServerId === id));
  for (const { node, facts } of servers) {
    const isHead =
      facts.group !== undefined ||
      primaries.includes(node) ||
      isFollowed(facts.serverId) ||
      servers.length === 1;
    if (isHead || facts.channels.length > 0 || !facts.replicationVisible) continue;
    checks.bad('failed', node, 'source of the replica', {
      found: `none, and it ${facts.readOnly ? 'is read-only: it stands still' : 'takes writes: a second primary'}`,
      expected: 'the primary, or a server that follows it',
      fix: `let ${node} replicate from the primary, or take it out of the configuration`,
    });
  }
}

/** The server above another one with one source; undefined when it is not listed. */
function aboveIn(servers: readonly DatabaseFacts[], { facts }: DatabaseFacts): DatabaseFacts | undefined {
  const [channel, second] = facts.channels;
  if (channel === undefined || second !== undefined) return undefined;
  return servers.find((other) => other.facts.serverId === channel.sourceServerId);
}

/** What replication filters, and errors that are passed over, keep from replicas. */
function judgeFilters(checks: Checks, servers: readonly DatabaseFacts[], needs: DatabaseNeeds): void {
  const unseen = new Set<DatabaseFacts>();
  const asFiltering = ({ node, facts }: DatabaseFacts): FilteringServer => ({ id: node, facts });
  for (const server of servers.filter(({ facts }) => facts.channels.length > 0)) {
    const between: DatabaseFacts[] = [];
    let next = aboveIn(servers, server);
    while (next !== undefined && next.facts.channels.length > 0 && !between.includes(next)) {
      between.push(next);
      next = aboveIn(servers, next);
    }
    if (next?.facts.binlogFilters === undefined && next?.facts.flavor === 'mariadb') unseen.add(next);
    const filters = filtersOnWay({
      replica: asFiltering(server),
      between: between.filter((other) => other !== server).map(asFiltering),
      head: next === undefined ? undefined : asFiltering(next),
    });
    const isAllowed = needs.partialReplicas === 'all' || needs.partialReplicas.includes(server.node);
    const isFit = filters === '' || isAllowed;
    const why = isAllowed ? '`mysql.reads.partialReplicas` lets it serve reads' : 'it serves no reads';
    checks.expect(isFit, 'failed', server.node, 'what it gets of the data', {
      found: filters === '' ? 'all: no filters' : `a part: ${filters}; ${why}`,
      expected: 'all of it: its GTIDs and its lag tell nothing of what is left out',
      fix: `take that setting away and rebuild ${server.node}; or, where nobody reads what is left out, name it in \`mysql.reads.partialReplicas\``,
    });
  }
  for (const { node } of unseen)
    checks.skip(
      node,
      'what it leaves out of its binary log',
      'the account of the monitor may not see it (`binlog_do_db`, `binlog_ignore_db`): run `GRANT BINLOG MONITOR ON *.*` for it',
    );
}

/** What replicas have that the primary above them lacks. */
function judgeErrant(checks: Checks, servers: readonly DatabaseFacts[], needs: DatabaseNeeds): void {
  for (const server of servers) {
    const between: ServerFacts[] = [];
    let head = aboveIn(servers, server);
    for (let depth = 0; head !== undefined && head.facts.channels.length > 0; depth += 1) {
      between.push(head.facts);
      head = depth < servers.length ? aboveIn(servers, head) : undefined;
    }
    if (head === undefined || head === server) continue;
    const errant = errantTransactions(server.facts, head.facts, between);
    const isProven = errant !== '' && !isOlderThanReplication(errant, server.facts, head.facts);
    const isAllowed = needs.errantReplicas === 'all' || needs.errantReplicas.includes(server.node);
    const isOut = isProven && !isAllowed;
    const why = isOut
      ? 'it serves no reads'
      : isProven
        ? '`mysql.reads.errantReplicas` lets it serve reads'
        : 'they may be older than replication, and it serves reads';
    const rest = isOut
      ? '; or, where they change nothing that is read, name it in `mysql.reads.errantReplicas`'
      : '';
    checks.expect(errant === '', isOut ? 'failed' : 'warning', server.node, 'transactions of its own', {
      found: errant === '' ? `none that ${head.node} lacks` : `${head.node} lacks ${errant}; ${why}`,
      expected: 'none: what is written on a replica makes it differ from the primary',
      fix: `look at them in the binary log of ${server.node}, then write the same on ${head.node}, or rebuild ${server.node}${rest}`,
    });
  }
}

/** Servers that have the number, or the uuid, of another one. */
function judgeTwins(checks: Checks, servers: readonly DatabaseFacts[]): void {
  const groupsBy = (keyOf: (facts: ServerFacts) => string | undefined): DatabaseFacts[][] => {
    const groups = new Map<string, DatabaseFacts[]>();
    for (const server of servers) {
      const key = keyOf(server.facts);
      if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), server]);
    }
    return [...groups.values()].filter(({ length }) => length > 1);
  };
  const namesOf = (twins: readonly DatabaseFacts[]): string => twins.map(({ node }) => node).join(' and ');
  const areTwo = ([first, ...others]: readonly DatabaseFacts[]): boolean =>
    first !== undefined && others.some(({ facts }) => !mayBeSameServer(first.facts, facts));
  // The members of a Galera cluster share one when they number transactions alike.
  for (const twins of groupsBy(({ serverId, group }) =>
    group?.kind === 'galera' ? undefined : String(serverId),
  )) {
    checks.bad('failed', null, 'server_id of each node', {
      found: `${namesOf(twins)} have ${twins[0]?.facts.serverId}`,
      expected: 'numbers that differ: servers with the same one do not replicate from each other',
      fix: areTwo(twins)
        ? 'give each node a `server_id` of its own and restart it'
        : 'give each node a `server_id` of its own and restart it; or, if they are one server under two names, take one of them out of the configuration',
    });
  }
  for (const twins of groupsBy(({ serverUuid }) => serverUuid).filter(areTwo)) {
    checks.bad('failed', null, 'server_uuid of each node', {
      found: `${namesOf(twins)} have ${twins[0]?.facts.serverUuid}: a data directory was copied`,
      expected: 'one of its own each: what both write counts as one, and neither can follow the other',
      fix: 'stop the copy, delete auto.cnf in its data directory, and start it again',
    });
  }
}

/** Where the configuration calls nobody the primary, one of the servers has to be it. */
function judgeWriter(checks: Checks, writer: WriterState | undefined): void {
  if (writer === undefined) return;
  const isSplit = writer.kind === 'split-brain';
  checks.expect(writer.kind === 'primary', 'failed', null, 'who takes writes', {
    found:
      writer.kind === 'primary' ? writer.node : isSplit ? `${writer.nodes.join(' and ')} do` : 'nobody does',
    expected: 'one server, which the others follow',
    fix: isSplit
      ? 'make all but the primary read-only, and let them follow it'
      : 'start the primary, or run `SET GLOBAL read_only=0` on the server that has everything',
  });
}

function judgeTogether(checks: Checks, servers: readonly DatabaseFacts[], needs: DatabaseNeeds): void {
  const { primaries } = needs;
  judgeTwins(checks, servers);
  for (const { node, facts } of servers.filter(({ node }) => primaries.includes(node))) {
    checks.expect(facts.channels.length === 0, 'warning', node, 'the configured primary', {
      found:
        facts.channels.length === 0 ? 'has no source' : 'replicates from another server: it is a replica now',
      expected: 'to be the primary',
      fix: 'name the present primary in `mysql.primary`; the roles that are seen are used all the same',
    });
    // A replica refuses them by right.
    if (facts.channels.length > 0) continue;
    checks.expect(!facts.readOnly, 'failed', node, 'writes on the primary', {
      found: !facts.readOnly ? 'allowed' : 'refused: read_only is ON',
      expected: 'read_only=OFF',
      fix: `run \`SET GLOBAL read_only=0\` on ${node} if it really is the primary`,
    });
  }
  if (primaries.length === 0 && servers.length > 0) judgeWriter(checks, needs.writer);
  judgeSources(checks, servers, needs);
  judgeFilters(checks, servers, needs);
  judgeErrant(checks, servers, needs);
  judgeSettings(checks, servers);
  if (servers.length === 0) return;
  const flavors = new Set(servers.map(({ facts }) => facts.flavor));
  checks.expect(flavors.size <= 1, 'warning', null, 'family of the servers', {
    found: [...flavors].join(' and '),
    expected: 'one of both',
    fix: 'use the same family on every node: GTIDs of MySQL and MariaDB do not mix',
  });
}

function isOn(value: string | undefined): boolean {
  return value === 'ON' || value === '1';
}
