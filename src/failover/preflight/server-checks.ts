/** What servers must be like for a change of the primary to be safe; pure. */
import type { NodeId } from '../../common/node-address.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { MaxLoss } from '../acting-options.js';
import { isOn, type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { waitsAlone, waitsAloneName, isSemiSync as waitsForReplicas } from '../survey/semi-sync.js';
import type { PreflightCheck } from './preflight.js';

/** A replica that tries to connect less often is behind for a while after every outage, seconds. */
const LONGEST_RETRY_S = 10;
/** So long a replica must go on trying, seconds: a primary may be away for a night. */
const SHORTEST_PATIENCE_S = 43_200;

/** Checks of one server. */
export function nodeChecks(
  survey: NodeSurvey,
  sourceOf: (channel: ReplicationChannel) => NodeId | undefined,
): readonly PreflightCheck[] {
  const { node, channels, readOnly, numbering } = survey;
  const value = (...names: string[]): string => variableOf(survey, ...names) ?? '';
  const check = (
    name: string,
    variable: string,
    good: boolean,
    otherwise: 'warn' | 'fail',
    remedy: string,
  ): PreflightCheck => ({
    name,
    node,
    result: good ? 'pass' : otherwise,
    detail: good ? `${name}: as it should be` : `${node}: ${remedy}`,
    sql: `SHOW GLOBAL VARIABLES LIKE '${variable}'`,
  });
  const timeout = Number(value('replica_net_timeout', 'slave_net_timeout') || 0);
  const isMysql = survey.version.flavor === 'mysql';
  const variable = isMysql ? 'replica_net_timeout' : 'slave_net_timeout';
  // On MySQL longer than it takes until a failover stops the receivers.
  const [shortest, longest] = isMysql ? [8, 20] : [2, 10];
  const group = value('group_replication_group_name');
  const [channel] = channels;
  const heartbeat = Number(survey.status?.['Slave_heartbeat_period'] ?? 1);
  const retryS = Number(survey.status?.['Connect_Retry'] ?? 1);
  // MariaDB does not tell how often, and never tires by default.
  const retries = Number(survey.status?.['Source_Retry_Count'] ?? survey.status?.['Master_Retry_Count'] ?? 0);
  const workers = Number(value('replica_parallel_workers', 'slave_parallel_workers') || 0);
  const isSemiSync = ['source', 'replica', 'master', 'slave'].some((role) =>
    isOn(value(`rpl_semi_sync_${role}_enabled`)),
  );
  return [
    check(
      'no-galera',
      'wsrep_on',
      !isOn(value('wsrep_on')),
      'fail',
      'Galera elects by itself; use mode follow',
    ),
    check(
      'no-group-replication',
      'group_replication_group_name',
      group === '',
      'fail',
      'Group Replication elects by itself; use mode follow',
    ),
    check(
      'one-source',
      'read_only',
      channels.length < 2,
      'fail',
      'it replicates from several sources; only follow is possible',
    ),
    check(
      'unnamed-channel',
      'read_only',
      channel === undefined || channels.length > 1 || channel.name === '',
      'fail',
      `it replicates over the channel '${channel?.name}', and a change of the primary reaches only the channel without a name; when it has executed ` +
        `all that it has received, run ${forgetWords(isMysql, channel?.name ?? '')} there, and CHANGE ${isMysql ? 'REPLICATION SOURCE TO … without FOR CHANNEL' : 'MASTER TO … without a name'}`,
    ),
    check(
      'known-source',
      'read_only',
      channel === undefined || channels.length > 1 || sourceOf(channel) !== undefined,
      'fail',
      `it replicates from ${channel?.sourceHost}:${channel?.sourcePort}, which is none of the nodes; set \`replication.addresses\``,
    ),
    check(
      'binary-log',
      'log_bin',
      isOn(value('log_bin')),
      'fail',
      'it writes no binary log (log_bin) and cannot become the primary',
    ),
    check(
      'logs-replication',
      'log_%_updates',
      isOn(value('log_replica_updates', 'log_slave_updates')),
      'fail',
      'log_slave_updates is off, so that it cannot become the primary',
    ),
    check(
      'logs-everything',
      'log_bin',
      survey.logFilters === undefined,
      'warn',
      `it does not log all writes (${survey.logFilters}): what it does not log is on no other node, and is lost with every change of the primary`,
    ),
    check(
      'gtid',
      'gtid%',
      numbering !== 'file-position',
      'warn',
      'without GTIDs only exactly equal replicas can follow a new primary',
    ),
    check(
      'row-format',
      'binlog_format',
      ['', 'ROW'].includes(value('binlog_format').toUpperCase()),
      'warn',
      'binlog_format is not ROW',
    ),
    check(
      'durable',
      'sync_binlog',
      value('sync_binlog') === '1' && value('innodb_flush_log_at_trx_commit') === '1',
      'warn',
      'sync_binlog and innodb_flush_log_at_trx_commit are not both 1: a power cut loses acknowledged commits',
    ),
    check(
      'notices-silence',
      '%_net_timeout',
      timeout >= shortest && timeout <= longest,
      'warn',
      `${variable} is ${timeout}; set it to ${shortest} to ${longest} seconds: ${
        isMysql
          ? 'a replica that is just connecting to a silent primary stops receiving only when that attempt is over, and a failover ' +
            'waits for that (14 s were seen with 2, 42 s with 6); it begins to connect when it has heard nothing for so long'
          : 'a replica whose connection was cut in silence begins again so much later'
      }`,
    ),
    check(
      'heartbeat',
      'read_only',
      channel === undefined || heartbeat <= 2,
      'warn',
      'MASTER_HEARTBEAT_PERIOD is longer than 2 s: a frozen primary is noticed late',
    ),
    check(
      'connects-again',
      'read_only',
      channel === undefined || retryS <= LONGEST_RETRY_S,
      'warn',
      `it tries to connect to its source every ${retryS} s (MASTER_CONNECT_RETRY): after an outage it is behind for so long; set it to 1`,
    ),
    check(
      'never-tires',
      'read_only',
      channel === undefined || retries === 0 || retries * retryS >= SHORTEST_PATIENCE_S,
      'warn',
      `it gives up after ${retries} attempts to connect (SOURCE_RETRY_COUNT), that is ${retries * retryS} s, and follows nobody then; set it to 86400`,
    ),
    check(
      'purges-relay-log',
      'relay_log_purge',
      isOn(value('relay_log_purge') || 'ON'),
      'warn',
      'relay_log_purge is off: what was executed stays on its disk until that is full',
    ),
    check(
      'commits-in-order',
      '%_preserve_commit_order',
      !isMysql ||
        workers < 2 ||
        isOn(value('replica_preserve_commit_order', 'slave_preserve_commit_order') || 'ON'),
      'warn',
      'replica_preserve_commit_order is off with several workers: when it becomes the primary in the midst of that, it has had states that the old one never had',
    ),
    check(
      'waits-alone',
      'rpl_semi_sync_%_wait_no_%',
      !isSemiSync || waitsAlone(survey),
      'warn',
      `its semi-synchronous replication acknowledges commits that no replica has as soon as too few replicas are connected, so that no failover ` +
        `from it is proven to lose nothing; run \`SET GLOBAL ${waitsAloneName(survey)}=1\`, and set it in its configuration file, too`,
    ),
    check(
      'replica-refuses-writes',
      'read_only',
      channel === undefined || readOnly,
      'fail',
      'it is a replica that takes writes; set read_only=1, in its configuration file, too',
    ),
  ];
}

/**
 * Checks of all servers together. `owing`: those that know that a change has left semi-synchronous replication off. `unseen`: those
 * that could not be looked at, of which nobody knows whether they are like the others.
 */
export function clusterChecks(
  surveys: readonly NodeSurvey[],
  maxLoss: MaxLoss,
  owing: ReadonlySet<NodeId> = new Set(),
  unseen: readonly NodeId[] = [],
): readonly PreflightCheck[] {
  const twins = (name: string): readonly string[] => {
    const values = surveys.map((survey) => variableOf(survey, name)).filter((value) => value !== undefined);
    return values.filter((value, index) => values.indexOf(value) !== index);
  };
  const check = (
    name: string,
    sql: string,
    good: boolean,
    detail: string,
    {
      otherwise = 'fail',
      unknown,
    }: { otherwise?: PreflightCheck['result']; unknown?: string | undefined } = {},
  ): PreflightCheck => ({
    name,
    node: null,
    result: !good ? otherwise : unknown === undefined ? 'pass' : 'skip',
    detail: good ? (unknown ?? `${name}: as it should be`) : detail,
    sql,
  });
  const unknown = unseenWords(unseen);
  const primary = surveys.find(({ channels, readOnly }) => channels.length === 0 && !readOnly);
  const isInForce =
    primary !== undefined &&
    waitsForReplicas(primary) &&
    /AFTER_SYNC/i.test(
      variableOf(primary, 'rpl_semi_sync_source_wait_point', 'rpl_semi_sync_master_wait_point') ?? '',
    );
  // It comes back by itself, as soon as a replica does: no reason for a process not to start meanwhile.
  const isLeftOff = primary !== undefined && !waitsForReplicas(primary) && owing.has(primary.node);
  return [
    check(
      'different-server-ids',
      'SELECT @@server_id',
      twins('server_id').length === 0,
      `two servers have the server_id ${twins('server_id')[0]}; give each one of its own, and restart it`,
      { unknown },
    ),
    check(
      'different-uuids',
      'SELECT @@server_uuid',
      twins('server_uuid').length === 0,
      `two servers have the server_uuid ${twins('server_uuid')[0]}; delete auto.cnf of the copy`,
      { unknown },
    ),
    check(
      'one-flavor',
      'SELECT VERSION()',
      new Set(surveys.map(({ version }) => version.flavor)).size <= 1,
      'MySQL and MariaDB are mixed; neither can take over from the other',
      { unknown },
    ),
    check(
      'loss-provable',
      "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync%'",
      maxLoss !== 'none' || primary === undefined || (isInForce && waitsAlone(primary)),
      isInForce
        ? `maxLoss is 'none', and ${primary.node} acknowledges commits that no replica has as soon as too few replicas are connected, so that no ` +
            `failover could ever be proven to lose nothing: run \`SET GLOBAL ${waitsAloneName(primary)}=1\` on all nodes, or set ` +
            '`failover.maxLoss` to what may be lost'
        : isLeftOff
          ? `maxLoss is 'none', and a change has left semi-synchronous replication off on ${primary.node}, where too few replicas acknowledge: no ` +
            'failover is proven to lose nothing until enough of them follow, and it is switched on again'
          : "maxLoss is 'none', and replication is asynchronous, so that no failover could ever be proven to lose nothing: enable semi-synchronous " +
            'replication with AFTER_SYNC on all nodes, or set `failover.maxLoss` to what may be lost',
      {
        otherwise: isLeftOff ? 'warn' : 'fail',
        unknown:
          maxLoss === 'none' && primary === undefined
            ? (unknown ?? 'not known: no server takes writes, so that none shows what a primary waits for')
            : undefined,
      },
    ),
  ];
}

/** Why a check of all servers says nothing when it found nothing; undefined when all were looked at. */
export function unseenWords(unseen: readonly NodeId[]): string | undefined {
  return unseen.length === 0 ? undefined : `not known: ${unseen.join(' and ')} could not be looked at`;
}

/** Takes a channel with a name away. */
function forgetWords(isMysql: boolean, name: string): string {
  return isMysql
    ? `\`STOP REPLICA FOR CHANNEL '${name}'\`, \`RESET REPLICA ALL FOR CHANNEL '${name}'\``
    : `\`STOP SLAVE '${name}'\`, \`RESET SLAVE '${name}' ALL\``;
}
