/** What the detector remembers of one node: a fold over its observations, with no clock of its own. */
import type { NodeId } from '../../common/node-address.js';
import type { ProbeFailure, ReplicationChannel, ServerFacts } from '../../topology/node-description.js';
import type { DetectorPolicy } from './detector-policy.js';
import { type Evidence, evidenceOf, type RecordedObservation, weightOf } from './evidence.js';
import { afterLook, type ReceptionRecord } from './reception-record.js';

/** Looks of one outcome in a row. Times are monotonic milliseconds. */
export interface Run {
  /** How many. */
  readonly count: number;
  /** When the first was made. */
  readonly since: number;
  /** When the last was made. */
  readonly last: number;
}

/** What is remembered of one node. Times are monotonic milliseconds. */
export interface NodeRecord {
  /** The node. */
  readonly node: NodeId;
  /** When it was looked at last; `-Infinity` before the first look. */
  readonly lastAt: number;
  /** Failures in a row up to now, with the newest kind; null when the last look that counts was answered. */
  readonly failing: (Run & { readonly failure: ProbeFailure }) | null;
  /** Answers in a row up to now. */
  readonly answering: Run | null;
  /** Since when it counts as down, until it has answered for long enough; null when it does not. */
  readonly downSince: number | null;
  /** Set while it lives but shows the monitor nothing. */
  readonly blind: { readonly failure: ProbeFailure; readonly since: number } | null;
  /** What it said last, and when. */
  readonly said: { readonly facts: ServerFacts; readonly at: number } | null;
  /** Its channels by name. */
  readonly receptions: ReadonlyMap<string, ReceptionRecord>;
  /** Since when commits wait for the acknowledgement of a replica, and none is acknowledged; null when none waits. */
  readonly lockedSince: number | null;
  /** Since when statements wait for the lock of the whole server, and none is committed; null when none waits. */
  readonly blockedSince: number | null;
  /** When an application's connection was refused for lack of room, the newest time; null after one succeeded. */
  readonly crowdedAt: number | null;
  /** The newest looks, oldest first. */
  readonly evidence: readonly Evidence[];
}

/** Looks that are kept as evidence. */
const EVIDENCE = 5;
/** Added to the time after which a replica is silent: its counters are only seen when it is probed. */
const SAMPLING_MS = 1_000;

/** The record of a node that was not looked at. */
export function newRecord(node: NodeId): NodeRecord {
  return {
    node,
    lastAt: Number.NEGATIVE_INFINITY,
    failing: null,
    answering: null,
    downSince: null,
    blind: null,
    said: null,
    receptions: new Map(),
    lockedSince: null,
    blockedSince: null,
    crowdedAt: null,
    evidence: [],
  };
}

/**
 * The record after one more look. One that is older than what is known changes nothing and gives the same object. A failure that
 * this process may have caused by stalling is kept as evidence, and is neither a failure nor an answer; failures that were seen
 * long before it count no more.
 */
export function record(before: NodeRecord, look: RecordedObservation, policy: DetectorPolicy): NodeRecord {
  const { observation } = look;
  const { at } = observation;
  if (at < before.lastAt) return before;
  const evidence = [...before.evidence, evidenceOf(look)].slice(-EVIDENCE);
  const seen = { ...before, lastAt: at, evidence };
  if (!observation.ok && weightOf(observation.failure) !== 'alive') {
    if (look.localStall) {
      const isOld = before.failing !== null && at - before.failing.last > policy.freshMs;
      return { ...seen, failing: isOld ? null : before.failing, answering: null };
    }
    const failing = { ...longer(before.failing, at), failure: observation.failure };
    const downSince = before.downSince ?? (isDown(failing, at, policy) ? failing.since : null);
    return { ...seen, failing, answering: null, downSince, blind: null };
  }
  const answered = answers(seen, before, at, policy);
  if (!observation.ok) {
    const blind = { failure: observation.failure, since: before.blind?.since ?? at };
    return { ...answered, blind };
  }
  const { facts } = observation;
  return {
    ...answered,
    blind: null,
    said: { facts, at },
    receptions: new Map(
      facts.channels.map((channel) => [
        channel.name,
        afterLook(before.receptions.get(channel.name), channel, at, (of) => silentAfterMs(of, policy)),
      ]),
    ),
    lockedSince: lockedSince(before, facts, at),
    blockedSince: blockedSince(before, facts, at),
  };
}

/** The record after an application's connection was made, or was refused with `failure`, at `at`. */
export function recordConnection(before: NodeRecord, at: number, failure: ProbeFailure | null): NodeRecord {
  if (failure === 'too-many') return { ...before, crowdedAt: Math.max(before.crowdedAt ?? at, at) };
  return failure === null && before.crowdedAt !== null && at >= before.crowdedAt
    ? { ...before, crowdedAt: null }
    : before;
}

/** Whether so many failures in a row, over so long, make a node down at `now`. */
export function isDown(failing: Run | null, now: number, policy: DetectorPolicy): boolean {
  return (
    failing !== null && failing.count >= policy.downAfterFailures && now - failing.since >= policy.downAfterMs
  );
}

/** After how much silence a channel does not hear its source; infinite when it gets no heartbeats, or nobody can count them. */
export function silentAfterMs(channel: ReplicationChannel, policy: DetectorPolicy): number {
  const { heartbeats, heartbeatMs } = channel.reception ?? { heartbeats: null, heartbeatMs: null };
  if (heartbeats === null || heartbeatMs === null || heartbeatMs <= 0) return Number.POSITIVE_INFINITY;
  return policy.silentHeartbeats * heartbeatMs + SAMPLING_MS;
}

function lockedSince(
  { lockedSince: since, said }: NodeRecord,
  facts: ServerFacts,
  at: number,
): number | null {
  const { waiting = 0, acknowledged } = facts.semiSync ?? {};
  if (waiting === 0) return null;
  // On a busy primary some commit always waits for a moment.
  return said?.facts.semiSync?.acknowledged === acknowledged ? (since ?? at) : at;
}

function blockedSince(
  { blockedSince: since, said }: NodeRecord,
  facts: ServerFacts,
  at: number,
): number | null {
  if ((facts.blockedWrites ?? 0) === 0) return null;
  // What is committed meanwhile did not have to wait: some backups only keep tables from being changed.
  return said?.facts.gtid === facts.gtid ? (since ?? at) : at;
}

function answers(seen: NodeRecord, before: NodeRecord, at: number, policy: DetectorPolicy): NodeRecord {
  // It may have become down by mere passing of time since its last failure.
  const downSince = before.downSince ?? (isDown(before.failing, at, policy) ? at : null);
  const answering = longer(before.answering, at);
  const back = answering.count >= policy.upAfterSuccesses && at - answering.since >= policy.upAfterMs;
  return { ...seen, failing: null, answering, downSince: back ? null : downSince };
}

function longer(run: Run | null, at: number): Run {
  return run === null
    ? { count: 1, since: at, last: at }
    : { count: run.count + 1, since: run.since, last: at };
}
