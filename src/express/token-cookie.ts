/** Causal tokens in a signed cookie: what a browser's last writes need of the nodes that serve its next reads. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Browsers keep about 4 KB; longer tokens are replaced by ones that send the next reads to the primary. */
const VALUE_LENGTH_LIMIT = 3_500;

const SHAPE = /^([A-Za-z0-9_-]{0,3500})\.([0-9a-z]{1,10})\.([A-Za-z0-9_-]{43})$/;

/** The token of a scope whose writes are not known. */
export const UNTOLD_TOKEN = '*';

/** So many tokens fit, and so many servers of each, even if all are {@link UNTOLD_TOKEN}. */
const [TOKENS_LIMIT, SERVERS_LIMIT] = [8, 16];

/** The token of one cluster. */
export interface CarriedToken {
  /** What its next readers have to see. */
  readonly token: string;
  /** What tells its servers from others; empty when that is not known. */
  readonly servers: readonly string[];
}

/** A name of a few letters for what tells a server from others. */
export function shortName(identity: string): string {
  return createHash('sha256').update(identity).digest('base64url').slice(0, 8);
}

/** Whether tokens of the one servers are for those that know the other ones: one in common is enough, for servers come and go. */
export function areOfOneCluster(one: readonly string[], other: readonly string[]): boolean {
  return one.length === 0 || other.length === 0 || one.some((name) => other.includes(name));
}

/** Writes and reads the values. The first secret signs; all of them are accepted, so that secrets can be replaced. */
export class TokenCookie {
  readonly #keys: readonly string[];
  readonly #maxAgeMs: number;

  /** `keys` has at least one member. */
  constructor(keys: readonly string[], maxAgeMs: number) {
    this.#keys = keys;
    this.#maxAgeMs = maxAgeMs;
  }

  /** The value for `own` and, as far as there is room, those of `others` that are of other clusters, at wall clock `now`. */
  write(own: CarriedToken, others: readonly DatedToken[], now: number): string {
    const foreign = others.filter(({ servers }) => !areOfOneCluster(servers, own.servers));
    const tokens = [{ ...own, at: now }, ...foreign].slice(0, TOKENS_LIMIT);
    const text = textOf(tokens);
    const fits = text.length <= VALUE_LENGTH_LIMIT;
    return this.#signed(fits ? text : textOf(tokens.map((each) => ({ ...each, token: UNTOLD_TOKEN }))), now);
  }

  /** The tokens in a value; none when it is not ours, or was changed. What is too old is left out. */
  read(value: string, now: number): readonly DatedToken[] {
    const match = SHAPE.exec(value);
    const [, text, seconds, given] = match ?? [];
    if (text === undefined || seconds === undefined || given === undefined) return [];
    const payload = `${text}.${seconds}`;
    if (!this.#keys.some((key) => isEqual(signature(key, payload), given))) return [];
    const at = Number.parseInt(seconds, 36) * 1_000;
    const tokens = Buffer.from(text, 'base64url').toString('utf8').split(' ');
    // Clocks of two web servers may differ a little.
    return tokens
      .map((token) => datedToken(token, at))
      .filter((token) => Math.abs(now - token.at) <= this.#maxAgeMs);
  }

  #signed(text: string, now: number): string {
    const payload = `${text}.${Math.floor(now / 1_000).toString(36)}`;
    return `${payload}.${signature(this.#keys[0] ?? '', payload)}`;
  }
}

/** A token, and when it was written by wall clock. */
export interface DatedToken extends CarriedToken {
  readonly at: number;
}

function textOf(tokens: readonly DatedToken[]): string {
  const texts = tokens.map(({ token, servers, at }) => {
    return [token, Math.floor(at / 1_000).toString(36), servers.slice(0, SERVERS_LIMIT).join('+')].join('@');
  });
  return Buffer.from(texts.join(' '), 'utf8').toString('base64url');
}

/** Without a time of its own it is that of a version which wrote one token, of whichever cluster. */
function datedToken(text: string, at: number): DatedToken {
  const [token = '', seconds, servers = ''] = text.split('@');
  const own = seconds === undefined ? at : Number.parseInt(seconds, 36) * 1_000;
  return { token, at: own, servers: servers === '' ? [] : servers.split('+') };
}

function signature(key: string, payload: string): string {
  // Named, so that a value that is signed with the same secret for another purpose is none.
  return createHmac('sha256', key).update(`stormlamp-scope:${payload}`).digest('base64url');
}

function isEqual(one: string, two: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(two));
}
