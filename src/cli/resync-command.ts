/** `stormlamp resync`: brings memcached nodes that came back up to date, or only tells whether they are. */
import { invalidOption, readChoice } from '../common/option-reader.js';
import type { ResolvedSessionOptions, SessionOptions } from '../session/session-options.js';
import { SessionStore } from '../session/session-store.js';
import { resolveStoreOptions } from '../session/store-options.js';
import { CONFIG_HELP, CONFIG_OPTION } from './cluster-config.js';
import type { Command, CommandContext } from './command.js';
import { leaveOn } from './interruption.js';
import { ProgressPrinter } from './progress-printer.js';
import { configOf } from './read-config.js';
import { isKept, ResyncProgressLines } from './resync-progress.js';
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
  --keys <which>      sessions: them alone; all: all keys (as gateways with --keys all), besides what others keep complete there
                      (default: what others keep complete there)
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
    keys: { type: 'string' },
  },
  async run(context) {
    const [word] = context.words;
    if (word !== undefined) throw invalidOption('resync <argument>', 'left out', word);
    const check = context.values['check'] === true;
    const given = await optionsOf(context);
    const resolved = resolveStoreOptions({ ...given, resync: !check });
    if (resolved.kind !== 'memcached')
      throw invalidOption(
        'sessions',
        'sessions on memcached nodes; sessions in files mend by themselves',
        'files',
      );
    const { handler, prefix, copies } = resolved.options;
    const nodes: object[] = [];
    let ok = true;
    for (const keys of await keptKeys(context, given.keys, resolved.options)) {
      const done = await seeTo(context, { ...resolved.options, keys }, check);
      const complete = done.every((one) => one.complete);
      ok &&= complete;
      nodes.push(...done.map(({ report }) => ({ ...report, keys })));
      if (!complete && keys === 'all' && given.keys !== 'all')
        for (const line of KEPT_ONCE) context.say(line);
    }
    context.result({ ok, lookedAt: { handler, prefix, copies }, nodes });
    return ok ? 0 : 1;
  },
};

type Keys = ResolvedSessionOptions['keys'];
const KEYS: readonly Keys[] = ['sessions', 'all'];
const HANDLERS = ['memcached', 'memcache'] as const;

/** A node goes on to say that it is complete with all keys when nobody keeps it so any more. */
const KEPT_ONCE = [
  'All keys are looked at because a node says that a gateway keeps them, or kept them once (--keys all).',
  'When no gateway does any more, leave them out: --keys sessions.',
];

/** What is kept complete on the nodes: sessions alone when that was said, else what was asked for and what some process keeps so. */
async function keptKeys(
  context: CommandContext,
  asked: Keys | undefined,
  options: ResolvedSessionOptions,
): Promise<readonly Keys[]> {
  if (context.values['keys'] === 'sessions') return ['sessions'];
  const kept: Keys[] = [];
  for (const keys of KEYS) {
    const store = new SessionStore({ ...options, keys });
    if (keys === asked || (await leaveOn(context.signal, isKept(store)))) kept.push(keys);
    await store.close();
  }
  return kept.length > 0 ? kept : [options.keys];
}

/** What became of a node. */
interface NodeDone {
  readonly complete: boolean;
  readonly report: object;
}

/** Sees to what the nodes shall hold by `options`. */
async function seeTo(
  context: CommandContext,
  options: ResolvedSessionOptions,
  check: boolean,
): Promise<readonly NodeDone[]> {
  const store = new SessionStore(options);
  await leaveOn(context.signal, store.start());
  try {
    const { handler, prefix, copies, keys } = options;
    const what = keys === 'all' ? 'All keys' : `Sessions (prefix ${JSON.stringify(prefix)})`;
    context.say(`${what}, as ${handler} places them, ${copies} of each:`);
    return check ? status(context, store) : await resync(context, store);
  } finally {
    await store.close();
  }
}

function status(context: CommandContext, store: SessionStore): readonly NodeDone[] {
  return store.status().map((report) => {
    const { node, standing, memory } = report;
    const room =
      memory === undefined
        ? 'not reachable'
        : `${memory.items} items, ${megabytes(memory.bytes)} of ${megabytes(memory.limitBytes)} MB, ${memory.evictions} evicted`;
    const state = memory === undefined ? 'down' : standing;
    for (const line of hangLine(`${node.padEnd(24)} ${state.padEnd(10)} ${room}`, context.width, '', '    '))
      context.say(line);
    return { complete: state === 'filled', report };
  });
}

async function resync(context: CommandContext, store: SessionStore): Promise<readonly NodeDone[]> {
  const progress = new ResyncProgressLines(store, new ProgressPrinter(context.interactive));
  let nodes: Awaited<ReturnType<SessionStore['resync']>>;
  try {
    nodes = await store.resync({ signal: context.signal });
  } finally {
    progress.end();
  }
  return nodes.map(({ error, ...report }) => {
    const { node, outcome, copied, elapsedMs } = report;
    const work = outcome === 'resynced' ? `${copied} items in ${(elapsedMs / 1000).toFixed(1)} s` : '';
    const text = `${node.padEnd(24)} ${outcome.padEnd(12)} ${error?.message ?? work}`;
    for (const line of hangLine(text, context.width, '', '    ')) context.say(line);
    const complete = outcome === 'resynced' || outcome === 'complete';
    return { complete, report: { ...report, error: error?.message } };
  });
}

async function optionsOf(context: CommandContext): Promise<SessionOptions> {
  const text = (name: string): string | undefined => context.values[name] as string | undefined;
  const [nodes, phpIni, copies, rate] = [text('nodes'), text('php-ini'), text('copies'), text('rate')];
  const [prefix, handler, keys] = [text('prefix'), text('handler'), text('keys')];
  return {
    operationTimeoutMs: 2_000,
    ...(nodes === undefined && phpIni === undefined ? await configured(context) : {}),
    ...(nodes === undefined ? {} : { nodes: nodes.split(/[\s,]+/).filter((word) => word !== '') }),
    ...(phpIni === undefined ? {} : { phpIni }),
    ...(handler === undefined ? {} : { handler: readChoice('--handler', handler, HANDLERS, 'memcached') }),
    ...(copies === undefined ? {} : { copies: wholeNumber('--copies', copies) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(keys === undefined ? {} : { keys: readChoice('--keys', keys, KEYS, 'sessions') }),
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
