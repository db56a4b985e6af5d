/** How a change has ended, as its note keeps it. */
import type { FailoverPlan } from '../plan/failover-plan.js';
import { frozenIn } from '../plan/frozen-replicas.js';
import type { ReplicationTls } from '../plan/replication-tls.js';

/** The text of an object. What servers and people say in it has no character that a text of SQL or of an object needs a mark for. */
export function summaryOf(
  { kind, from, to, epoch, loss, excluded }: FailoverPlan,
  tls: ReplicationTls | undefined,
  frozen: string | undefined,
): string {
  const found = kind === 'switchover' ? undefined : frozenIn(frozen ?? '');
  return JSON.stringify({ kind, from, to, epoch, tls, loss, ...found, excluded }, (_, value: unknown) =>
    typeof value === 'string' ? plain(value) : value,
  );
}

function plain(text: string): string {
  return text.replaceAll('"', "'").replaceAll('\\', '/').replace(/\s+/g, ' ');
}
