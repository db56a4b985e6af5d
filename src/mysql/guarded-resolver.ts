/** A resolver of the user, which may do anything: whatever is wrong with it becomes an error that names the option. */
import { Deadline } from '../common/deadline.js';
import { shown } from '../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import type { HostResolver, ServiceTarget } from './host-resolver.js';

/** How long a look-up may take, in milliseconds. */
const LIMIT_MS = 5_000;

/** The same resolver; it rejects with `ERR_INVALID_OPTION` only, when it fails, gives no such list, or nothing in five seconds. */
export function guardedResolver(resolver: HostResolver): HostResolver {
  return {
    addresses: async (host) =>
      listOf('addresses', host, await asked('addresses', host, () => resolver.addresses(host)), isAddress),
    services: async (name) =>
      listOf('services', name, await asked('services', name, () => resolver.services(name)), isTarget),
  };
}

const EXPECTED = {
  addresses: 'an array of addresses, which is empty for a name that is not known',
  services: 'an array of { host, port }, which is empty when there is no such service',
} as const;

type Question = keyof typeof EXPECTED;

async function asked(question: Question, name: string, ask: () => unknown): Promise<unknown> {
  const answer = async (): Promise<unknown> => await ask();
  try {
    return await Deadline.of({ timeoutMs: LIMIT_MS }).race('the look-up', answer());
  } catch (cause) {
    throw useless(question, name, `failed: ${describeError(cause)}`, cause);
  }
}

function listOf<T>(
  question: Question,
  name: string,
  given: unknown,
  fits: (each: unknown) => each is T,
): readonly T[] {
  if (!Array.isArray(given)) throw useless(question, name, `gave ${shown(given)}`);
  const wrong = given.findIndex((each) => !fits(each));
  if (wrong >= 0) throw useless(question, name, `gave an array with ${shown(given[wrong])}`);
  return given as readonly T[];
}

function useless(question: Question, name: string, what: string, cause?: unknown): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `\`mysql.discover.resolver.${question}\`, asked for ${name}, ${what}; it must give ${EXPECTED[question]}`,
    { node: name, cause },
  );
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !/[\s/@[\]]/.test(value);
}

function isTarget(value: unknown): value is ServiceTarget {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Partial<ServiceTarget>;
  return isAddress(host) && Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;
}
