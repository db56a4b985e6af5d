/**
 * The process that makes a change is killed after every single step of every kind of plan, and in the middle of the statements that
 * change something; another one finishes or undoes it. What plans have in other clusters only: failover-crash-plans.
 * STORMLAMP_CHAOS_ONLY names kinds of plans, STORMLAMP_CHAOS_STEPS steps, STORMLAMP_CHAOS_SERVER a part of the server's name.
 */
import { afterAll, describe, test } from 'vitest';
import { DATABASES } from '../integration/database-matrix.js';
import { noteMeta } from '../support/chaos-meta.js';
import { table } from '../support/chaos-report.js';
import { ONCE, ONCE_FORCED, PLANS, SENT } from '../support/crash-steps.js';
import { crashTour } from '../support/crash-tour.js';
import { World } from '../support/failover-world.js';
import { wanted } from '../support/scenarios.js';

const rows: (string | number)[][] = [];

afterAll(() => {
  const text = table(
    ['server', 'plan', 'killed at', 'died there', 'longest time without a write', 'lost', 'doubled'],
    rows,
  );
  console.log(text);
});

const SERVERS = DATABASES.filter(({ name }) => name.includes(process.env['STORMLAMP_CHAOS_SERVER'] ?? ''));
const CASES = SERVERS.flatMap(({ name: server, options }) =>
  PLANS.map((plan) => ({ server, options, ...plan })),
);

describe.each(CASES)('$server, $kind', ({ server, options, kind, crash, steps }) => {
  const only = process.env['STORMLAMP_CHAOS_STEPS']?.split(',');
  const plan = { crash, leaves: kind === 'forced-failover' ? ONCE_FORCED : ONCE, grows: only === undefined };

  test.skipIf(!wanted(kind)).for(
    // What a server does with a statement whose session is gone is asked of one server.
    server === SERVERS[0]?.name && (kind === 'switchover' || kind === 'failover')
      ? (['finished', 'sent'] as const)
      : (['finished'] as const),
  )('killed at every step: %s', async (phase, { task }) => {
    // Every failover here is the first one.
    await using world = await World.open({ ...options, failover: { blockMs: 0 } });
    noteMeta(task, { servers: world.name });
    let [lost, doubled] = [0, 0];
    const tried = await crashTour(world, {
      ...plan,
      grows: plan.grows && phase === 'finished',
      phase,
      steps: steps.filter(
        (each) => (only?.includes(each) ?? true) && (phase === 'finished' || SENT.includes(each)),
      ),
      onResult: ({ point, died, outageMs, verdict }) => {
        lost += verdict.lost.length;
        doubled += verdict.doubled.length;
        rows.push([
          server,
          kind,
          `${point.step} ${point.phase}`,
          died ? 'yes' : 'no',
          `${Math.round(outageMs)} ms`,
          verdict.lost.length,
          verdict.doubled.length,
        ]);
        console.log(rows.at(-1)?.join(' '));
      },
    });
    // The rejoin is of replicas whose source was taken away.
    const { unknown } = await world.finish(kind === 'rejoin' ? { hadSource: () => false } : {});
    noteMeta(task, { lost, doubled, unknown, seen: `${tried.length} steps` });
  });
});
