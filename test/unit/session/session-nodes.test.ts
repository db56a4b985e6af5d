import { expect, test } from 'vitest';
import { readinessOf } from '../../../src/cluster-readiness.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { Cluster } from '../../../src/create-cluster.js';
import { SessionNodes } from '../../../src/session/session-nodes.js';
import { resolveSessionOptions } from '../../../src/session/session-options.js';
import { FakeMemcached, FakeMemcachedNode } from '../../../src/testing/fake/fake-memcached.js';

/** Nodes whose first `late` looks end in a way of their own. */
function nodesOf(
  late: number,
  error: () => Error,
  onStoreDown: 'error' | 'anonymous' = 'error',
): { readonly nodes: SessionNodes; readonly looks: () => number } {
  let looks = 0;
  const options = resolveSessionOptions({ nodes: ['cache1:11211'], onStoreDown });
  const nodes = new SessionNodes(
    options,
    () => undefined,
    () => undefined,
    ({ id, breakers }) => {
      const node = new FakeMemcachedNode(new FakeMemcached(id ?? ''), breakers);
      const version = node.version.bind(node);
      node.version = () => {
        looks += 1;
        return looks <= late ? Promise.reject(error()) : version();
      };
      return node;
    },
  );
  return { nodes, looks: () => looks };
}

const timeout = () => new StormlampError(ErrorCode.TIMEOUT, 'it did not answer in time');
const refused = () => new StormlampError(ErrorCode.NODE_UNREACHABLE, 'connection refused');

test('nodes that do not answer in time are looked at again before the start is given up', async () => {
  const { nodes, looks } = nodesOf(2, timeout);
  await nodes.start();
  expect(looks()).toBe(3);
  await nodes.stop();
  await nodes.close();
});

test('nodes that never answer in time, or refuse, are not waited for', async () => {
  const slow = nodesOf(Number.POSITIVE_INFINITY, timeout);
  await expect(slow.nodes.start()).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  expect(slow.looks()).toBe(3);
  const dead = nodesOf(Number.POSITIVE_INFINITY, refused);
  await expect(dead.nodes.start()).rejects.toMatchObject({ code: 'ERR_STORE_DOWN' });
  expect(dead.looks()).toBe(1);
  for (const { nodes } of [slow, dead]) {
    await nodes.stop();
    await nodes.close();
  }
});

test('a store that begins while no node answers is not ready until one has, though its breakers are closed', async () => {
  const { nodes } = nodesOf(2, refused, 'anonymous');
  const sessions = { status: () => nodes.status() } as never;
  const cluster = new Cluster({ mysql: undefined, sessions, failover: undefined, cache: undefined });
  const told = () => {
    const [status] = nodes.status();
    return [status?.reads, status?.silent, readinessOf(cluster, ['sessions']).ready];
  };
  // Nobody has looked yet.
  expect(told()).toEqual(['closed', false, true]);
  await nodes.start();
  expect(told()).toEqual(['closed', true, false]);
  await nodes.monitor.checkAll();
  expect(told()).toEqual(['closed', true, false]);
  await nodes.monitor.checkAll();
  expect(told()).toEqual(['closed', false, true]);
  await nodes.stop();
  await nodes.close();
});
