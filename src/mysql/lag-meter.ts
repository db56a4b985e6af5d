/** Measures the lag of a replica by the function of the user, which may do anything. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { LagMeter } from './monitor-options.js';
import type { PhysicalConnection } from './physical-connection.js';
import type { StatusRow } from './replica-status.js';

/** The share of a probe's time that may be spent on a measurement of lag; without one, the server is known to live all the same. */
export const LAG_SHARE = 0.5;

/** What came of it. */
export interface MeasuredByUser {
  /** Milliseconds; null is unknown. */
  readonly lagMs: number | null;
  /** Why the function gave nothing: it threw, or took too long. */
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
    const measured = await own.race('The `lagSource` function', measure());
    // What is no number of milliseconds says nothing.
    const lagMs = typeof measured === 'number' && measured >= 0 ? measured : null;
    return { lagMs, isBusy: asked > 0 };
  } catch (thrown) {
    const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
    const message = `The lag of ${node} is unknown: the \`lagSource\` function failed: ${cause.message}`;
    const error = new StormlampError(ErrorCode.INVALID_OPTION, message, { node, cause });
    return { lagMs: null, error, isBusy: asked > 0 };
  }
}
