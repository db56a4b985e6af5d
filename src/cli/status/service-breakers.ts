/** Asks a running service for its breakers: those of a command that has just begun know nothing. */
import { invalidOption } from '../../common/option-reader.js';
import { describeError } from '../../common/stormlamp-error.js';
import type { ServiceReport } from './status-report.js';

/** How long a page may take, milliseconds. */
const LIMIT_MS = 5_000;
/** The one that lets fewer calls through comes first. */
const PHASES = ['isolated', 'open', 'half-open', 'closed'];

/** What a service told. */
export interface ServiceBreakers {
  /** Who was asked, and why it did not tell. */
  readonly service: ServiceReport;
  /** The phase of each node's breakers; of several the one that lets fewer calls through. */
  readonly phases: ReadonlyMap<string, string>;
}

/**
 * Where the live page of a service is.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` for what is no such address.
 */
export function pageAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw invalidOption('--from', 'the address of a live page, http://host:port/path', text);
  // The password is in none of our messages.
  if (loginOf(url) === undefined)
    throw invalidOption(
      '--from',
      "an address whose user and password have every '%' written as %25",
      url.host,
    );
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Asks the page at `url`; a user and password in it are sent as a browser does. Never rejects. */
export async function breakersFrom(url: URL): Promise<ServiceBreakers> {
  const isOpen = url.username === '';
  const address = new URL('state.json', url);
  address.username = address.password = '';
  const page = new URL('.', address).href;
  const headers = isOpen
    ? {}
    : { authorization: `Basic ${Buffer.from(loginOf(url) ?? '').toString('base64')}` };
  try {
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(LIMIT_MS) });
    if (!answer.ok)
      return silent(page, `it answered ${answer.status}: may this request see it (\`authorize\`)?`);
    return { service: { page, error: null }, phases: phasesIn(await answer.json()) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return silent(page, describeError(cause));
  }
}

/** The user and the password of an address; undefined when they are not written as addresses are. */
function loginOf({ username, password }: URL): string | undefined {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    return undefined;
  }
}

function silent(page: string, error: string): ServiceBreakers {
  return { service: { page, error }, phases: new Map() };
}

function phasesIn(state: unknown): ReadonlyMap<string, string> {
  const { nodes } = (state ?? {}) as { readonly nodes?: unknown };
  if (!Array.isArray(nodes))
    throw new Error('its answer is not that of a live page; --from names the page, not state.json');
  return new Map(
    nodes.flatMap(({ id, breakers }: { readonly id?: unknown; readonly breakers?: object }) => {
      const own = Object.values(breakers ?? {});
      const phase = PHASES.find((each) => own.includes(each));
      return typeof id === 'string' && phase !== undefined ? [[id, phase] as const] : [];
    }),
  );
}
