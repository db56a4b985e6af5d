/** Proves from the statements that were sent that no replica's unexecuted relay log was thrown away. */
import type { AppEvent } from './app-fleet.js';

/** Statements that throw the relay log away, or may. */
const THROWS_AWAY =
  /^(STOP (SLAVE|REPLICA)|CHANGE (MASTER|REPLICATION SOURCE)|RESET (SLAVE|REPLICA))(?! IO_THREAD)/i;
const STOPS_RECEIVING = /^STOP (SLAVE|REPLICA) IO_THREAD/i;
const STARTS = /^START (SLAVE|REPLICA)/i;
const LOOKS = /^SHOW (ALL SLAVES|SLAVE|REPLICA) STATUS/i;

/**
 * What was done wrong, as sentences: a statement that throws a relay log away without that the receiver was stopped and the
 * status looked at before it, on the same node, with nothing in between that lets it receive again.
 */
export function relayLogSins(
  statements: readonly AppEvent[],
  hadSource: (node: string) => boolean,
): readonly string[] {
  const sins: string[] = [];
  const stopped = new Map<string, 'receiving' | 'looked-at'>();
  const before = new Map<string, 'receiving' | 'looked-at' | undefined>();
  for (const { detail } of statements) {
    const node = String(detail['node']);
    const sql = String(detail['sql']);
    // A server that has no source any more refuses to receive, and is as it was.
    const known = before.get(node);
    if (detail['outcome'] === 'failed' && STARTS.test(sql) && known !== undefined) stopped.set(node, known);
    if (detail['outcome'] !== null && detail['outcome'] !== undefined) continue;
    if (STOPS_RECEIVING.test(sql)) stopped.set(node, 'receiving');
    else if (LOOKS.test(sql) && stopped.get(node) === 'receiving') stopped.set(node, 'looked-at');
    else if (STARTS.test(sql)) {
      before.set(node, stopped.get(node));
      stopped.delete(node);
    } else if (THROWS_AWAY.test(sql) && hadSource(node) && stopped.get(node) !== 'looked-at')
      sins.push(`${node}: ${sql}`);
  }
  return sins;
}
