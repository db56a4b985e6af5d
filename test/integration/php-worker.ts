/** A PHP process that answers questions about its own serializers, many at a time. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';

/** A question to `php-codec.php`; `data` is base64. */
export interface PhpQuestion {
  readonly op:
    | 'unserialize'
    | 'igbinary_unserialize'
    | 'igbinary_levels'
    | 'session'
    | 'generate'
    | 'generate-session'
    | 'floats';
  readonly data?: string;
  readonly handler?: string;
  readonly seed?: number;
  readonly count?: number;
  readonly bits?: readonly string[];
}

/** What PHP says; texts are base64. */
export interface PhpAnswer {
  readonly ok: boolean;
  readonly data?: string;
  readonly plain?: string;
  readonly levels?: unknown;
  readonly texts?: readonly string[];
  readonly cases?: readonly unknown[];
}

/** The process. */
export class PhpWorker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts PHP with all its extensions. */
  static async start(): Promise<PhpWorker> {
    const { php } = await resolveServers(['php']);
    if (php === undefined) throw new Error('There is no PHP');
    const script = join(import.meta.dirname, 'php-codec.php');
    const args = [...php.cli.prefixArgs, ...php.extensionArgs, script];
    return new PhpWorker(spawn(php.cli.command, args, { env: { ...process.env, ...php.cli.env } }));
  }

  /** Asks all questions in one line. */
  async ask(questions: readonly PhpQuestion[]): Promise<readonly PhpAnswer[]> {
    this.#child.stdin.write(`${JSON.stringify({ questions })}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('PHP ended without an answer');
    return JSON.parse(value) as readonly PhpAnswer[];
  }

  /** What PHP writes after it read each input; undefined where it refused. */
  async rewrite(
    inputs: readonly Buffer[],
    question: Omit<PhpQuestion, 'data'>,
  ): Promise<readonly (Buffer | undefined)[]> {
    const answers = await this.ask(inputs.map((input) => ({ ...question, data: input.toString('base64') })));
    return answers.map(({ ok, data }) =>
      ok && data !== undefined ? Buffer.from(data, 'base64') : undefined,
    );
  }

  /** Ends the process. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((done) => this.#child.once('close', done));
    this.#child.stdin.end();
    await ended;
  }
}
