/** `stormlamp resync`: brings memcached nodes that came back up to date, or only tells whether they are. */
import { invalidOption } from '../common/option-reader.js';
import type { ResolvedSessionOptions } from '../session/session-options.js';
import { SessionStore } from '../session/session-store.js';
import { resolveStoreOptions } from '../session/store-options.js';
import { CONFIG_HELP, CONFIG_OPTION } from './cluster-config.js';
import type { Command, CommandContext } from './command.js';
import { leaveOn } from './interruption.js';
import { isKeptOtherwise } from './kept-otherwise.js';
import { ProgressPrinter } from './progress-printer.js';
import { RESYNC_KEYS, resyncOptions } from './resync-flags.js';
import { isKept, ResyncProgressLines } from './resync-progress.js';
import { hangLine } from './wrap-line.js';

const HELP = `Usage: stormlamp resync [options]

Fills session nodes (memcached) that came back empty and brings them what they missed; waits until that is done, also where another
process is at it. Running stores do this by themselves; use it to be sure before the next step, like the restart of the other node.

  --check             change nothing: show for every node whether it holds what it shall hold, its memory, its evictions
  --rate <n>          items a second at most while a node is filled; 0 is no limit (default 50000)
  --new-list          fill the nodes also where none is complete for this list yet, though it is for another one: when all processes were
                      started anew with this one

Where the sessions are, as PHP has it; what is not said here is as it is configured:
  --nodes <list>      host:port, … in the order of session.save_path
  --php-ini <file>    php.ini (with its conf.d) to read all of this from
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
    'new-list': { type: 'boolean' },
  },
  async run(context) {
    const [word] = context.words;
    if (word !== undefined) throw invalidOption('resync <argument>', 'left out', word);
    const check = context.values['check'] === true;
    const given = await resyncOptions(context);
    const resolved = resolveStoreOptions({ ...given, resync: !check });
    if (resolved.kind !== 'memcached')
      throw invalidOption(
        'sessions',
        'sessions on memcached nodes; sessions in files mend by themselves',
        'files',
      );
    const { handler, prefix, copies } = resolved.options;
    const nodes: object[] = [];
    const kept = await keptKeys(context, resolved.options);
    const isForeign =
      kept.length === 0 &&
      context.values['new-list'] !== true &&
      (await leaveOn(context.signal, isKeptOtherwise(resolved.options, context.signal)));
    let ok = !isForeign;
    if (isForeign) for (const line of KEPT_OTHERWISE) context.say(line);
    for (const keys of isForeign && !check ? [] : lookedAt(context, kept, given.keys, resolved.options)) {
      const done = await seeTo(context, { ...resolved.options, keys }, check);
      const complete = done.every((one) => one.complete);
      ok &&= complete;
      nodes.push(...done.map(({ report }) => ({ ...report, keys })));
      if (!complete && keys === 'all' && given.keys !== 'all')
        for (const line of KEPT_ONCE) context.say(line);
    }
    const foreign = isForeign ? { keptOtherwise: true } : {};
    context.result({ ok, lookedAt: { handler, prefix, copies }, ...foreign, nodes });
    return ok ? 0 : 1;
  },
};

type Keys = ResolvedSessionOptions['keys'];

/** A node goes on to say that it is complete with all keys when nobody keeps it so any more. */
const KEPT_ONCE = [
  'All keys are looked at because a node says that a gateway keeps them, or kept them once (--keys all).',
  'When no gateway does any more, leave them out: --keys sessions.',
];

/** To fill by what nobody goes by is to say of nodes that they are complete, and nobody keeps them so. */
const KEPT_OTHERWISE = [
  'The nodes are kept complete for another list, and none of them for this one: nothing was filled.',
  'Compare with what the processes that serve the sessions are given: the nodes and their order, --handler, --prefix, --copies, --keys.',
  'When all of them were started anew with this list: --new-list.',
];

/** What some node says to be complete with. */
async function keptKeys(context: CommandContext, options: ResolvedSessionOptions): Promise<readonly Keys[]> {
  const kept: Keys[] = [];
  for (const keys of RESYNC_KEYS) {
    const store = new SessionStore({ ...options, keys });
    if (await leaveOn(context.signal, isKept(store))) kept.push(keys);
    await store.close();
  }
  return kept;
}

/** What is looked at: sessions alone when that was said, else what was asked for and what some process keeps complete. */
function lookedAt(
  context: CommandContext,
  kept: readonly Keys[],
  asked: Keys | undefined,
  options: ResolvedSessionOptions,
): readonly Keys[] {
  if (context.values['keys'] === 'sessions') return ['sessions'];
  const wanted = RESYNC_KEYS.filter((keys) => keys === asked || kept.includes(keys));
  return wanted.length > 0 ? wanted : [options.keys];
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

function megabytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}
