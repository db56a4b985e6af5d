/** Looks at all data nodes at the same time, outside any lock: what a plan is made from. */
import { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { ReplicationChannel } from '../../topology/node-description.js';
import type { Voter } from '../voters.js';
import { type Ask, type NodeSurvey, surveyNode } from './node-survey.js';
import { EVENTS_SQL, readEvents } from './scheduled-events.js';

/** What was found. */
export interface ClusterSurvey {
  /** The nodes that answered. */
  readonly nodes: ReadonlyMap<NodeId, NodeSurvey>;
  /** The nodes that did not, and why. */
  readonly silent: ReadonlyMap<NodeId, string>;
  /** The node that each replica's channel points at, where it is one of ours. */
  readonly sources: ReadonlyMap<NodeId, NodeId>;
}

/** How long a node may take to answer, milliseconds, and one that has not answered for seconds. */
const ANSWER_MS = 2_000;
const DOWN_ANSWER_MS = 500;

/** Looks at every data node of `voters`; those that are `down` already are not waited for as long as others. Never rejects. */
export async function surveyCluster(
  voters: readonly Voter[],
  sourceOf: (channel: ReplicationChannel) => NodeId | undefined,
  down: ReadonlySet<NodeId> = new Set(),
): Promise<ClusterSurvey> {
  const nodes = new Map<NodeId, NodeSurvey>();
  const silent = new Map<NodeId, string>();
  const sources = new Map<NodeId, NodeId>();
  await Promise.all(
    voters
      .filter(({ kind }) => kind === 'data')
      .map(async (voter) => {
        try {
          const survey = await lookAt(voter, down.has(voter.id) ? DOWN_ANSWER_MS : ANSWER_MS);
          nodes.set(voter.id, survey);
          const [channel] = survey.channels;
          const source = channel === undefined ? undefined : sourceOf(channel);
          if (source !== undefined) sources.set(voter.id, source);
        } catch (error) {
          silent.set(voter.id, describeError(error));
        }
      }),
  );
  return { nodes, silent, sources };
}

/**
 * Looks at one node. `withLog` false: not at where it writes its log, and what it keeps out of that, which a MariaDB does not tell
 * while commits wait for a replica. Rejects with the error of the connection or the server.
 */
export async function lookAt(voter: Voter, timeoutMs: number, withLog = true): Promise<NodeSurvey> {
  const deadline = Deadline.of({ timeoutMs });
  const connection = await voter.act.connect(deadline);
  try {
    const ask: Ask = (sql) => connection.ask(sql, deadline);
    const [survey, events] = await Promise.all([
      surveyNode(voter.id, connection.version, ask, withLog),
      // No change is given up for want of them.
      ask(EVENTS_SQL).then(readEvents, () => undefined),
    ]);
    return { ...survey, events };
  } finally {
    connection.destroy();
  }
}
