/** As much of a browser as a session needs: cookies by their exact header, links, redirects. */
import { request } from 'node:http';
import type { StoryBrowser } from './login-story.js';

/** One user's cookies and the page that is open. */
export class CookieBrowser implements StoryBrowser {
  /** Every `Set-Cookie` line that came, in order. */
  readonly received: string[] = [];
  readonly #cookies = new Map<string, string>();
  #url = '';
  #page = '';

  async open(url: string): Promise<void> {
    for (let at = url, hops = 0; ; hops += 1) {
      if (hops > 5) throw new Error(`Too many redirects from ${url}`);
      const { status, location, setCookie, body } = await this.#get(at);
      for (const line of setCookie) this.#store(line);
      this.#url = at;
      this.#page = body;
      if (status < 300 || status > 399 || location === undefined) return;
      at = new URL(location, at).href;
    }
  }

  async click(id: string): Promise<void> {
    const href = new RegExp(`<a id="${id}" href="([^"]*)"`).exec(this.#page)?.[1];
    if (href === undefined) throw new Error(`${this.#url} has no link ${id}: ${this.#page}`);
    await this.open(new URL(href, this.#url).href);
  }

  async text(id: string): Promise<string> {
    const text = new RegExp(`<p id="${id}">([^<]*)</p>`).exec(this.#page)?.[1];
    if (text === undefined) throw new Error(`${this.#url} has no element ${id}: ${this.#page}`);
    return text;
  }

  async cookie(name: string): Promise<string | undefined> {
    return this.#cookies.get(name);
  }

  async setCookie(name: string, value: string): Promise<void> {
    this.#cookies.set(name, value);
  }

  #store(line: string): void {
    this.received.push(line);
    const [pair = '', ...attributes] = line.split(';');
    const equals = pair.indexOf('=');
    const gone = attributes.some((one) => /^\s*max-age=0$/i.test(one));
    if (gone) this.#cookies.delete(pair.slice(0, equals));
    else this.#cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
  }

  #get(
    url: string,
  ): Promise<{ status: number; location: string | undefined; setCookie: readonly string[]; body: string }> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    return new Promise((resolve, reject) => {
      const asked = request(
        url,
        { agent: false, headers: cookie === '' ? {} : { Cookie: cookie } },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              location: answer.headers.location,
              setCookie: answer.headers['set-cookie'] ?? [],
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      asked.on('error', reject);
      asked.end();
    });
  }
}
