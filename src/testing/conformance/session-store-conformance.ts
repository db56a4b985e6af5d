/** What every session store promises, as cases that any test runner can run. */
import assert from 'node:assert/strict';
import type { CallOptions } from '../../common/deadline.js';
import type { SessionStorePort } from '../../session/session-store-port.js';
import { BYTE_STORIES } from './byte-stories.js';
import { CALL_STORIES } from './call-stories.js';
import { copyStories, type FailedCopy } from './copy-stories.js';
import { lifeStories } from './life-stories.js';
import { codeOf, differences, pause, plain, type Story, saved, until, unusedId } from './story.js';

/** One promise of a session store. */
export interface ConformanceCase {
  /** The promise, as a sentence. */
  readonly name: string;
  /** Rejects with an `AssertionError` when the store breaks it. */
  run(): Promise<void>;
}

/** What a store under test is like. */
export interface SessionStoreConformanceOptions {
  /**
   * Whether two requests that change different variables of one session at the same time both keep their change.
   * Default true; false for a store with `conflict: 'last-write-wins'`.
   */
  readonly merges?: boolean | undefined;
  /**
   * How long a session of the store lives after its last use, milliseconds. With it there are cases about that, which take twice
   * as long and more: open the store with 3 to 5 seconds. Default: lives are not looked at.
   */
  readonly lifetimeMs?: number | undefined;
  /** Removes sessions whose life is over, where the store leaves that to others, as one in files does. */
  readonly collect?: ((store: SessionStorePort) => unknown) | undefined;
  /**
   * Lets one of several copies fail, for a store that keeps several. With it there is a case about what a save tells then.
   * Default: copies are not looked at.
   */
  readonly failCopy?: (() => Promise<FailedCopy> | FailedCopy) | undefined;
  /**
   * How long a case waits for what takes time by itself, milliseconds. A case that takes three times as long, and four times
   * `lifetimeMs`, fails: its store does not answer. Default 10 000.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * The promises of a session store, one case each. `open` is called for every case and gives a store, empty or not, that the
 * case closes: `for (const { name, run } of sessionStoreConformance(openStore)) test(name, run)`.
 */
export function sessionStoreConformance(
  open: () => Promise<SessionStorePort> | SessionStorePort,
  options: SessionStoreConformanceOptions = {},
): readonly ConformanceCase[] {
  const { merges = true, lifetimeMs, collect, failCopy, timeoutMs = 10_000 } = options;
  const stories = Object.entries({
    ...STORIES,
    ...BYTE_STORIES,
    ...CALL_STORIES,
    ...(merges ? MERGING : {}),
    ...(lifetimeMs === undefined ? {} : lifeStories(lifetimeMs, collect)),
    ...(failCopy === undefined ? {} : copyStories(failCopy)),
  });
  const limitMs = 3 * timeoutMs + 4 * (lifetimeMs ?? 0);
  return stories.map(([name, story]) => ({
    name,
    run: () =>
      within(limitMs, async () => {
        const store = await open();
        try {
          await story(store, { timeoutMs });
        } finally {
          await store.close();
        }
      }),
  }));
}

/** What `work` does, or a failure when that takes longer: a store that hangs would hang its test. */
async function within(limitMs: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `the store did not answer within ${limitMs} ms` })),
      limitMs,
    );
  });
  try {
    await Promise.race([work(), limit]);
  } finally {
    clearTimeout(timer);
  }
}

const STORIES: Readonly<Record<string, Story>> = {
  'a session that nobody saved is not there': async (store) => {
    const session = await store.load(unusedId(store));
    assert.equal(session.exists, false);
    assert.deepEqual({ ...session.data }, {});
    assert.equal(await store.readRaw(session.id), null);
  },
  'new sessions have ids of their own, which the store accepts': async (store) => {
    const ids = Array.from({ length: 50 }, () => store.create().id);
    for (const id of ids) assert.match(id, store.options.accept);
    for (const [at, id] of ids.entries())
      for (const other of ids.slice(at + 1))
        assert.ok(differences(id, other) >= 12, `nobody can guess ${other} from ${id}`);
  },
  'what was saved is loaded, with its kinds': async (store) => {
    const data = {
      text: 'Grüße, 世界',
      count: 42,
      share: 0.5,
      yes: true,
      nothing: null,
      list: [1, 'two', [3]],
      map: { name: 'ada', deep: { er: 1 } },
    };
    const session = store.create();
    Object.assign(session.data, data);
    const { outcome, copies } = await store.save(session);
    assert.equal(outcome, 'saved');
    assert.ok(copies.length > 0, 'a save names the copies that took it');
    assert.ok(
      copies.every((copy) => typeof copy === 'string'),
      'by their names',
    );
    assert.equal(new Set(copies).size, copies.length, 'each once');
    const loaded = await store.load(session.id);
    assert.equal(loaded.exists, true);
    assert.deepEqual(plain(loaded.data), data);
  },
  'a session that was not changed is not written': async (store) => {
    const id = await saved(store, { user: 'ada' });
    const before = await store.readRaw(id);
    const { outcome } = await store.save(await store.load(id));
    assert.equal(outcome, 'unchanged');
    assert.deepEqual(await store.readRaw(id), before);
  },
  'a change leaves the bytes of the other variables alone': async (store) => {
    const { id } = store.create();
    await store.writeRaw(id, Buffer.from('price|d:1;user|s:3:"ada";'));
    const session = await store.load(id);
    session.data['user'] = 'bob';
    await store.save(session);
    assert.equal(String(await store.readRaw(id)), 'price|d:1;user|s:3:"bob";');
  },
  'a variable that was removed is gone': async (store) => {
    const id = await saved(store, { user: 'ada', cart: [1] });
    const session = await store.load(id);
    delete session.data['cart'];
    await store.save(session);
    assert.deepEqual(plain((await store.load(id)).data), { user: 'ada' });
  },
  'a destroyed session is gone, and can be destroyed again': async (store) => {
    const id = await saved(store, { user: 'ada' });
    await store.destroy(id);
    assert.equal((await store.load(id)).exists, false);
    await store.destroy(id);
  },
  'a session that was destroyed meanwhile is not brought back by a save': async (store) => {
    const id = await saved(store, { user: 'ada' });
    const session = await store.load(id);
    await store.destroy(id);
    session.data['user'] = 'bob';
    assert.equal((await store.save(session)).outcome, 'gone');
    assert.equal((await store.load(id)).exists, false);
  },
  'a touch keeps what is there, and makes nothing': async (store) => {
    const id = await saved(store, { user: 'ada' });
    await store.touch(id);
    assert.deepEqual(plain((await store.load(id)).data), { user: 'ada' });
    const absent = unusedId(store);
    await store.touch(absent);
    assert.equal((await store.load(absent)).exists, false);
  },
  'a regenerated session has a new id and what it had': async (store) => {
    const old = await store.load(await saved(store, { user: 'ada' }));
    old.data['role'] = 'admin';
    const renewed = await store.regenerate(old, { graceMs: 0 });
    assert.notEqual(renewed.id, old.id);
    assert.deepEqual(plain((await store.load(renewed.id)).data), { user: 'ada', role: 'admin' });
    assert.equal((await store.load(old.id)).exists, false, 'without a grace the old session is gone at once');
  },
  'the rights of a regenerated session do not get into the old one': async (store) => {
    const old = await store.load(await saved(store, { user: 'guest' }));
    old.data['user'] = 'admin';
    await store.regenerate(old, { graceMs: 60_000 });
    assert.deepEqual(plain((await store.load(old.id)).data), { user: 'guest' });
  },
  'bytes are kept as they are, and what is no session is refused': async (store) => {
    const { id } = store.create();
    const bytes = Buffer.from('a|i:1;b|a:1:{i:0;s:1:"x";}');
    await store.writeRaw(id, bytes);
    assert.deepEqual(await store.readRaw(id), bytes);
    await assert.rejects(store.writeRaw(id, Buffer.from('a|i:1')), { code: 'ERR_PHP_SYNTAX' });
    assert.deepEqual(await store.readRaw(id), bytes);
  },
  'ids that PHP could not have made are refused': async (store) => {
    for (const id of ['', '../../etc/passwd', 'a b', 'a\r\nset x', `${'a'.repeat(300)}`, 'a\0b', 'é'])
      await assert.rejects(store.load(id), { code: 'ERR_SESSION_ID' }, JSON.stringify(id));
  },
  'names of variables make no prototypes': async (store) => {
    const { id } = store.create();
    await store.writeRaw(id, Buffer.from('__proto__|a:1:{s:5:"admin";b:1;}user|s:3:"ada";'));
    const { data } = await store.load(id);
    assert.equal((data as { admin?: unknown }).admin, undefined);
    assert.equal(({} as { admin?: unknown }).admin, undefined);
  },
  'a value that PHP has no counterpart for is refused, and nothing is lost': async (store) => {
    const session = await store.load(await saved(store, { user: 'ada' }));
    session.data['user'] = 'bob';
    session.data['bad'] = () => undefined;
    await assert.rejects(store.save(session), { code: 'ERR_PHP_VALUE' });
    assert.deepEqual(plain((await store.load(session.id)).data), { user: 'ada' });
    delete session.data['bad'];
    await store.save(session);
    assert.deepEqual(plain((await store.load(session.id)).data), { user: 'bob' });
  },
  'a session that somebody has locked is waited for, and not longer than the call may take': async (
    store,
    { timeoutMs },
  ) => {
    const id = await saved(store, { user: 'ada' });
    const locked = await store.load(id, { lock: true });
    const other = await store.load(id, { lock: false });
    other.data['user'] = 'bob';
    const { signal, abort } = abortable();
    const waiting = async (options: CallOptions): Promise<readonly PromiseSettledResult<unknown>[]> => {
      const [saving, renewing] = await Promise.all([
        store.load(id, { lock: false }),
        store.load(id, { lock: false }),
      ]);
      saving.data['user'] = 'eve';
      return Promise.allSettled([
        store.save(saving, options),
        store.load(id, { ...options, lock: true }).then((session) => session.release()),
        store.writeRaw(id, Buffer.from('user|s:3:"eve";'), options),
        store.regenerate(renewing, options),
        store.destroy(id, options),
      ]);
    };
    const calls = Promise.all([waiting({ timeoutMs: 100 }), waiting({ signal })]);
    await pause(100);
    abort();
    // Whoever waits longer than it may gets the lock now, and is found out.
    await pause(900);
    await locked.release();
    const ended = await Promise.race([calls, pause(timeoutMs)]);
    assert.ok(ended, 'every call ends');
    const [late, aborted] = ended;
    for (const [at, name] of ['save', 'load', 'writeRaw', 'regenerate', 'destroy'].entries()) {
      assert.ok(
        ['ERR_TIMEOUT', 'ERR_SESSION_LOCKED'].includes(codeOf(late[at])),
        `${name} minds \`timeoutMs\``,
      );
      assert.equal(codeOf(aborted[at]), 'ERR_ABORTED', `${name} minds \`signal\``);
    }
    await store.save(other);
    assert.deepEqual(plain((await store.load(id)).data), { user: 'bob' });
  },
  'a session that was saved with its lock is free again': async (store, { timeoutMs }) => {
    const locked = await store.load(await saved(store, { user: 'ada' }), { lock: true });
    locked.data['user'] = 'bob';
    await store.save(locked);
    const other = await store.load(locked.id, { lock: false });
    other.data['seen'] = true;
    assert.equal((await store.save(other, { timeoutMs })).outcome, 'saved');
  },
  'a regenerated session stays under its old id for the grace, and no longer': async (
    store,
    { timeoutMs },
  ) => {
    const old = await store.load(await saved(store, { user: 'ada' }));
    const renewed = await store.regenerate(old, { graceMs: 1_000 });
    await until('the old session is gone after the grace', timeoutMs, async () => {
      return !(await store.load(old.id)).exists;
    });
    assert.equal((await store.load(renewed.id)).exists, true);
  },
  'a closed store takes no calls': async (store) => {
    const { id } = store.create();
    await store.close();
    await assert.rejects(store.load(id), { code: 'ERR_CLOSED' });
    await store.close();
  },
};

const MERGING: Readonly<Record<string, Story>> = {
  'two requests that change different variables lose nothing': async (store) => {
    const id = await saved(store, { user: 'ada', cart: [1] });
    const [one, two] = [await store.load(id, { lock: false }), await store.load(id, { lock: false })];
    one.data['cart'] = [1, 2];
    two.data['seen'] = true;
    delete two.data['user'];
    await store.save(one);
    await store.save(two);
    assert.deepEqual(plain((await store.load(id)).data), { cart: [1, 2], seen: true });
  },
  'twenty requests at once lose nothing': async (store) => {
    const id = await saved(store, { user: 'ada' });
    await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const session = await store.load(id, { lock: false });
        session.data[`request_${at}`] = at;
        await store.save(session);
      }),
    );
    assert.equal(Object.keys((await store.load(id)).data).length, 21);
  },
};

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
