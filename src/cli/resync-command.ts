/** `stormlamp resync`: brings memcached nodes that came back up to date, or only tells whether they are. */
import { invalidOption } from '../common/option-reader.js';
import type { ResyncProgress } from '../memcached/resync/resync-events.js';
import type { SessionOptions } from '../session/session-options.js';
import { SessionStore } from '../session/session-store.js';
import { resolveStoreOptions } from '../session/store-options.js';
import { CONFIG_HELP, CONFIG_OPTION } from './cluster-config.js';
import type { Command, CommandContext } from './command.js';
import { leaveOn } from './interruption.js';
import { ProgressPrinter } from './progress-printer.js';
import { configOf } from './read-config.js';
import { hangLine } from './wrap-line.js';

const HELP = `Usage: stormlamp resync [options]

Fills session nodes (memcached) that came back empty and brings them what they missed; waits until that is done, also where another
process is at it. Running stores do this by themselves; use it to be sure before the next step, like the restart of the other node.

  --check             change nothing: show for every node whether it holds what it shall hold, its memory, its evictions
  --rate <n>          items a second at most while a node is filled; 0 is no limit (default 50000)

Where the sessions are, as PHP has it, when that is not configured otherwise:
  --nodes <list>      host:port, … in the order of session.save_path
  --php-ini <file>    php.ini (with its conf.d) to read everything from
  --handler <name>    memcached (default) or memcache
  --copies <n>        copies of each session (default 2)
  --prefix <text>     prefix of the keys (default: that of the handler)
${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp resync --nodes cache1:11211,cache2:11211
  stormlamp resync --check --php-ini /etc/php/8.2/fpm/php.ini

Exit code: 0 when every node is complete, 1 when one is not.
`;

/** The command `resync`. */
export const resyncCommand: Command = {
  help: HELP,
  options: {
    ...CONFIG_OPTION,
    check: { type: 'boolean' },
    rate: { type: 'string' },
    nodes: { type: 'string' },
    'php-ini': { type: 'string' },
    handler: { type: 'string' },
    copies: { type: 'string' },
    prefix: { type: 'string' },
  },
  async run(context) {
    const [word] = context.words;
    if (word !== undefined) throw invalidOption('resync <argument>', 'left out', word);
    const check = context.values['check'] === true;
    const resolved = resolveStoreOptions({ ...(await optionsOf(context)), resync: !check });
    if (resolved.kind !== 'memcached')
      throw invalidOption(
        'sessions',
        'sessions on memcached nodes; sessions in files mend by themselves',
        'files',
      );
    const store = new SessionStore(resolved.options);
    await leaveOn(context.signal, store.start());
    try {
      return check ? status(context, store) : await resync(context, store);
    } finally {
      await store.close();
    }
  },
};

function status(context: CommandContext, store: SessionStore): number {
  const nodes = store.status();
  for (const { node, standing, memory } of nodes) {
    const room =
      memory === undefined
        ? 'not reachable'
        : `${memory.items} items, ${megabytes(memory.bytes)} of ${megabytes(memory.limitBytes)} MB, ${memory.evictions} evicted`;
    const state = memory === undefined ? 'down' : standing;
    for (const line of hangLine(`${node.padEnd(24)} ${state.padEnd(10)} ${room}`, context.width, '', '    '))
      context.say(line);
  }
  const ok = nodes.every(({ standing, memory }) => memory !== undefined && standing === 'filled');
  context.result({ ok, nodes });
  return ok ? 0 : 1;
}

async function resync(context: CommandContext, store: SessionStore): Promise<number> {
  const printer = new ProgressPrinter(context.interactive);
  store.on('resync-progress', (progress) => {
    printer.show({ phase: progress.node, message: progressLine(progress) });
  });
  let nodes: Awaited<ReturnType<SessionStore['resync']>>;
  try {
    nodes = await store.resync({ signal: context.signal });
  } finally {
    printer.end();
  }
  for (const { node, outcome, copied, elapsedMs, error } of nodes) {
    const work = outcome === 'resynced' ? `${copied} items in ${(elapsedMs / 1000).toFixed(1)} s` : '';
    const text = `${node.padEnd(24)} ${outcome.padEnd(12)} ${error?.message ?? work}`;
    for (const line of hangLine(text, context.width, '', '    ')) context.say(line);
  }
  const ok = nodes.every(({ outcome }) => outcome === 'resynced' || outcome === 'complete');
  context.result({ ok, nodes: nodes.map(({ error, ...node }) => ({ ...node, error: error?.message })) });
  return ok ? 0 : 1;
}

const BAR = 24;

/** A bar, what is done of what there is at most, and how fast. */
function progressLine({ node, copied, skipped, total, elapsedMs }: ResyncProgress): string {
  const done = copied + skipped;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * BAR);
  const perSecond = elapsedMs === 0 ? 0 : Math.round((done * 1000) / elapsedMs);
  const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled);
  return `${node} [${bar}] ${Math.round(share * 100)} %  ${copied} copied, ${skipped} there already, of ${total} at most, ${perSecond}/s`;
}

async function optionsOf(context: CommandContext): Promise<SessionOptions> {
  const text = (name: string): string | undefined => context.values[name] as string | undefined;
  const [nodes, phpIni, copies, rate] = [text('nodes'), text('php-ini'), text('copies'), text('rate')];
  const [prefix, handler] = [text('prefix'), text('handler')];
  return {
    operationTimeoutMs: 2_000,
    ...(nodes === undefined && phpIni === undefined ? await configured(context) : {}),
    ...(nodes === undefined ? {} : { nodes: nodes.split(/[\s,]+/).filter((word) => word !== '') }),
    ...(phpIni === undefined ? {} : { phpIni }),
    ...(handler === undefined ? {} : { handler: handler as 'memcached' }),
    ...(copies === undefined ? {} : { copies: wholeNumber('--copies', copies) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(rate === undefined ? {} : { resyncItemsPerSecond: wholeNumber('--rate', rate) }),
  };
}

async function configured(context: CommandContext): Promise<SessionOptions> {
  const { options, source } = await configOf(context);
  if (options.sessions === undefined)
    throw invalidOption(
      'sessions',
      `configured, or --nodes or --php-ini to be given (looked at ${source})`,
      undefined,
    );
  return options.sessions as SessionOptions;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalidOption(name, 'a whole number', text);
}

function megabytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}
