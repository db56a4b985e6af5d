/** Whether the pools of PHP-FPM keep sessions as Node does: what a pool sets goes before its php.ini (`php_value[…]`). */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isStormlampError } from '../../../common/stormlamp-error.js';
import { sessionOptionsFromPhp } from '../../../session/php-session-options.js';
import { type PhpSettings, parsePhpInfo } from '../../../session/php-settings.js';
import {
  type AnySessionOptions,
  resolveStoreOptions,
  type StoreOptions,
} from '../../../session/store-options.js';
import { runProgram } from '../../../testing/servers/run-program.js';
import { leaveOn } from '../../interruption.js';
import { type Check, Checks } from '../check.js';
import { compareSettings } from '../compare-php-settings.js';
import { judgePhpSettings } from '../judge-php-settings.js';
import { type AskedServer, lookAtServers } from '../look-at-gateways.js';
import { PHP_LIMIT_MS, type PhpCall } from '../php-call.js';
import { webServerSettings } from '../web-server-settings.js';
import { findFpm } from './find-pools.js';
import { type Pool, readPools } from './read-pools.js';

/** What was found out about PHP before. */
export interface PoolsLook {
  /** How it is run. */
  readonly php: PhpCall;
  /** What `php -i` printed. */
  readonly info: string;
  /** The settings of its pages, without those of pools. */
  readonly settings: PhpSettings;
  /** What is told of these already. */
  readonly known: readonly Check[];
  /** Node's options, as they were given. */
  readonly given: AnySessionOptions;
  /** What they come to. */
  readonly ours: StoreOptions;
  /** Fires when the doctor is left. */
  readonly signal: AbortSignal;
}

interface Verdict {
  readonly pool: Pool;
  /** Whether Node finds a session of it, and it finds those of Node. */
  readonly isSame: boolean;
  readonly troubles: readonly Check[];
  /** Its own settings that cannot be told for certain. */
  readonly doubts: readonly string[];
  /** The settings that the pool has for itself, with their places. */
  readonly own: readonly string[];
}

const WHAT = 'session settings of the pool';
/** So many are told one by one. */
const MOST_TOLD = 20;
const LONGEST_TEXT = 300;
/** So many lists of servers are asked whether they are gateways, each of so many servers at most. */
const MOST_ASKED = 8;
const MOST_SERVERS = 32;

/** Reads the pools that were named, else those of this machine, and judges each; none where there is no PHP-FPM. */
export async function checkPools(look: PoolsLook): Promise<readonly Check[]> {
  const checks = new Checks('php');
  const { fpm } = look.php;
  const found =
    fpm === undefined ? await leaveOn(look.signal, findFpm(look.info)) : [{ file: fpm, near: true }];
  const ask = asking(look.signal);
  for (const { file, near } of found) {
    const { pools, unread } = await leaveOn(look.signal, readPools(file));
    tellUnread(checks, unread, fpm !== undefined);
    if (pools.length === 0) {
      if (fpm !== undefined && unread.length === 0) tellEmpty(checks, file);
      continue;
    }
    const base = await settingsBelow(file, look);
    const verdicts: Verdict[] = [];
    for (const pool of pools) verdicts.push(await judge(pool, base, look, ask));
    // Who was not named may serve another site; one of them has to serve this one.
    const isCertain = fpm !== undefined || (near && verdicts.every(({ isSame }) => !isSame));
    tell(checks, verdicts, { isCertain, isNamed: fpm !== undefined });
  }
  return checks.list;
}

/** What holds where a pool says nothing: PHP-FPM has often a php.ini of its own. */
async function settingsBelow(file: string, { php, info, settings, signal }: PoolsLook): Promise<PhpSettings> {
  const home = [file, dirname(file), dirname(dirname(file))].find((folder) =>
    existsSync(join(folder, 'php.ini')),
  );
  const loaded = /^Loaded Configuration File => (.+)$/m.exec(info)?.[1]?.trim() ?? '';
  if (home === undefined || php.args.includes('-c') || isSameFile(join(home, 'php.ini'), loaded))
    return settings;
  const scanned = join(home, 'conf.d');
  const env = existsSync(scanned) ? { PHP_INI_SCAN_DIR: scanned } : {};
  const args = [...php.args, '-c', join(home, 'php.ini'), '-i'];
  const answer = await runProgram(php.program, args, { signal, timeoutMs: PHP_LIMIT_MS, env }).catch(
    () => undefined,
  );
  if (answer?.code !== 0) return settings;
  return webServerSettings(parsePhpInfo(answer.stdout), answer.stdout);
}

function isSameFile(one: string, other: string): boolean {
  return existsSync(other) && realpathSync(one) === realpathSync(other);
}

type Ask = (store: StoreOptions) => Promise<readonly AskedServer[]>;

/** Asks the same servers once, and not any number of them. */
function asking(signal: AbortSignal): Ask {
  const asked = new Map<string, Promise<readonly AskedServer[]>>();
  return async (store) => {
    if (store.kind === 'files' || store.options.nodes.length > MOST_SERVERS) return [];
    const key = store.options.nodes.map(({ id }) => id).join('\n');
    const before = asked.get(key);
    if (before !== undefined) return await before;
    if (asked.size === MOST_ASKED) return [];
    const answer = leaveOn(signal, lookAtServers(store));
    asked.set(key, answer);
    return await answer;
  };
}

async function judge(pool: Pool, base: PhpSettings, look: PoolsLook, ask: Ask): Promise<Verdict> {
  const checks = new Checks('php');
  const settings = new Map(base);
  for (const [name, { value }] of pool.settings) settings.set(name, value);
  let isSame = false;
  try {
    const theirs = resolveStoreOptions(sessionOptionsFromPhp(settings));
    const { given, ours } = look;
    isSame = compareSettings(checks, pool.name, { theirs, ours, given, servers: await ask(theirs) });
  } catch (error) {
    if (!isStormlampError(error, 'ERR_UNSUPPORTED') && !isStormlampError(error, 'ERR_INVALID_OPTION'))
      throw error;
    checks.bad('failed', pool.name, 'settings', { found: error.message, expected: '', fix: '' });
  }
  judgePhpSettings(checks, pool.name, settings);
  const isKnown = (one: Check): boolean =>
    look.known.some(
      ({ state, what, found }) => state === one.state && what === one.what && found === one.found,
    );
  return {
    pool,
    isSame,
    troubles: checks.list.filter((one) => one.state !== 'ok' && !isKnown(one)),
    doubts: [...pool.settings].flatMap(([name, { doubt, place }]) =>
      doubt === undefined ? [] : [`${name} (${place}) has ${doubt}, of which PHP may make something else`],
    ),
    own: [...pool.settings].flatMap(([name, { value, place }]) =>
      value === base.get(name) ? [] : [`${name} (${place})`],
    ),
  };
}

function tell(
  checks: Checks,
  verdicts: readonly Verdict[],
  { isCertain, isNamed }: { readonly isCertain: boolean; readonly isNamed: boolean },
): void {
  const ill = verdicts.filter(({ troubles, doubts }) => troubles.length + doubts.length > 0);
  const well = verdicts.filter((verdict) => !ill.includes(verdict));
  for (const { pool, troubles, doubts, own } of ill.slice(0, MOST_TOLD)) {
    const isFailed = isCertain && troubles.some(({ state }) => state === 'failed');
    // Of a gateway that is not there: to start it may be all that is needed.
    const silence = troubles.find(({ fix }) => fix.includes(' does not answer ('));
    const place =
      own.length === 0
        ? 'it sets nothing of it for itself: set that in the php.ini of PHP-FPM'
        : `correct what it sets for itself: ${own.join(', ')}`;
    const settings = [...new Set(troubles.map(({ fix }) => fix).filter((fix) => fix.startsWith('set `')))];
    const ways = [place, ...settings, ...(silence === undefined ? [] : [silence.fix])];
    const where = ways.join('; ');
    checks.bad(isFailed ? 'failed' : 'warning', nameOf(pool), WHAT, {
      found: [...troubles.map(({ what, found }) => `${what}: ${short(found)}`), ...doubts].join('; '),
      expected: 'sessions as Node keeps them, in every pool that serves the site',
      fix: isNamed ? where : `${where}; if others serve the site, name their file with --php-fpm`,
    });
  }
  if (ill.length > MOST_TOLD)
    checks.bad('warning', null, WHAT, {
      found: `${ill.length - MOST_TOLD} more pools differ from what Node expects`,
      expected: 'sessions as Node keeps them, in every pool that serves the site',
      fix: 'name the file of the pool that serves the site with --php-fpm',
    });
  if (well.length === 0) return;
  const names = well.slice(0, MOST_TOLD).map(({ pool }) => nameOf(pool));
  const rest = well.length > names.length ? ` and ${well.length - names.length} more` : '';
  const isPlain = well.every(({ own }) => own.length === 0);
  checks.ok(
    null,
    WHAT,
    `${names.join(', ')}${rest}: ${isPlain ? 'nothing but those of the php.ini' : 'as Node expects'}`,
  );
}

function nameOf({ name, file }: Pool): string {
  return `[${name}] (${file})`;
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)} …` : line;
}

function tellUnread(
  checks: Checks,
  unread: Awaited<ReturnType<typeof readPools>>['unread'],
  isNamed: boolean,
): void {
  const [first] = unread;
  if (first === undefined) return;
  const others = unread.length === 1 ? '' : `, and ${unread.length - 1} more files cannot be read`;
  const found = `${first.file} cannot be read: ${first.why}${others}`;
  if (!isNamed) checks.skip(first.file, WHAT, `${found}; run the doctor as a user who may read the pools`);
  else
    checks.bad('failed', first.file, WHAT, {
      found,
      expected: 'configuration of PHP-FPM',
      fix: 'run the doctor as a user who may read it, or name the file of the pool alone',
    });
}

function tellEmpty(checks: Checks, file: string): void {
  checks.bad('failed', file, WHAT, {
    found: 'no pool is in it',
    expected: 'a php-fpm.conf, the file of a pool (`[www]`), or a folder of such files (`*.conf`)',
    fix: 'correct --php-fpm',
  });
}
