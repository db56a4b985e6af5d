/** Says why a process may not write: what each voter answered last. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { isReplaced, type LeaseRules, type VoterReading } from '../protocol/client-lease.js';
import { majorityOf } from '../protocol/majority.js';

/** The `ERR_LEASE_LOST` of a process whose latest readings are `readings`; `failures` are voters that did not answer, `epoch` is the latest that
 * it has written in, `refused` are nodes that it takes for no primary, and why. */
export function leaseMissing(
  voters: readonly NodeId[],
  readings: ReadonlyMap<NodeId, VoterReading>,
  failures: ReadonlyMap<NodeId, string>,
  rules: LeaseRules,
  now: number,
  { epoch, refused }: { readonly epoch: number; readonly refused: ReadonlyMap<NodeId, string> },
): StormlampError {
  const said = voters.map(
    (voter) =>
      `${voter} ${refused.get(voter) === undefined ? sayingOf(readings.get(voter), failures.get(voter), rules, now, epoch) : `gets no writes: ${refused.get(voter)}`}`,
  );
  return new StormlampError(
    ErrorCode.LEASE_LOST,
    `This process has no right to write now, nothing was sent: ${majorityOf(rules.voters)} of ${rules.voters} voters must ` +
      `agree on a primary, itself among them. ${said.join('; ')}`,
  );
}

/** The `ERR_NO_PRIMARY` of what needs one, with the reason `missing`. */
export function noPrimary(missing: StormlampError): StormlampError {
  return new StormlampError(
    ErrorCode.NO_PRIMARY,
    `No majority agrees on a primary now, and this needs one. Use failover() when it is dead. ${missing.message}`,
  );
}

function sayingOf(
  reading: VoterReading | undefined,
  failure: string | undefined,
  rules: LeaseRules,
  now: number,
  epoch: number,
): string {
  if (reading === undefined)
    return failure === undefined ? 'was not asked yet' : `does not answer (${failure})`;
  if (failure !== undefined && now > reading.sentAt + rules.leaseMs) return `does not answer (${failure})`;
  if (reading.lock === 'promote') return 'is locked by somebody who changes the primary';
  if (reading.vote === null)
    return 'votes for nobody (it is read-only without a source, or has an unknown source)';
  if (isReplaced(reading, epoch))
    return (
      `is a primary of epoch ${reading.epoch}, and this process has written in epoch ${epoch}: it was replaced, and lacks what was ` +
      'acknowledged since. If it shall be the primary all the same, start the processes anew'
    );
  return reading.vote === reading.voter ? 'is a primary' : `votes for ${reading.vote}`;
}
