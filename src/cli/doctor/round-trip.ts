/** Lets Node and PHP read what the other wrote: one session, which is removed again. */
import { randomBytes } from 'node:crypto';
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { createSessionStore } from '../../session/create-session-store.js';
import type { FileSessionStore } from '../../session/file-session-store.js';
import type { SessionStore } from '../../session/session-store.js';
import { type AnySessionOptions, resolveStoreOptions } from '../../session/store-options.js';
import { runProgram } from '../../testing/servers/run-program.js';
import { leaveOn } from '../interruption.js';
import type { Checks } from './check.js';
import { PHP_LIMIT_MS, type PhpCall } from './php-call.js';
import { phpTurn, TURN_VARIABLE } from './php-turn.js';
import { troubleOf } from './trouble-of.js';

/** The name of the check. */
export const ROUND_TRIP = 'round trip of a session';

const EXPECTED = 'that each reads what the other wrote';
const FIX = 'compare the settings above; look at `stormlamp session get`';

/** See the head of this file. */
export async function roundTrip(
  checks: Checks,
  { program, args }: PhpCall,
  given: AnySessionOptions,
  signal: AbortSignal,
): Promise<void> {
  const fail = (found: string, fix = FIX): void =>
    checks.bad('failed', program, ROUND_TRIP, { found, expected: EXPECTED, fix });
  const [fromNode, fromPhp, mark] = [randomWord(), randomWord(), randomWord()];
  let store: SessionStore | FileSessionStore;
  try {
    store = await leaveOn(signal, createSessionStore(given));
  } catch (error) {
    // Each of them is told by itself.
    if (isStormlampError(error, ErrorCode.STORE_DOWN))
      return checks.skip(program, ROUND_TRIP, 'no session node or mount answers');
    if (!isStormlampError(error) || signal.aborted) throw error;
    const { found, fix } = troubleOf(error);
    return fail(found, fix);
  }
  const session = store.create();
  try {
    session.data[TURN_VARIABLE] = fromNode;
    await store.save(session, { signal });
    const turn = phpTurn(resolveStoreOptions(given), { id: session.id, fromPhp, mark });
    const { code, stdout, stderr } = await runProgram(
      program,
      // The script names the session before it starts it.
      [...args, '-d', 'session.auto_start=0', '-r', turn.script, '--', ...turn.args],
      { signal, timeoutMs: PHP_LIMIT_MS, env: turn.env },
    );
    if (code !== 0) return fail(`PHP said: ${stderr.trim().slice(0, 200) || `exit code ${code}`}`);
    // What PHP itself prints, as about an extension that is loaded twice, stands before that.
    const [before = '', printed] = stdout.split(mark);
    const read = printed === undefined ? stdout : turn.read(printed);
    if (read !== fromNode) return fail(`PHP read ${read.trim().slice(0, 60)} instead of what Node wrote`);
    if (before.trim() !== '')
      checks.bad('warning', program, 'start of PHP', {
        found: `it prints ${before.trim().slice(0, 200)}`,
        expected: 'that it prints nothing by itself, which is sent before every page',
        fix: 'mend what it says in php.ini',
      });
    const after = await store.load(session.id, { signal });
    if (after.data[TURN_VARIABLE] !== fromPhp) return fail('Node does not see what PHP wrote');
    checks.ok(program, ROUND_TRIP, 'PHP read what Node wrote, and Node what PHP wrote');
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    const { found, fix } = troubleOf(error, FIX);
    fail(found, fix);
  } finally {
    await store.destroy(session.id).catch(() => undefined);
    await store.close();
  }
}

const randomWord = (): string => randomBytes(8).toString('hex');
