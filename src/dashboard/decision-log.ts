/** The newest routing decisions, the same ones counted together. */
import type { NodeId } from '../common/node-address.js';
import { sqlDigest } from '../diagnostics/sql-digest.js';

/** Statements of one shape that went to one node for one reason. */
export interface Decision {
  /** The statement without its values. */
  readonly sql: string;
  /** What the classifier made of it. */
  readonly kind: string;
  /** Where it went. */
  readonly node: NodeId;
  /** What that node was. */
  readonly role: string;
  /** Why. */
  readonly because: string;
  /** How many. */
  readonly count: number;
  /** The newest, milliseconds since 1970. */
  readonly at: number;
}

/** Decisions that are kept. */
const CAPACITY = 40;

/** A bounded log. */
export class DecisionLog {
  readonly #decisions = new Map<string, Decision>();

  /** The newest first. */
  get newest(): readonly Decision[] {
    return [...this.#decisions.values()].reverse();
  }

  /** Adds one. */
  add(route: Omit<Decision, 'count' | 'at'>, at: number): void {
    const sql = sqlDigest(route.sql);
    const key = JSON.stringify([sql, route.node, route.because]);
    const count = (this.#decisions.get(key)?.count ?? 0) + 1;
    const { kind, node, role, because } = route;
    // A map keeps the order of insertion: who is put in again is the newest.
    this.#decisions.delete(key);
    this.#decisions.set(key, { sql, kind, node, role, because, count, at });
    const [oldest] = this.#decisions.keys();
    if (this.#decisions.size > CAPACITY && oldest !== undefined) this.#decisions.delete(oldest);
  }
}
