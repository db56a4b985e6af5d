/** A plan rests on what the nodes know of former changes: a look at that which failed is no look that found nothing. */
import { describe, expect, test } from 'vitest';
import { assertStillNamed } from '../../../../src/failover/plan/known-standing.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { planSwitchover } from '../../../../src/failover/plan/plan-switchover.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const replicas = [madeUp('db2', { source }), madeUp('db3', { source })];
const cause = { from: 'db1', reason: 'dead-primary', lastSeen: undefined, silent: new Map() } as const;
const late = 'db3 did not answer within 3000 ms';

function failover(more: Partial<PlanContext>, concluded: boolean, surveys = replicas): string {
  return planFailover(madeUpContext(surveys, more), { ...cause, concluded }).to;
}

describe('a process that has not seen the primary', () => {
  test('does nothing while a node that answers does not say which primary it knows', () => {
    const unread = new Map([['db3', late]]);
    expect(failover({ named: 'db1' }, true)).toBe('db2');
    expect(() => failover({ named: 'db1', unread }, true)).toThrow(
      /could not be read from ha_meta\.topology on db3 \(db3 did not answer within 3000 ms\)\. Nothing was done; call failover\(\) again/,
    );
    expect(() => failover({ unread }, true)).toThrow(/call failover\(\) again/);
    // Who has seen it, or answers for it, needs no word of the others.
    expect(failover({ named: 'db1', unread }, false)).toBe('db2');
  });
  test('does nothing where one node names another primary, whichever of them is heard first', () => {
    for (const names of [new Set(['db1', 'db3']), new Set(['db3', 'db1'])]) {
      const [named] = names;
      expect(() => failover({ named, names }, true)).toThrow(
        /votes for db1, and ha_meta\.topology names db3: somebody has changed the primary by hand/,
      );
      expect(failover({ named, names }, false)).toBe('db2');
    }
  });
  test('takes the node that an unfinished change has made the newest, where others name the old one', () => {
    const half = madeUp('db4', { executed: '0-1-100,0-4-101', readOnly: true });
    const epochs = new Map([
      ['db2', 4],
      ['db4', 5],
    ]);
    const names = new Set(['db1', 'db4']);
    expect(failover({ named: 'db1', names, epochs }, true, [madeUp('db2', { source }), half])).toBe('db4');
  });
});

describe('the number of the next change is not guessed', () => {
  const why =
    /What db2 knows of the cluster's changes could not be read \(too late\).*Nothing was done; plan it again/;

  test('in a failover to a node that could not be read', () => {
    expect(() => failover({ unread: new Map([['db2', 'too late']]) }, false)).toThrow(why);
  });
  test('in a switchover from one, or to one', () => {
    const plan = (unread: ReadonlyMap<string, string>, from = 'db1', to = 'db2'): string =>
      planSwitchover(madeUpContext([madeUp('db1', { readOnly: false }), ...replicas], { unread }), from, to)
        .to;
    expect(plan(new Map([['db3', late]]))).toBe('db2');
    expect(() => plan(new Map([['db2', 'too late']]))).toThrow(why);
    expect(() => plan(new Map([['db1', 'too late']]))).toThrow(/What db1 knows/);
  });
});

test('a change by hand that the new primary only now has executed is found', () => {
  const change = { from: 'db1', to: 'db2' };
  const before = new Set(['db1', 'db4']);
  for (const named of [undefined, 'db1', 'db2', 'db4']) assertStillNamed(named, change, before);
  expect(() => assertStillNamed('db3', change, before)).toThrow(/topology names db3: .* by hand/);
});
