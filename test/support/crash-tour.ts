/** Kills the process that makes a change at one step after another of its plan, until every step that its plans have had its turn. */
import { expect } from 'vitest';
import type { LocalCluster } from '../../src/testing/index.js';
import type { AppFleet, EndPoint } from './app-fleet.js';
import type { CrashPoint, CrashResult, StartVictim } from './crash-at-step.js';
import type { World } from './failover-world.js';

/** One of the ways to bring a process to die. */
export type CrashKind = (
  servers: LocalCluster,
  fleet: AppFleet,
  point: CrashPoint,
  start?: StartVictim,
) => Promise<CrashResult>;

/** Where it dies. */
export interface Tour {
  readonly crash: CrashKind;
  /** Where it begins. What else the plans have comes after that. */
  readonly steps: readonly string[];
  readonly phase?: EndPoint['phase'];
  /** Steps that are not tried: another tour has them. */
  readonly leaves?: RegExp;
  /** Whether steps are added that the plans have. Default true. */
  readonly grows?: boolean;
  readonly onResult: (result: CrashResult) => void;
}

/**
 * Makes the tour, and resolves with the steps that were tried. Fails where a write is lost or doubled, or where a process did not die at
 * a step that its plan has, in two attempts.
 */
export async function crashTour(world: World, tour: Tour): Promise<readonly string[]> {
  const { crash, phase = 'finished', leaves = /^$/, grows = true, onResult } = tour;
  const start: StartVictim = (name, killAt) => world.victim(name, killAt);
  const left = [...tour.steps];
  const known = new Set(left);
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    let isMissed = false;
    for (let attempt = 1; attempt === 1 || (isMissed && attempt === 2); attempt += 1) {
      const result = await crash(world.servers, world.fleet, { step, phase }, start);
      onResult(result);
      const { verdict, steps, died } = result;
      expect(verdict, step).toMatchObject({ lost: [], doubled: [], resurrected: [], torn: [] });
      isMissed = !died && steps.includes(step);
      if (!grows) continue;
      for (const each of steps.filter((name) => !known.has(name) && !leaves.test(name))) {
        known.add(each);
        left.push(each);
      }
    }
    expect(isMissed, `the process did not die at ${step}, which its plan has`).toBe(false);
  }
  return [...known];
}
