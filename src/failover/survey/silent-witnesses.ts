/** Which witnesses do not answer: no plan counts on their votes. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { Voter } from '../voters.js';

/** One that has not answered lately may take so long, milliseconds: while locks are held nobody waits longer for a vote. */
const ANSWER_MS = 500;

/** Those of `voters`, and why. One that `hasAnswered` lately is not asked. Never rejects. */
export async function silentWitnesses(
  voters: readonly Pick<Voter, 'id' | 'kind' | 'act'>[],
  hasAnswered: (voter: NodeId) => boolean,
): Promise<ReadonlyMap<NodeId, string>> {
  const silent = new Map<NodeId, string>();
  const asked = voters.filter(({ id, kind }) => kind === 'witness' && !hasAnswered(id));
  await Promise.all(
    asked.map(async ({ id, act }) => {
      try {
        (await act.connect(Deadline.of({ timeoutMs: ANSWER_MS }))).destroy();
      } catch (error) {
        silent.set(id, describeError(error));
      }
    }),
  );
  return silent;
}
