/** What a node says about copies that it keeps for others, while these are removed. */
import { expect, test } from 'vitest';
import { spareKey } from '../../../../src/memcached/copies/copy-key.js';
import { spareMarkFor } from '../../../../src/memcached/resync/resync-plan.js';
import { ModelProcess } from '../copies/model-process.js';
import { Chance, ModelServer, Network } from '../copies/model-world.js';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

test('whoever ends in the midst of it leaves no node that says that it has them all', async () => {
  const marks = new Set<string | undefined>();
  for (const seed of SEEDS) {
    const network = new Network(new Chance(seed));
    const servers = ['a:1', 'b:1', 'c:1'].map((id) => new ModelServer(id));
    const lists = { before: [0, 1, 2], after: undefined };
    const process = new ModelProcess(servers, network, lists, () => [0, 1, 2]);
    await network.drive(process.resync());
    const [, , spare] = servers as [ModelServer, ModelServer, ModelServer];
    const mark = spareKey(process.copies.places.ring);
    spare.put('s.1', Buffer.from('kept for a'), 0);
    spare.put(mark, Buffer.from(spareMarkFor(['a:1'])), 0);
    network.trace = (line) => {
      if (line.includes('commands md ')) for (const { link } of process.ways) link.up = false;
    };
    await network.drive(process.resync());
    expect(spare.items.has('s.1')).toBe(false);
    marks.add(spare.items.get(mark)?.value.toString());
  }
  // Or what it sent last arrived all the same, and it has none.
  expect([...marks].filter((mark) => mark !== undefined)).toEqual(['begun']);
});
