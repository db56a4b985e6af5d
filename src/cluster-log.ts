/** Writes what a cluster tells into the application's own log. */
import { systemClock } from './common/clock.js';
import { LogThrottle } from './diagnostics/log-throttle.js';
import { type Logger, logWriter, type WriteLog, writesDebug } from './diagnostics/logger.js';
import { cacheLines, failoverLines, type LogLine, mysqlLines, routeLine, sessionLines } from './log-lines.js';

/** A line that repeats is written once in this time, with the number of its repetitions. */
const REPEAT_MS = 10_000;

interface Emitter {
  on(event: string, listener: (payload: never) => void): unknown;
}

/** The parts of a cluster, as far as it has them. */
export interface LoggedParts {
  /** The MySQL client. */
  readonly mysql: Emitter | undefined;
  /** The session store. */
  readonly sessions: Emitter | undefined;
  /** The failover manager. */
  readonly failover: Emitter | undefined;
  /** The cache. */
  readonly cache: Emitter | undefined;
}

/** Begins to log; ends with the parts themselves. Statements are logged only when the logger says that it writes `debug`. */
export function logCluster(logger: Logger, parts: LoggedParts): void {
  const write = logWriter('logger', logger);
  const throttle = new LogThrottle(REPEAT_MS);
  follow(parts.mysql, mysqlLines, write, throttle);
  follow(parts.sessions, sessionLines, write, throttle);
  follow(parts.failover, failoverLines, write, throttle);
  follow(parts.cache, cacheLines, write, throttle);
  if (writesDebug(logger))
    parts.mysql?.on('route', (route) => {
      const [level, message, fields] = routeLine(route);
      write(level, `stormlamp: ${message}`, { event: 'route', ...fields });
    });
}

function follow(emitter: Emitter | undefined, rules: object, write: WriteLog, throttle: LogThrottle): void {
  if (emitter === undefined) return;
  for (const [event, lineOf] of Object.entries(rules) as [string, (payload: never) => LogLine][]) {
    emitter.on(event, (payload) => {
      const line = lineOf(payload);
      if (line === undefined) return;
      const [level, message, fields] = line;
      const repeated = throttle.admit(`${event} ${message}`, systemClock.now());
      if (repeated === undefined) return;
      write(level, `stormlamp: ${message}`, { event, ...fields, ...(repeated === 0 ? {} : { repeated }) });
    });
  }
}
