/** Warnings about servers that have the number or the uuid of another one. */
import type { NodeDescription, ServerFacts } from './node-description.js';
import { isSameServer, knownFacts, mayBeSameServer } from './replication-graph.js';
import type { TopologyWarning } from './topology-description.js';

/** What is wrong with `node` because one of those before it among `nodes` has its `server_id` or its `server_uuid`. */
export function twinWarnings(node: NodeDescription, nodes: readonly NodeDescription[]): TopologyWarning[] {
  const facts = knownFacts(node);
  if (facts === undefined) return [];
  const earlier = nodes.slice(0, nodes.indexOf(node));
  const twinBy = (isTwin: (other: ServerFacts) => boolean): NodeDescription | undefined =>
    earlier.find((other) => {
      const theirs = knownFacts(other);
      return theirs !== undefined && isTwin(theirs);
    });
  const warnings: TopologyWarning[] = [];
  // The members of a Galera cluster share one when they number transactions alike.
  const mayShare = facts.group?.kind === 'galera';
  const namesake = mayShare
    ? undefined
    : twinBy(({ serverId }) => serverId !== 0 && serverId === facts.serverId);
  if (namesake !== undefined) {
    warnings.push({ code: 'duplicate-server-id', node: node.id, message: aboutId(node, facts, namesake) });
  }
  const clone = twinBy(
    (other) =>
      facts.serverUuid !== undefined &&
      facts.serverUuid === other.serverUuid &&
      !mayBeSameServer(facts, other),
  );
  if (clone !== undefined) {
    warnings.push({
      code: 'duplicate-server-uuid',
      node: node.id,
      message:
        `${node.id} and ${clone.id} are two servers with one server_uuid ${facts.serverUuid}: the data directory of one was ` +
        'copied. A source serves only one of them at a time, neither can follow the other, and what both write counts as one. ' +
        'Stop the copy, delete auto.cnf in its data directory, and start it again.',
    });
  }
  return warnings;
}

function aboutId(node: NodeDescription, facts: ServerFacts, twin: NodeDescription): string {
  const both = `${node.id} and ${twin.id}`;
  if (isSameServer(twin, node))
    return `${both} are one server under two names; take one of them out of the configuration.`;
  const theirs = knownFacts(twin);
  const trouble = `have the same server_id ${facts.serverId}; a source serves only one of them at a time, and neither can follow the other`;
  return theirs !== undefined && mayBeSameServer(facts, theirs)
    ? `${both} ${trouble}. They may be one server under two names: then take one of them out of the configuration; else give each a server_id of its own.`
    : `${both} ${trouble}. They are two servers: give each a server_id of its own.`;
}
