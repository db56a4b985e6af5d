/** The demo's customer: one browser with one cookie, talking to PHP and to Node. */

/** An answer of the shop. */
export interface ShopAnswer {
  /** HTTP status. */
  readonly status: number;
  /** The JSON body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** How long the customer waits for an answer, in milliseconds. */
const PATIENCE_MS = 15_000;

/** Keeps the session cookie as a browser does. */
export class ShopClient {
  readonly #url: string;
  #sessionId: string | undefined;

  /** @param url address of the shop */
  constructor(url: string) {
    this.#url = url;
  }

  /** The session's id; undefined before the first answer that set it. */
  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** Asks for a page. Rejects when no answer comes. */
  async ask(method: 'GET' | 'POST', path: string, signal: AbortSignal): Promise<ShopAnswer> {
    const answer = await fetch(new URL(path, this.#url), {
      method,
      headers:
        this.#sessionId === undefined ? {} : { cookie: `PHPSESSID=${encodeURIComponent(this.#sessionId)}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const value = /^PHPSESSID=([^;]*)/.exec(cookie)?.[1];
      if (value !== undefined) this.#sessionId = decodeURIComponent(value);
    }
    return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> };
  }
}
