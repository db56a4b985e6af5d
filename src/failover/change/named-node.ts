/** Which node an operator means: by its name, its address, or what the server calls itself; pure. */
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import { type NodeSurvey, variableOf } from '../survey/node-survey.js';
import type { Voter } from '../voters.js';

/**
 * The node called `name`: its id, the `host:port` at which the other servers reach it, or its `server_uuid` where it answers.
 * undefined stands for no wish.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the nodes.
 */
export function namedNode(
  name: string | undefined,
  voters: readonly Pick<Voter, 'id' | 'kind' | 'address'>[],
  surveys: ReadonlyMap<NodeId, NodeSurvey>,
): NodeId | undefined {
  if (name === undefined) return undefined;
  const data = voters.filter(({ kind }) => kind === 'data');
  const wanted = name.toLowerCase();
  const is: readonly ((voter: (typeof data)[number]) => boolean)[] = [
    ({ id }) => id === name,
    ({ address: { host, port } }) => `${host}:${port}`.toLowerCase() === wanted,
    ({ id }) => {
      const survey = surveys.get(id);
      return survey !== undefined && variableOf(survey, 'server_uuid')?.toLowerCase() === wanted;
    },
  ];
  for (const matches of is) {
    const [found, second] = data.filter(matches);
    // A server that was copied has the uuid of another one: neither is meant.
    if (found !== undefined && second === undefined) return found.id;
  }
  const known = data.map(({ id }) => id).join(', ');
  throw new StormlampError(
    ErrorCode.INVALID_OPTION,
    `No node is called ${name}, by its name, its address or its server_uuid; known are: ${known}`,
  );
}
