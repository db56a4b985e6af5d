/** Whether clocks agree as far as something depends on them. */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import type { PhysicalConnection } from '../../mysql/physical-connection.js';
import type { StatusRow } from '../../mysql/replica-status.js';
import { topologyFileDefaults } from '../php-tier/topology-file-options.js';
import { GRACE_S } from '../plan/closed-primary.js';
import type { PreflightCheck } from './preflight.js';
import { unseenWords } from './server-checks.js';

/** What one server's clock showed. */
export interface ClockLook {
  /** The server. */
  readonly node: NodeId;
  /** How far it is ahead of this process's, milliseconds. */
  readonly aheadMs: number;
  /** How far that may be wrong, milliseconds: nobody knows when in its time the question was answered. */
  readonly withinMs: number;
}

const SQL = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS us";
const LOOKS = 3;

/**
 * Servers: what one notes with its own time (a change that was begun, a pause, the last failover) another one tells the age of. A
 * change counts as under way for so long after it began; half of that is left for what is done meanwhile.
 */
const SERVERS_MS = (GRACE_S * 1_000) / 2;
/**
 * This process: nothing that is decided depends on its clock, but times in the journal are its own, and the topology file says by it
 * until when it holds. By default that is written anew after a third of that time.
 */
const PROCESS_MS = (topologyFileDefaults.validForMs * 2) / 3;

/** Looks at the clock of `node`; the quickest answer of some tells most. */
export async function lookAtClock(
  node: NodeId,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<ClockLook> {
  let best: ClockLook | undefined;
  for (let look = 0; look < LOOKS; look += 1) {
    const [wall, from] = [Date.now(), performance.now()];
    const rows: readonly StatusRow[] = await connection.ask(SQL, deadline);
    const halfMs = (performance.now() - from) / 2;
    const aheadMs = Number(rows[0]?.['us']) / 1_000 - wall - halfMs;
    // The wall clock is read in whole milliseconds.
    const withinMs = halfMs + 1;
    if (best === undefined || withinMs < best.withinMs) best = { node, aheadMs, withinMs };
  }
  return best ?? { node, aheadMs: 0, withinMs: Number.POSITIVE_INFINITY };
}

/** What the looks show: only a difference that is certain is named. `unseen`: those whose clocks nobody looked at. Pure. */
export function clockChecks(
  looks: readonly ClockLook[],
  unseen: readonly NodeId[] = [],
): readonly PreflightCheck[] {
  if (looks.length === 0) return [];
  const early = looks.reduce((one, other) => (certainlyAhead(one, other) > 0 ? other : one));
  const late = looks.reduce((one, other) =>
    certainlyAhead(other, early) > certainlyAhead(one, early) ? other : one,
  );
  const apart = certainlyAhead(late, early);
  const off = looks.filter(({ aheadMs, withinMs }) => Math.abs(aheadMs) - withinMs > PROCESS_MS);
  const unknown = unseenWords(unseen);
  const check = (name: string, why: string | undefined): PreflightCheck => ({
    name,
    node: null,
    result: why !== undefined ? 'warn' : unknown === undefined ? 'pass' : 'skip',
    detail: why ?? unknown ?? `${name}: as it should be`,
    sql: SQL,
  });
  return [
    check(
      'clocks-agree',
      apart <= SERVERS_MS
        ? undefined
        : `the clock of ${late.node} is ${seconds(apart)} s ahead of that of ${early.node}: a pause, failover.blockMs and the age of a change that ` +
            `another process has begun are kept by the servers' clocks, which must agree to ${seconds(SERVERS_MS)} s; have NTP or chrony set them`,
    ),
    check(
      'own-clock',
      off.length === 0
        ? undefined
        : `${off.map(({ node, aheadMs }) => `the clock of ${node} is ${seconds(Math.abs(aheadMs))} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this process's`).join(', ')}: ` +
            'times in the journal are this process’s, and a topology file says by them until when it holds; have NTP or chrony set the clock of this machine',
    ),
  ];
}

function certainlyAhead(one: ClockLook, other: ClockLook): number {
  return one.aheadMs - other.aheadMs - one.withinMs - other.withinMs;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1).replace(/\.0$/, '');
}
