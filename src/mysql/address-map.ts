/** Where this process reaches servers that call each other by other addresses: an object, or a function of the user. */
import { invalidOption, shown } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Addresses at which servers are reached, by those that they call each other by; both as `host:port`. */
export type AddressMap = Readonly<Record<string, string>> | ((address: string) => string | undefined);

/** What a function must give. */
const EXPECTED = "it must give 'host:port', or undefined for an address that is right as it is, and at once";

/**
 * The address at which a server is reached that others call otherwise. What it gives throws `ERR_INVALID_OPTION` when the user's
 * function throws, or gives something else than an address.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for a map that is none.
 */
export function translatorOf(map: AddressMap | undefined): (address: string) => string {
  if (map === undefined) return (address) => address;
  if (typeof map === 'function') return (address) => asked(map, address);
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw invalidOption(
      'mysql.addressMap',
      "an object like { 'db1:3306': '10.0.0.1:3306' }, or a function",
      map,
    );
  }
  for (const [from, to] of Object.entries(map)) {
    checked('mysql.addressMap', from);
    checked(`mysql.addressMap['${from}']`, to);
  }
  return (address) => (Object.hasOwn(map, address) ? (map[address] ?? address) : address);
}

function asked(map: (address: string) => unknown, address: string): string {
  let given: unknown;
  try {
    given = map(address);
  } catch (cause) {
    throw useless(`failed for ${address}: ${describeError(cause)}`, address, cause);
  }
  if (given === undefined || given === null) return address;
  if (isAddress(given)) return given;
  if (isThenable(given)) {
    // Whatever it comes to, nobody waits for it.
    Promise.resolve(given).catch(() => undefined);
    throw useless(`gave a promise for ${address}`, address);
  }
  throw useless(`gave ${shown(given)} for ${address}`, address);
}

function useless(what: string, node: string, cause?: unknown): StormlampError {
  const message = `The function \`mysql.addressMap\` ${what}; ${EXPECTED}`;
  return new StormlampError(ErrorCode.INVALID_OPTION, message, { node, cause });
}

function checked(path: string, address: unknown): void {
  if (!isAddress(address)) throw invalidOption(path, "an address like 'host:3306'", address);
}

function isAddress(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const port = /^(?:\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@[\]]+):(\d{1,5})$/.exec(value)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
