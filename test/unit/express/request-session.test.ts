import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { RequestSession, type RequestSessionPort, UNSEEN } from '../../../src/express/request-session.js';
import { SessionDocument } from '../../../src/php/session-document.js';
import { Session } from '../../../src/session/session.js';
import type { SessionStorePort } from '../../../src/session/session-store-port.js';

/** A session on a store that notes what is asked of it. */
function openSession(
  mode: RequestSessionPort['mode'],
  bytes = 'user|s:3:"ada";',
): {
  session: RequestSession;
  asked: string[];
} {
  const asked: string[] = [];
  const note = (what: string) => async (): Promise<void> => {
    asked.push(what);
  };
  const store = {
    save: async () => {
      asked.push('save');
      return { outcome: 'saved', copies: [] };
    },
    touch: note('touch'),
    destroy: async (id: string) => {
      asked.push(`destroy ${id}`);
    },
    regenerate: note('regenerate'),
    load: async (id: string, options: { lock?: boolean }) => {
      asked.push(`load with lock ${options.lock}`);
      return Session.stored(id, SessionDocument.decode(bytes, 'php'));
    },
  } as unknown as SessionStorePort;
  const stored = Session.stored('a'.repeat(26), SessionDocument.decode(bytes, 'php'));
  const missed = { id: 'b'.repeat(26), error: new StormlampError(ErrorCode.STORE_DOWN, 'no node answers') };
  const port = {
    store,
    mode,
    cookieCanBeSent: () => true,
    hasResponse: true,
    isHeardOf: () => true,
    ...(mode === 'anonymous' ? { missed } : {}),
  };
  return { session: new RequestSession(stored, port), asked };
}

test('what a browser sent cannot take the place of the session or of its members', () => {
  const { session } = openSession('read-write');
  Object.assign(session, JSON.parse('{"__proto__":{"x":1},"cart":[1]}'));
  expect(session).toBeInstanceOf(RequestSession);
  expect(Object.keys(session).sort()).toEqual(['__proto__', 'cart', 'user']);
  expect(session.pending).toBe('save');
  for (const name of ['save', 'id', 'locked', 'release', 'pending']) {
    expect(() => Object.assign(session, { [name]: 1 })).toThrow(
      expect.objectContaining({ code: ErrorCode.UNSUPPORTED }),
    );
  }
  expect(session.id).toBe('a'.repeat(26));
});

test('a session that is only read refuses whatever would write, and takes no lock', async () => {
  const { session, asked } = openSession('read-only');
  for (const write of ['save', 'touch', 'regenerate', 'destroy'] as const)
    await expect(session[write]()).rejects.toMatchObject({ code: ErrorCode.UNSUPPORTED });
  await session.reload();
  expect(asked).toEqual(['load with lock false']);
});

test('a request that found no store is told what it asks for in vain, and asks only that its session be ended', async () => {
  const { session, asked } = openSession('anonymous', '');
  expect(await session.save()).toBe('unchanged');
  session['cart'] = 1;
  for (const write of ['save', 'regenerate'] as const)
    await expect(session[write]()).rejects.toMatchObject({ code: ErrorCode.STORE_DOWN });
  await session.touch();
  await session.reload();
  expect(asked).toEqual([]);
  await session.destroy();
  expect(asked).toEqual([`destroy ${'b'.repeat(26)}`]);
  expect(session['cart']).toBeUndefined();
});

const ARRAYS = 'user|s:3:"ada";cart|a:1:{i:0;i:1;}seen|a:1:{i:0;i:2;}';

test('variables that nobody looks at are not read, and saved by no save', () => {
  const { session } = openSession('read-write', ARRAYS);
  expect(session['user']).toBe('ada');
  expect([...RequestSession.variablesOf(session)]).toEqual([
    ['user', 'ada'],
    ['cart', UNSEEN],
    ['seen', UNSEEN],
  ]);
  expect(session.pending).toBe('touch');
  (session['cart'] as number[]).push(2);
  expect(session.pending).toBe('save');
  expect(RequestSession.variablesOf(session).get('seen')).toBe(UNSEEN);
});

test('variables are there for who copies, prints or deletes them', () => {
  const open = () => openSession('read-write', ARRAYS).session;
  const all = { user: 'ada', cart: [1], seen: [2] };
  expect({ ...open() }).toEqual(all);
  expect(JSON.parse(JSON.stringify(open()))).toEqual(all);
  expect(inspect(open())).toBe("{ user: 'ada', cart: [ 1 ], seen: [ 2 ] }");
  const session = open();
  delete session['cart'];
  session['seen'] = [3];
  expect(session.pending).toBe('save');
  expect({ ...session }).toEqual({ user: 'ada', seen: [3] });
});

test('what is looked at while the session is read again is what was read', async () => {
  const { session } = openSession('read-write', ARRAYS);
  const reloading = session.reload();
  expect(session['cart']).toEqual([1]);
  session['seen'] = 'set meanwhile';
  await reloading;
  expect({ ...session }).toEqual({ user: 'ada', cart: [1], seen: 'set meanwhile' });
  (session['cart'] as number[]).push(5);
  expect(session.pending).toBe('save');
});
