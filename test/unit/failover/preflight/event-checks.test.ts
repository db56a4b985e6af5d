import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../../src/common/deadline.js';
import { eventCheck, eventChecks } from '../../../../src/failover/preflight/event-checks.js';
import { madeUpEvent } from '../made-up-event.js';
import { madeUp } from '../made-up-survey.js';

const variables = { event_scheduler: 'ON' };
const check = (
  events: Parameters<typeof eventCheck>[1],
  given: Parameters<typeof madeUp>[1] = {},
): ReturnType<typeof eventCheck> => eventCheck(madeUp('db1', { variables, ...given }), events, "'ha'@'%'");

describe('scheduled events', () => {
  test('that the account may alter move with the primary', () => {
    expect(check([madeUpEvent('nightly')])).toMatchObject({ result: 'pass', name: 'scheduled-events' });
    expect(check([])).toMatchObject({ result: 'pass', detail: 'db1 has no scheduled events' });
  });
  test('that it may not alter are a warning with their names, at most three of them, and the GRANT', () => {
    const events = ['a', 'b', 'c', 'd', 'e'].map((name) => madeUpEvent(name));
    const { result, detail } = check(events, { eventsLacking: ['EVENT', 'SET USER'] });
    expect(result).toBe('warn');
    expect(detail).toContain('(shop.a, shop.b, shop.c and 2 more)');
    expect(detail).toContain("GRANT EVENT, SET USER ON *.* TO 'ha'@'%'");
  });
  test('that somebody has disabled are none', () => {
    expect(
      check([madeUpEvent('nightly', { status: 'disabled' })], { eventsLacking: ['EVENT'] }),
    ).toMatchObject({
      result: 'pass',
      detail: expect.stringContaining('lacks EVENT, and would see none'),
    });
  });
  test.each(['OFF', 'DISABLED'])('with event_scheduler=%s are a warning', (event_scheduler) => {
    const { result, detail } = check([madeUpEvent('nightly')], { variables: { event_scheduler } });
    expect(result).toBe('warn');
    expect(detail).toContain(`event_scheduler is ${event_scheduler} on db1`);
  });
  test('that the account could not read are a warning, and not none', async () => {
    const acting = {
      ask: async (sql: string) => {
        if (sql.includes('information_schema.EVENTS')) throw new Error('it takes too long');
        return [{ account: 'ha@%' }];
      },
    };
    const survey = madeUp('db1', { variables });
    const checks = await eventChecks(survey, acting as never, undefined, Deadline.of({}));
    expect(checks).toMatchObject([
      { result: 'warn', detail: expect.stringMatching(/db1 has could not be read \(it takes too long\)/) },
    ]);
  });
  test('whose name no plan can write are a warning', () => {
    expect(check([madeUpEvent('a{b}')])).toMatchObject({
      result: 'warn',
      detail: expect.stringContaining('shop.a{b}'),
    });
  });
});
