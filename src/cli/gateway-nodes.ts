/** What the configuration file of a gateway says about a change of its nodes: which step of which change there is to take. */
import { nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import { invalidOption, readChoice, readStrings, rejectUnknownOptions } from '../common/option-reader.js';
import type { NodeChangeStep, SetNodesOptions } from '../session/node-change.js';
import type { SessionOptions } from '../session/session-options.js';

/** `gateway.nodeChange` of a configuration file. */
export interface GatewayNodeChange extends Pick<SetNodesOptions, 'step' | 'weights' | 'addressMap'> {
  /** All nodes from then on. */
  readonly nodes: readonly string[];
}

const STEPS: readonly NodeChangeStep[] = ['prepare', 'switch', 'finish', 'cancel'];
const PATH = 'gateway.nodeChange';

/**
 * Reads `gateway.nodeChange`; undefined when it is not there.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function readNodeChange(given: unknown): GatewayNodeChange | undefined {
  if (given === undefined) return undefined;
  rejectUnknownOptions(PATH, given, ['nodes', 'step', 'weights', 'addressMap']);
  const { nodes, step, ...rest } = given as Partial<GatewayNodeChange>;
  const read = readStrings(`${PATH}.nodes`, nodes, []);
  if (read.length === 0) throw invalidOption(`${PATH}.nodes`, "a list of 'host:port'", nodes);
  if (step === undefined) throw invalidOption(`${PATH}.step`, `one of '${STEPS.join("', '")}'`, step);
  return { ...rest, nodes: read, step: readChoice(`${PATH}.step`, step, STEPS, 'prepare') };
}

/** The options that the store is made with: the list before the change, and once that is over the one after it. */
export function sessionsBefore(
  sessions: SessionOptions,
  change: GatewayNodeChange | undefined,
): SessionOptions {
  if (change?.step !== 'finish') return sessions;
  const { nodes, weights, addressMap } = change;
  const { weights: _before, ...placement } = sessions.placement ?? {};
  const ids = nodes.map((text) => nodeIdOf(parseNodeAddress(`${PATH}.nodes`, text, 11_211)));
  const kept = Object.entries(sessions.addressMap ?? {}).filter(([id]) => ids.includes(id));
  return {
    ...sessions,
    nodes,
    placement: weights === undefined ? placement : { ...placement, weights },
    addressMap: { ...Object.fromEntries(kept), ...addressMap },
  };
}
