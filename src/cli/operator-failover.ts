/** The failover options of a process that an operator has started: it takes no part in what others do by themselves. */
import type { FailoverOptions } from '../failover/failover-options.js';

/** `options` for a manager that acts when it is told to, and never by itself. */
export function operatorFailover(options: FailoverOptions): FailoverOptions {
  const approve = (): { veto: string } => ({ veto: 'the command line decides nothing by itself' });
  return { ...options, mode: 'approve', automatic: false, hooks: { ...options.hooks, approve } };
}
