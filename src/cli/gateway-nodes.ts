/**
 * The nodes of a gateway that runs: its configuration file says which step of which change there is to take, at the start and
 * whenever the file is read again.
 */
import { nodeIdOf, parseNodeAddress } from '../common/node-address.js';
import { invalidOption, readChoice, readStrings, rejectUnknownOptions } from '../common/option-reader.js';
import { describeError } from '../common/stormlamp-error.js';
import type { NodeChangeStep, SetNodesOptions } from '../session/node-change.js';
import type { SessionOptions } from '../session/session-options.js';
import type { SessionStore } from '../session/session-store.js';

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

/** Takes the steps that the other processes have taken already: before the gateway serves. Errors: as `setNodes`. */
export async function catchUp(
  store: SessionStore,
  change: GatewayNodeChange | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (change?.step !== 'prepare' && change?.step !== 'switch') return;
  const { nodes, ...options } = change;
  await store.setNodes(nodes, { ...options, step: 'prepare', signal });
  if (change.step === 'switch') await store.setNodes(nodes, { ...options, signal });
}

/** Takes the step that the file names by now. A step that was taken is not taken again. Never rejects: what failed is told. */
export async function takeStep(
  store: SessionStore,
  { nodes, ...options }: GatewayNodeChange,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  const list = nodes.join(', ');
  try {
    await store.setNodes(nodes, { ...options, signal });
    tell(`nodes: step '${options.step}' is taken for ${list}`);
  } catch (error) {
    tell(`nodes: step '${options.step}' is not taken, all goes on as it was: ${describeError(error)}`);
  }
}
