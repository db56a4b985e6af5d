import { expect, test } from 'vitest';
import type { MetaStore } from '../../../../src/failover/meta/meta-store.js';
import type { NodeStanding } from '../../../../src/failover/meta/node-standing.js';
import { standingsOf } from '../../../../src/failover/meta/node-standings.js';
import type { Voter } from '../../../../src/failover/voters.js';

const voters = ['db1', 'db2', 'db3'].map((id) => ({ id }) as Voter);

function standing(epoch: number, primary: string | undefined): NodeStanding {
  return {
    epoch,
    primary,
    primaries: [],
    fence: undefined,
    paused: undefined,
    rights: { pauses: [], known: [], made: [] },
    closed: undefined,
    takesNote: true,
    owesSemiSync: false,
  };
}

/** A memory whose nodes answer in the order of `answers`. */
function memory(answers: readonly (readonly [string, NodeStanding | Error])[]): MetaStore {
  const turns = new Map(answers.map(([node, answer], turn) => [node, { answer, turn }]));
  const read = async ({ id }: Voter): Promise<NodeStanding> => {
    const { answer, turn } = turns.get(id) ?? { answer: new Error('never asked'), turn: 0 };
    for (let left = turn * 10; left > 0; left -= 1) await Promise.resolve();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { standing: read } as unknown as MetaStore;
}

test('a node that could not be read is told as that, with the reason', async () => {
  const late = new Error('db2 did not answer within 3000 ms');
  const meta = memory([
    ['db1', standing(3, 'db1')],
    ['db3', standing(2, 'db3')],
    ['db2', late],
  ]);
  const { told, unread, epoch, named, names } = await standingsOf(meta, voters);
  expect([...told.keys()]).toEqual(['db1', 'db3']);
  expect([...unread]).toEqual([['db2', expect.stringContaining('did not answer within 3000 ms')]]);
  expect({ epoch, named, names: [...names] }).toEqual({ epoch: 3, named: 'db1', names: ['db1'] });
});

test('nodes of the newest epoch that name several primaries are all heard, and in one order whoever answers first', async () => {
  const all = [
    ['db1', standing(2, 'db3')],
    ['db2', standing(3, 'db1')],
    ['db3', standing(3, 'db2')],
  ] as const;
  for (const answers of [all, [...all].reverse()]) {
    const { named, names, unread, told } = await standingsOf(memory(answers), voters);
    expect({ named, names: [...names], unread: unread.size }).toEqual({
      named: 'db1',
      names: ['db1', 'db2'],
      unread: 0,
    });
    expect([...told.keys()]).toEqual(['db1', 'db2', 'db3']);
  }
});

test('before the first change nobody is named', async () => {
  const none = voters.map(({ id }) => [id, standing(0, undefined)] as const);
  const { named, names, epoch } = await standingsOf(memory(none), voters);
  expect({ named, names: names.size, epoch }).toEqual({ named: undefined, names: 0, epoch: 0 });
});
