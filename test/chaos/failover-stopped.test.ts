/**
 * A process is stopped in the midst of a change, under its locks, and goes on when another one has made its own: nothing that it does then
 * reaches a server. The servers' own logs are the witness; it has an account of its own, by which they tell its statements apart.
 */
import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { type App, type EndPoint, now } from '../support/app-fleet.js';
import { everywhere } from '../support/crash-at-step.js';
import type { World } from '../support/failover-world.js';
import { scenario } from '../support/scenarios.js';

const ACCOUNT = { user: 'stopped', password: 'stopped' };
/** What only looks, and what it tells of in the end. */
const HARMLESS = /^(SELECT|SHOW|SET (?!GLOBAL)|INSERT INTO ha_meta\.journal)/i;

/** The statements of that account that each server has got since `from`, by its own clock. */
async function statementsSince(world: World, from: string): Promise<readonly string[]> {
  const sql =
    'SELECT CONVERT(argument USING utf8mb4) AS text FROM mysql.general_log ' +
    "WHERE event_time > ? AND user_host LIKE 'stopped[%' AND command_type IN ('Query', 'Execute')";
  const running = world.servers.databases.filter((node) => node.running);
  const all = await Promise.all(
    running.map(async (node) =>
      (await node.query<{ text: string }>(sql, [from])).map(({ text }) => `${node.name}: ${text}`),
    ),
  );
  return all.flat();
}

/** Those that change something. */
function changing(statements: readonly string[]): readonly string[] {
  return statements.filter((each) => !HARMLESS.test(each.replace(/^\w+: /, '')));
}

async function serverTime(world: World): Promise<string> {
  const [node] = world.servers.databases.filter(({ running }) => running);
  const [row] = (await node?.query<{ at: string }>('SELECT CAST(SYSDATE(6) AS CHAR) AS at')) ?? [];
  return row?.at ?? '';
}

function isStopped({ child: { pid } }: App): boolean {
  return / T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/\(.*\)/, ''));
}

/** A process of that account that stops at `point`, in a world whose servers log every statement. */
async function stoppingAt(world: World, point: EndPoint): Promise<App> {
  for (const sql of [
    "CREATE USER 'stopped'@'%' IDENTIFIED BY 'stopped'",
    "GRANT ALL PRIVILEGES ON *.* TO 'stopped'@'%' WITH GRANT OPTION",
  ])
    await world.first.query(sql);
  await everywhere(world.servers, world.first);
  for (const node of world.servers.databases)
    for (const sql of ["SET GLOBAL log_output='TABLE'", 'SET GLOBAL general_log=1']) await node.query(sql);
  return await world.app(
    'stopped',
    0,
    { automatic: false, credentials: ACCOUNT },
    { killAt: { ...point, signal: 'SIGSTOP' } },
  );
}

/** Lets `begin` go on until it is stopped, waits until others have made a change, and lets it go on. */
async function goesOnLater(
  world: World,
  process: App,
  begin: () => Promise<unknown>,
  others: () => Promise<unknown>,
): Promise<object> {
  const from = await serverTime(world);
  let told: unknown = 'nothing';
  let isOver = false;
  const made = begin()
    .then(
      (result) => {
        told = result;
      },
      (error: unknown) => {
        told = error;
      },
    )
    .finally(() => {
      isOver = true;
    });
  await world.until('it is stopped under its locks', () => {
    if (isOver) throw new Error(`it was not stopped: ${JSON.stringify(told)}`);
    return isStopped(process);
  });
  // The log does see what it does.
  expect(changing(await statementsSince(world, from)).length).toBeGreaterThan(0);
  const stopped = now();
  await others();
  await world.until('another process has made a change', () =>
    world.event('change-done', stopped, ({ app }) => app !== process.name),
  );
  await world.until('writes go on', () => world.acknowledgedAfter(stopped) > 20);
  const resumedAt = await serverTime(world);
  process.signal('SIGCONT');
  await made;
  expect(told).not.toMatchObject({ ok: true });
  const resumed = now();
  await world.until('writes go on', () => world.acknowledgedAfter(resumed) > 50);
  expect(changing(await statementsSince(world, resumedAt))).toEqual([]);
  const { lost, unknown } = await world.finish({ mayLose: true });
  const { clusterState, at } = told as { readonly clusterState?: string; readonly at?: string };
  return { at, clusterState, lost: lost.length, unknown };
}

const OPTIONS = { failover: { blockMs: 0 } };

describe('a process that is stopped under its locks', () => {
  for (const [step, phase] of [
    ['freeze', 'finished'],
    ['renew', 'finished'],
    ['forget-source', 'started'],
    ['take-writes', 'started'],
  ] as const)
    scenario(`11s in a failover: ${step} ${phase}`, OPTIONS, async (world) => {
      const process = await stoppingAt(world, { step, phase });
      await world.first.kill();
      const begin = (): Promise<unknown> => process.ask('failover', { force: true, acceptLoss: true });
      return await goesOnLater(world, process, begin, async () => undefined);
    });

  for (const [step, phase] of [
    ['refuse-writes', 'started'],
    ['same-position', 'finished'],
    ['take-writes', 'started'],
  ] as const)
    scenario(`11t in a switchover: ${step} ${phase}`, OPTIONS, async (world) => {
      const process = await stoppingAt(world, { step, phase });
      const others = async (): Promise<void> => {
        const stopped = now();
        // What it has left is put right first, by whoever is elected.
        await world.until('another one makes a switchover, or has ended that one', async () => {
          if (world.event('change-done', stopped, ({ app }) => app !== process.name) !== undefined)
            return true;
          const result = await world
            .leader()
            .ask<{ ok: boolean }>('switchover')
            .catch(() => undefined);
          return result?.ok === true;
        });
      };
      return await goesOnLater(world, process, () => process.ask('switchover'), others);
    });
});
