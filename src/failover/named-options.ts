/** Options that name nodes, with the nodes' ids in place of the names: one that nobody has would mean nothing, without a word. */
import type { NodeId } from '../common/node-address.js';
import { invalidOption } from '../common/option-reader.js';
import type { MysqlNodeConfig } from '../mysql/connection-options.js';
import type { ResolvedActingOptions } from './acting-options.js';
import { namedNode } from './change/named-node.js';
import type { Voter } from './voters.js';

type Named = Pick<Voter, 'id' | 'kind' | 'address'>;

/**
 * `options` with the ids of `nodes`. A node is named by its id or by the `host:port` at which the other servers reach it.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a name that no node has.
 */
export function withNodeIds(
  path: string,
  options: ResolvedActingOptions,
  nodes: readonly MysqlNodeConfig[],
): ResolvedActingOptions {
  const { wishes, addresses: given, witnesses } = options;
  // As this process reaches them: where others do is what is told here.
  const reached = [...nodes, ...witnesses].map((node) => namedAt(node, undefined));
  const addresses: Record<NodeId, { readonly host: string; readonly port: number }> = {};
  for (const [name, address] of Object.entries(given)) {
    const id = idOf(`${path}.replication.addresses`, name, reached);
    if (id in addresses) throw invalidOption(`${path}.replication.addresses`, `one address of ${id}`, given);
    addresses[id] = address;
  }
  const candidates = nodes.map((node) => namedAt(node, addresses[node.seed.id]));
  const ids = (list: keyof typeof wishes): readonly NodeId[] =>
    wishes[list].map((name, index) => idOf(`${path}.candidates.${list}[${index}]`, name, candidates));
  return Object.freeze({
    ...options,
    addresses,
    wishes: { prefer: ids('prefer'), avoid: ids('avoid'), never: ids('never') },
    zones: new Map(nodes.flatMap(({ seed: { id, zone } }) => (zone === undefined ? [] : [[id, zone]]))),
  });
}

function namedAt({ seed }: MysqlNodeConfig, known: Named['address'] | undefined): Named {
  const { host = 'localhost', port = 3306 } = seed.address;
  return { id: seed.id, kind: 'data', address: known ?? { host, port } };
}

function idOf(path: string, name: string, nodes: readonly Named[]): NodeId {
  try {
    return namedNode(name, nodes, new Map()) ?? name;
  } catch {
    const known = nodes.map(({ id }) => `'${id}'`).join(', ');
    throw invalidOption(path, `one of the nodes (${known})`, name);
  }
}
