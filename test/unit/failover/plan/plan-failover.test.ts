/** A failover beside a replica that has transactions of its own: what is planned, said, and compared under the locks. */
import { describe, expect, test } from 'vitest';
import type { LastSeen } from '../../../../src/failover/plan/expected-loss.js';
import { type FailoverCause, planFailover } from '../../../../src/failover/plan/plan-failover.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const lastSeen: LastSeen = {
  flavor: 'mariadb',
  gtids: '0-1-100',
  id: '1',
  seenAt: 1_700_000_000_000,
  agoMs: 1_000,
  unseenMs: 500,
  isDead: true,
  rate: 1,
  semiSync: false,
};
const replica = (node: string, own = '', at = '0-1-100', received = at): NodeSurvey =>
  madeUp(node, {
    source,
    executed: at,
    received,
    variables: { gtid_binlog_state: `${at}${own}` },
    status: { Master_Server_Id: 1 },
  });
const errant = replica('db2', ',0-2-90');
const nodes = ['db1', 'db2', 'db3'];

function planned(
  surveys: readonly NodeSurvey[],
  more: Partial<FailoverCause> = {},
  never: readonly string[] = [],
) {
  const wishes = { prefer: [], avoid: [], never };
  const cause = { from: 'db1', reason: 'dead-primary', lastSeen, silent: new Map(), ...more } as const;
  return planFailover(madeUpContext(surveys, { nodes, wishes }), cause);
}

const mayLack = ({ steps }: ReturnType<typeof planned>) =>
  steps.find(({ action }) => action === 'assert-complete')?.mayLack;

describe('a replica with transactions of its own', () => {
  test('is not chosen, is named with its reason, and its vote is kept', () => {
    const plan = planned([errant, replica('db3')]);
    expect(plan).toMatchObject({
      to: 'db3',
      loss: { transactions: 0 },
      excluded: [{ node: 'db2', why: expect.stringContaining('of its own (0-2-1..90)') }],
    });
    expect(plan.warnings).toContainEqual(
      expect.stringMatching(
        /^db2 has transactions \(0-2-1\.\.90\) of its own.*new primary does not have them/,
      ),
    );
    expect(plan.steps.map(({ id }) => id)).toContain('start-replication@db2');
    // Whoever writes there may go on until the nodes are compared.
    expect(mayLack(plan)).toBe(`0-2-${2n ** 63n - 2n}`);
  });
  test('does not keep one from being chosen that has more of the primary', () => {
    expect(planned([replica('db2', ',0-2-90', '0-1-95'), replica('db3')]).to).toBe('db3');
    // What it has of the primary counts all the same.
    const behind = [replica('db2', ',0-2-90', '0-1-100', '0-1-105'), replica('db3')];
    expect(() => planned(behind)).toThrow(/db3: db2 has 5 transactions that it lacks \(0-1-101\.\.105\)/);
  });
  test('is the last one left: a person has to name it', () => {
    const last = [errant, replica('db3')];
    expect(() => planned(last, {}, ['db3'])).toThrow(
      /^No node can become the primary.*Look at these transactions; then failover\(\{ to: 'db2' \}\) makes db2 the primary/,
    );
    const plan = planned(last, { wanted: 'db2', insists: true }, ['db3']);
    expect(plan.to).toBe('db2');
    expect(plan.warnings).toContainEqual(expect.stringMatching(/^db2 has .* other nodes may lack them/));
    expect(() => planned(last, { wanted: 'db2', insists: true })).toThrow(
      /^db2 cannot.*fit, but another one was asked for/,
    );
  });
});

describe('who names a node and accepts the loss', () => {
  const surveys = [replica('db2', '', '0-1-90', '0-1-120'), replica('db3')];
  test('gets it, with what others have that answer as the loss', () => {
    expect(() => planned(surveys, { wanted: 'db3', insists: true })).toThrow(/^db3 cannot/);
    const plan = planned(surveys, { wanted: 'db3', insists: true, acceptsLoss: true });
    expect(plan).toMatchObject({
      to: 'db3',
      loss: {
        known: false,
        transactions: 20,
        gtids: '0-1-101..120',
        why: expect.stringMatching(/is given up/),
      },
    });
    expect(mayLack(plan)).toBe('0-1-120');
  });
  test('is told what nobody knew, too', () => {
    const plan = planned(surveys, { wanted: 'db3', insists: true, acceptsLoss: true, lastSeen: undefined });
    expect(plan.loss).toMatchObject({ known: false, transactions: 20, seenAt: null });
  });
  test('loses nothing by that where the node has everything', () => {
    const plan = planned(surveys, { wanted: 'db2', insists: true, acceptsLoss: true });
    expect(plan.loss).toMatchObject({ transactions: 0, why: expect.not.stringMatching(/given up/) });
    expect(mayLack(plan)).toBe('');
  });
});

test('of two that have the same, the one in the zone of the dead primary is taken', () => {
  const zones = new Map([
    ['db1', 'north'],
    ['db3', 'north'],
  ]);
  const context = madeUpContext([replica('db2'), replica('db3')], { nodes, zones });
  const cause = { from: 'db1', reason: 'dead-primary', lastSeen, silent: new Map() } as const;
  expect(planFailover(context, cause).to).toBe('db3');
});

test('the hook `salvage` is called when the old primary is fenced, and what is known is looked at once more after it', () => {
  const hooks = new Set(['fence', 'salvage']);
  const cause = { from: 'db1', reason: 'dead-primary', lastSeen, silent: new Map() } as const;
  const ids = planFailover(
    madeUpContext([replica('db2'), replica('db3')], { nodes, hooks }),
    cause,
  ).steps.map(({ id }) => id);
  expect(ids.indexOf('salvage')).toBe(ids.indexOf('fence') + 1);
  expect(ids.indexOf('salvage')).toBeLessThan(ids.indexOf('confirm'));
});
