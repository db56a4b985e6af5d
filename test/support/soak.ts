/** A process that serves for a long time, and whether it stayed as it was. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection } from 'mysql2/promise';
import type { LocalCluster } from '../../src/testing/index.js';
import { ROOT } from './run-node.js';

/** What the process tells of a stretch of time; turns and failures are counted from its start. */
export interface SoakSample {
  readonly turns: number;
  readonly failed: number;
  readonly lastError?: string;
  readonly heapMb: number;
  readonly handles: number;
  readonly timers: number;
  readonly files: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the process for a turn. */
  readonly cpuMsPerTurn: number;
  /** What bare questions to the server took meanwhile, from another process: how slow the machine was. */
  readonly bareP50Ms: number;
  readonly bareP99Ms: number;
}

/** Between two bare questions. */
const PAUSE_MS = 20;

/** What may grow by how much until it counts: `by` so many, or `times` as much, whichever is more. */
const ALLOWED = {
  heapMb: { by: 4, times: 1.1 },
  handles: { by: 3, times: 1 },
  timers: { by: 12, times: 1 },
  files: { by: 3, times: 1 },
  p50Ms: { by: 1, times: 1.5 },
  p99Ms: { by: 5, times: 2 },
  cpuMsPerTurn: { by: 0.1, times: 1.5 },
} as const;

/**
 * What grew: the median of the last third of the samples beside that of the third before, the first third left out, in which
 * pools fill and code is compiled. Empty when all is flat.
 */
export function growthIn(samples: readonly SoakSample[]): string[] {
  const third = Math.floor(samples.length / 3);
  const [early, late] = [samples.slice(third, 2 * third), samples.slice(-third)];
  return Object.entries(ALLOWED).flatMap(([name, { by, times }]) => {
    const field = name as keyof typeof ALLOWED;
    const [before, after] = [median(early, field), median(late, field)];
    const most = Math.max(before + by, before * times) * (field.endsWith('Ms') ? slowdown(early, late) : 1);
    return after <= most ? [] : [`${field}: ${before.toFixed(1)}, later ${after.toFixed(1)}`];
  });
}

/** A machine that became slower slows everything down, and is no fault of the process. */
function slowdown(early: readonly SoakSample[], late: readonly SoakSample[]): number {
  const times = (['bareP50Ms', 'bareP99Ms'] as const).map((name) => median(late, name) / median(early, name));
  return Math.max(1, ...times);
}

function median(samples: readonly SoakSample[], field: Exclude<keyof SoakSample, 'lastError'>): number {
  return quantile(
    samples.map((sample) => sample[field]),
    0.5,
  );
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
}

/** Lets a process serve until it has told so many samples. */
export async function soak(
  servers: LocalCluster,
  options: {
    readonly samples: number;
    readonly sampleMs: number;
    readonly ill?: 'heap' | 'handles' | 'latency';
    readonly onSample?: (sample: SoakSample, number: number) => void;
  },
): Promise<SoakSample[]> {
  const yardstick = await Yardstick.start(servers);
  const child = fork(join(ROOT, 'test/support/soak-app.mjs'), { execArgv: ['--expose-gc'] });
  try {
    const { sampleMs, ill } = options;
    child.send({ options: servers.options(), sampleMs, ill });
    const samples: SoakSample[] = [];
    while (samples.length < options.samples) {
      const told = (await messageOf(child)) as Omit<SoakSample, 'bareP50Ms' | 'bareP99Ms'>;
      const sample = { ...told, ...yardstick.take() };
      samples.push(sample);
      options.onSample?.(sample, samples.length);
    }
    child.send('end');
    const exit = once(child, 'exit');
    let last: unknown;
    do last = await messageOf(child);
    while ((last as { closed?: boolean }).closed !== true);
    const [code] = await exit;
    if (code !== 0) throw new Error(`The process did not end by itself after close(), but with ${code}`);
    return samples;
  } finally {
    child.kill('SIGKILL');
    await yardstick.stop();
  }
}

/** Asks the primary a bare question again and again. */
class Yardstick {
  readonly #running: Promise<void>;
  readonly #latencies: number[] = [];
  #isOver = false;

  private constructor(connection: Connection) {
    this.#running = (async () => {
      while (!this.#isOver) {
        const from = performance.now();
        await connection.query('SELECT 1');
        this.#latencies.push(performance.now() - from);
        await sleep(PAUSE_MS);
      }
      await connection.end();
    })();
  }

  static async start({ primary, accounts }: LocalCluster): Promise<Yardstick> {
    const { user, password } = accounts.admin;
    return new Yardstick(
      await createConnection({ host: primary.host, port: primary.realPort, user, password }),
    );
  }

  /** Since it was last asked. */
  take(): Pick<SoakSample, 'bareP50Ms' | 'bareP99Ms'> {
    const latencies = this.#latencies.splice(0);
    return { bareP50Ms: quantile(latencies, 0.5), bareP99Ms: quantile(latencies, 0.99) };
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

/** Its next message. */
function messageOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`The process ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message);
    });
  });
}
