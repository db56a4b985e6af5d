/**
 * Replication filters, and errors that a replica passes over: by these it leaves a part of the data out, while its GTIDs and its lag
 * tell that it has all.
 */
import type { NodeId } from '../common/node-address.js';
import type { ReplicationChannel, ServerFacts } from './node-description.js';

/** A server on the way of the data. */
export interface FilteringServer {
  /** The node. */
  readonly id: NodeId;
  /** What is known of it. */
  readonly facts: ServerFacts;
}

/** The way of the data from its head to a replica. */
export interface FilteredWay {
  /** The replica. */
  readonly replica: FilteringServer;
  /** The replicas between it and the head. */
  readonly between: readonly FilteringServer[];
  /** The server that the data comes from, when it is known. */
  readonly head: FilteringServer | undefined;
  /** Whether a channel brings data of the head, as far as is known. Default: each does. */
  readonly isFromHead?: ((channel: ReplicationChannel) => boolean) | undefined;
}

/** Schemas of the server's own; managed databases keep them apart on every replica. */
const OWN_SCHEMAS: ReadonlySet<string> = new Set([
  'mysql',
  'information_schema',
  'performance_schema',
  'sys',
  'innodb_memcache',
]);

/** Characters of one filter that a message names, at most. */
const FILTER_LIMIT = 120;

/**
 * The filters that keep data of the head from a replica, for messages; '' when there are none. What leaves out nothing but
 * schemas of the server's own, or the transactions of servers that are not on the way, does not count.
 */
export function filtersOnWay({ replica, between, head, isFromHead = () => true }: FilteredWay): string {
  const senders = head === undefined ? between : [...between, head];
  const ids = senders.map(({ facts }) => facts.serverId);
  const found: string[] = [];
  const note = (server: FilteringServer, filters: readonly string[] = []): void => {
    for (const filter of filters)
      if (hidesData(filter, ids)) found.push(`${shortened(filter)} on ${server.id}`);
  };
  for (const server of [replica, ...between]) {
    for (const channel of server.facts.channels) if (isFromHead(channel)) note(server, channel.filters);
    note(server, server.facts.skippedErrors);
  }
  for (const server of senders) note(server, server.facts.binlogFilters);
  return found.join(', ');
}

/** Whether a filter, written `name=value`, leaves out data of applications that comes from servers with these `ids`. */
function hidesData(filter: string, ids: readonly number[]): boolean {
  const [name = '', value = ''] = filter.split('=', 2);
  const entries = value.split(',').map((entry) => entry.trim());
  if (/ignore_server_ids/i.test(name)) return entries.some((entry) => ids.includes(Number(entry)));
  // A list of what is taken leaves everything else out.
  if (!/ignore_(db|table)/i.test(name)) return true;
  return !entries.every((entry) => OWN_SCHEMAS.has((entry.split('.')[0] ?? '').toLowerCase()));
}

function shortened(filter: string): string {
  return filter.length <= FILTER_LIMIT ? filter : `${filter.slice(0, FILTER_LIMIT)}…`;
}
