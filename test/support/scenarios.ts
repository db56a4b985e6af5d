/** Scenarios of a list of faults, each in a world of its own, and what was seen in each. */
import { test } from 'vitest';
import { DATABASES } from '../integration/database-matrix.js';
import { countsOf, noteMeta } from './chaos-meta.js';
import { World, type WorldOptions } from './failover-world.js';

/** STORMLAMP_CHAOS_SERVER names other servers than those of the system, by a part of their name. */
const server = DATABASES.find(({ name }) => name.includes(process.env['STORMLAMP_CHAOS_SERVER'] ?? '10.11'));
const only = process.env['STORMLAMP_CHAOS_ONLY']?.split(',');

/** Whether the scenario with this number is wanted. */
export function wanted(number: string): boolean {
  return only === undefined || only.includes(number);
}

/** A test in a world of its own; what `run` resolves with is told. `name` begins with the number of the scenario. */
export function scenario(name: string, options: WorldOptions, run: (world: World) => Promise<unknown>): void {
  if (server === undefined) throw new Error('STORMLAMP_CHAOS_SERVER names no server');
  test.skipIf(!wanted(name.split(' ')[0] ?? ''))(name, async ({ task }) => {
    noteMeta(task, { servers: server.name });
    try {
      await using world = await World.open({ ...server.options, ...options });
      noteMeta(task, { servers: world.name });
      try {
        const seen = await run(world);
        if (seen !== undefined) noteMeta(task, { seen: JSON.stringify(seen) });
        told(name, seen === undefined ? 'ok' : `ok ${JSON.stringify(seen)}`);
      } finally {
        if (world.verdict !== undefined) noteMeta(task, countsOf(world.verdict));
      }
    } catch (error) {
      told(name, `FAILED ${String(error).split('\n')[0]}`);
      throw error;
    }
  });
}

/** A scenario that is in no long run of this kind, and why; the summary has it. */
export function notRun(name: string, why: string): void {
  test.skipIf(only !== undefined)(name, ({ skip }) => skip(why));
}

/** Tells what was seen. */
export function told(name: string, result: string): void {
  console.log(server?.name, name, result);
}
