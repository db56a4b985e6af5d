/** Who may see the page, and which requests may change something. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ResolvedDashboardOptions } from './dashboard-options.js';

/** Whether the request may be answered; an `authorize` that throws or rejects says no. */
export async function mayEnter(
  request: IncomingMessage,
  options: ResolvedDashboardOptions,
): Promise<boolean> {
  if (options.authorize === undefined) return isLocal(request);
  try {
    return (await options.authorize(request)) === true;
  } catch {
    return false;
  }
}

/** The token that the page of this process carries is the proof; one of before a restart, or of another process, is no longer one. */
export function isOwnAction(request: IncomingMessage, token: string): boolean {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  // Behind a proxy `host` is often the name that the proxy asks by; the browser itself knows what is the same site.
  if (site === undefined && origin !== undefined && hostOf(origin) !== host) return false;
  const given = request.headers['x-stormlamp-token'];
  if (typeof given !== 'string' || given.length !== token.length) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What proxies add. nginx adds nothing unless told to, but asks by HTTP/1.0 in most releases, which no browser does. */
const PROXIED = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded', 'x-real-ip', 'via'];

/**
 * A name of this machine in `Host` keeps pages of other sites out whose name was made to point here; a proxy on this machine
 * makes everybody local.
 */
function isLocal(request: IncomingMessage): boolean {
  const name = (request.headers.host ?? '').replace(/:\d+$/, '');
  const peer = request.socket.remoteAddress ?? '';
  const fromHere = /^(?:127\.|::1$|::ffff:127\.)/.test(peer);
  const forwarded =
    request.httpVersion === '1.0' || PROXIED.some((header) => request.headers[header] !== undefined);
  return fromHere && !forwarded && ['localhost', '127.0.0.1', '[::1]'].includes(name.toLowerCase());
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
