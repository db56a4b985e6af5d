/** The metrics of the session nodes (or mounts) and of the cache, from what their clients know already. */
import type { CacheStats } from '../cache/cache-calls.js';
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import { type SessionPlace, sessionPlaces } from '../session-places.js';
import type { Metric, Sample } from './metric.js';

/** See the head of this file. */
export const storeMetrics: readonly Metric[] = [
  {
    name: 'stormlamp_session_node_up',
    instrument: 'stormlamp.session.node.up',
    help: 'Whether a session node, or mount, is read from.',
    type: 'gauge',
    unit: '1',
    across: 'min',
    read: ofPlaces(({ reads }) => (reads === 'closed' ? 1 : 0)),
  },
  {
    name: 'stormlamp_session_node_writable',
    instrument: 'stormlamp.session.node.writable',
    help: 'Whether a session node, or mount, takes writes; all 0: no session can be saved.',
    type: 'gauge',
    unit: '1',
    across: 'min',
    read: ofPlaces(({ writes }) => (writes === 'closed' ? 1 : 0)),
  },
  {
    name: 'stormlamp_session_node_filled',
    instrument: 'stormlamp.session.node.filled',
    help: 'Whether a session node holds what it shall hold, so that its misses are believed.',
    type: 'gauge',
    unit: '1',
    across: 'min',
    read: ofPlaces(({ standing }) => (standing === 'filled' ? 1 : 0)),
  },
  {
    name: 'stormlamp_session_node_memory_bytes',
    instrument: 'stormlamp.session.node.memory',
    help: 'Bytes that the items of a session node take.',
    type: 'gauge',
    unit: 'By',
    read: ofPlaces(({ memory }) => memory?.bytes),
  },
  {
    name: 'stormlamp_session_node_memory_limit_bytes',
    instrument: 'stormlamp.session.node.memory.limit',
    help: 'Bytes that the items of a session node may take.',
    type: 'gauge',
    unit: 'By',
    read: ofPlaces(({ memory }) => memory?.limitBytes),
  },
  {
    name: 'stormlamp_cache_reads_total',
    instrument: 'stormlamp.cache.reads',
    help: 'Reads of the cache, by who answered.',
    type: 'counter',
    unit: '{read}',
    read: ofCache(({ localHits, sharedHits, waited, misses }) => [
      { labels: { answer: 'process' }, value: localHits },
      { labels: { answer: 'memcached' }, value: sharedHits },
      { labels: { answer: 'another process' }, value: waited },
      { labels: { answer: 'nobody' }, value: misses },
    ]),
  },
  {
    name: 'stormlamp_cache_values_made_total',
    instrument: 'stormlamp.cache.values_made',
    help: 'Values that were made here, by why.',
    type: 'counter',
    unit: '{value}',
    read: ofCache(({ made, refreshed }) => [
      { labels: { reason: 'missing' }, value: made },
      { labels: { reason: 'early' }, value: refreshed },
    ]),
  },
  {
    name: 'stormlamp_cache_node_failures_total',
    instrument: 'stormlamp.cache.node_failures',
    help: 'Operations that a memcached node of the cache did not do.',
    type: 'counter',
    unit: '{operation}',
    read: ofCache(({ nodeFailures }) => [{ labels: {}, value: nodeFailures }]),
  },
  {
    name: 'stormlamp_cache_local_bytes',
    instrument: 'stormlamp.cache.local.memory',
    help: 'What the values in the process take, roughly.',
    type: 'gauge',
    unit: 'By',
    additive: true,
    read: ofCache(({ localBytes }) => [{ labels: {}, value: localBytes }]),
  },
];

function ofPlaces(read: (place: SessionPlace) => number | undefined): Metric['read'] {
  return (cluster: AnyCluster) => {
    const places = sessionPlaces(partOf(() => cluster.sessions)) ?? [];
    return places.flatMap((one): readonly Sample[] => {
      const value = read(one);
      return value === undefined ? [] : [{ labels: { node: one.node }, value }];
    });
  };
}

function ofCache(read: (stats: CacheStats) => readonly Sample[]): Metric['read'] {
  return (cluster: AnyCluster) => {
    const stats = partOf(() => cluster.cache.stats());
    return stats === undefined ? [] : read(stats);
  };
}
