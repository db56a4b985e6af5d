/** Short words for what probes of made-up servers find second by second, and the recording that they make. */
import type { RecordedObservation } from '../../../src/failover/detector/evidence.js';
import type { RecordedConnection, Recording } from '../../../src/failover/detector/replay.js';
import type {
  ConfiguredRole,
  ProbeFailure,
  ReplicationChannel,
  ServerFacts,
} from '../../../src/topology/node-description.js';
import { type Finding, gtids, master, seeds, slave } from '../topology/made-up-servers.js';

/** What a probe finds at second `n`; null: it is not probed. */
export type Scripted = Finding | null | ((n: number) => Finding);

/** So many seconds, in which the nodes show this; nodes that are left out go on as before. */
export type Step = readonly [seconds: number, see: Readonly<Record<string, Scripted>>, marks?: Marks];

/** What happens besides, during a step. */
export interface Marks {
  /** This process does not trust itself. */
  readonly stalled?: boolean;
  /** Connections of applications: refused with this, or made (null), once per second. */
  readonly door?: Readonly<Record<string, ProbeFailure | null>>;
}

const reception = (
  heartbeats: number | null,
  position = 'bin.000001:4',
  errno = 0,
): Partial<ReplicationChannel> => ({
  reception: { position, heartbeats, heartbeatMs: heartbeats === null ? null : 1_000, errno },
});

/** A replica that gets a heartbeat per second. */
export const hears =
  (
    name: string,
    source = 'a',
    changes: Partial<ReplicationChannel> = {},
    facts: Partial<ServerFacts> = {},
  ): Scripted =>
  (n) =>
    slave(name, source, { ...reception(n), ...changes }, facts);
/** A replica whose connection stands and over which nothing comes. */
export const deaf = (name: string, source = 'a'): Scripted => slave(name, source, reception(7));
/** A replica that gets events and whose heartbeats cannot be counted. */
export const writes =
  (name: string, source = 'a'): Scripted =>
  (n) =>
    slave(name, source, reception(null, `bin.000001:${n}`));
/** A replica that shows a standing connection and nothing more. */
export const connected = (name: string, source = 'a'): Scripted => slave(name, source, reception(null));
/** A replica that cannot reach its source. */
export const cut = (name: string, source = 'a', errno = 2003): Scripted =>
  slave(name, source, { ...reception(7, 'bin.000001:4', errno), io: 'connecting', lagMs: null });
/** A replica that its source refuses. */
export const rejected = (name: string, source = 'a', errno = 1045): Scripted => cut(name, source, errno);
/** A replica whose receiving thread is stopped. */
export const stopped = (name: string, source = 'a', errno = 0): Scripted =>
  slave(name, source, { ...reception(7, 'bin.000001:4', errno), io: 'no', lagMs: null });
/** A primary with commits that wait for an acknowledgement. */
export const waiting = (count: number, acknowledgers = 0, acknowledged = 7): ServerFacts =>
  master('a', { semiSync: { active: true, acknowledgers, waiting: count, acknowledged } });

/** A primary on which so many statements wait for the lock of the whole server, with its number of transactions. */
export const locked = (blocked: number, written = 9): ServerFacts =>
  master('a', { blockedWrites: blocked, gtid: gtids({ a: written }) });

/** The recording of a script; every second each node is looked at once, in the order of `order`, ten milliseconds apart. */
export function recordingOf(
  roles: Readonly<Record<string, ConfiguredRole>>,
  steps: readonly Step[],
  options: Partial<Recording> & { readonly order?: readonly string[]; readonly tickMs?: number } = {},
): Recording {
  const { order = Object.keys(roles), tickMs = 1_000, ...rest } = options;
  const looks: RecordedObservation[] = [];
  const connections: RecordedConnection[] = [];
  const present = new Map<string, Scripted>();
  let second = 0;
  for (const [seconds, see, marks = {}] of steps) {
    for (const [node, finding] of Object.entries(see)) present.set(node, finding);
    for (let n = 0; n < seconds; n += 1, second += 1) {
      order.forEach((node, index) => {
        const scripted = present.get(node) ?? null;
        const at = second * tickMs + index * 10;
        const finding = typeof scripted === 'function' ? scripted(second) : scripted;
        if (finding === null) return;
        const base = { node, at };
        const observation =
          typeof finding === 'string'
            ? { ...base, ok: false as const, failure: finding, error: new Error(finding) }
            : { ...base, ok: true as const, latencyMs: 1, facts: finding };
        looks.push({ observation, wall: 1_700_000_000_000 + at, localStall: marks.stalled === true });
      });
      for (const [node, failure] of Object.entries(marks.door ?? {}))
        connections.push({ node, at: second * tickMs + 500, failure });
    }
  }
  const now = (second - 1) * tickMs + 600;
  return { seeds: seeds(roles), looks, connections, now, tilted: false, ...rest };
}
