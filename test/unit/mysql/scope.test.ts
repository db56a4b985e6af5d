import { setTimeout as later } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Consistency, Scopes } from '../../../src/mysql/scope.js';

const scopesOf = (consistency: Consistency): Scopes => new Scopes({ consistency, waitMs: 1000 });

test('a scope is there during its function, also after waiting, and nowhere else', async () => {
  const scopes = scopesOf('session');
  const [first, second] = await Promise.all([
    scopes.run({ maxLagMs: 1 }, async () => {
      await later(1);
      return scopes.current?.maxLagMs;
    }),
    scopes.run({ maxLagMs: 2 }, async () => scopes.current?.maxLagMs),
  ]);
  expect([first, second, scopes.current]).toEqual([1, 2, undefined]);
});

test('an inner scope takes over what it does not say, and both know of each other’s writes', () => {
  const scopes = scopesOf('session');
  scopes.run({ maxLagMs: 7, preference: 'nearest' }, () => {
    const outer = scopes.current;
    scopes.run({ maxLagMs: 9 }, () => {
      expect(scopes.current).toMatchObject({ maxLagMs: 9, preference: 'nearest' });
      scopes.current?.causal.noteUntold();
    });
    expect(outer?.readsFromPrimary).toBe(true);
  });
});

test('a call takes over what it does not say, and outside of a scope it has no writes to see', () => {
  const scopes = scopesOf('session');
  expect(scopes.ofCall({})).toBeUndefined();
  expect(scopes.ofCall({ maxLagMs: 1 })).toMatchObject({ maxLagMs: 1, consistency: 'eventual' });
  scopes.run({ maxLagMs: 7 }, () => {
    scopes.current?.causal.noteUntold();
    expect(scopes.ofCall({})).toBe(scopes.current);
    expect(scopes.ofCall({ preference: 'nearest' })).toMatchObject({
      maxLagMs: 7,
      preference: 'nearest',
      readsFromPrimary: true,
    });
  });
});

test('a bound that a scope or a call names holds also without a primary, unless it says otherwise', () => {
  const scopes = scopesOf('session');
  const cluster = { maxLagMs: 5, maxLagWithoutPrimaryMs: 50 };
  const limits = () => scopes.current?.limitsOver(cluster);
  scopes.run({}, () => {
    expect(limits()).toBe(cluster);
    scopes.run({ maxLagMs: 7 }, () => {
      expect(limits()).toEqual({ maxLagMs: 7, maxLagWithoutPrimaryMs: 7 });
      scopes.run({ preference: 'nearest' }, () =>
        expect(limits()).toEqual({ maxLagMs: 7, maxLagWithoutPrimaryMs: 7 }),
      );
      scopes.run({ maxLagWithoutPrimaryMs: 70 }, () =>
        expect(limits()).toEqual({ maxLagMs: 7, maxLagWithoutPrimaryMs: 70 }),
      );
    });
    scopes.run({ maxLagWithoutPrimaryMs: 9 }, () =>
      expect(limits()).toEqual({ maxLagMs: 5, maxLagWithoutPrimaryMs: 9 }),
    );
    expect(scopes.ofCall({ maxLagMs: 1 })?.limitsOver(cluster).maxLagWithoutPrimaryMs).toBe(1);
    expect(scopes.ofCall({ maxLagWithoutPrimaryMs: 8 })?.limitsOver(cluster)).toEqual({
      maxLagMs: 5,
      maxLagWithoutPrimaryMs: 8,
    });
  });
});

test('two requests do not share their writes', () => {
  const scopes = scopesOf('session');
  scopes.run({}, () => scopes.current?.causal.noteUntold());
  scopes.run({}, () => expect(scopes.current?.readsFromPrimary).toBe(false));
});

test('a scope may do without reading its own writes', () => {
  const scopes = scopesOf('eventual');
  scopes.run({}, () => {
    scopes.current?.causal.noteUntold();
    expect(scopes.current?.readsFromPrimary).toBe(false);
    scopes.run({ consistency: 'session' }, () => expect(scopes.current?.readsFromPrimary).toBe(true));
  });
});

test('a token counts where scopes need not read their own writes', () => {
  const scopes = scopesOf('eventual');
  scopes.run({ after: '0-1-5' }, () => {
    expect(scopes.current?.wanted?.text).toBe('0-1-5');
    scopes.run({}, () => expect(scopes.current?.wanted?.text).toBe('0-1-5'));
    scopes.run({ consistency: 'eventual' }, () => expect(scopes.current?.mustSee).toBe(false));
  });
  scopes.run({ after: '*' }, () => expect(scopes.current?.readsFromPrimary).toBe(true));
  scopes.run({ after: '0-1-5', consistency: 'eventual' }, () => expect(scopes.current?.mustSee).toBe(true));
  scopes.run({}, () => expect(scopes.ofCall({ after: '0-1-5' })?.wanted?.text).toBe('0-1-5'));
  scopes.run({ after: '' }, () => expect(scopes.current?.consistency).toBe('eventual'));
});

test.each([
  [{ maxLag: 1 }],
  [{ maxLagMs: -1 }],
  [{ maxLagWithoutPrimaryMs: -1 }],
  [{ preference: 'any' }],
  [{ consistency: 'strong' }],
  [{ waitMs: -1 }],
  [{ after: '0-1' }],
  [{ after: 7 }],
  [{ after: "0-1-1') OR SLEEP(9) -- " }],
  [null],
])('%j is refused', (options) => {
  expect(() => scopesOf('session').run(options as never, () => 0)).toThrow(/scope|after/);
});

test('two clusters have scopes of their own', () => {
  const [one, two] = [scopesOf('session'), scopesOf('session')];
  one.run({ maxLagMs: 1 }, () => expect(two.current).toBeUndefined());
});

test('a scope without a function is refused by name', () => {
  expect(() => scopesOf('session').run({}, undefined as never)).toThrow(/`fn`.*function/);
});
