/** What the doctor thinks of PHP's own settings of sessions, whatever Node's are: a pure judgement. */
import type { PhpSettings } from '../../session/php-settings.js';
import { PhpSettingsReader } from '../../session/php-settings-reader.js';
import type { Checks } from './check.js';

/** Another page of the same user often takes so long, seconds. */
const LOCK_WAIT_S = 5;
/** Who looks more seldom leaves a page waiting for a lock that nobody holds, milliseconds. */
const LONGEST_PAUSE_MS = 1_000;
/** pecl-memcache with many pages that wait for one session (docs/php-sessions.md), seconds. */
const LOCK_TIMEOUT_S = 60;
/** A gateway answers within 4 seconds (`commandTimeoutMs`), seconds. */
const SERVER_TIMEOUT_S = 5;

/** Judges the settings of PHP itself; `max_execution_time` is that of pages, left out where nobody set it. */
export function judgePhpSettings(checks: Checks, program: string, settings: PhpSettings): void {
  const reader = new PhpSettingsReader(settings);
  const isStrict = reader.flag('session.use_strict_mode', false);
  checks.expect(isStrict, 'warning', program, 'session.use_strict_mode', {
    found: isStrict ? 'On' : 'Off: PHP takes over whatever id a cookie brings (session fixation)',
    expected: 'On, as Node always is',
    fix: 'set `session.use_strict_mode = On`',
  });
  const handler = reader.text('session.save_handler', 'files');
  if (handler === 'memcached') {
    judgeLockLife(checks, program, reader);
    judgeLockWait(checks, program, reader);
  } else if (handler === 'memcache') judgeMemcache(checks, program, reader);
}

function judgeLockLife(checks: Checks, program: string, reader: PhpSettingsReader): void {
  const name = 'memcached.sess_lock_expire';
  const limit = reader.text('max_execution_time', '');
  const [expire, longest] = [reader.integer(name, 0), reader.integer('max_execution_time', 30)];
  const by =
    limit === '' ? "PHP's default for max_execution_time, which is set nowhere here" : 'max_execution_time';
  const isEndless = expire === 0 && longest === 0;
  const isShort = expire !== 0 && (longest === 0 ? false : expire < longest);
  checks.expect(!isEndless && !isShort, 'warning', program, name, {
    found: isEndless
      ? '0, and max_execution_time is 0: the lock of a page that is killed never ends'
      : isShort
        ? `${expire} s, while a page may run ${longest} s (${by}): its lock ends before it, and what it saves overwrites what others saved`
        : expire === 0
          ? `0: a lock lives as long as a page may run, ${longest} s (${by})`
          : `${expire} s`,
    expected: 'longer than any page runs, and not for ever',
    fix: `set \`${name} = ${Math.max(60, 2 * longest)}\``,
  });
}

/** PHP asks once more after each pause; a pause is twice the one before it, up to the longest (php-memcached, measured). */
function judgeLockWait(checks: Checks, program: string, reader: PhpSettingsReader): void {
  const retries = reader.integer('memcached.sess_lock_retries', 5);
  const most = reader.integer('memcached.sess_lock_wait_max', 150);
  let pause = Math.min(reader.integer('memcached.sess_lock_wait_min', 150), most);
  let waitMs = 0;
  let left = retries;
  for (; left > 0 && pause > 0 && pause < most; left -= 1) {
    waitMs += pause;
    pause = Math.min(2 * pause, most);
  }
  waitMs += left * pause;
  checks.expect(waitMs >= LOCK_WAIT_S * 1_000, 'warning', program, 'wait for the lock of a session', {
    found: `${waitMs / 1_000} s (memcached.sess_lock_retries = ${retries}, memcached.sess_lock_wait_max = ${most}): then session_start() fails`,
    expected: `at least ${LOCK_WAIT_S} s: somebody's other page may take as long`,
    fix: `set \`memcached.sess_lock_retries = ${most === 0 || most > LONGEST_PAUSE_MS ? 40 : Math.ceil((LOCK_WAIT_S * 1_000) / most) + 6}\`${most === 0 || most > LONGEST_PAUSE_MS ? ' and `memcached.sess_lock_wait_max = 150`' : ''}`,
  });
  checks.expect(most <= LONGEST_PAUSE_MS, 'warning', program, 'memcached.sess_lock_wait_max', {
    found: `${most} ms`,
    expected: `at most ${LONGEST_PAUSE_MS} ms: a page waits so long for a lock that nobody holds any more, and who asks more often comes first`,
    fix: 'set `memcached.sess_lock_wait_max = 150`, and `memcached.sess_lock_retries` higher instead',
  });
}

function judgeMemcache(checks: Checks, program: string, reader: PhpSettingsReader): void {
  const timeout = reader.integer('memcache.lock_timeout', 15);
  checks.expect(timeout >= LOCK_TIMEOUT_S, 'warning', program, 'life of a lock', {
    found: `memcache.lock_timeout = ${timeout}: who waits for twice that goes on with an empty session, and saves it`,
    expected: `at least ${LOCK_TIMEOUT_S} s`,
    fix: `set \`memcache.lock_timeout = ${LOCK_TIMEOUT_S}\`, and \`lockExpireMs: ${LOCK_TIMEOUT_S}_000\` where Node reads no php.ini`,
  });
  const own = reader.text('memcache.session_save_path', '');
  const path = own === '' ? reader.text('session.save_path', '') : own;
  const hasty = path.split(/[\s,]+/).filter((entry) => {
    const given = new URLSearchParams(entry.split('?')[1] ?? '').get('timeout');
    return entry !== '' && Number(given ?? 1) < SERVER_TIMEOUT_S;
  });
  checks.expect(hasty.length === 0, 'warning', program, 'patience with servers', {
    found: hasty.length === 0 ? 'enough' : `less than ${SERVER_TIMEOUT_S} s for ${hasty.join(', ')}`,
    expected:
      'more than an answer can take: what is late counts as an empty session, and PHP says that it saved what it did not',
    fix: 'give each server in `session.save_path` its `?timeout=30`',
  });
}
