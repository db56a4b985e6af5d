/** What is changed on the source while a node is filled from it. */
import { expect, test } from 'vitest';
import { fillNode } from '../../../../src/memcached/resync/fill-node.js';
import { ItemRate } from '../../../../src/memcached/resync/item-rate.js';
import { Chance, ModelNode, ModelServer, Network } from '../copies/model-world.js';

function world() {
  const network = new Network(new Chance(3));
  const [source, filled] = [new ModelServer('a:1'), new ModelServer('b:1')];
  const ways = new Map([source, filled].map((server) => [server.id, new ModelNode(server, network)]));
  let onBatch: () => void = () => undefined;
  let isHeld = true;
  const fill = () =>
    network.drive(
      fillNode({
        node: filled.id,
        sources: [source.id],
        placeOf: (key) => key,
        sourcesOf: () => [source.id],
        passes: 1,
        connect: async (node) => ways.get(node)?.text() as never,
        rate: new ItemRate(0),
        resumed: false,
        lookAgainMs: 1,
        isHeld: () => isHeld,
        signal: new AbortController().signal,
        onBatch: () => onBatch(),
      }),
    );
  const put = (server: ModelServer, value: string): void => void server.put('k', Buffer.from(value), 0);
  const value = (server: ModelServer): string | undefined => server.items.get('k')?.value.toString();
  const lose = (): void => {
    isHeld = false;
  };
  return { source, filled, fill, put, value, lose, between: (then: () => void) => (onBatch = then) };
}

test('a change by somebody who wrote to the node before it was emptied arrives there', async () => {
  const { source, filled, fill, put, value, between } = world();
  put(source, 'before');
  between(() => {
    if (value(source) === 'before') put(source, 'after');
  });
  await fill();
  expect(value(filled)).toBe('after');
});

test('what was changed on both is left alone', async () => {
  const { source, filled, fill, put, value, between } = world();
  put(source, 'before');
  between(() => {
    put(source, 'after');
    put(filled, 'after');
  });
  await fill();
  expect(value(filled)).toBe('after');
  expect(filled.items.get('k')?.cas).toBe(2n);
});

test('what is removed from the source is removed', async () => {
  const { source, filled, fill, put, value, between } = world();
  put(source, 'before');
  between(() => source.items.delete('k'));
  await fill();
  expect(value(filled)).toBeUndefined();
});

test('who goes on writing to the source alone does not keep it from coming to an end', async () => {
  const { source, filled, fill, put, value, between } = world();
  put(source, 'before');
  let changes = 0;
  between(() => {
    changes += 1;
    put(source, `change ${changes}`);
  });
  await fill();
  expect([changes, value(filled)]).toEqual([2, 'change 1']);
});

test('who may have lost the lease meanwhile adds nothing more of what was read', async () => {
  const { source, filled, fill, put, value, lose } = world();
  put(source, 'before');
  lose();
  await expect(fill()).rejects.toThrow('The lease of the work on b:1 may be over');
  expect(value(filled)).toBeUndefined();
});

test('nothing is left on the source of what is planted there to see whether it loses its memory', async () => {
  const { source, filled, fill, put, value } = world();
  put(source, 'before');
  await fill();
  expect(value(filled)).toBe('before');
  expect([...source.items.keys()]).toEqual(['k']);
});
