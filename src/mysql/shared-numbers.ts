/** Whether the number of a transaction means the same on all nodes: members of a Galera cluster may number them each for themselves. */
import type { GtidPosition } from '../topology/gtid-position.js';
import { knownFacts } from '../topology/replication-graph.js';
import type { TopologyDescription } from '../topology/topology-description.js';

/** What is known of the numbers in a picture of the cluster, worked out once for each. */
export class SharedNumbers {
  #known: { readonly topology: TopologyDescription; readonly domain: string | null | undefined } | undefined;

  /** Whether those of `wanted` mean the same on all nodes of `topology`. */
  are(wanted: GtidPosition, topology: TopologyDescription): boolean {
    const domain = this.#galeraDomain(topology);
    if (domain === undefined) return true;
    return wanted.flavor === 'mariadb' && wanted.gtids.every((gtid) => gtid.domain === domain);
  }

  /**
   * The domain in which the members of a Galera cluster number transactions alike; null when they number them each for
   * themselves, undefined when this is no Galera cluster.
   */
  #galeraDomain(topology: TopologyDescription): string | null | undefined {
    if (this.#known?.topology !== topology) {
      let domain: string | null | undefined;
      for (const node of topology.nodes) {
        const group = knownFacts(node)?.group;
        if (group?.kind !== 'galera') continue;
        const its = group.gtidDomain === undefined ? null : String(group.gtidDomain);
        domain = domain === undefined || domain === its ? its : null;
      }
      this.#known = { topology, domain };
    }
    return this.#known.domain;
  }
}
