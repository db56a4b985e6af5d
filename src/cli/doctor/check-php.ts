/** Compares what PHP is configured with to what Node is, and lets both read what the other wrote. */
import { describeError, isStormlampError } from '../../common/stormlamp-error.js';
import { sessionOptionsFromPhp } from '../../session/php-session-options.js';
import { type PhpSettings, parsePhpInfo } from '../../session/php-settings.js';
import {
  type AnySessionOptions,
  resolveStoreOptions,
  type StoreOptions,
} from '../../session/store-options.js';
import { runProgram } from '../../testing/servers/run-program.js';
import { leaveOn } from '../interruption.js';
import { type MountReader, mountsHere } from '../mounts/mount-reader.js';
import { type Check, Checks } from './check.js';
import { compareSettings } from './compare-php-settings.js';
import { judgePhpSettings } from './judge-php-settings.js';
import { lookAtServers } from './look-at-gateways.js';
import { PHP_LIMIT_MS, type PhpCall } from './php-call.js';
import { checkPools } from './pools/check-pools.js';
import { ROUND_TRIP, roundTrip } from './round-trip.js';
import { webServerSettings } from './web-server-settings.js';

/** Why nothing of PHP's own sessions is compared. */
const BY_FRAMEWORK =
  "a framework keeps these sessions by its own configuration, with PHP's class `Memcached`: php.ini has no say in them";

/** Checks PHP, when there is one; `reader` looks at mounts. */
export async function checkPhp(
  given: AnySessionOptions,
  php: PhpCall,
  signal: AbortSignal,
  reader: MountReader = mountsHere,
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
  if (ours.kind === 'memcached' && ours.options.handler === 'memcached-class') {
    checks.skip(php.program, 'settings of PHP', BY_FRAMEWORK);
    if (hasHandler(checks, php.program, info, 'memcached'))
      await roundTrip(checks, php, { ...given, resync: false }, signal);
    return checks.list;
  }
  const settings = webServerSettings(parsePhpInfo(info.stdout), info.stdout);
  // The settings of an extension that is not there are its defaults, whatever the php.ini says.
  const handler = settings.get('session.save_handler') ?? 'files';
  if (!hasHandler(checks, php.program, info, handler)) return checks.list;
  const theirs = theirOptions(checks, php.program, settings);
  const isSame =
    theirs !== undefined &&
    compareSettings(checks, php.program, {
      theirs,
      ours,
      given,
      servers: await leaveOn(signal, lookAtServers(theirs)),
    });
  judgePhpSettings(checks, php.program, settings);
  const pools = await checkPools({
    php,
    info: info.stdout,
    settings,
    known: checks.list,
    given,
    ours,
    signal,
  });
  const reason = isSame
    ? await leaveOn(signal, reasonToStoreNothing(ours, reader))
    : 'PHP keeps its sessions elsewhere or in another form';
  const untouched = ours.kind === 'memcached' ? { ...given, resync: false } : given;
  if (reason === undefined) await roundTrip(checks, php, untouched, signal);
  else checks.skip(php.program, ROUND_TRIP, reason);
  return [...pools, ...checks.list];
}

function hasHandler(
  checks: Checks,
  program: string,
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  handler: string,
): boolean {
  const registered = /^Registered save handlers => (.*)$/m.exec(stdout)?.[1]?.trim().split(/\s+/);
  if (registered === undefined || registered.includes(handler)) return true;
  const why = /Unable to load dynamic library [^(\n]*/.exec(`${stderr}\n${stdout}`)?.[0].trim();
  checks.bad('failed', program, 'session.save_handler', {
    found: `${handler}, which no extension of this PHP brings: it has ${registered.join(', ')}${why === undefined ? '' : ` (${why})`}`,
    expected: 'an extension that brings it',
    fix: `install PHP's extension \`${handler}\` and load it (\`extension=${handler}.so\`); if this is not the PHP of the web server, name that with --php and --php-ini`,
  });
  checks.skip(program, ROUND_TRIP, 'PHP cannot start a session');
  return false;
}

/**
 * A store that is opened for the first time marks its mounts, which is not for somebody to do who only looks, and a call on one that
 * hangs would keep the process.
 */
async function reasonToStoreNothing(store: StoreOptions, reader: MountReader): Promise<string | undefined> {
  if (store.kind !== 'files') return undefined;
  const { mounts, operationTimeoutMs } = store.options;
  try {
    const seen = await reader.look(mounts, operationTimeoutMs);
    const isInTheWay = (standing: string): boolean => standing === 'down: hung' || !seen.marked;
    const down = seen.mounts.find(({ up, standing }) => !up && isInTheWay(standing));
    if (down !== undefined) return `${down.mount} is ${down.standing}`;
    return seen.marked ? undefined : 'no service has opened the mounts yet, which marks them; start it first';
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
