/** A headless Chromium that plays a {@link StoryBrowser}: of the PATH, or of the system's packages, unpacked privately. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { StoryBrowser } from './login-story.js';
import { testPackages } from './test-packages.js';

const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
/** The C library and its kin come from the system, like the loader that starts the browser. */
const SYSTEM_LIBRARIES = /^(?:ld-linux|lib(?:c|m|dl|rt|util|pthread|resolv|nss_\w+)[.-])/;
const DEADLINE_MS = 60_000;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** One tab, driven by the protocol of the developer tools over two pipes. */
export class Chromium implements StoryBrowser {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(error: Error): void }
  >();
  readonly #events: { method: string; seen(): void }[] = [];
  #session: string | undefined;
  #next = 0;
  #url = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    let text = '';
    (child.stdio[4] as Readable).on('data', (chunk: Buffer) => {
      const messages = (text + chunk.toString()).split('\0');
      text = messages.pop() ?? '';
      for (const message of messages) this.#received(JSON.parse(message) as Answer);
    });
    child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`Chromium ended with ${code}`));
    });
  }

  /** Starts the browser with an empty profile. */
  static async start(): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), 'stormlamp-chromium-'));
    try {
      const { command, env } = await findChromium(folder);
      const args = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
      ];
      const child = spawn(
        command,
        [...args, `--user-data-dir=${join(folder, 'profile')}`, '--remote-debugging-pipe'],
        {
          stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
          env: { ...process.env, ...env },
          detached: true,
        },
      );
      const browser = new Chromium(child, folder);
      await new Promise((started, failed) => {
        child.once('spawn', started);
        child.once('error', failed);
      });
      const { targetId } = await browser.#ask('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await browser.#ask('Target.attachToTarget', { targetId, flatten: true });
      browser.#session = sessionId as string;
      await browser.#ask('Page.enable', {});
      return browser;
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async open(url: string): Promise<void> {
    const loaded = this.#event('Page.loadEventFired');
    const { errorText } = await this.#ask('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await loaded;
    this.#url = url;
  }

  async click(id: string): Promise<void> {
    const loaded = this.#event('Page.loadEventFired');
    await this.#evaluate(`document.getElementById(${JSON.stringify(id)}).click()`);
    await loaded;
  }

  async text(id: string): Promise<string> {
    return String(await this.#evaluate(`document.getElementById(${JSON.stringify(id)}).textContent.trim()`));
  }

  async cookie(name: string): Promise<string | undefined> {
    const { cookies } = await this.#ask('Network.getCookies', { urls: [this.#url] });
    return (cookies as { name: string; value: string }[]).find((one) => one.name === name)?.value;
  }

  async setCookie(name: string, value: string): Promise<void> {
    await this.#ask('Network.setCookie', { name, value, url: this.#url });
  }

  /** What an expression of the page's own JavaScript gives. */
  evaluate(expression: string): Promise<unknown> {
    return this.#evaluate(expression);
  }

  /** A picture of the page, `width` pixels wide and as high as it is, as PNG. */
  async screenshot(width = 1_280, scheme: 'light' | 'dark' = 'light'): Promise<Buffer> {
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#ask('Emulation.setEmulatedMedia', { features });
    const metrics = { width, height: 900, deviceScaleFactor: 1, mobile: false };
    await this.#ask('Emulation.setDeviceMetricsOverride', metrics);
    const { data } = await this.#ask('Page.captureScreenshot', {
      format: 'png',
      captureBeyondViewport: true,
    });
    return Buffer.from(data as string, 'base64');
  }

  /** Presses a key in the page, as the keyboard would. */
  async press(key: 'Tab' | 'Enter' | 'Escape'): Promise<void> {
    const codes = { Tab: 9, Enter: 13, Escape: 27 };
    const event = {
      key,
      code: key,
      windowsVirtualKeyCode: codes[key],
      ...(key === 'Enter' ? { text: '\r' } : {}),
    };
    await this.#ask('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.#ask('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  /** The browser's name and version. */
  async version(): Promise<string> {
    return String((await this.#ask('Browser.getVersion', {}))['product']);
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    const ended = new Promise((done) => this.#child.once('exit', done));
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      // Its own group: the browser's processes, and nobody else's.
      process.kill(-this.#child.pid, 'SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  async #evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#ask('Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`${this.#url}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: unknown }).value;
  }

  #ask(method: string, params: object): Promise<Record<string, unknown>> {
    this.#next += 1;
    const id = this.#next;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    const answered = new Promise<Record<string, unknown>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return within(answered, method).finally(() => this.#waiting.delete(id));
  }

  #event(method: string): Promise<void> {
    return within(new Promise<void>((seen) => this.#events.push({ method, seen })), method);
  }

  #received({ id, method, result = {}, error }: Answer): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
      return;
    }
    for (let index = this.#events.length - 1; index >= 0; index -= 1) {
      const event = this.#events[index];
      if (event?.method !== method) continue;
      this.#events.splice(index, 1);
      event?.seen();
    }
  }
}

/** Ends a wait that takes too long; the rejection of a wait that nobody waits for any more is nobody's. */
function within<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Chromium did not answer in ${DEADLINE_MS} ms: ${what}`)),
      DEADLINE_MS,
    );
  });
  const first = Promise.race([work, late]).finally(() => clearTimeout(timer));
  first.catch(() => undefined);
  return first;
}

async function findChromium(scratch: string): Promise<{ command: string; env: Record<string, string> }> {
  const given = process.env['STORMLAMP_CHROMIUM'];
  if (given !== undefined && given !== '') {
    if (isProgram(given)) return { command: given, env: {} };
    throw new Error(`STORMLAMP_CHROMIUM names ${given}, which is no program`);
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = PROGRAMS.map((name) => join(folder, name)).find(isProgram);
    if (found !== undefined) return { command: found, env: {} };
  }
  const packages = ['chromium-headless-shell', 'fonts-dejavu-core'];
  const folder = await testPackages({ name: 'browser', packages, servers: [] }).catch((cause: unknown) => {
    throw new Error(
      'There is no Chromium: install it, or set STORMLAMP_CHROMIUM to its program. Its packages could not be unpacked privately either',
      { cause },
    );
  });
  const command = join(folder, 'usr/lib/chromium/chromium-headless-shell');
  if (!isProgram(command))
    throw new Error(`${folder} holds no chromium-headless-shell; remove the folder and try again`);
  return { command, env: { LD_LIBRARY_PATH: linkLibraries(folder, join(scratch, 'libraries')) } };
}

/** A folder with links to the libraries of the packages, without those that belong to the system's loader. */
function linkLibraries(folder: string, into: string): string {
  mkdirSync(into);
  for (const root of ['lib', 'usr/lib']) {
    if (!existsSync(join(folder, root))) continue;
    for (const triplet of readdirSync(join(folder, root)).filter((name) => name.endsWith('-linux-gnu'))) {
      for (const at of ['', 'pulseaudio', 'nss']) {
        const libraries = join(folder, root, triplet, at);
        if (!existsSync(libraries)) continue;
        for (const name of readdirSync(libraries)) {
          const target = join(into, basename(name));
          if (/\.so(?:\.|$)/.test(name) && !SYSTEM_LIBRARIES.test(name) && !existsSync(target))
            symlinkSync(join(libraries, name), target);
        }
      }
    }
  }
  return into;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
