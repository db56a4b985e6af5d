/** What `stormlamp resync` is told about sessions: by flags, and by the configuration for what they leave out. */
import { invalidOption, readChoice } from '../common/option-reader.js';
import type { ResolvedSessionOptions, SessionOptions } from '../session/session-options.js';
import type { AnySessionOptions } from '../session/store-options.js';
import type { CommandContext } from './command.js';
import { configIfAny, configOf } from './read-config.js';

/** What can be kept complete. */
export const RESYNC_KEYS: readonly ResolvedSessionOptions['keys'][] = ['sessions', 'all'];

const HANDLERS = ['memcached', 'memcache'] as const;

/**
 * Puts the options together; their values are checked by whoever uses them.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the flag or the file; as `configOf`.
 */
export async function resyncOptions(context: CommandContext): Promise<SessionOptions> {
  const text = (name: string): string | undefined => context.values[name] as string | undefined;
  const [nodes, phpIni, copies, rate] = [text('nodes'), text('php-ini'), text('copies'), text('rate')];
  const [prefix, handler, keys] = [text('prefix'), text('handler'), text('keys')];
  return {
    operationTimeoutMs: 2_000,
    ...(nodes === undefined && phpIni === undefined ? await configured(context) : {}),
    ...(nodes === undefined && phpIni === undefined ? {} : besides(await configIfAny(context), phpIni)),
    ...(nodes === undefined ? {} : { nodes: nodes.split(/[\s,]+/).filter((word) => word !== '') }),
    ...(phpIni === undefined ? {} : { phpIni }),
    ...(handler === undefined ? {} : { handler: readChoice('--handler', handler, HANDLERS, 'memcached') }),
    ...(copies === undefined ? {} : { copies: wholeNumber('--copies', copies) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(keys === undefined ? {} : { keys: readChoice('--keys', keys, RESYNC_KEYS, 'sessions') }),
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

/** What is configured besides the nodes that a flag names: without their prefix, login or TLS they would be other sessions, or none. */
function besides(
  found: { readonly options: { readonly sessions?: AnySessionOptions } } | undefined,
  phpIni: string | undefined,
): Partial<SessionOptions> {
  const sessions = found?.options.sessions;
  // Sessions in files have other options.
  if (sessions === undefined || 'mounts' in sessions) return {};
  const options = sessions as SessionOptions;
  if (phpIni === undefined) return options;
  // All that a php.ini says, this one says.
  const { nodes: _nodes, handler: _handler, prefix: _prefix, copies: _copies, ...others } = options;
  const { placement: _placement, serialize: _serialize, ...rest } = others;
  return rest;
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw invalidOption(name, 'a whole number', text);
}
