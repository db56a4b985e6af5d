/** Measures the lag of a replica by the function of the user, which may do anything. */
import type { Deadline } from '../common/deadline.js';
import { shown } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { LagMeter } from './monitor-options.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { StatusRow } from './replica-status.js';

/** The share of a probe's time that may be spent on a measurement of lag; without one, the server is known to live all the same. */
export const LAG_SHARE = 0.5;

/** What came of it. */
export interface MeasuredByUser {
  /** Milliseconds; null is unknown. */
  readonly lagMs: number | null;
  /** Why the function gave nothing that can be used: it threw, took too long, or gave no milliseconds. */
  readonly error?: StormlampError;
  /** Whether the connection may still be busy with what the function asked. */
  readonly isBusy: boolean;
}

/** Calls `source` for the node of `connection`; never rejects: what fails there says nothing about the server. */
export async function measureLag(
  source: LagMeter,
  connection: PhysicalConnection,
  deadline: Deadline,
): Promise<MeasuredByUser> {
  const { node } = connection;
  const own = deadline.within(Math.max(1, deadline.remainingMs() * LAG_SHARE));
  let asked = 0;
  const ask = async (sql: string): Promise<readonly StatusRow[]> => {
    asked += 1;
    const rows = await connection.ask(sql, own);
    asked -= 1;
    return rows;
  };
  const measure = async (): Promise<unknown> => await source({ node, ask });
  try {
    const measured = await own.race('the call', measure());
    const isBusy = asked > 0;
    if (measured === null || (typeof measured === 'number' && measured >= 0))
      return { lagMs: measured, isBusy };
    return { lagMs: null, error: useless(node, `gave ${shown(measured)}`), isBusy };
  } catch (cause) {
    return { lagMs: null, error: useless(node, `failed: ${describeError(cause)}`, cause), isBusy: asked > 0 };
  }
}

function useless(node: string, what: string, cause?: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `The lag of ${node} is unknown: the function \`mysql.monitor.lagSource\` ${what}; it must give milliseconds >= 0, or null, within half of \`mysql.monitor.timeoutMs\``,
    { node, cause },
  );
}
