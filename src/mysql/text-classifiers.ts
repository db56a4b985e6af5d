/**
 * How the texts of one cluster are read: by the family of its servers and by the `sql_mode` of its sessions, as far as both
 * are known; what is not known is taken for the stricter answer.
 */
import type { NodeId } from '../common/node-address.js';
import { sqlDigest } from '../diagnostics/sql-digest.js';
import type { Flavor, NodeDescription } from '../topology/node-description.js';
import { inSchema } from './chosen-schema.js';
import type { Classification, ClassifyOptions } from './classifier/classification.js';
import { ClassificationCache } from './classifier/classification-cache.js';

/** For so many modes the answers are remembered; sessions with other ones are read without regard to their mode. */
const MODES_LIMIT = 4;

/** So many kinds of statement are remembered that look like reads and write. */
const WRITERS_LIMIT = 1_000;

/** The classifiers of a cluster, one for each mode. */
export class TextClassifiers {
  readonly #options: ClassifyOptions;
  readonly #modes = new Map<NodeId, string | undefined>();
  readonly #caches = new Map<string, ClassificationCache>();
  /** The digests of texts that look like reads and were refused by a read-only server: a view of theirs writes. */
  readonly #writers = new Set<string>();
  #flavor: Flavor | undefined;
  #cautious: ClassificationCache;
  #expected: string | undefined;

  readonly #databases: readonly (string | undefined)[];

  /** Knows neither family nor mode yet; `databases` are those in which sessions begin. */
  constructor(options: ClassifyOptions, databases: readonly (string | undefined)[] = []) {
    this.#options = options;
    this.#databases = databases;
    this.#cautious = this.#create(undefined);
  }

  /** The `sql_mode` that sessions begin with on every node; undefined when it is not known, or not the same. */
  get expectedMode(): string | undefined {
    return this.#expected;
  }

  /** What `sql` is in a session with the `sql_mode` `mode`; with undefined, in whatever session. */
  classify(sql: string, mode: string | undefined): Classification {
    return this.#cacheOf(mode).classify(sql);
  }

  /** Notes the mode with which a session began on `node`; undefined when the server did not tell it. */
  noteMode(node: NodeId, mode: string | undefined): void {
    if (this.#modes.has(node) && this.#modes.get(node) === mode) return;
    this.#modes.set(node, mode);
    this.#expect();
  }

  /** Forgets a node. */
  forget(node: NodeId): void {
    this.#modes.delete(node);
    this.#expect();
  }

  /** Notes the family of all `nodes`: where it is known, and the same, the stricter answer of both need not be taken. */
  noteNodes(nodes: readonly NodeDescription[]): void {
    const flavors = new Set<Flavor>();
    for (const node of nodes) {
      if (node.state === 'up') flavors.add(node.facts.flavor);
      else if (node.state === 'down' && node.lastFacts !== undefined) flavors.add(node.lastFacts.flavor);
    }
    const [flavor] = flavors;
    this.noteFlavor(flavors.size === 1 ? flavor : undefined);
  }

  /** Notes the family of all servers; undefined while it is not known, or not the same. */
  noteFlavor(flavor: Flavor | undefined): void {
    if (flavor === this.#flavor) return;
    this.#flavor = flavor;
    this.#forgetTexts();
  }

  /**
   * What `sql` is, which looked like a `read` until a read-only server refused it: it may be anything, and so may what differs
   * from it only in values, from now on.
   */
  noteWriter(sql: string, read: Classification): Classification {
    const digest = sqlDigest(sql);
    if (this.#writers.size >= WRITERS_LIMIT) {
      for (const oldest of this.#writers) {
        this.#writers.delete(oldest);
        break;
      }
    }
    this.#writers.add(digest);
    this.#forgetTexts();
    return seenToWrite(read);
  }

  #forgetTexts(): void {
    this.#caches.clear();
    this.#cautious = this.#create(undefined);
  }

  #expect(): void {
    const modes = new Set(this.#modes.values());
    const [mode] = modes;
    this.#expected = modes.size === 1 ? mode : undefined;
  }

  #cacheOf(mode: string | undefined): ClassificationCache {
    if (mode === undefined) return this.#cautious;
    const known = this.#caches.get(mode);
    if (known !== undefined) return known;
    if (this.#caches.size >= MODES_LIMIT) {
      // Who asks now matters more than who asked once.
      if (mode !== this.#expected) return this.#cautious;
      this.#caches.clear();
    }
    const cache = this.#create(mode);
    this.#caches.set(mode, cache);
    return cache;
  }

  #create(mode: string | undefined): ClassificationCache {
    const sqlMode = mode?.split(',');
    const review = (sql: string, found: Classification): Classification =>
      this.#writers.size > 0 && found.kind === 'read' && this.#writers.has(sqlDigest(sql))
        ? seenToWrite(found)
        : this.#databases.reduce(inSchema, found);
    return new ClassificationCache({ ...this.#options, flavor: this.#flavor, sqlMode }, {}, review);
  }
}

/** What a text is that looked like a read until a read-only server refused it. */
function seenToWrite(read: Classification): Classification {
  return {
    ...read,
    kind: 'unknown',
    route: 'primary',
    because: 'a read-only server refused it: something that it reads from writes',
  };
}
