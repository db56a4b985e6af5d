/** What a copy of a MariaDB server has without naming it: never more than it has. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { obstacleOf, planRejoin } from '../../../../src/failover/plan/plan-repair.js';
import { planResume } from '../../../../src/failover/plan/plan-resume.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { withInherited } from '../../../../src/failover/survey/inherited-history.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { isWithin, notationOf, readTransactions } from '../../../../src/failover/survey/transaction-set.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const at = (node: string) => ({ host: node, port: 3306 });
/** A server with this binary log that stands at `position`, or follows nobody any more since it stood there. */
function server(
  node: string,
  log: string,
  position: string,
  source?: string,
  received = position,
): NodeSurvey {
  const last = log.split(',').at(-1) ?? '';
  const variables = { gtid_binlog_state: log, gtid_slave_pos: position };
  return source === undefined
    ? madeUp(node, { executed: last === '' ? position : last, readOnly: true, variables })
    : madeUp(node, {
        executed: position,
        received,
        source: at(source),
        variables,
        status: { Master_Server_Id: 1 },
      });
}
const executedOf = (surveys: readonly NodeSurvey[], node: string, primary?: string): string => {
  const found = withInherited(surveys, primary).find((survey) => survey.node === node);
  return notationOf('mariadb', found?.executed ?? new Map());
};

const old = server('db1', '0-2-90,0-1-120', '0-2-90');
const copy = server('db3', '', '0-1-120', 'db1');
const nodes = ['db1', 'db2', 'db3'];
const seen = {
  flavor: 'mariadb',
  gtids: '0-2-90,0-1-120',
  id: '1',
  seenAt: 0,
  agoMs: 1_000,
  unseenMs: 500,
  isDead: true,
  rate: 1,
  semiSync: false,
} as const;
const failover = { from: 'db1', reason: 'dead-primary', lastSeen: seen, silent: new Map() } as const;
const plan = (surveys: readonly NodeSurvey[], more: object = {}) =>
  planFailover(madeUpContext(surveys, { nodes }), { ...failover, ...more });

describe('a copy', () => {
  test('has what the server that it was copied from had before', () => {
    expect(executedOf([old, copy], 'db3')).toBe('0-1-120,0-2-90');
    // Of the primary that is as true where another one has written last.
    const since = server('db1', '0-2-90,0-3-95', '0-3-95');
    expect(executedOf([since, server('db4', '', '0-3-95', 'db1')], 'db4', 'db1')).toBe('0-3-95,0-2-90');
    expect(executedOf([since, server('db4', '', '0-3-95', 'db1')], 'db4')).toBe('0-3-95');
  });
  test('has it also by way of another copy', () => {
    const second = server('db3', '0-1-120,0-3-130', '0-1-120');
    expect(executedOf([old, second, server('db4', '', '0-3-130', 'db3')], 'db4')).toBe(
      '0-3-130,0-1-120,0-2-90',
    );
  });
  test('has nothing that came later, or in another domain, or that another replica wrote itself', () => {
    expect(executedOf([server('db1', '0-2-130,0-1-120', ''), copy], 'db3')).toBe('0-1-120');
    expect(executedOf([server('db1', '1-2-90,0-1-120', ''), copy], 'db3')).toBe('0-1-120');
    expect(executedOf([server('db2', '0-2-90,0-1-120', '0-1-120', 'db1'), copy], 'db3')).toBe('0-1-120');
  });
  test('has nothing that came after what its log names: there it would be named, too', () => {
    // What a server wrote of its own while it was a replica came before what it received later with the same numbers.
    const stray = server('db1', '0-2-86,0-1-90', '0-2-86');
    const behind = server('db3', '0-2-85,0-1-87', '0-1-87', 'db1');
    expect(executedOf([stray, behind], 'db3', 'db1')).toBe('0-2-85,0-1-87');
    // A server that was made anew numbers once more what was lost with it.
    const anew = server('db1', '0-2-97,0-1-105', '0-2-97');
    expect(executedOf([anew, server('db3', '0-4-95,0-1-100', '0-1-100', 'db1')], 'db3', 'db1')).toBe(
      '0-4-95,0-1-100',
    );
  });
});

describe('a copy counts as having what former primaries wrote', () => {
  const all = server('db2', '0-2-90,0-1-120', '0-1-120', 'db1');
  test('in a failover: it may take over, and is not said to lose anything', () => {
    const behind = server('db2', '0-2-90,0-1-110', '0-1-110', 'db1');
    const made = plan([behind, copy]);
    expect(made).toMatchObject({ to: 'db3', loss: { transactions: 0 } });
    // The servers do not say so when they are compared.
    expect(made.steps.find(({ action }) => action === 'assert-complete')?.mayLack).toBe('0-2-90');
    expect(plan([copy])).toMatchObject({ to: 'db3', loss: { transactions: 0 } });
    const wishes = { prefer: ['db3'], avoid: [], never: [] };
    expect(planFailover(madeUpContext([all, copy], { nodes, wishes }), failover).to).toBe('db3');
    // What the primary wrote after it was seen proves the same.
    expect(plan([server('db3', '', '0-1-125', 'db1'), all])).toMatchObject({
      to: 'db3',
      loss: { transactions: 0 },
    });
  });
  test('not so where nobody knows in which order they came', () => {
    expect(() => plan([all, copy], { lastSeen: undefined })).toThrow(/nobody can tell/);
    const was = { nodes, primaries: new Set(['db1', 'db2']) };
    expect(planFailover(madeUpContext([all, copy], was), { ...failover, lastSeen: undefined }).to).toBe(
      'db2',
    );
  });
  test('as the primary: who comes back is not diverged, and can take over again', () => {
    const primary = server('db3', '0-1-121,0-3-130', '0-1-121');
    const back = server('db1', '0-2-90,0-1-121', '0-2-90');
    expect(obstacleOf(back, primary)).toBeUndefined();
    expect(planRejoin(madeUpContext([primary, back]), 'db1', 'db3').kind).toBe('plan');
    const follower = server('db1', '0-2-90,0-1-121,0-3-130', '0-3-130', 'db3');
    const context = madeUpContext([
      primary,
      follower,
      server('db2', '0-2-90,0-1-121,0-3-130', '0-3-130', 'db3'),
    ]);
    expect(planSwitchover(context, 'db3', 'db2').to).toBe('db2');
    // It was only started again: nobody has more than it.
    expect(planResume(context, { opId: 'restart', from: 'db3', to: 'db3' }).to).toBe('db3');
    // What nobody received is as diverged as before.
    const diverged = server('db1', '0-2-90,0-1-125', '0-2-90');
    expect(obstacleOf(diverged, primary)).toMatchObject({ kind: 'diverged', gtids: '0-1-122..125' });
  });
});

/** A line of primaries, each of which wrote something, and copies and replicas at places of it, with logs that begin anywhere before. */
const lines = fc.record({
  reigns: fc.array(
    fc.record({ server: fc.integer({ min: 1, max: 4 }), wrote: fc.integer({ min: 1, max: 5 }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  ),
  servers: fc.array(fc.record({ from: fc.nat(30), to: fc.nat(30), strays: fc.nat(2) }), {
    minLength: 2,
    maxLength: 4,
  }),
});

test('whatever is copied where: nobody is said to have what it has not', () => {
  fc.assert(
    fc.property(lines, ({ reigns, servers }) => {
      const line = reigns.flatMap(({ server: id, wrote }) => Array.from({ length: wrote }, () => id));
      const setOf = (from: number, to: number): string => {
        const last = new Map<number, number>();
        for (const [index, id] of line.slice(from, to).entries()) last.set(id, from + index + 1);
        return [...last].map(([id, number]) => `0-${id}-${number}`).join(',');
      };
      const surveys = servers.map(({ from, to, strays }, index) => {
        const end = Math.min(to, line.length);
        const begin = Math.min(from, end);
        const position = end === 0 ? '' : `0-${line[end - 1]}-${end}`;
        // Servers that never were primaries have strays of their own.
        const own = strays === 0 ? '' : `0-${11 + index}-${end + strays}`;
        const log = [setOf(begin, end), own].filter((text) => text !== '').join(',');
        const node = `db${11 + index}`;
        const variables = { gtid_binlog_state: log, gtid_slave_pos: position, server_id: `${11 + index}` };
        const survey = madeUp(node, { source: at('db1'), executed: position, received: position, variables });
        return { survey, has: [setOf(0, end), own].join(','), isLast: end === line.length };
      });
      const end = line.length;
      const primary = madeUp('db1', {
        executed: `0-${line.at(-1)}-${end}`,
        variables: { server_id: `${line.at(-1)}`, gtid_binlog_state: setOf(0, end) },
      });
      const found = withInherited([primary, ...surveys.map(({ survey }) => survey)], 'db1');
      for (const { survey, has, isLast } of surveys) {
        const after = found.find(({ node }) => node === survey.node) ?? survey;
        const truth = readTransactions('mariadb', has) ?? new Map();
        expect(isWithin(after.executed, truth)).toBe(true);
        // And beside a primary that names all of it, nothing is missing.
        if (isLast) expect(isWithin(truth, after.executed)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
