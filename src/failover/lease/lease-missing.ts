/** Says why a process may not write: what each voter answered last. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { LeaseRules, VoterReading } from '../protocol/client-lease.js';
import { majorityOf } from '../protocol/majority.js';

/** The `ERR_LEASE_LOST` of a process whose latest readings are `readings`; `failures` are voters that did not answer. */
export function leaseMissing(
  voters: readonly NodeId[],
  readings: ReadonlyMap<NodeId, VoterReading>,
  failures: ReadonlyMap<NodeId, string>,
  rules: LeaseRules,
  now: number,
): StormlampError {
  const said = voters.map(
    (voter) => `${voter} ${sayingOf(readings.get(voter), failures.get(voter), rules, now)}`,
  );
  return new StormlampError(
    ErrorCode.LEASE_LOST,
    `This process has no right to write now, nothing was sent: ${majorityOf(rules.voters)} of ${rules.voters} voters must ` +
      `agree on a primary, itself among them. ${said.join('; ')}`,
  );
}

function sayingOf(
  reading: VoterReading | undefined,
  failure: string | undefined,
  rules: LeaseRules,
  now: number,
): string {
  if (reading === undefined)
    return failure === undefined ? 'was not asked yet' : `does not answer (${failure})`;
  if (failure !== undefined && now > reading.sentAt + rules.leaseMs) return `does not answer (${failure})`;
  if (reading.lock === 'promote') return 'is locked by somebody who changes the primary';
  if (reading.vote === null)
    return 'votes for nobody (it is read-only without a source, or has an unknown source)';
  return reading.vote === reading.voter ? 'is a primary' : `votes for ${reading.vote}`;
}
