/**
 * From the death of the primary to the first write that another one acknowledges, as a distribution, on every kind of server, at
 * the defaults and at the fastest settings that a quiet machine bears. STORMLAMP_CHAOS_ROUNDS changes how often.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { FailoverOptions } from '../../src/failover/failover-options.js';
import { DATABASES } from '../integration/database-matrix.js';
import { now } from '../support/app-fleet.js';
import { noteMeta } from '../support/chaos-meta.js';
import { rank, table } from '../support/chaos-report.js';
import { World, type WorldOptions } from '../support/failover-world.js';

const ROUNDS = Number(process.env['STORMLAMP_CHAOS_ROUNDS'] ?? 20);
const SETTINGS: readonly { readonly name: string; readonly failover: FailoverOptions }[] = [
  { name: 'defaults', failover: { leaseMs: 5_000 } },
  {
    name: 'leaseMs 1200, downAfterMs 1000, downAfterFailures 2',
    failover: { leaseMs: 1_200, detector: { downAfterMs: 1_000, downAfterFailures: 2 } },
  },
];
const CASES = DATABASES.flatMap(({ name: server, options }) =>
  SETTINGS.map(({ name, failover }) => ({ server, options, name, failover })),
);
const HEAD = ['server', 'settings', 'primary', 'takeovers', 'fastest', 'p50', 'p95', 'p99', 'lost'];
const rows: (string | number)[][] = [];
afterAll(() => console.log(table(HEAD, rows)));

interface Takeover {
  readonly tookMs: number;
  readonly lost: number;
}

/** One failover in a world of its own. */
async function takeOver(options: WorldOptions, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Takeover> {
  await using world = await World.open(options);
  const since = now();
  await (signal === 'SIGKILL' ? world.first.kill() : world.first.pause());
  await world.failedOver(since);
  const promoted = world.event('step', since, ({ detail }) =>
    String(detail['id']).startsWith('take-writes@'),
  );
  const first = world.fleet
    .operations()
    .find(({ outcome, ended = 0 }) => outcome === 'acknowledged' && ended > (promoted?.at ?? since));
  if (signal === 'SIGSTOP') await world.first.resume();
  const { lost } = await world.finish({ mayLose: true });
  return { tookMs: (first?.ended ?? Number.NaN) - since, lost: lost.length };
}

describe.each(CASES)('$server, $name', ({ server, options, name, failover }) => {
  test.for(['SIGKILL', 'SIGSTOP'] as const)('%s', async (signal, { task }) => {
    const seen: Takeover[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      seen.push(await takeOver({ ...options, failover }, signal));
      console.log(server, name, signal, Math.round(seen.at(-1)?.tookMs ?? 0), 'ms');
    }
    const times = seen.map(({ tookMs }) => tookMs);
    const lost = seen.reduce((sum, each) => sum + each.lost, 0);
    const shown = [Math.min(...times), ...[0.5, 0.95, 0.99].map((share) => rank(times, share))];
    rows.push([
      server,
      name,
      signal,
      times.length,
      ...shown.map((ms) => `${(ms / 1_000).toFixed(1)} s`),
      lost,
    ]);
    noteMeta(task, { servers: server, lost, seen: `${times.length} takeovers` });
    expect(times.every((ms) => ms > 0)).toBe(true);
  });
});
