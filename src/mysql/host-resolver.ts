/** Names that stand for several servers: a DNS name with several addresses, or a service record. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { describeError } from '../common/stormlamp-error.js';

/** A server that a service record names. */
export interface ServiceTarget {
  /** Its name. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
}

/** Looks names up. */
export interface HostResolver {
  /** The addresses of `host`, those of one family only; empty when the name is not in the DNS. */
  addresses(host: string): Promise<readonly string[]>;
  /** The servers of a service record (SRV), by priority; empty when there is none. */
  services(name: string): Promise<readonly ServiceTarget[]>;
}

/** How long a name server may take, in milliseconds. */
const TIMEOUT_MS = 2_000;

/** A resolver that looks up as the system does (services: by its name servers), or asks `servers` (`address:port`). */
export function createHostResolver(servers?: readonly string[]): HostResolver {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const ask = async (host: string, family: 4 | 6): Promise<readonly string[]> => {
    if (servers !== undefined) return family === 4 ? resolver.resolve4(host) : resolver.resolve6(host);
    return (await lookup(host, { all: true, family })).map(({ address }) => address);
  };
  return {
    async addresses(host) {
      if (isIP(host) !== 0) return [host];
      // The two families of one name are usually the same servers.
      const four = await answers(ask(host, 4));
      const found = four.length > 0 ? four : await answers(ask(host, 6));
      return [...new Set(found)].sort();
    },
    async services(name) {
      const records = await answers(resolver.resolveSrv(name));
      return [...records]
        .sort((a, b) => a.priority - b.priority || a.name.localeCompare(b.name))
        .map(({ name: host, port }) => ({ host, port }));
    },
  };
}

/** Names that nobody knows are left to whoever connects: the error there says more. */
async function answers<T>(work: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as { code?: unknown };
    const unknown = [
      'ENOTFOUND',
      'ENODATA',
      'ESERVFAIL',
      'EREFUSED',
      'ETIMEOUT',
      'ECONNREFUSED',
      'EBADNAME',
      'EAI_AGAIN',
    ];
    if (typeof code === 'string' && unknown.includes(code)) return [];
    throw new Error(`The name could not be looked up: ${describeError(error)}`, { cause: error });
  }
}
