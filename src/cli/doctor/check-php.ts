/** Compares what PHP is configured with to what Node is, and lets both read what the other wrote. */
import { randomBytes } from 'node:crypto';
import { describeError, ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { lookAtMounts } from '../../files/look-at-mounts.js';
import { createSessionStore } from '../../session/create-session-store.js';
import type { FileSessionStore } from '../../session/file-session-store.js';
import { sessionOptionsFromPhp } from '../../session/php-session-options.js';
import { type PhpSettings, parsePhpInfo } from '../../session/php-settings.js';
import type { SessionStore } from '../../session/session-store.js';
import {
  type AnySessionOptions,
  resolveStoreOptions,
  type StoreOptions,
} from '../../session/store-options.js';
import { runProgram } from '../../testing/servers/run-program.js';
import { leaveOn } from '../interruption.js';
import { type Check, Checks } from './check.js';
import { compareSettings } from './compare-php-settings.js';
import { judgePhpSettings } from './judge-php-settings.js';
import { lookAtServers } from './look-at-gateways.js';
import { PHP_LIMIT_MS, type PhpCall } from './php-call.js';
import { checkPools } from './pools/check-pools.js';
import { troubleOf } from './trouble-of.js';
import { webServerSettings } from './web-server-settings.js';

const SCRIPT = `session_id($argv[1]); if (!@session_start()) { fwrite(STDERR, error_get_last()['message'] ?? 'session_start() failed'); exit(3); }
echo $argv[3], $_SESSION['stormlamp_doctor'] ?? 'nothing', $argv[3]; $_SESSION['stormlamp_doctor'] = $argv[2]; session_write_close();`;

/** Checks PHP, when there is one. */
export async function checkPhp(
  given: AnySessionOptions,
  php: PhpCall,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const checks = new Checks('php');
  const info = await runProgram(php.program, [...php.args, '-i'], { signal, timeoutMs: PHP_LIMIT_MS }).catch(
    (error: unknown) => describeError(error),
  );
  if (typeof info === 'string' || info.code !== 0) {
    const why = typeof info === 'string' ? info : `it ended with ${info.code ?? 'a signal'}`;
    const what = 'settings and round trip';
    if (php.isNamed === true)
      checks.bad('failed', php.program, what, {
        found: `PHP cannot be run: ${why}`,
        expected: 'the PHP that was named',
        fix: 'correct --php (or STORMLAMP_PHP), or leave PHP out with --no-php',
      });
    else
      checks.skip(
        php.program,
        what,
        `PHP cannot be run here (${why}); name that of the web server with --php. The one that \`stormlamp servers install\` brings is for local clusters, whose \`phpIni()\`, in a file, it needs as --php-ini`,
      );
    return checks.list;
  }
  const ours = resolveStoreOptions(given);
  const settings = webServerSettings(parsePhpInfo(info.stdout), info.stdout);
  // The settings of an extension that is not there are its defaults, whatever the php.ini says.
  if (!hasHandler(checks, php.program, info, settings)) return checks.list;
  const theirs = theirOptions(checks, php.program, settings);
  const isSame =
    theirs !== undefined &&
    compareSettings(checks, php.program, {
      theirs,
      ours,
      servers: await leaveOn(signal, lookAtServers(theirs)),
    });
  judgePhpSettings(checks, php.program, settings);
  const pools = await checkPools({ php, info: info.stdout, settings, known: checks.list, ours, signal });
  const reason = isSame
    ? await leaveOn(signal, reasonToStoreNothing(ours))
    : 'PHP keeps its sessions elsewhere or in another form';
  const untouched = ours.kind === 'memcached' ? { ...given, resync: false } : given;
  if (reason === undefined) await roundTrip(checks, php, untouched, signal);
  else checks.skip(php.program, 'round trip of a session', reason);
  return [...pools, ...checks.list];
}

function hasHandler(
  checks: Checks,
  program: string,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  settings: PhpSettings,
): boolean {
  const handler = settings.get('session.save_handler') ?? 'files';
  const registered = /^Registered save handlers => (.*)$/m.exec(stdout)?.[1]?.trim().split(/\s+/);
  if (registered === undefined || registered.includes(handler)) return true;
  const why = /Unable to load dynamic library [^(\n]*/.exec(`${stderr}\n${stdout}`)?.[0].trim();
  checks.bad('failed', program, 'session.save_handler', {
    found: `${handler}, which no extension of this PHP brings: it has ${registered.join(', ')}${why === undefined ? '' : ` (${why})`}`,
    expected: 'an extension that brings it',
    fix: `install PHP's extension \`${handler}\` and load it (\`extension=${handler}.so\`); if this is not the PHP of the web server, name that with --php and --php-ini`,
  });
  checks.skip(program, 'round trip of a session', 'PHP cannot start a session');
  return false;
}

/** A store that is opened for the first time marks its mounts, which is not for somebody to do who only looks. */
async function reasonToStoreNothing(store: StoreOptions): Promise<string | undefined> {
  if (store.kind !== 'files') return undefined;
  const { mounts, operationTimeoutMs } = store.options;
  try {
    const { marked } = await lookAtMounts(mounts, 'sessions.mounts', operationTimeoutMs);
    return marked ? undefined : 'no service has opened the mounts yet, which marks them; start it first';
  } catch (error) {
    if (isStormlampError(error)) return error.message;
    throw error;
  }
}

function theirOptions(checks: Checks, program: string, settings: PhpSettings): StoreOptions | undefined {
  try {
    return resolveStoreOptions(sessionOptionsFromPhp(settings));
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    checks.bad('failed', program, 'settings of PHP', {
      found: error.message,
      expected: 'settings that Node can follow',
      fix: 'change them in php.ini as it says; if this is not the PHP of the web server, name its php.ini with --php-ini',
    });
    return undefined;
  }
}

async function roundTrip(
  checks: Checks,
  { program, args }: PhpCall,
  given: AnySessionOptions,
  signal: AbortSignal,
): Promise<void> {
  const what = 'round trip of a session';
  const fail = (found: string): void =>
    checks.bad('failed', program, what, {
      found,
      expected: 'that each reads what the other wrote',
      fix: 'compare the settings above; look at `stormlamp session get`',
    });
  const [fromNode, fromPhp, mark] = [randomWord(), randomWord(), randomWord()];
  let store: SessionStore | FileSessionStore;
  try {
    store = await leaveOn(signal, createSessionStore(given));
  } catch (error) {
    if (isStormlampError(error, ErrorCode.STORE_DOWN))
      // Each of them is told by itself.
      return checks.skip(program, what, 'no session node or mount answers');
    if (!isStormlampError(error) || signal.aborted) throw error;
    return checks.bad('failed', program, what, { expected: 'a store to try it with', ...troubleOf(error) });
  }
  const session = store.create();
  try {
    session.data['stormlamp_doctor'] = fromNode;
    await store.save(session, { signal });
    const { code, stdout, stderr } = await runProgram(
      program,
      // The script names the session before it starts it.
      [...args, '-d', 'session.auto_start=0', '-r', SCRIPT, '--', session.id, fromPhp, mark],
      { signal, timeoutMs: PHP_LIMIT_MS },
    );
    if (code !== 0) return fail(`PHP said: ${stderr.trim().slice(0, 200) || `exit code ${code}`}`);
    // What PHP itself prints, as about an extension that is loaded twice, stands before that.
    const [before = '', read = stdout] = stdout.split(mark);
    if (read !== fromNode) return fail(`PHP read ${read.trim().slice(0, 60)} instead of what Node wrote`);
    if (before.trim() !== '')
      checks.bad('warning', program, 'start of PHP', {
        found: `it prints ${before.trim().slice(0, 200)}`,
        expected: 'that it prints nothing by itself, which is sent before every page',
        fix: 'mend what it says in php.ini',
      });
    const after = await store.load(session.id, { signal });
    if (after.data['stormlamp_doctor'] !== fromPhp) return fail('Node does not see what PHP wrote');
    checks.ok(program, what, 'PHP read what Node wrote, and Node what PHP wrote');
  } catch (error) {
    if (!isStormlampError(error)) throw error;
    fail(error.message);
  } finally {
    await store.destroy(session.id).catch(() => undefined);
    await store.close();
  }
}

const randomWord = (): string => randomBytes(8).toString('hex');
