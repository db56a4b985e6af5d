/** Writes what a cluster tells into the application's own log. */
import { systemClock } from './common/clock.js';
import { LogThrottle } from './diagnostics/log-throttle.js';
import { type Logger, logWriter, type WriteLog, writesDebug } from './diagnostics/logger.js';
import { cacheLines, failoverLines, type LogLine, mysqlLines, routeLine, sessionLines } from './log-lines.js';
import { failoverSubjects, mysqlSubjects, sessionSubjects } from './log-subjects.js';
import type { TopologyDescription } from './topology/topology-description.js';
import { lacksVotes, noWriterWords, votedWriter, type WriterVotes } from './topology/voted-writer.js';

/** A line that repeats is written once in this time, with the number of its repetitions; one that contradicts the last, at once. */
const REPEAT_MS = 10_000;

interface Emitter {
  on(event: string, listener: (payload: never) => void): unknown;
}

/** The parts of a cluster, as far as it has them. */
export interface LoggedParts {
  /** The MySQL client. */
  readonly mysql: (Emitter & { topology?(): TopologyDescription }) | undefined;
  /** The session store. */
  readonly sessions: Emitter | undefined;
  /** The failover manager. */
  readonly failover: (Emitter & { readonly state?: WriterVotes }) | undefined;
  /** The cache. */
  readonly cache: Emitter | undefined;
}

/** Begins to log; ends with the parts themselves. Statements are logged only when the logger says that it writes `debug`. */
export function logCluster(logger: Logger, parts: LoggedParts): void {
  const write = logWriter('logger', logger);
  follow(parts.mysql, mysqlLines, mysqlSubjects, write);
  follow(parts.sessions, sessionLines, sessionSubjects, write);
  follow(parts.failover, failoverLines, failoverSubjects, write);
  follow(parts.cache, cacheLines, {}, write);
  logNoWriter(parts, write);
  if (writesDebug(logger))
    parts.mysql?.on('route', (route) => {
      const [level, message, fields] = routeLine(route);
      write(level, `stormlamp: ${message}`, { event: 'route', ...fields });
    });
}

/** Nobody has lost what was not there: no event tells that a process began without a primary. */
function logNoWriter({ mysql, failover }: LoggedParts, write: WriteLog): void {
  const topology = mysql?.topology?.();
  if (topology === undefined || votedWriter(topology, failover?.state) !== undefined) return;
  const why = noWriterWords(topology, failover?.state);
  const what = lacksVotes(topology, failover?.state)
    ? 'this process begins, and may not write'
    : 'no node takes writes as this process begins';
  write('error', `stormlamp: ${what}: ${why}`, { event: 'no-writer', failure: why });
}

function follow(emitter: Emitter | undefined, rules: object, subjects: object, write: WriteLog): void {
  if (emitter === undefined) return;
  const throttle = new LogThrottle(REPEAT_MS);
  const subjectOf = subjects as Readonly<Record<string, (payload: never) => string>>;
  for (const [event, lineOf] of Object.entries(rules) as [string, (payload: never) => LogLine][]) {
    emitter.on(event, (payload) => {
      const line = lineOf(payload);
      if (line === undefined) return;
      const [level, message, fields] = line;
      // What is tried in between (a half-open breaker) is no news for who does not read `debug`.
      const subject = level === 'debug' ? undefined : subjectOf[event]?.(payload);
      const repeated = throttle.admit(`${event} ${message}`, systemClock.now(), subject);
      if (repeated === undefined) return;
      write(level, `stormlamp: ${message}`, { event, ...fields, ...(repeated === 0 ? {} : { repeated }) });
    });
  }
}
