/** A probe whose answers a test writes, and that remembers how it was used. */
import type { HealthProbe } from '../../../src/health/health-probe.js';
import type { ServerFacts } from '../../../src/topology/node-description.js';

/** What the next probes do: give facts, fail, or never answer. */
export type Answer = ServerFacts | Error | 'silence';

/** See the file. */
export class ScriptedProbe implements HealthProbe {
  /** What every probe answers from now on. */
  answer: Answer;
  /** Answers that are used up first. */
  readonly next: Answer[] = [];
  /** Monotonic time of the start of each probe. */
  readonly starts: number[] = [];
  /** Probes under way, and the most there ever were. */
  running = 0;
  mostRunning = 0;
  closed = 0;
  readonly #delayMs: number;

  constructor(answer: Answer, delayMs = 2) {
    this.answer = answer;
    this.#delayMs = delayMs;
  }

  async probe({
    signal,
  }: {
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }): Promise<ServerFacts> {
    this.starts.push(performance.now());
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const answer = this.next.shift() ?? this.answer;
    try {
      await new Promise((resolve, reject) => {
        if (answer !== 'silence') setTimeout(resolve, this.#delayMs);
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      });
    } finally {
      this.running -= 1;
    }
    if (answer instanceof Error) throw answer;
    if (answer === 'silence') throw new Error('silence was broken');
    return answer;
  }

  close(): void {
    this.closed += 1;
  }
}
