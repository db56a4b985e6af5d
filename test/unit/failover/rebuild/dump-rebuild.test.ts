import { expect, test } from 'vitest';
import { historyAt, trusting } from '../../../../src/failover/rebuild/dump-rebuild.js';
import { type MadeUpSession, madeUpSession } from './made-up-session.js';

test.each([
  [
    'a former primary is remembered, the last transaction of a domain comes last',
    '0-1-50,0-2-80',
    '0-2-90',
    '0-1-50,0-2-90',
  ],
  ['whatever the order was', '0-2-80,0-1-50,1-7-3', '0-2-90,1-8-4', '0-1-50,1-7-3,0-2-90,1-8-4'],
  ['a server without a history', '', '0-1-5', '0-1-5'],
  ['nothing was written yet', '', '', ''],
])('%s', (_, history, position, at) => {
  expect(historyAt(history, position)).toBe(at);
});

/** Loads into a node; what is asked of its first session, and of the next one. */
async function load(
  trusted: number,
  work: (end: AbortController) => Promise<string>,
  isGone = false,
): Promise<{ readonly first: readonly string[]; readonly next: readonly string[]; readonly logged: string }> {
  const logged: string[] = [];
  const end = new AbortController();
  const session = (): MadeUpSession =>
    madeUpSession('10.11.6-MariaDB', { 'SELECT @@GLOBAL.log_bin_trust': [{ trusted }] });
  const [first, next] = [session(), session()];
  const request = { node: 'db2', log: (message: string) => void logged.push(message) };
  const ask = async (sql: string) => {
    end.signal.throwIfAborted();
    return await first.ask(sql);
  };
  const open = async (_: string, signal: AbortSignal): Promise<MadeUpSession> => {
    signal.throwIfAborted();
    if (isGone) throw new Error('it is gone');
    return next;
  };
  await trusting(request, { open }, { ask }, () => work(end)).catch(() => undefined);
  return { first: first.asked.slice(1), next: next.asked, logged: logged.join() };
}

const calledOff = async (end: AbortController): Promise<string> => {
  end.abort();
  throw new Error('called off');
};
const [on, off] = [1, 0].map((value) => `SET GLOBAL log_bin_trust_function_creators=${value}`);

test.each([
  ['is done', async () => 'done'],
  ['is called off, which ends its session', calledOff],
])('a node trusts whoever makes functions only while it is loaded: also when that %s', async (_, work) => {
  expect(await load(0, work)).toEqual({ first: [on], next: [off], logged: '' });
});

test('a node that trusted before goes on, and where it cannot be set back that is said', async () => {
  expect(await load(1, calledOff)).toEqual({ first: [], next: [], logged: '' });
  expect((await load(0, calledOff, true)).logged).toMatch(
    /^db2 has log_bin_trust_function_creators=1, .*gone/,
  );
});
