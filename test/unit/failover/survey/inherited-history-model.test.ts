/** Whatever becomes of a cluster, no server is said to have inherited what it has not: a model of MariaDB that is not strict. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HistoryWitness, withInherited } from '../../../../src/failover/survey/inherited-history.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import {
  lastNumberOf,
  readTransactions,
  type TransactionSet,
} from '../../../../src/failover/survey/transaction-set.js';
import { madeUp } from '../made-up-survey.js';

interface Transaction {
  readonly id: number;
  readonly number: number;
}

/** A server: what it has in that order, what of it its log names, how far it has followed the primary, and the place it says for that. */
interface Server {
  readonly id: number;
  data: readonly Transaction[];
  logged: readonly Transaction[];
  followed: number;
  place: Transaction | undefined;
  hasStrays: boolean;
  isLost: boolean;
}

type Operation =
  | { readonly kind: 'write' }
  | { readonly kind: 'look' }
  | { readonly kind: 'follow' | 'stray' | 'change' | 'die'; readonly on: number; readonly count: number }
  | { readonly kind: 'copy'; readonly on: number; readonly of: number };

class Cluster {
  readonly servers: readonly Server[] = [1, 2, 3, 4].map((id) => ({
    id,
    data: [],
    logged: [],
    followed: 0,
    place: undefined,
    hasStrays: false,
    isLost: false,
  }));
  primary = 0;
  /** What the primary was last seen to have. */
  seen: string | undefined;

  get head(): Server {
    return this.at(this.primary);
  }

  at(index: number): Server {
    const server = this.servers[index % this.servers.length];
    if (server === undefined) throw new Error('no server');
    return server;
  }

  do(operation: Operation): void {
    const { head } = this;
    if (operation.kind === 'write') write(head);
    if (operation.kind === 'look') this.seen = logOf(head);
    if (operation.kind === 'write' || operation.kind === 'look') return;
    const server = this.at(operation.on);
    if (server === head) return;
    if (operation.kind === 'copy') {
      const of = this.at(operation.of);
      if (of === server || of.hasStrays || of.isLost) return;
      const { data, followed, place } = of;
      Object.assign(server, { data, logged: [], followed, place, hasStrays: false, isLost: false });
    } else if (operation.kind === 'follow') {
      this.#follow(server, operation.count);
    } else if (operation.kind === 'stray') {
      server.hasStrays = true;
      const { followed, place } = server;
      write(server);
      Object.assign(server, { followed, place });
    } else if (operation.kind === 'change' && isClean(server)) {
      this.#follow(server, Infinity);
      this.#begin(operation.on);
    } else if (operation.kind === 'die' && isClean(server)) {
      const { followed } = server;
      if (this.servers.some((other) => other !== head && isClean(other) && other.followed > followed)) return;
      for (const other of this.servers) if (other.followed > followed) other.isLost = true;
      this.#begin(operation.on);
    }
  }

  #follow(server: Server, count: number): void {
    const next = server.isLost ? [] : this.head.data.slice(server.followed, server.followed + count);
    if (next.length === 0) return;
    server.data = [...server.data, ...next];
    server.logged = [...server.logged, ...next];
    server.followed += next.length;
    server.place = next.at(-1);
  }

  #begin(index: number): void {
    this.primary = index % this.servers.length;
    // The epoch.
    write(this.head);
    this.seen = undefined;
  }
}

function isClean({ hasStrays, isLost }: Server): boolean {
  return !hasStrays && !isLost;
}

function write(server: Server): void {
  const own = { id: server.id, number: Math.max(0, ...server.data.map(({ number }) => number)) + 1 };
  server.data = [...server.data, own];
  server.logged = [...server.logged, own];
  server.followed = server.data.length;
  server.place = own;
}

function notation(transactions: readonly Transaction[]): string {
  const last = new Map<number, number>();
  for (const { id, number } of transactions) last.set(id, Math.max(number, last.get(id) ?? 0));
  return [...last].map(([id, number]) => `0-${id}-${number}`).join(',');
}

function placeOf({ place }: Server): string {
  return place === undefined ? '' : notation([place]);
}

function logOf(server: Server): string {
  return [notation(server.logged), placeOf(server)].filter(Boolean).join(',');
}

function surveyOf(server: Server, isHead: boolean): NodeSurvey {
  const variables = {
    gtid_binlog_state: notation(server.logged),
    gtid_slave_pos: placeOf(server),
    server_id: `${server.id}`,
  };
  const executed = placeOf(server);
  const source = isHead ? {} : { source: { host: 'primary', port: 3306 }, received: executed };
  return madeUp(`db${server.id}`, { executed, variables, ...source });
}

const on = fc.nat(3);
const operations = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('follow' as const), on, count: fc.constantFrom(1, 2, 99) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('stray' as const, 'change' as const, 'change' as const, 'die' as const),
        on,
        count: fc.constant(0),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('copy' as const), on, of: on }) },
  ),
  { minLength: 10, maxLength: 80 },
);

test('what a server has inherited by what the others name, it has', () => {
  let inherited = 0;
  fc.assert(
    fc.property(operations, fc.integer({ min: 1, max: 15 }), (all, answering) => {
      const cluster = new Cluster();
      for (const operation of all) cluster.do(operation);
      const { servers, head, seen } = cluster;
      // Who has what was lost with a primary cannot be told by numbers, other than that primary itself.
      const asked = servers.filter(
        (server, index) => ((answering >> index) & 1) === 1 && !(server.isLost && server.hasStrays),
      );
      const set: TransactionSet = readTransactions('mariadb', seen ?? '') ?? new Map();
      const witness: HistoryWitness = { id: `${head.id}`, set, isPrimary: seen !== undefined };
      const surveys = asked.map((server) => surveyOf(server, server === head));
      const found = withInherited(surveys, asked.includes(head) ? `db${head.id}` : witness);
      for (const [index, server] of asked.entries()) {
        // It is diverged, by what it wrote itself and nobody has; others may number once more what was lost with it.
        if (server.isLost) continue;
        const before = surveys[index];
        for (const [origin, intervals] of found[index]?.executed ?? []) {
          const last = Number(intervals.at(-1)?.[1]);
          if (before !== undefined && lastNumberOf(before.executed, origin) >= last) continue;
          inherited += 1;
          const meant = head.data.filter(({ id, number }) => `0-${id}` === origin && number <= last);
          const lacking = meant.filter(
            ({ id, number }) => !server.data.some((each) => each.id === id && each.number === number),
          );
          expect(lacking).toEqual([]);
        }
      }
    }),
    { numRuns: 2_000 },
  );
  expect(inherited).toBeGreaterThan(100);
});
