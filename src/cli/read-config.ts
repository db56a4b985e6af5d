/** Reads the configuration for a command: a script may ask a secret store, so that it can be left and shows that it waits. */
import { type ClusterConfig, clusterConfigIfAny, findClusterConfig } from './cluster-config.js';
import type { CommandContext } from './command.js';
import { readingLimit } from './config-file.js';
import { leaveOn } from './interruption.js';
import { ProgressPrinter } from './progress-printer.js';

/** After which time a terminal shows what is waited for, milliseconds. */
const PATIENCE_MS = 300;

/** The cluster's options, from the file that `--config` names or that is found. Errors: as {@link findClusterConfig}, and `ERR_ABORTED`. */
export function configOf(context: CommandContext): Promise<ClusterConfig> {
  return readBy(findClusterConfig, context);
}

/** As {@link configOf}, but undefined when nothing is configured. */
export function configIfAny(context: CommandContext): Promise<ClusterConfig | undefined> {
  return readBy(clusterConfigIfAny, context);
}

function readBy<T>(
  find: (given: string | undefined, env: NodeJS.ProcessEnv, folder: string, limitMs: number) => Promise<T>,
  context: CommandContext,
): Promise<T> {
  const named = context.values['config'] as string | undefined;
  const reading = find(named, process.env, process.cwd(), readingLimit(context.interactive));
  return whileReading(context, reading);
}

/** Waits for `reading` until the command is interrupted, and tells a terminal of it. */
export async function whileReading<T>(
  { signal, interactive }: Pick<CommandContext, 'signal' | 'interactive'>,
  reading: Promise<T>,
): Promise<T> {
  const printer = new ProgressPrinter(true);
  const show = (): void => printer.show({ phase: 'config', message: 'Reading the configuration …' });
  // Nothing that keeps a process alive in which nothing else is left to wait for.
  const timer = interactive ? setTimeout(show, PATIENCE_MS).unref() : undefined;
  try {
    return await leaveOn(signal, reading);
  } finally {
    clearTimeout(timer);
    printer.end();
  }
}
