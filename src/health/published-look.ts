/**
 * Observations as text: written by the process that looks, and read by the others, who trust nothing in it. Only looks that
 * succeeded: one that failed may be the fault of the process, its account or its network, and proves nothing to the others.
 */

import type { Observation, ReplicationChannel, ServerFacts } from '../topology/node-description.js';

/** Longer texts are not read. */
const TEXT_LENGTH_LIMIT = 1_048_576;
/** Lists in them may not be longer. */
const LIST_LENGTH_LIMIT = 1_024;

/** A look that succeeded. */
export type SuccessfulLook = Extract<Observation, { readonly ok: true }>;

/** What one process published. */
export interface PublishedLooks {
  /** The process that published it. */
  readonly publisher: string;
  /** The how many-th it is of that process. */
  readonly count: number;
  /** The last look at each node, where it succeeded, with its age at the time of writing. */
  readonly looks: readonly { readonly ageMs: number; readonly observation: SuccessfulLook }[];
}

/** The text of those of `observations` that succeeded, at monotonic time `now`. */
export function writeLooks(
  { publisher, count }: Pick<PublishedLooks, 'publisher' | 'count'>,
  observations: Iterable<Observation>,
  now: number,
): string {
  const looks = [...observations].flatMap((observation) => {
    if (!observation.ok) return [];
    const { node, at, latencyMs, facts } = observation;
    return [{ node, ageMs: Math.max(0, now - at), latencyMs, facts }];
  });
  return JSON.stringify({ publisher, count, looks });
}

/**
 * Reads such a text; undefined when it is none. The times of the observations are those of a publication at monotonic time
 * `publishedAt`, which has to be early enough.
 */
export function readLooks(text: string, publishedAt: number): PublishedLooks | undefined {
  if (text.length > TEXT_LENGTH_LIMIT) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(parsed) || !isList(parsed['looks'])) return undefined;
  const { publisher, count } = parsed;
  if (typeof publisher !== 'string' || !isCount(count)) return undefined;
  const looks = parsed['looks'].flatMap((look) => {
    const read = isRecord(look) ? readLook(look, publishedAt) : undefined;
    return read === undefined ? [] : [read];
  });
  return { publisher, count, looks };
}

function readLook(
  look: Readonly<Record<string, unknown>>,
  publishedAt: number,
): PublishedLooks['looks'][number] | undefined {
  const { node, ageMs, latencyMs, failure, facts } = look;
  if (typeof node !== 'string' || !isCount(ageMs)) return undefined;
  if (failure !== undefined || !isCount(latencyMs) || !isFacts(facts)) return undefined;
  return { ageMs, observation: { node, at: publishedAt - ageMs, ok: true, latencyMs, facts } };
}

function isFacts(value: unknown): value is ServerFacts {
  if (!isRecord(value)) return false;
  const { flavor, version, serverId, serverUuid, readOnly, channels, gtid, replicationVisible } = value;
  return (
    (flavor === 'mysql' || flavor === 'mariadb') &&
    typeof version === 'string' &&
    isCount(serverId) &&
    isOptional(serverUuid, 'string') &&
    isOptional(value['ownName'], 'string') &&
    typeof readOnly === 'boolean' &&
    isList(channels) &&
    channels.every(isChannel) &&
    typeof gtid === 'string' &&
    isOptional(value['gtidApplied'], 'string') &&
    isOptional(value['gtidState'], 'string') &&
    isOptionalTexts(value['binlogFilters']) &&
    isOptionalTexts(value['skippedErrors']) &&
    (value['semiSync'] === undefined || isSemiSync(value['semiSync'])) &&
    (value['blockedWrites'] === undefined || isCount(value['blockedWrites'])) &&
    typeof replicationVisible === 'boolean' &&
    (value['peers'] === undefined || isPeers(value['peers'])) &&
    (value['group'] === undefined || isGroup(value['group'])) &&
    (value['heartbeats'] === undefined || isHeartbeats(value['heartbeats']))
  );
}

function isChannel(value: unknown): value is ReplicationChannel {
  if (!isRecord(value)) return false;
  const { name, sourceHost, sourcePort, sourceServerId, io, sql, lagMs, delayMs, error } = value;
  return (
    typeof name === 'string' &&
    typeof sourceHost === 'string' &&
    isCount(sourcePort) &&
    isCount(sourceServerId) &&
    (io === 'yes' || io === 'connecting' || io === 'no') &&
    typeof sql === 'boolean' &&
    (lagMs === null || isCount(lagMs)) &&
    isCount(delayMs) &&
    typeof error === 'string' &&
    isOptionalTexts(value['filters']) &&
    (value['autoPosition'] === undefined || typeof value['autoPosition'] === 'boolean') &&
    (value['byPosition'] === undefined || value['byPosition'] === true) &&
    (value['reception'] === undefined || isReception(value['reception']))
  );
}

function isReception(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { position, heartbeats, heartbeatMs, errno } = value;
  return (
    typeof position === 'string' &&
    (heartbeats === null || isCount(heartbeats)) &&
    (heartbeatMs === null || isCount(heartbeatMs)) &&
    isCount(errno)
  );
}

function isSemiSync(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { active, acknowledgers, waiting } = value;
  return (
    typeof active === 'boolean' &&
    isCount(acknowledgers) &&
    isCount(waiting) &&
    ['acknowledged', 'timeoutMs', 'waitFor'].every(
      (name) => value[name] === undefined || isCount(value[name]),
    ) &&
    ['afterSync', 'waitsAlone'].every((name) => value[name] === undefined || typeof value[name] === 'boolean')
  );
}

function isGroup(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { kind, state, hasQuorum, writes, queue, committed, members, memberId, gtidDomain } = value;
  return (
    (kind === 'galera' || kind === 'group-replication') &&
    typeof state === 'string' &&
    ['online', 'joining', 'donor', 'offline'].includes(state) &&
    typeof hasQuorum === 'boolean' &&
    typeof writes === 'string' &&
    ['here', 'elsewhere', 'everywhere'].includes(writes) &&
    isCount(queue) &&
    (committed === undefined || isGroupPosition(committed)) &&
    isPeers(members) &&
    (memberId === undefined || typeof memberId === 'string') &&
    (gtidDomain === undefined || isCount(gtidDomain))
  );
}

function isGroupPosition(value: unknown): boolean {
  return isRecord(value) && typeof value['history'] === 'string' && isCount(value['number']);
}

function isPeers(value: unknown): boolean {
  return (
    isList(value) &&
    value.every(
      (peer) =>
        isRecord(peer) &&
        typeof peer['host'] === 'string' &&
        isCount(peer['port']) &&
        isCount(peer['serverId']),
    )
  );
}

function isHeartbeats(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every((beat) => typeof beat === 'number');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= LIST_LENGTH_LIMIT;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** A list of texts, or nothing. */
function isOptionalTexts(value: unknown): boolean {
  return value === undefined || (isList(value) && value.every((text) => typeof text === 'string'));
}

function isOptional(value: unknown, type: 'string'): boolean {
  return value === undefined || typeof value === type;
}
