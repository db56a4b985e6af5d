/** The tracing channel of statements: from the call to the answer, over every node that was tried. */
import { tracingChannel } from 'node:diagnostics_channel';

/** One statement of the client; it grows while the statement is under way. Times are monotonic milliseconds. */
export interface StatementTrace {
  /** The text, with its placeholders. */
  readonly sql: string;
  /** When the call was made. */
  readonly startedAt: number;
  /** What the text does; undefined until a node was chosen. */
  kind: string | undefined;
  /** The node that it was sent to last. */
  node: string | undefined;
  /** The role of that node. */
  role: string | undefined;
  /** Why that node. */
  because: string | undefined;
  /** How often a node was chosen: more than 1 when it was sent again. */
  attempts: number;
  /** When the last node was chosen and a connection to it was there. */
  routedAt: number | undefined;
  /** What the call rejected with. Set before the channels `error` and `asyncEnd`. */
  error?: unknown;
}

const statements = tracingChannel<string, StatementTrace>('stormlamp:statement');

/** Whether anybody traces statements; asked for every statement. */
export function isStatementTraced(): boolean {
  return statements.hasSubscribers;
}

/** Of which client a statement is: nothing of the payload, which everybody may print. */
const clients = new WeakMap<StatementTrace, object>();

/** Whether the statement is one of the client whose configuration is this very object. */
export function isOfClient(trace: StatementTrace, config: object): boolean {
  return clients.get(trace) === config;
}

/** Runs `work`, which notes where the statement goes in the trace that it gets; `config` is that of the client. */
export function traceStatement<T>(
  config: object,
  sql: string,
  work: (trace: StatementTrace) => Promise<T>,
): Promise<T> {
  const trace: StatementTrace = {
    sql,
    startedAt: performance.now(),
    kind: undefined,
    node: undefined,
    role: undefined,
    because: undefined,
    attempts: 0,
    routedAt: undefined,
  };
  clients.set(trace, config);
  return statements.tracePromise(() => work(trace), trace);
}

/** Notes the node that a traced statement was given. */
export function noteRoute(
  trace: StatementTrace,
  route: { readonly kind: string; readonly node: string; readonly role: string; readonly because: string },
): void {
  trace.kind = route.kind;
  trace.node = route.node;
  trace.role = route.role;
  trace.because = route.because;
  trace.attempts += 1;
  trace.routedAt = performance.now();
}
