/** Subscribes to the tracing channel of statements, and tells those of one cluster. */
import { type TracingChannelSubscribers, tracingChannel } from 'node:diagnostics_channel';
import { type AnyCluster, partOf } from '../cluster-readiness.js';
import { isOfClient, type StatementTrace } from '../diagnostics/statement-trace.js';

/** Who is told about statements. */
export interface StatementListener {
  /** A statement was called for; synchronous with the call. */
  onStart?(trace: StatementTrace): void;
  /** It was answered or failed. */
  onEnd(trace: StatementTrace, tookMs: number): void;
}

/** Tells `listener` about the statements of this process until the returned function is called. */
export function observeStatements(listener: StatementListener): () => void {
  const subscribers: TracingChannelSubscribers<StatementTrace> = {
    start: (trace) => listener.onStart?.(trace),
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (trace) => listener.onEnd(trace, performance.now() - trace.startedAt),
    error: () => undefined,
  };
  const channel = tracingChannel<string, StatementTrace>('stormlamp:statement');
  channel.subscribe(subscribers);
  return () => void channel.unsubscribe(subscribers);
}

/** Whether a statement is one of `cluster`'s: another cluster of the process may have the same nodes. */
export function isOwnStatement(cluster: AnyCluster, trace: StatementTrace): boolean {
  const config = partOf(() => cluster.mysql.config);
  return config !== undefined && isOfClient(trace, config);
}

/** The code of what a statement failed with: ours, the driver's, or the name of the error; undefined when it did not. */
export function failureCode({ error }: StatementTrace): string | undefined {
  if (error === undefined) return undefined;
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : '_OTHER';
}
