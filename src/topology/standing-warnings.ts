/** Troubles that can be read off the nodes themselves, however the primary was found. */
import type { NodeId } from '../common/node-address.js';
import { nearest } from '../common/option-reader.js';
import { isErrant, shortened } from './errant-replica.js';
import { type Errant, isHidden, type NodeDescription } from './node-description.js';
import { isSameServer } from './replication-graph.js';
import type { TopologyDescription, TopologyWarning } from './topology-description.js';
import { twinWarnings } from './twin-warnings.js';

/** MariaDB: what it shall execute is numbered below what it has logged (`ER_GTID_STRICT_OUT_OF_ORDER`). */
const OUT_OF_ORDER = 1950;
const STRICT_WORDS =
  ', because it has written something itself, and gtid_strict_mode lets it execute nothing that is numbered below; meanwhile it cannot vote for a new primary';

/**
 * All warnings: those `about` the choice of the `primary` and those about single nodes; `resting` is a primary that only refuses
 * writes, and `exempt` tells who serves reads all the same.
 */
export function standingWarnings(
  nodes: readonly NodeDescription[],
  primary: NodeId | undefined,
  resting: NodeId | undefined,
  about: readonly TopologyWarning[],
  exempt: Pick<TopologyDescription, 'errantReplicas'>,
): TopologyWarning[] {
  const warnings: TopologyWarning[] = [...about];
  const head = nodes.find(({ id }) => id === (primary ?? resting));
  for (const node of nodes) {
    const warn = (code: TopologyWarning['code'], message: string): void => {
      warnings.push({ code, node: node.id, message });
    };
    warnings.push(...twinWarnings(node, nodes));
    if (node.state === 'down' && isHidden(node)) {
      warn(
        'blind-monitor',
        `${node.id} lives but answers the monitor with ${node.failure}; whether it takes writes is not known, so no node becomes primary that nothing but its being writable speaks for.`,
      );
    }
    if (node.state !== 'up') continue;
    const { readOnly, replicationVisible } = node.facts;
    if (node.role === 'replica' && !readOnly && replicationVisible && node.facts.group === undefined) {
      warn(
        'writable-replica',
        `${node.id} is a replica but accepts writes; set read_only=1 on it, so that a mistake cannot make it differ from the primary.`,
      );
    }
    if (node.errant !== undefined && node.errant.state !== 'seen') {
      const whose = head === undefined ? 'its primary' : `the primary ${head.id}`;
      warn('errant-transactions', errantMessage(node.id, node.errant, whose, isErrant(node, exempt)));
    }
    if (node.partial !== undefined) {
      warn(
        'partial-replica',
        `${node.id} has only a part of the data (${node.partial}), whatever its GTIDs and its lag say: it serves no reads. Take that setting away and rebuild it; or, where nobody reads what is left out, name it in \`mysql.reads.partialReplicas\`.`,
      );
    }
    const stopped = standingChannel(node, nodes);
    if (stopped !== undefined) {
      warn(
        'replication-stopped',
        `${node.id} ${stopped}; its data grows old. The cause is in \`SHOW ${node.facts.flavor === 'mysql' ? 'REPLICA' : 'SLAVE'} STATUS\` there: mend it and start replication again, or rebuild ${node.id}.`,
      );
    }
    if (node.id === resting) {
      warn(
        'read-only-primary',
        `${node.id} is the primary but read-only; writes are refused until read_only is 0 or another node is promoted.`,
      );
    }
    if (!replicationVisible) {
      warn(
        'unchecked-replication',
        `The monitor's account may not read the replication status of ${node.id}; its role and lag are unknown.`,
      );
    }
    if (
      node.role === 'unknown' &&
      replicationVisible &&
      node.facts.group === undefined &&
      !nodes.some((other) => other !== node && isSameServer(other, node)) &&
      // Who is followed and no primary is one of other data.
      !nodes.some((other) => other.state === 'up' && other.upstream?.includes(node.id) === true) &&
      !about.some((warning) => warning.node === node.id)
    ) {
      if (readOnly)
        warn(
          'no-source',
          `${node.id} is read-only and has no source: nothing that is written reaches it, and it is not used. Make it a replica of the primary again, or take it out of the configuration.`,
        );
      else
        warn(
          'stray-node',
          `${node.id} is writable, has no source and no replica follows it; it is not used. If it was promoted, let the replicas follow it or configure it as primary; if not, make it a replica again.`,
        );
    }
    if (node.blind !== undefined) {
      warn(
        'blind-monitor',
        `${node.id} lives but answers the monitor with ${node.blind.failure}; what is known about it is old (${node.blind.error.message}).`,
      );
    }
  }
  return warnings;
}

function errantMessage(id: NodeId, { gtids, state }: Errant, whose: string, isOut: boolean): string {
  const serves = isOut
    ? 'it serves no reads'
    : state === 'proven'
      ? 'it serves reads, as `mysql.reads.errantReplicas` says, and its data may differ'
      : 'it serves reads, since they may be older than replication between the two, as those of a dump that was loaded there; but its data may differ';
  const also = isOut
    ? '; or, where they change nothing that is read, name it in `mysql.reads.errantReplicas`'
    : '';
  return `${id} has transactions that ${whose} lacks (${shortened(gtids)}): ${serves}. Look at them in its binary log, then write the same on the primary or rebuild ${id}${also}.`;
}

/**
 * What stands still on a replica, without the server's own words for it: those may quote the values of a statement. A thread that
 * only waits for a source which is down is well.
 */
function standingChannel(
  node: Extract<NodeDescription, { state: 'up' }>,
  nodes: readonly NodeDescription[],
): string | undefined {
  if (node.role !== 'replica' || node.blind !== undefined || node.facts.group !== undefined) return undefined;
  for (const { name, io, sql, error, applyErrno, reception } of node.facts.channels) {
    const of = name === '' ? '' : ` of the channel '${name}'`;
    const source = nodes.find(({ id }) => id === node.upstream?.[0]);
    if (!sql && io === 'no') return `does not replicate: its threads${of} are stopped`;
    if (!sql) {
      const strict = applyErrno === OUT_OF_ORDER ? STRICT_WORDS : '';
      return `does not apply what its source writes: its SQL thread${of} is stopped${strict}`;
    }
    if (io === 'no') return `gets nothing from its source: its IO thread${of} is stopped`;
    const isRefused = error !== '' || (reception?.errno ?? 0) !== 0;
    if (io === 'connecting' && isRefused && source?.state === 'up')
      return `cannot connect to its source${of}, which lives`;
  }
  return undefined;
}

/** Warnings about those of `named` that are none of `nodes`, with the node that was probably meant. */
export function unknownNames(nodes: readonly NodeDescription[], named: readonly NodeId[]): TopologyWarning[] {
  const known = nodes.map(({ id }) => id);
  return named
    .filter((id) => !known.includes(id))
    .map((node): TopologyWarning => {
      const near = nearest(node, known);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      const message = `The options (\`reads.affinity\`, \`reads.weights\`) name ${node}, which is none of the nodes ${known.join(', ')}${hint}`;
      return { code: 'unknown-node', node, message };
    });
}
