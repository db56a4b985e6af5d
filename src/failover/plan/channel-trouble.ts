/** Replicas that cannot be pointed at another source: every change is one of the only channel, which has no name; pure. */
import type { NodeId } from '../../common/node-address.js';
import type { NodeSurvey } from '../survey/node-survey.js';

/** Why no change can make `survey`, or another node in its place, follow; undefined when there is no reason in its channels. */
export function channelTrouble({ channels }: Pick<NodeSurvey, 'channels'>): string | undefined {
  const [channel, second] = channels;
  if (second !== undefined) return 'it replicates from several sources';
  if (channel === undefined || channel.name === '') return undefined;
  return `it replicates over the channel '${channel.name}', and a change reaches only the channel without a name`;
}

/** What a plan says of a replica of `from` that it leaves there. */
export function leftWords(survey: NodeSurvey, from: NodeId, isFrozen = false): readonly string[] {
  const trouble = channelTrouble(survey);
  const how = isFrozen ? ', and receives nothing until it is started again' : '';
  return trouble === undefined
    ? []
    : [`${survey.node} is left on ${from}, for which it votes${how}: ${trouble}`];
}
