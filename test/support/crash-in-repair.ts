/** Kills the elected process at one step of a repair that it makes by itself, and lets another one go on with it. */
import { now } from './app-fleet.js';
import { followed, stepsOf, writableNodes } from './crash-at-step.js';
import type { World } from './failover-world.js';

/** A repair of a world whose own processes do nothing by themselves. */
export interface CrashedRepair {
  /** `resume`, or `rejoin` for everything that concerns one node only. */
  readonly kind: 'resume' | 'rejoin';
  /** A step that no other plan of that kind has. */
  readonly mark: string;
  /** Brings about what has to be repaired; while somebody is elected who repairs it. */
  readonly cause: () => Promise<void>;
  /** Whether it is repaired; that one node takes writes and others follow is looked at besides. */
  readonly isWell?: () => Promise<boolean>;
  /** Nodes that follow nobody, and are well so. */
  readonly alone?: ReadonlySet<string>;
}

/** Does so once at each step of the plan; what it has besides `steps` is added. Resolves with the steps that were tried. */
export async function crashRepairs(
  world: World,
  repair: CrashedRepair,
  steps: readonly string[],
): Promise<readonly string[]> {
  const left = [...steps];
  const known = new Set(left);
  for (let step = left.shift(); step !== undefined; step = left.shift()) {
    for (const each of await crashOnce(world, repair, step)) {
      if (known.has(each)) continue;
      known.add(each);
      left.push(each);
    }
  }
  return [...known];
}

async function crashOnce(
  world: World,
  { kind, mark, cause, isWell, alone }: CrashedRepair,
  step: string,
): Promise<readonly string[]> {
  const { fleet, servers } = world;
  const since = now();
  const number = fleet.apps.length;
  const killAt = { step, kind, phase: 'finished' as const };
  const victim = await world.app(`r${number}`, 0, { automatic: true }, { killAt });
  await world.until('it is elected', () =>
    world.event(
      'leadership-changed',
      since,
      ({ app, detail }) => app === victim.name && detail['leads'] === true,
    ),
  );
  await cause();
  await world.until(`it dies at ${step}`, () => !victim.alive);
  const died = now();
  const other = await world.app(`s${number}`, 0, { automatic: true });
  await world.until(`after ${step} another one goes on, and all is well`, async () => {
    if (fleet.acknowledgedAfter(died) === 0 || (await isWell?.()) === false) return false;
    const [primary, second] = await writableNodes(servers);
    return primary !== undefined && second === undefined && (await followed(servers, primary, alone));
  });
  await other.ask('close').catch(() => undefined);
  await other.exited;
  const tried = stepsOf(fleet, victim.name, since);
  if (!tried.includes(mark)) throw new Error(`${victim.name} died of another plan: ${tried.join(', ')}`);
  return tried;
}
