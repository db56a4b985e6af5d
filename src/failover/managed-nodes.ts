/** Tells which nodes a manager makes plans for, and which replicas it merely sees: when it begins, and when it comes to see others. */
import type { NodeId } from '../common/node-address.js';
import type { TopologyWatcher } from '../health/topology-watcher.js';
import { type Stranger, strangersOf } from './strangers.js';
import type { Voter } from './voters.js';

/** The nodes of a manager. */
export interface NodesManaged {
  /** Those with data: any of them can become the primary, or be made to follow one. */
  readonly nodes: readonly NodeId[];
  /** Those that only vote. */
  readonly witnesses: readonly NodeId[];
  /** Replicas that were only found, and the node that they get their data from: no plan looks at them. */
  readonly strangers: readonly Stranger[];
  /** The same in words, as the journal has it. */
  readonly message: string;
}

/** What it looks at, and whom it tells. */
export interface ManagedNodesParts {
  readonly watcher: Pick<TopologyWatcher, 'topology' | 'on' | 'off'>;
  readonly voters: readonly Pick<Voter, 'id' | 'kind'>[];
  readonly tell: (managed: NodesManaged) => void;
}

/** Listens to the watcher until it is closed. */
export class ManagedNodes {
  readonly #parts: ManagedNodesParts;
  #known: ReadonlySet<NodeId> | undefined;

  /** Tells at once. */
  constructor(parts: ManagedNodesParts) {
    this.#parts = parts;
    parts.watcher.on('topology-changed', this.#look);
    this.#look();
  }

  /** Tells nothing any more. */
  close(): void {
    this.#parts.watcher.off('topology-changed', this.#look);
  }

  readonly #look = (): void => {
    const { watcher, voters, tell } = this.#parts;
    const idsOf = (kind: Voter['kind']): readonly NodeId[] =>
      voters.filter((voter) => voter.kind === kind).map(({ id }) => id);
    const strangers = strangersOf(watcher.topology, new Set(voters.map(({ id }) => id)));
    const isNews =
      this.#known === undefined || strangers.some(({ node }) => this.#known?.has(node) === false);
    if (!isNews) return;
    // One that is gone for a moment is no news, nor is it when it is back.
    this.#known = new Set([...(this.#known ?? []), ...strangers.map(({ node }) => node)]);
    const managed = { nodes: idsOf('data'), witnesses: idsOf('witness'), strangers };
    tell({ ...managed, message: wordsOf(managed) });
  };
}

function wordsOf({ nodes, witnesses, strangers }: Omit<NodesManaged, 'message'>): string {
  const found = strangers.map(({ node, source }) => `${node} (a replica of ${source})`).join(', ');
  const [vote, were, them] = [
    witnesses.length === 1 ? 'votes' : 'vote',
    ...(strangers.length === 1 ? ['was', 'it'] : ['were', 'them']),
  ];
  return [
    `this manager makes plans for ${nodes.join(', ')}`,
    ...(witnesses.length === 0 ? [] : [`${witnesses.join(', ')} only ${vote}`]),
    ...(strangers.length === 0
      ? []
      : [
          `${found} ${were} only found, and no plan looks at ${them}: name ${them} in \`mysql.replicas\`, in all processes`,
        ]),
  ].join('; ');
}
