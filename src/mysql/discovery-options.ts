/** Options of discovery: nodes that are not listed, and names that stand for several. */
import {
  invalidOption,
  LONGEST_TIMER_MS,
  readNumber,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
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

/** Addresses at which servers are reached, by those that they call each other by; both as `host:port`. */
export type AddressMap = Readonly<Record<string, string>> | ((address: string) => string | undefined);

/** {@link DiscoveryOptions} and what belongs to them, checked. */
export interface ResolvedDiscovery {
  /** See {@link DiscoveryOptions.resolveIntervalMs}. */
  readonly resolveIntervalMs: number;
  /** Looks names up. */
  readonly resolver: HostResolver;
  /** The address at which this process reaches the server that others call `address`. */
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
  if (resolver !== undefined && typeof resolver?.addresses !== 'function') {
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
    resolver: resolver ?? createHostResolver(servers),
    translate,
  });
}

function translatorOf(map: AddressMap | undefined): (address: string) => string {
  if (map === undefined) return (address) => address;
  if (typeof map === 'function') return (address) => checked('mysql.addressMap', map(address) ?? address);
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw invalidOption(
      'mysql.addressMap',
      "an object like { 'db1:3306': '10.0.0.1:3306' }, or a function",
      map,
    );
  }
  for (const [from, to] of Object.entries(map)) {
    checked(`mysql.addressMap`, from);
    checked(`mysql.addressMap['${from}']`, to);
  }
  return (address) => (Object.hasOwn(map, address) ? (map[address] ?? address) : address);
}

function checked(path: string, address: unknown): string {
  if (typeof address === 'string' && /^(?:\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@[\]]+):\d{1,5}$/.test(address)) {
    return address;
  }
  throw invalidOption(path, "an address like 'host:3306'", address);
}
