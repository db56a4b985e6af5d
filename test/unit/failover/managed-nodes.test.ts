/** What a manager tells of the nodes that it makes plans for. */
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { ManagedNodes, type NodesManaged } from '../../../src/failover/managed-nodes.js';
import { master, slave } from '../../spec/topology/made-up-servers.js';

const topologyOf = (ids: readonly string[]): unknown => ({
  nodes: ids.map((id) => ({
    id,
    state: 'up',
    address: { host: id, port: 3306 },
    facts: id === 'a' ? master('a') : slave(id, 'a'),
  })),
});

/** Begins with the replicas of a that are `found`, and then finds those of each of `later`. */
function told(found: readonly string[], ...later: (readonly string[])[]): readonly NodesManaged[] {
  const watcher = Object.assign(new EventEmitter(), { topology: topologyOf(['a', 'b', ...found]) });
  const all: NodesManaged[] = [];
  const voters = [
    { id: 'a', kind: 'data' },
    { id: 'b', kind: 'data' },
    { id: 'w', kind: 'witness' },
  ] as const;
  const managed = new ManagedNodes({
    watcher: watcher as never,
    voters,
    tell: (each) => void all.push(each),
  });
  for (const more of later) {
    watcher.topology = topologyOf(['a', 'b', ...more]);
    watcher.emit('topology-changed');
  }
  managed.close();
  expect(watcher.listenerCount('topology-changed')).toBe(0);
  return all;
}

test('it begins with the nodes of the configuration', () => {
  const message = 'this manager makes plans for a, b; w only votes';
  expect(told([], [])).toEqual([{ nodes: ['a', 'b'], witnesses: ['w'], strangers: [], message }]);
});

test('a replica that was only found is named with what to do about it, then or later, once', () => {
  const message =
    'this manager makes plans for a, b; w only votes; c (a replica of a) was only found, and no plan looks at it: ' +
    'name it in `mysql.replicas`, in all processes';
  expect(told(['c'], ['c'], [], ['c'])).toMatchObject([{ strangers: [{ node: 'c', source: 'a' }], message }]);
  expect(told([], ['c'], ['c', 'd']).map((each) => each.message)).toEqual([
    expect.not.stringContaining('found'),
    message,
    expect.stringContaining(
      'c (a replica of a), d (a replica of a) were only found, and no plan looks at them',
    ),
  ]);
});
