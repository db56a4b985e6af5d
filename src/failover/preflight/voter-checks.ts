/** Whether one more voter may be lost; pure. */
import type { NodeId } from '../../common/node-address.js';
import { majorityOf } from '../protocol/majority.js';
import type { Voter } from '../voters.js';
import type { PreflightCheck } from './preflight.js';

/** Checks it by those that `answered`: a majority of all voters is needed for every write and every change, whoever is down. */
export function spareCheck(
  voters: readonly Pick<Voter, 'id' | 'kind'>[],
  answered: ReadonlySet<NodeId>,
): PreflightCheck {
  const needed = majorityOf(voters.length);
  const isSpare = answered.size > needed;
  return {
    name: 'voter-to-spare',
    node: null,
    result: isSpare ? 'pass' : 'warn',
    detail: isSpare ? 'voter-to-spare: as it should be' : shortWords(voters, answered, needed),
    sql: 'SELECT CONNECTION_ID()',
  };
}

function shortWords(
  voters: readonly Pick<Voter, 'id' | 'kind'>[],
  answered: ReadonlySet<NodeId>,
  needed: number,
): string {
  const found = `${answered.size} of ${voters.length} voters answer, and ${needed} are needed`;
  const silent = voters.filter(({ id }) => !answered.has(id));
  const names = silent.map(({ id, kind }) => (kind === 'witness' ? `${id} (a witness)` : id)).join(', ');
  const mend =
    silent.length === 0
      ? 'add a voter: a replica, or a `witness` on a machine that runs none of the databases'
      : `start ${names}, or mend the way to it`;
  return answered.size < needed
    ? `${found}: nobody can write, and nothing is failed over; ${mend}`
    : `${found}: when one more is lost, nobody can write, and nothing is failed over; ${mend}`;
}
