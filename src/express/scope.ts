/** Express middleware that makes a request one scope, and carries what it wrote to the next request of the same browser. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  invalidOption,
  readNumber,
  readString,
  readStrings,
  rejectUnknownOptions,
} from '../common/option-reader.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { checkScopeLimits, type MysqlScope, SCOPE_LIMITS, type ScopeView } from '../mysql/scope.js';
import { formatSessionCookie, readSessionCookie } from '../session/session-cookie.js';
import {
  type ResolvedSessionCookie,
  resolveSessionCookie,
  type SessionCookieOptions,
} from '../session/session-cookie-options.js';
import type { NodeDescription } from '../topology/node-description.js';
import { knownFacts } from '../topology/replication-graph.js';
import { identityOf } from '../topology/server-peers.js';
import { beforeBytes } from './before-bytes.js';
import { bindEvents } from './bind-events.js';
import type { PhpSessionMiddleware } from './php-session.js';
import { cookieIn, isSecure, replaceCookie } from './response-cookie.js';
import { areOfOneCluster, type CarriedToken, shortName, TokenCookie, UNTOLD_TOKEN } from './token-cookie.js';

/** What has scopes: a `MysqlCluster`. */
export interface ScopeHost {
  /** See `MysqlCluster.run`. */
  run<T>(scope: MysqlScope, fn: () => T): T;
  /** See `MysqlCluster.scope`. */
  readonly scope: ScopeView | undefined;
  /** See `MysqlCluster.topology`: tells its tokens from those of another cluster. */
  topology?(): { readonly nodes: readonly NodeDescription[] };
}

/** Options of {@link scope}; those of `MysqlScope` hold for every request. */
export interface RequestScopeOptions extends Omit<MysqlScope, 'after'> {
  /**
   * Signs the cookie that carries the causal token over POST, redirect and GET; the first of several signs, all are accepted.
   * Every process of the site needs the same. Default: no cookie. `undefined` given by name is refused: it is a secret that
   * somebody forgot to set.
   */
  readonly secret?: string | readonly string[] | undefined;
  /**
   * The session variable that carries the token to PHP and back, as `<token> <unix time in seconds>`. `phpSession` must come
   * before. Of several clusters each needs a variable of its own. Default: none.
   */
  readonly session?: string | undefined;
  /**
   * How long a token counts, in milliseconds; replicas that are later than that serve no reads anyway.
   *
   * @defaultValue 60000
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * Attributes of the cookie. The name is `stormlamp_scope` unless given; its life is `maxAgeMs`. It carries the tokens of several
   * clusters.
   */
  readonly cookie?: Omit<SessionCookieOptions, 'lifetimeMs'> | undefined;
}

/** The default of {@link RequestScopeOptions.maxAgeMs}. */
const MAX_AGE_MS = 60_000;

const COOKIE_NAME = 'stormlamp_scope';

/** A secret that is shorter can be guessed. */
const SECRET_LENGTH = 16;

/** What is expected of `secret`. */
const SECRET = `a string of at least ${SECRET_LENGTH} characters, or several`;

/** What a request carries with it, and how it is told to the browser and to PHP. */
interface Carrier {
  /** The tokens that came with the request; mostly there is none or one. */
  read(request: IncomingMessage): readonly string[];
  /** Gives the token of the scope to whoever comes next. */
  write(request: IncomingMessage, response: ServerResponse, token: string): void;
  /** Whether what was written is still there, and not replaced by an answer that was made instead. */
  isThere(response: ServerResponse, token: string): boolean;
}

/**
 * Runs every request in a scope of `cluster.mysql`: its reads see its writes, also in what goes on in an event of the request or
 * the response. With `secret` the next requests of the same
 * browser see them, too, and with `session` PHP can wait for them, and Node for what PHP wrote.
 *
 * What is written after the headers were sent cannot be carried. Of two answers to one browser at the same time, the token of
 * the later one is kept.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function scope(
  source: ScopeHost | { readonly mysql: ScopeHost },
  options: RequestScopeOptions = {},
): PhpSessionMiddleware {
  const host = hostOf(source);
  const { carriers, limits } = resolve(options, host);
  return (req, res, next) => {
    let view: ScopeView | undefined;
    let carried = '';
    beforeBytes(res, () => {
      if (view?.wrote !== true) return;
      const { token } = view;
      for (const carrier of carriers)
        if (token !== carried || !carrier.isThere(res, token)) carrier.write(req, res, token);
      carried = token;
    });
    const within = (index: number): void => {
      const carrier = carriers[index];
      if (carrier === undefined) {
        view = host.scope;
        bindEvents(req);
        bindEvents(res);
        next();
        return;
      }
      runAfter(host, carrier.read(req), () => within(index + 1));
    };
    host.run(limits, () => within(0));
  };
}

function runAfter(host: ScopeHost, [after, ...more]: readonly string[], fn: () => void): void {
  if (after === undefined) {
    fn();
    return;
  }
  let isRunning = false;
  const run = (): void => {
    isRunning = true;
    runAfter(host, more, fn);
  };
  try {
    host.run({ after }, run);
  } catch (error) {
    // A token of another cluster, or of another version: nobody knows what it asked for.
    if (isRunning || !isStormlampError(error, ErrorCode.INVALID_OPTION)) throw error;
    host.run({ after: UNTOLD_TOKEN }, run);
  }
}

function resolve(
  options: RequestScopeOptions,
  host: ScopeHost,
): {
  readonly carriers: readonly Carrier[];
  readonly limits: MysqlScope;
} {
  const own = ['secret', 'session', 'maxAgeMs', 'cookie'];
  rejectUnknownOptions('scope', options, [...SCOPE_LIMITS, ...own]);
  const { secret, session, cookie, maxAgeMs: given, ...limits } = options;
  checkScopeLimits(limits);
  const maxAgeMs = readNumber('scope.maxAgeMs', given, MAX_AGE_MS, { min: 1_000 });
  const carriers: Carrier[] = [];
  if (cookie !== undefined && secret === undefined) {
    throw invalidOption('scope.secret', 'given together with `cookie`, which is signed with it', secret);
  }
  if (secret === undefined && Object.hasOwn(options, 'secret')) {
    const expected = `${SECRET}; it was given by name (is its environment variable set?), leave it out for no cookie`;
    throw invalidOption('scope.secret', expected, undefined);
  }
  if (secret !== undefined) {
    const attributes = resolveSessionCookie('scope.cookie', {
      name: COOKIE_NAME,
      ...cookie,
      lifetimeMs: maxAgeMs,
    });
    carriers.push(cookieCarrier(new TokenCookie(secretsOf(secret), maxAgeMs), attributes, host));
  }
  if (session !== undefined) {
    carriers.push(sessionCarrier(readString('scope.session', session, ''), maxAgeMs));
  }
  return { carriers, limits };
}

function secretsOf(secret: string | readonly string[]): readonly string[] {
  const list = readStrings('scope.secret', typeof secret === 'string' ? [secret] : secret, []);
  if (list.length > 0 && list.every((each) => each.length >= SECRET_LENGTH)) return list;
  // The value itself must not be shown.
  throw invalidOption('scope.secret', SECRET, undefined);
}

function cookieCarrier(signed: TokenCookie, attributes: ResolvedSessionCookie, host: ScopeHost): Carrier {
  const { name } = attributes;
  const sentWith = (request: IncomingMessage): string =>
    readSessionCookie(request.headers.cookie, name) ?? '';
  return {
    read(request) {
      return ownOf(signed.read(sentWith(request), Date.now()), host);
    },
    write(request, response, token) {
      if (response.headersSent) return;
      const now = Date.now();
      const context = { secureRequest: isSecure(request), now };
      // The scope of another cluster may have answered already: it took over what came with the request.
      const others = signed.read(cookieIn(response, name) ?? sentWith(request), now);
      const value = signed.write({ token, servers: serversOf(host) }, others, now);
      replaceCookie(response, name, formatSessionCookie(value, attributes, context));
    },
    isThere(response, token) {
      if (response.headersSent) return true;
      const written = signed.read(cookieIn(response, name) ?? '', Date.now());
      return ownOf(written, host).includes(token);
    },
  };
}

/** The tokens of the cluster among all that a cookie carries. */
function ownOf(carried: readonly CarriedToken[], host: ScopeHost): readonly string[] {
  if (carried.length === 0) return [];
  const servers = serversOf(host);
  return carried.filter((each) => areOfOneCluster(each.servers, servers)).map(({ token }) => token);
}

/** What tells the servers of a cluster from those of others. */
function serversOf(host: ScopeHost): readonly string[] {
  const facts = (host.topology?.().nodes ?? []).map(knownFacts);
  const identities = facts.map((known) => (known === undefined ? undefined : identityOf(known)));
  return [...new Set(identities.filter((identity) => identity !== undefined))].map(shortName).sort();
}

function sessionCarrier(name: string, maxAgeMs: number): Carrier {
  const sessionOf = (request: IncomingMessage): Record<string, unknown> => {
    const { session } = request as { session?: unknown };
    if (typeof session === 'object' && session !== null) return session as Record<string, unknown>;
    throw invalidOption('scope.session', 'used after phpSession(), which makes `req.session`', name);
  };
  return {
    read(request) {
      const text = sessionOf(request)[name];
      const [, token = '', seconds] = /^(\S*) (\d{1,12})$/.exec(typeof text === 'string' ? text : '') ?? [];
      return token === '' || Date.now() - Number(seconds) * 1_000 > maxAgeMs ? [] : [token];
    },
    write(request, _, token) {
      const session = sessionOf(request);
      // A visitor without a session gets none only for this.
      if (session['isNew'] === true && session['pending'] !== 'save') return;
      session[name] = `${token} ${Math.floor(Date.now() / 1_000)}`;
    },
    isThere: () => true,
  };
}

function hostOf(source: ScopeHost | { readonly mysql: ScopeHost }): ScopeHost {
  const given: unknown = source;
  if (typeof given === 'object' && given !== null && !(given instanceof Promise)) {
    const host = 'mysql' in given ? given.mysql : given;
    if (typeof (host as Partial<ScopeHost> | null)?.run === 'function') return host as ScopeHost;
  }
  throw invalidOption('source', 'a cluster or its MySQL client; write `await createCluster(…)`', given);
}
