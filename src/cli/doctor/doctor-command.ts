/** `stormlamp doctor`: checks every precondition, and says what to do about what is missing. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { invalidOption } from '../../common/option-reader.js';
import { type ClusterConfig, CONFIG_HELP, CONFIG_OPTION } from '../cluster-config.js';
import type { Command, CommandContext } from '../command.js';
import { leaveOn } from '../interruption.js';
import { mountsApart } from '../mounts/mounts-apart.js';
import { ProgressPrinter } from '../progress-printer.js';
import { configOf } from '../read-config.js';
import { wrapLine } from '../wrap-line.js';
import type { Check } from './check.js';
import { checkCache } from './check-cache.js';
import { checkDatabases } from './check-databases.js';
import { checkFailover } from './check-failover.js';
import { checkNode } from './check-node.js';
import { checkPhp } from './check-php.js';
import { checkSessions } from './check-sessions.js';
import { findDatabases } from './find-databases.js';
import { toldPart } from './told-part.js';

const HELP = `Usage: stormlamp doctor [options]

Checks every precondition: what was looked at, what was found, what was expected, and how to fix it. Node, every
database server that a client would use, found ones too (logins, privileges, replication, binary logs, clocks), the
accounts of failover, every session and cache node, and PHP: its settings beside those of Node, those that pools of
PHP-FPM set for themselves, and one session that both write and read. The session is removed again; nothing else is changed.
The exit code is 1 when something failed, 0 otherwise (warnings included).

  --php <program>     PHP to look at (default: STORMLAMP_PHP, else php on the PATH)
  --php-ini <file>    its php.ini, when it is another one than that of the command line
  --php-fpm <path>    the pool of PHP-FPM that serves the site: its file, a folder of such files, or the php-fpm.conf
                      (default: all pools of the PHP-FPM on this machine)
  --no-php            leave PHP alone
${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp doctor
  stormlamp doctor --php-ini /etc/php/8.2/fpm/php.ini
  stormlamp doctor --json | jq '.checks[] | select(.state == "failed")'
`;

/** The command `doctor`. */
export const doctorCommand: Command = {
  help: HELP,
  options: {
    ...CONFIG_OPTION,
    php: { type: 'string' },
    'php-ini': { type: 'string' },
    'php-fpm': { type: 'string' },
    'no-php': { type: 'boolean' },
  },
  async run(context) {
    if (context.words.length > 0) throw invalidOption('doctor <argument>', 'left out', context.words[0]);
    const config = await configOf(context);
    const checks = await examine(config, context);
    // What was given up is no trouble of what was looked at.
    context.signal.throwIfAborted();
    show(checks, context);
    const ok = checks.every(({ state }) => state !== 'failed');
    for (const line of wrapLine(`Configured by ${config.source}`, context.width))
      context.say(context.paint('dim', line));
    context.result({ ok, config: config.source, checks });
    return ok ? 0 : 1;
  },
};

async function examine(
  { options }: ClusterConfig,
  { values, signal, interactive }: CommandContext,
): Promise<readonly Check[]> {
  const { mysql, sessions, failover, cache } = options;
  const named = (values['php'] as string | undefined) ?? (process.env['STORMLAMP_PHP'] || undefined);
  const ini = values['php-ini'] as string | undefined;
  // PHP itself takes its defaults, without a word.
  if (ini !== undefined && !existsSync(ini)) throw invalidOption('--php-ini', 'a file that is there', ini);
  const fpm = values['php-fpm'] as string | undefined;
  if (fpm !== undefined && !existsSync(fpm))
    throw invalidOption('--php-fpm', 'a file or folder that is there', fpm);
  const php = {
    program: named ?? 'php',
    args: ini === undefined ? [] : ['-c', ini],
    isNamed: named !== undefined,
    fpm: fpm === undefined ? undefined : resolve(fpm),
  };
  const printer = interactive ? new ProgressPrinter(true) : undefined;
  const waitedFor = new Set<string>();
  const tell = (): void => {
    printer?.show({ phase: 'doctor', message: `Waiting for ${[...waitedFor].join(', ')} …` });
  };
  const watch = async (what: string, checks: Promise<readonly Check[]>): Promise<readonly Check[]> => {
    waitedFor.add(what);
    tell();
    const found = await checks;
    waitedFor.delete(what);
    tell();
    return found;
  };
  const look = (
    area: Check['area'],
    what: string,
    checks: Promise<readonly Check[]>,
  ): Promise<readonly Check[]> => watch(what, toldPart(area, leaveOn(signal, checks)));
  const finding = mysql === undefined ? undefined : findDatabases(mysql);
  const ofPhp =
    sessions === undefined || values['no-php'] === true
      ? Promise.resolve([])
      : watch('PHP', toldPart('php', checkPhp(sessions, php, signal, mountsApart)));
  try {
    const parts = await Promise.all([
      checkNode(process.versions.node),
      mysql === undefined ? [] : look('mysql', 'the databases', checkDatabases(mysql, signal, finding)),
      mysql === undefined || failover === undefined
        ? []
        : look('failover', 'the accounts of failover', checkFailover(mysql, failover, signal, finding)),
      sessions === undefined
        ? []
        : look('sessions', 'the session nodes', checkSessions(sessions, mountsApart)),
      cache === undefined ? [] : look('cache', 'the cache', checkCache(cache)),
      ofPhp,
    ]);
    return parts.flat();
  } finally {
    // It has a session to remove.
    await ofPhp.catch(() => undefined);
    printer?.end();
  }
}

const MARK = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const;
const STYLE = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const;
const ORDER: readonly Check['state'][] = ['failed', 'warning', 'skipped', 'ok'];

function show(checks: readonly Check[], { say, paint, width }: CommandContext): void {
  /** A line with something before it, whose continuation stands below its own beginning. */
  const tell = (head: string, length: number, text: string): void => {
    for (const [at, line] of wrapLine(text, Math.max(20, width - length)).entries())
      say(`${at === 0 ? head : ' '.repeat(length)}${line}`);
  };
  for (const state of ORDER) {
    for (const { area, subject, what, found, expected, fix } of checks.filter(
      (each) => each.state === state,
    )) {
      const about = subject === null ? area : `${area} ${subject}`;
      tell(`${paint(STYLE[state], MARK[state])} `, 2, `${about}: ${what}: ${found}`);
      if (expected !== '') tell('    expected: ', 14, expected);
      if (fix !== '') tell('    fix: ', 9, fix);
    }
  }
  const count = (state: Check['state']): number => checks.filter((each) => each.state === state).length;
  say('');
  say(
    `${count('failed')} failed, ${count('warning')} warnings, ${count('skipped')} skipped, ${count('ok')} ok`,
  );
}
