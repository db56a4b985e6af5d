/** Options of discovery: nodes that are not listed, and names that stand for several. */
import {
  invalidOption,
  LONGEST_TIMER_MS,
  readNumber,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { type AddressMap, translatorOf } from './address-map.js';
import { guardedResolver } from './guarded-resolver.js';
import { createHostResolver, type HostResolver } from './host-resolver.js';

/** How nodes that are not listed are found. */
export interface DiscoveryOptions {
  /**
   * Milliseconds between two look-ups of names that stand for several servers.
   *
   * @defaultValue 30000
   */
  readonly resolveIntervalMs?: number | undefined;
  /** Name servers to ask, as `address` or `address:port`. Default: those of the system. */
  readonly nameServers?: readonly string[] | undefined;
  /** Looks names up instead of the DNS. */
  readonly resolver?: HostResolver | undefined;
}

/** {@link DiscoveryOptions} and what belongs to them, checked. */
export interface ResolvedDiscovery {
  /** See {@link DiscoveryOptions.resolveIntervalMs}. */
  readonly resolveIntervalMs: number;
  /** Looks names up. */
  readonly resolver: HostResolver;
  /** The address at which this process reaches the server that others call `address`; throws when the user's map does not tell. */
  readonly translate: (address: string) => string;
}

/** The default of {@link DiscoveryOptions.resolveIntervalMs}. */
const RESOLVE_INTERVAL_MS = 30_000;

/**
 * Reads the options; undefined when nothing is to be discovered.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function resolveDiscovery(
  discover: boolean | DiscoveryOptions | undefined,
  addressMap: AddressMap | undefined,
): ResolvedDiscovery | undefined {
  const translate = translatorOf(addressMap);
  if (discover === false) return undefined;
  const options = discover === undefined || discover === true ? {} : discover;
  rejectUnknownOptions('mysql.discover', options, ['resolveIntervalMs', 'nameServers', 'resolver']);
  const { resolver, nameServers } = options;
  const isResolver = typeof resolver?.addresses === 'function' && typeof resolver.services === 'function';
  if (resolver !== undefined && !isResolver) {
    throw invalidOption('mysql.discover.resolver', 'an object with `addresses` and `services`', resolver);
  }
  const servers =
    nameServers === undefined ? undefined : readStrings('mysql.discover.nameServers', nameServers, []);
  return Object.freeze({
    resolveIntervalMs: readNumber(
      'mysql.discover.resolveIntervalMs',
      options.resolveIntervalMs,
      RESOLVE_INTERVAL_MS,
      { min: 100, max: LONGEST_TIMER_MS },
    ),
    resolver: resolver === undefined ? createHostResolver(servers) : guardedResolver(resolver),
    translate,
  });
}
