/** `stormlamp top`: what the servers are doing, live. */

import { invalidOption } from '../../common/option-reader.js';
import { CONFIG_HELP, CONFIG_OPTION } from '../cluster-config.js';
import type { Command, CommandContext } from '../command.js';
import { DemoScreen } from '../demo/demo-view.js';
import { leaveOn } from '../interruption.js';
import { configOf } from '../read-config.js';
import { wait } from '../wait.js';
import { TopSampler } from './top-sampler.js';
import { topText } from './top-text.js';

const HELP = `Usage: stormlamp top [options]

Shows, live, what every server does for all its clients: statements per second, reads and writes (of a replica the
changes that it applied), connections, how long half and 19 of 20 of its statements took at most (query p50/p95), lag
with its last course, and the traffic of the session nodes, with those that are filled again (warming) or get what they
missed (suspect), how far that is, and the items that repairs brought back since the node started. Ctrl-C ends it.
MySQL tells the times of statements to an account with SELECT on performance_schema.*, MariaDB with the plugin
query_response_time. Where no server does, those of the looks themselves are shown (probe p50/p95).
Without a terminal, and with --once or --json, it looks twice, one interval apart, and prints one picture.

  --interval <ms>     between two looks (default: 1000)
  --once              print one picture and end
${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp top
  stormlamp top --interval 5000
  stormlamp top --json | jq '.databases[] | { node, queriesPerSecond, lagMs }'
`;

/** The command `top`. */
export const topCommand: Command = {
  help: HELP,
  options: { ...CONFIG_OPTION, interval: { type: 'string' }, once: { type: 'boolean' } },
  async run(context) {
    const { values, words, json, signal } = context;
    if (words.length > 0) throw invalidOption('top <argument>', 'left out', words[0]);
    const intervalMs = readInterval(values['interval']);
    const isOnce = values['once'] === true || json || process.stdout.isTTY !== true;
    const config = await configOf(context);
    try {
      return await leaveOn(
        signal,
        watch(await leaveOn(signal, TopSampler.open(config)), context, isOnce, intervalMs),
      );
    } catch (error) {
      // The picture is all that there is to lose.
      if (signal.aborted && !isOnce) return 0;
      throw error;
    }
  },
};

async function watch(
  sampler: TopSampler,
  { width, paint, signal, say, result }: CommandContext,
  isOnce: boolean,
  intervalMs: number,
): Promise<number> {
  try {
    const screen = new DemoScreen(process.stdout);
    await sampler.sample();
    for (;;) {
      await wait(intervalMs, signal);
      signal.throwIfAborted();
      await sampler.sample();
      signal.throwIfAborted();
      const report = sampler.report();
      const lines = topText(report, process.stdout.columns ?? width, paint);
      if (isOnce) {
        for (const line of lines) say(line);
        result(report);
        return report.ok ? 0 : 1;
      }
      screen.draw(lines, 'head');
    }
  } finally {
    await sampler.close();
  }
}

function readInterval(text: unknown): number {
  if (text === undefined) return 1_000;
  const value = typeof text === 'string' && /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 100)) throw invalidOption('--interval', 'a number of milliseconds >= 100', text);
  return value;
}
