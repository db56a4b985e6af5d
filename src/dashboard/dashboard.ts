/** The live page: what the cluster is doing, and why; as a page, as a stream, and as JSON. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnyCluster, needsOf, partOf, readinessOf } from '../cluster-readiness.js';
import { pause } from '../common/backoff.js';
import type { NodeId } from '../common/node-address.js';
import { describeError } from '../common/stormlamp-error.js';
import type { JournalRecord } from '../failover/failover-journal.js';
import type { RouteEvent } from '../mysql/session-ports.js';
import { ActionPlans } from './action-plans.js';
import {
  type DashboardOptions,
  type ResolvedDashboardOptions,
  readDashboardOptions,
} from './dashboard-options.js';
import { type DashboardState, dashboardState } from './dashboard-state.js';
import { DecisionLog } from './decision-log.js';
import { EVENT_STREAM, EventStreams } from './event-stream.js';
import { dashboardPage } from './page/dashboard-page.js';
import { isOwnAction, mayEnter } from './request-gate.js';
import { SampleSeries } from './sample-series.js';
import type { PageChange } from './switchover-action.js';

/** Answers requests for the page: mount it with `app.use('/stormlamp', handler)`, or call it from `http.createServer`. */
export interface DashboardHandler {
  /** Answers one request; without `next` what is not there is 404. */
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): void;
  /** Ends the open pages and the recording. The cluster stays. */
  close(): void;
}

/** What the page answers. */
const ROUTES: ReadonlySet<string> = new Set([
  ...['GET /', 'GET /state.json', 'GET /events', 'GET /livez', 'GET /readyz'],
  ...['POST /plan', 'POST /confirm'],
]);
/** Time between two samples, milliseconds. */
const SAMPLE_MS = 1_000;
/** The journal is read again after this time, milliseconds, and whenever something happened. */
const TIMELINE_MS = 10_000;
/** How long `state.json` waits for the journal, milliseconds. */
const PATIENCE_MS = 1_000;
/** What makes the journal worth a look. */
const HAPPENED = [
  'primary-followed',
  'primary-lost',
  'primary-returned',
  'split-brain',
  'failure-detected',
  'failure-cleared',
  'hook-failed',
  'suspicion-changed',
  'change-started',
  'change-done',
  'change-aborted',
] as const;
/** Records of the journal that are shown. */
const TIMELINE = 40;
/** Why there is no plan. */
const NO_PLAN = 'That cannot be done, or not any more. Look again.';
/** Why a plan is not carried out. */
const NOT_KNOWN =
  'This process knows no such plan: it is too old, was refused before, or was made by another process or before a restart. Nothing was done; look again.';
/** Why a plan is not carried out twice. */
const CARRIED_OUT =
  'This plan was confirmed before, and carried out or begun: the page shows what it has come to.';
/** A longer body is not read, bytes. */
const MAX_BODY = 1_000;

/**
 * Makes the live page of a cluster. It records from now on; close it when it is not needed any more.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` where `NODE_ENV` is `production` and `authorize` is not given.
 */
export function dashboard(cluster: AnyCluster, options: DashboardOptions = {}): DashboardHandler {
  const site = new DashboardSite(cluster, readDashboardOptions(options, process.env));
  const handler = (
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void => {
    site.serve(request, response, next).catch((error: unknown) => {
      if (next !== undefined && !response.headersSent) next(error);
      else response.destroy();
    });
  };
  return Object.assign(handler, { close: () => site.close() });
}

class DashboardSite {
  readonly #cluster: AnyCluster;
  readonly #options: ResolvedDashboardOptions;
  readonly #decisions = new DecisionLog();
  readonly #series = new SampleSeries();
  readonly #plans: ActionPlans;
  readonly #streams: EventStreams;
  readonly #token = randomBytes(24).toString('base64url');
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;
  #timeline: readonly JournalRecord[] = [];
  #timelineDue = 0;
  #reading: Promise<void> | undefined;

  constructor(cluster: AnyCluster, options: ResolvedDashboardOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#plans = new ActionPlans(cluster);
    this.#streams = new EventStreams((count) => this.#watchRoutes(count > 0));
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#timer.unref();
    const failover = partOf(() => cluster.failover);
    for (const event of HAPPENED) failover?.on(event, this.#onHappened);
    this.#sample();
  }

  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): Promise<void> {
    const pathname = pathOf(request.url ?? '/');
    const route = `${request.method === 'HEAD' ? 'GET' : request.method} ${pathname}`;
    // What is not the page's is not the page's to refuse, or to mark.
    if (next !== undefined && !ROUTES.has(route)) {
      next();
      return;
    }
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (!(await mayEnter(request, this.#options))) {
      text(
        response,
        403,
        'Not allowed. The page answers requests from this machine, or those that `authorize` lets in.',
      );
      return;
    }
    if (this.#isClosed) {
      text(response, 503, 'The page was closed.');
      return;
    }
    switch (route) {
      case 'GET /':
        this.#page(request, response);
        return;
      case 'GET /state.json':
        // Where the journal lies on servers that do not answer, the rest is worth more than it.
        await Promise.race([this.#readTimeline(), pause(PATIENCE_MS)]);
        json(response, 200, { ...this.#state(), samples: this.#series.samples });
        return;
      case 'GET /events':
        this.#open(request, response);
        return;
      case 'GET /livez':
        json(response, 200, { alive: true });
        return;
      case 'GET /readyz': {
        const readiness = readinessOf(this.#cluster, needsOf(this.#cluster));
        json(response, readiness.ready ? 200 : 503, readiness);
        return;
      }
      case 'POST /plan':
      case 'POST /confirm':
        await this.#act(request, response, pathname);
        return;
      default:
        text(response, 404, 'There is nothing here.');
    }
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#watchRoutes(false);
    const failover = partOf(() => this.#cluster.failover);
    for (const event of HAPPENED) failover?.off(event, this.#onHappened);
    this.#streams.close();
    this.#plans.close();
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    const whole = (request as { originalUrl?: string }).originalUrl ?? request.url ?? '/';
    const path = pathOf(whole);
    if (!path.endsWith('/')) {
      // The page asks for what lies beside it.
      response.setHeader('location', `./${path.slice(path.lastIndexOf('/') + 1)}/`);
      text(response, 308, '');
      return;
    }
    const nonce = randomBytes(16).toString('base64');
    const { title, allowActions } = this.#options;
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(dashboardPage({ title, nonce, token: allowActions ? this.#token : '' }));
  }

  #open(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#streams.makeRoom()) {
      text(response, 503, 'Too many pages are open.');
      return;
    }
    if (request.method === 'HEAD') {
      response.setHeader('content-type', EVENT_STREAM);
      response.end();
      return;
    }
    if (!this.#streams.add(response, () => mayEnter(request, this.#options))) return;
    this.#streams.send(response, 'state', { ...this.#state(), samples: this.#series.samples });
    // The timeline follows with the next state, when it was read.
    void this.#readTimeline();
  }

  async #act(request: IncomingMessage, response: ServerResponse, pathname: string): Promise<void> {
    if (!this.#options.allowActions) {
      text(response, 403, 'Actions need `allowActions`.');
      return;
    }
    if (!isOwnAction(request, this.#token)) {
      text(
        response,
        403,
        'Actions must come from the page of this process as it is now: load the page again. Where several processes answer at one address, open the page of one of them.',
      );
      return;
    }
    const body = await bodyOf(request);
    if (this.#isClosed) {
      text(response, 503, 'The page was closed.');
      return;
    }
    let answer: unknown;
    try {
      answer =
        pathname === '/plan'
          ? await this.#plans.make(body['action'], body['node'])
          : this.#plans.confirm(body['plan']) || undefined;
    } catch (error) {
      text(response, 409, describeError(error));
      return;
    }
    const isTwice = pathname === '/confirm' && this.#plans.wasCarriedOut(body['plan']);
    if (answer === undefined)
      text(response, 409, pathname === '/plan' ? NO_PLAN : isTwice ? CARRIED_OUT : NOT_KNOWN);
    else json(response, 200, answer);
    if (pathname === '/confirm') this.#sample();
  }

  #state(): DashboardState & { readonly change: PageChange | null; readonly outHere: readonly NodeId[] } {
    const state = dashboardState(this.#cluster, this.#decisions.newest, this.#timeline, Date.now());
    const outHere = state.nodes.map(({ id }) => id).filter((id) => this.#plans.isOutHere(id));
    return { ...state, change: this.#plans.change, outHere };
  }

  #sample(): void {
    try {
      const state = this.#state();
      const sample = this.#series.add(state.nodes, state.at, performance.now());
      this.#streams.broadcast('state', { ...state, sample });
    } catch {
      // The cluster is being taken apart; the page shows what it had.
    }
    if (this.#streams.count > 0) void this.#readTimeline();
  }

  /** The journal may lie on the servers, so it is only read when something happened, and now and then. */
  async #readTimeline(): Promise<void> {
    const now = performance.now();
    if (this.#reading === undefined && now >= this.#timelineDue) {
      this.#timelineDue = now + TIMELINE_MS;
      this.#reading = this.#history()
        .then((timeline) => {
          this.#timeline = timeline;
        })
        // What was read before stays.
        .catch(() => undefined)
        .finally(() => {
          this.#reading = undefined;
        });
    }
    await this.#reading;
  }

  async #history(): Promise<readonly JournalRecord[]> {
    return (await partOf(() => this.#cluster.failover)?.history(TIMELINE)) ?? [];
  }

  readonly #onHappened = (): void => {
    this.#timelineDue = 0;
  };

  /** Routes cost something to tell: only while somebody looks. */
  #watchRoutes(watch: boolean): void {
    const mysql = partOf(() => this.#cluster.mysql);
    mysql?.off('route', this.#onRoute);
    if (watch) mysql?.on('route', this.#onRoute);
  }

  readonly #onRoute = (route: RouteEvent): void => {
    this.#decisions.add(route, Date.now());
  };
}

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

/** The path of a request as it was sent; what `URL` makes of `//` is an error. */
function pathOf(url: string): string {
  return url.replace(/^https?:\/\/[^/?]*/i, '').split('?')[0] || '/';
}

function text(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(body);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(body));
}

/** A small JSON object; empty when the body is none. A parser before this one (`express.json()`) has read it already. */
async function bodyOf(
  request: IncomingMessage & { readonly body?: unknown },
): Promise<Record<string, unknown>> {
  const parsed = request.body;
  if (typeof parsed === 'object' && parsed !== null && !Buffer.isBuffer(parsed))
    return parsed as Record<string, unknown>;
  let body = typeof parsed === 'string' || Buffer.isBuffer(parsed) ? String(parsed) : '';
  if (body === '')
    for await (const piece of request) {
      body += String(piece);
      if (body.length > MAX_BODY) return {};
    }
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
