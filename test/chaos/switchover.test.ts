/**
 * Planned switchovers under load, there and back: `npm run chaos -- switchover` makes 10 of each on every release, and tells
 * the gaps; STORMLAMP_CHAOS_ROUNDS=3 makes fewer.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { ChangeResult } from '../../src/failover/change/change-control.js';
import { DATABASES } from '../integration/database-matrix.js';
import { now } from '../support/app-fleet.js';
import { countsOf, noteMeta } from '../support/chaos-meta.js';
import { rank, table } from '../support/chaos-report.js';
import { writableNodes } from '../support/crash-at-step.js';
import { World } from '../support/failover-world.js';

const ROUND_TRIPS = Number(process.env['STORMLAMP_CHAOS_ROUNDS'] ?? 10);
const rows: (string | number)[][] = [];
const profileRows: (string | number)[][] = [];

afterAll(() => {
  const text = table(
    [
      'server',
      'switchovers',
      'given up',
      'write gap p50',
      'p99',
      'of it catching up, p50',
      'p99',
      'acknowledged',
      'refused',
      'unknown',
      'lost',
      'doubled',
    ],
    rows,
  );
  console.log(text);
  console.log(table(['server', 'step of the gap', 'p50', 'p99'], profileRows));
});

describe.each(DATABASES)('$name', ({ name, options }) => {
  test(`${ROUND_TRIPS} times there and back while three processes write and read`, async ({ task }) => {
    await using world = await World.open({ ...options, processes: ['a', 'b', 'c'], pauseMs: 20 });
    const gaps: number[] = [];
    const catchUps: number[] = [];
    const steps = new Map<string, number[]>();
    const undone: string[] = [];
    const there = world.servers.replicas[0];
    while (gaps.length < 2 * ROUND_TRIPS) {
      const [primary] = await writableNodes(world.servers);
      const to = primary === world.first ? there?.id : world.first.id;
      const app = world.fleet.apps[gaps.length % world.fleet.apps.length];
      const since = now();
      // A machine that is too busy to keep its locks makes no change: that is an answer, too, and everything is as it was.
      const error = await app?.ask<ChangeResult>('switchover', { to }).then(
        (result) =>
          result.ok ? undefined : `${result.at}: ${result.error.message} (${result.clusterState})`,
        (thrown: Error) => thrown.message,
      );
      const done = now();
      await world.until('writes go on', () => world.acknowledgedAfter(done) > 10);
      if (error !== undefined) {
        undone.push(error);
        console.log(error);
        expect(undone.length).toBeLessThanOrEqual(ROUND_TRIPS);
        continue;
      }
      gaps.push(world.fleet.longestGapMs(since, now()));
      catchUps.push(world.fleet.stepMs('drain', since, 'lock-promote'));
      for (const [step, ms] of world.fleet.profile(since, 'lock-promote'))
        steps.set(step, [...(steps.get(step) ?? []), ms]);
    }
    for (const [step, times] of steps)
      profileRows.push([name, step, `${rank(times, 0.5)} ms`, `${rank(times, 0.99)} ms`]);
    const verdict = await world.finish();
    const { acknowledged, refused, unknown, lost, doubled } = verdict;
    noteMeta(task, { servers: world.name, ...countsOf(verdict), seen: `${gaps.length} switchovers` });
    rows.push([
      name,
      gaps.length,
      undone.length,
      ...[rank(gaps, 0.5), rank(gaps, 0.99), rank(catchUps, 0.5), rank(catchUps, 0.99)].map(
        (ms) => `${ms} ms`,
      ),
      ...[acknowledged, refused, unknown, lost.length, doubled.length],
    ]);
    expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
    expect(acknowledged).toBeGreaterThan(100 * ROUND_TRIPS);
  });
});
