import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/common/clock.js';
import { ChangeHooks } from '../../../../src/failover/change/change-hooks.js';
import { readyHook } from '../../../../src/failover/rebuild/ready-hook.js';
import type { FailoverHooks } from '../../../../src/index.js';

/** Two processes that would make nodes anew from db1, and its locks. */
function madeUp(rebuild: FailoverHooks['rebuild'], reachable = true) {
  const locks = new Map<string, object>();
  const connect = async (): Promise<unknown> => {
    if (!reachable) throw new Error('connect ECONNREFUSED');
    const connection = {
      destroy: () => {
        for (const [lock, holder] of locks) if (holder === connection) locks.delete(lock);
      },
      ask: async (sql: string) => {
        const lock = /GET_LOCK\('(.*?)'/.exec(sql)?.[1];
        if (lock !== undefined) {
          if (!locks.has(lock)) locks.set(lock, connection);
          return [{ held: Number(locks.get(lock) === connection) }];
        }
        const used = [...sql.matchAll(/IS_USED_LOCK\('(.*?)'\)/g)];
        return [
          Object.fromEntries(used.map(([, name = ''], index) => [`n${index}`, Number(locks.has(name))])),
        ];
      },
    };
    return connection;
  };
  const voters = ['db1', 'db2', 'db3'].map((id) => ({ id, kind: 'data', act: { connect } }));
  const parts = {
    hooks: { rebuild },
    policy: {},
    clock: systemClock,
    record: () => undefined,
    publish: () => undefined,
    primary: () => 'db1',
    voters,
    options: { cluster: 'shop' },
  };
  const open = (): ChangeHooks => new ChangeHooks(parts as never, new AbortController().signal);
  return { here: open(), there: open(), locks };
}

function once<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('two processes make one node at a time anew from one source', async () => {
  const begun = once<undefined>();
  const end = once<'rebuilt'>();
  const { here, there, locks } = madeUp(async ({ node }) => {
    if (node !== 'db2') return 'rebuilt';
    begun.resolve(undefined);
    return await end.promise;
  });
  const first = here.rebuild('db2', 'db1', 'purged', '');
  await begun.promise;
  expect(await there.rebuild('db3', 'db1', 'purged', '')).toEqual({
    veto: 'db2 is being made anew from db1',
    passing: true,
  });
  expect(await there.rebuild('db2', 'db1', 'purged', '')).toEqual({
    veto: 'its data is being made anew already',
    passing: true,
  });
  end.resolve('rebuilt');
  expect(await first).toBe('rebuilt');
  expect(locks.size).toBe(0);
  expect(await there.rebuild('db3', 'db1', 'purged', '')).toBe('rebuilt');
});

test('who cannot be asked may be asked again, and a hook that fails may not', async () => {
  const { here } = madeUp(() => 'rebuilt', false);
  expect(await here.rebuild('db2', 'db1', 'purged', '')).toEqual({
    veto: expect.stringContaining('db1 cannot be asked who else does it'),
    passing: true,
  });
  const failing = madeUp(() => Promise.reject(new Error('the disk is full'))).here;
  expect(await failing.rebuild('db2', 'db1', 'purged', '')).toEqual({
    veto: expect.stringContaining('the disk is full'),
  });
});

test('a ready hook that finds the node locked by another process may be asked again', async () => {
  const skips = (): 'skipped' => 'skipped';
  expect(await madeUp(skips).here.rebuild('db2', 'db1', 'purged', '')).toBe('skipped');
  const ready = readyHook(() => 'skipped' as const, 'mariadb', {} as never);
  expect(await madeUp(ready).here.rebuild('db2', 'db1', 'purged', '')).toEqual({
    veto: 'another process still makes its data anew',
    passing: true,
  });
});
