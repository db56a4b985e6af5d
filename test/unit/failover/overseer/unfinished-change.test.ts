/** What is taken for left unfinished when no majority has a primary, and what becomes of it. */
import { describe, expect, test } from 'vitest';
import type { OpenOperation } from '../../../../src/failover/meta/meta-store.js';
import { unfinishedChange } from '../../../../src/failover/overseer/unfinished-change.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const row: OpenOperation = { opId: 'f', kind: 'failover', from: 'db1', to: 'db2', actor: 'h:1', ageS: 10 };

/** What is found where the nodes have these rows, and vote so; `last` was the primary. */
function found(
  context: PlanContext,
  rows: Readonly<Record<string, readonly OpenOperation[]>>,
  votes: Readonly<Record<string, string | null>>,
  last: string,
) {
  const parts = {
    meta: { open: async ({ id }: { id: string }) => rows[id] ?? [] },
    voters: ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data' })),
    voteOf: (voter: string) => votes[voter],
    last: () => ({ node: last, seenAgoS: 20 }),
  };
  return unfinishedChange(parts as never, context);
}

test('a failover that was killed after the epoch is finished, whatever the old primary has that nobody received', async () => {
  const context = madeUpContext(
    [
      madeUp('db1', { readOnly: true, executed: '0-1-105' }),
      madeUp('db2', { readOnly: false, executed: '0-1-100,0-2-102' }),
      madeUp('db3', { source, executed: '0-1-100' }),
    ],
    {
      epochs: new Map([
        ['db1', 4],
        ['db2', 5],
        ['db3', 4],
      ]),
      epoch: 5,
      named: 'db2',
    },
  );
  const unfinished = await found(context, { db2: [row] }, { db1: null, db2: 'db2', db3: 'db1' }, 'db1');
  expect(unfinished).toMatchObject({ opId: 'f', isPassed: true });
  if (unfinished === undefined) throw new Error('nothing is unfinished');
  expect(planResume(context, unfinished)).toMatchObject({ to: 'db2', continues: 'f' });
});

test('a switchover that was killed is undone: the old primary has everything', async () => {
  const context = madeUpContext([
    madeUp('db1', { readOnly: true, executed: '0-1-105' }),
    madeUp('db2', { source, executed: '0-1-100' }),
    madeUp('db3', { source, executed: '0-1-100' }),
  ]);
  const left = { ...row, kind: 'switchover' };
  const unfinished = await found(context, { db1: [left] }, { db1: null, db2: 'db1', db3: 'db1' }, 'db1');
  if (unfinished === undefined) throw new Error('nothing is unfinished');
  expect(planResume(context, unfinished).to).toBe('db1');
});

describe('a row on a node that missed the last change', () => {
  const context = madeUpContext(
    [
      madeUp('db1', { source: { host: 'db3', port: 3306 }, executed: '0-1-100,0-3-300' }),
      madeUp('db2', { readOnly: true, executed: '0-1-100,0-2-102' }),
      madeUp('db3', { readOnly: true, executed: '0-1-100,0-3-300', uptimeS: 5 }),
    ],
    {
      epochs: new Map([
        ['db1', 6],
        ['db2', 5],
        ['db3', 6],
      ]),
      epoch: 6,
      named: 'db3',
    },
  );
  test('keeps nobody from opening the present primary, which was started again', async () => {
    const rows = { db2: [{ ...row, ageS: 864_000 }] };
    const unfinished = await found(context, rows, { db1: 'db3', db2: null, db3: null }, 'db3');
    expect(unfinished).toMatchObject({ opId: 'restart', to: 'db3' });
  });
});

test.each([
  [-7_200, true],
  [1, false],
  [10, true],
])('what began %d seconds ago is left: %s', async (ageS, isLeft) => {
  const context = madeUpContext([
    madeUp('db1', { readOnly: true }),
    madeUp('db2', { source }),
    madeUp('db3', { source }),
  ]);
  const rows = { db1: [{ ...row, kind: 'switchover', ageS }] };
  const unfinished = await found(context, rows, { db1: null, db2: 'db1', db3: 'db1' }, 'db1');
  expect(unfinished?.opId === 'f').toBe(isLeft);
});

describe('a primary that is merely not seen keeps what it has', () => {
  const replica = (node: string, io: string) =>
    madeUp(node, {
      source: { host: 'db2', port: 3306 },
      executed: '0-1-100,0-2-150',
      status: { Slave_IO_Running: io },
    });
  const epochs = new Map([
    ['db1', 5],
    ['db3', 5],
  ]);
  const since = { epoch: 5, named: 'db2', epochs };
  const votes = { db1: 'db2', db3: 'db2' };
  test.each(['switchover', 'failover'])('its %s is not ended yet, and it died', async (kind) => {
    const context = madeUpContext([replica('db1', 'Connecting'), replica('db3', 'Connecting')], since);
    const rows = { db1: [{ ...row, kind }], db3: [{ ...row, kind }] };
    expect(await found(context, rows, votes, 'db1')).toBeUndefined();
  });
  test('no epoch is known, and the primary that a switchover was to leave does not answer', async () => {
    const source = { host: 'db1', port: 3306 };
    const left = ['db2', 'db3'].map((node) =>
      madeUp(node, { source, status: { Slave_IO_Running: 'Connecting' } }),
    );
    const rows = { db2: [{ ...row, kind: 'switchover' }] };
    const context = madeUpContext(left, { epoch: 0 });
    expect(await found(context, rows, { db2: 'db1', db3: 'db1' }, 'db1')).toBeUndefined();
  });
  test.each([
    ['nothing of its own', '0-1-100'],
    ['more', '0-1-120'],
  ])(
    'the primary before it, that was started again with %s, is not opened by who saw that one last',
    async (_, executed) => {
      const db1 = madeUp('db1', { readOnly: true, executed, uptimeS: 5 });
      const old = new Map([...epochs, ['db1', 4] as const]);
      for (const io of ['Yes', 'Connecting']) {
        const context = madeUpContext([db1, replica('db3', io)], { ...since, epochs: old });
        expect(await found(context, {}, { db1: null, db3: 'db2' }, 'db1')).toBeUndefined();
      }
    },
  );
  test('a replica receives from it: nothing is done, whatever was left', async () => {
    const db1 = madeUp('db1', { readOnly: true });
    const rows = { db1: [{ ...row, kind: 'switchover' }] };
    const of = (io: string) =>
      found(madeUpContext([db1, replica('db3', io)], { named: 'db1' }), rows, { db3: 'db2' }, 'db1');
    expect(await of('Yes')).toBeUndefined();
    expect(await of('Connecting')).toMatchObject({ opId: 'f' });
  });
});

test('what the primary was seen to have, and has lost itself, is a loss of what is opened again', () => {
  const surveys = [madeUp('db1', { readOnly: true, uptimeS: 5 }), madeUp('db2', { source })];
  const seen = (gtids: string) => ({
    flavor: 'mariadb' as const,
    gtids,
    seenAt: 1,
    agoMs: 1,
    unseenMs: 1,
    isDead: false,
    rate: null,
    semiSync: false,
  });
  const restart = { opId: 'restart', from: 'db1', to: 'db1' };
  const loss = (gtids: string) => planResume(madeUpContext(surveys), restart, seen(gtids)).loss;
  expect(loss('0-1-100')).toMatchObject({ known: true, transactions: 0 });
  expect(loss('0-1-107')).toMatchObject({ known: true, transactions: 7, gtids: '0-1-101..107' });
});
