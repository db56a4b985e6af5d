/** Whether one more voter may be lost, and who could vote for a new primary; pure. */
import type { NodeId } from '../../common/node-address.js';
import { hindranceOf } from '../plan/votes-after.js';
import { majorityOf } from '../protocol/majority.js';
import type { NodeSurvey } from '../survey/node-survey.js';
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

/**
 * Checks which replicas could vote for a new primary: the vote is the source that a replica follows, and none is pointed at another one
 * before it has executed all that it has received.
 */
export function voteChecks(
  voters: readonly Pick<Voter, 'id' | 'kind'>[],
  answered: ReadonlySet<NodeId>,
  surveys: readonly NodeSurvey[],
): readonly PreflightCheck[] {
  const replicas = surveys.filter(({ channels }) => channels.length > 0);
  const hindrances = new Map(replicas.map((survey) => [survey.node, hindranceOf(survey, undefined)]));
  const able = [...hindrances.values()].filter((why) => why === undefined).length;
  const witnesses = voters.filter(({ id, kind }) => kind === 'witness' && answered.has(id)).length;
  const [votes, needed] = [able + witnesses, majorityOf(voters.length)];
  const price =
    votes >= needed
      ? ''
      : `. When the primary is lost, ${votes} of ${voters.length} voters are left that can, and ${needed} are needed: no failover would be made`;
  return [...hindrances].map(([node, why]) => {
    const [cause = '', ...remedy] = why?.split('; ') ?? [];
    return {
      name: 'can-vote',
      node,
      result: why === undefined ? 'pass' : 'warn',
      detail:
        why === undefined
          ? `${node} can be made to follow, and vote for, a new primary`
          : [`${node} could not vote for a new primary: ${cause}${price}`, ...remedy].join('; '),
      sql: 'SHOW ALL SLAVES STATUS',
    };
  });
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
