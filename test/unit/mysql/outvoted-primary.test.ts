/** Where voters vote, reads go by them, too: what still looks like the primary may be the one before, with rows that no other node has. */
import { beforeEach, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { bindReader, tryBindReader } from '../../../src/mysql/connection-binder.js';
import { QueryRouter } from '../../../src/mysql/query-router.js';
import { type ReadOptions, resolveReadOptions } from '../../../src/mysql/read-options.js';
import type { CallContext, SessionPorts } from '../../../src/mysql/session-ports.js';
import { initialTopology, observe } from '../../../src/topology/describe-topology.js';
import type { TopologyDescription } from '../../../src/topology/topology-description.js';
import { type Finding, master, observationOf, seeds, slave } from '../../spec/topology/made-up-servers.js';

/** The picture from before the promotion: the old primary answers again, and the replicas are too far behind for reads. */
const before: Readonly<Record<string, Finding>> = {
  a: master('a'),
  b: slave('b', 'a', { lagMs: 60_000 }),
  c: slave('c', 'a', { lagMs: 60_000 }),
};
const after: Readonly<Record<string, Finding>> = { a: master('a'), b: master('b'), c: slave('c', 'b') };
/** Of two nodes and a witness nobody follows the new primary; `a` has a transaction of its own. */
const two: Readonly<Record<string, Finding>> = { a: master('a'), b: master('b') };

let topology: TopologyDescription;
let voted: string | undefined;

function see(findings: Readonly<Record<string, Finding>>): void {
  const now = performance.now();
  const roles = Object.fromEntries(Object.keys(findings).map((node) => [node, 'any'] as const));
  const begun = observe(
    initialTopology(seeds({ ...roles, a: 'primary' })),
    observationOf('a', master('a'), now),
  );
  topology = Object.entries(findings).reduce(
    (picture, [node, finding]) => observe(picture, observationOf(node, finding, now)),
    begun,
  );
}

function routerOf(options: ReadOptions = {}): QueryRouter {
  return new QueryRouter(resolveReadOptions(options), {
    topology: () => topology,
    gate: () => ({ node: voted, voted }),
    allows: () => true,
    breakerVersion: () => 0,
    inFlight: () => 0,
    returnedAt: () => Number.NEGATIVE_INFINITY,
    waitLimit: 2,
  });
}

beforeEach(() => {
  voted = 'b';
  see(before);
});

test('a read that would go to the primary goes to no other node than the one that has the votes', () => {
  expect(topology.writer).toEqual({ kind: 'primary', node: 'a' });
  const router = routerOf();
  expect(() => router.reader(undefined)).toThrow('a: a majority votes for b');
  expect([router.isOutvoted, router.serves('a', undefined), router.mayStillRead('a', undefined)]).toEqual([
    true,
    false,
    false,
  ]);
  // Both look like it now.
  see(after);
  expect(topology.writer.kind).toBe('split-brain');
  const chosen = routerOf({ preference: 'primary-preferred' }).reader(undefined);
  expect([router.isOutvoted, chosen.node]).toEqual([false, 'b']);
});

test('it is served by a primary that has the votes, or while nobody is known to have them', () => {
  for (const each of ['a', undefined]) {
    voted = each;
    expect([routerOf().reader(undefined).node, routerOf().isOutvoted]).toEqual(['a', false]);
  }
});

test('what was chosen a moment ago does not outlive the votes', () => {
  voted = 'a';
  const router = routerOf();
  expect(router.reader(undefined).node).toBe('a');
  voted = 'b';
  expect(router.serves('a', undefined)).toBe(false);
});

test('the one with the votes serves although it does not look like the primary, once it takes writes', () => {
  see(two);
  expect(topology.writer).toEqual({ kind: 'primary', node: 'a' });
  for (const preference of ['replica-preferred', 'nearest', 'primary-preferred'] as const)
    expect(routerOf({ preference }).reader(undefined).node).toBe('b');
  expect(() => routerOf({ preference: 'replica' }).reader(undefined)).toThrow('b: it is the primary');
  see({ ...two, b: master('b', { readOnly: true }) });
  expect(() => routerOf().reader(undefined)).toThrow(/it is neither the primary nor a replica/);
  // While nobody votes, what takes writes beside the primary is not read.
  see(two);
  voted = undefined;
  expect(routerOf().reader(undefined).node).toBe('a');
});

test('a replica can be spared only while another node than the outvoted one could serve', () => {
  see({ a: master('a'), b: slave('b', 'a'), c: slave('c', 'a', { lagMs: 60_000 }) });
  expect(routerOf().canSpare('b')).toBe(false);
  voted = 'a';
  expect(routerOf().canSpare('b')).toBe(true);
});

test('a read waits for the look that shows the new primary, and has all nodes looked at', async () => {
  const looks: string[] = [];
  const ports = {
    router: routerOf(),
    blockMs: 30_000,
    checkOpen: () => undefined,
    waitForWriter: () => Promise.resolve('b'),
    refresh: (node: string) => {
      looks.push(node);
      if (looks.length === 3) see(after);
      return Promise.resolve();
    },
    node: (id: string) => ({ acquire: () => Promise.resolve(id), tryAcquire: () => id }),
  } as unknown as SessionPorts;
  const context: CallContext = { deadline: Deadline.of({ timeoutMs: 30_000 }), scope: undefined };
  expect(tryBindReader(ports, context, { nodes: undefined })).toBeUndefined();
  expect(looks).toEqual([]);
  await expect(bindReader(ports, context, { nodes: undefined })).resolves.toMatchObject({ connection: 'c' });
  expect(looks).toEqual(['a', 'b', 'c']);
});
