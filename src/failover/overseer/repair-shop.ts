/** Finds what has to be put right, and puts one thing right at a time. */
import type { NodeId } from '../../common/node-address.js';
import type { ResolvedActingOptions } from '../acting-options.js';
import type { ChangeControl } from '../change/change-control.js';
import type { RebuildResult } from '../change/change-hooks.js';
import type { FailoverEvents } from '../failover-events.js';
import type { JournalKind } from '../failover-journal.js';
import type { MetaStore } from '../meta/meta-store.js';
import { promotedPrimary } from '../plan/closed-primary.js';
import { type LastSeen, lossRefusal } from '../plan/expected-loss.js';
import type { FailoverPlan } from '../plan/failover-plan.js';
import type { PlanContext } from '../plan/plan-context.js';
import {
  obstacleOf,
  planClose,
  planRejoin,
  planThaw,
  planVote,
  refusalOfRejoin,
} from '../plan/plan-repair.js';
import { planResume, type Unfinished } from '../plan/plan-resume.js';
import { refused } from '../plan/refused.js';
import { isBeingRebuilt } from '../rebuild/rebuild-lock.js';
import type { ClusterSurvey } from '../survey/survey-cluster.js';
import type { Voter } from '../voters.js';
import { LooseEnds } from './loose-ends.js';
import { OwnThings } from './own-things.js';
import { type Obstacle, RebuildDesk } from './rebuild-desk.js';
import { SemiSyncDesk } from './semi-sync-desk.js';
import { SELF_FENCE, unfinishedChange } from './unfinished-change.js';

/** What a repair shop works with. */
export interface RepairParts {
  readonly options: ResolvedActingOptions;
  readonly control: ChangeControl;
  readonly meta: MetaStore;
  readonly voters: readonly Voter[];
  /** The primary by the lease; undefined while there is none. */
  readonly primary: () => NodeId | undefined;
  /** Nodes that have not answered for seconds: while locks are held, nobody waits for them as long as for others. */
  readonly down: () => ReadonlySet<NodeId>;
  /** Whether nobody is at work on any voter. */
  readonly calm: () => boolean;
  /** The node that a voter votes for, null when for none; undefined when it has not answered lately. */
  readonly voteOf: (voter: NodeId) => NodeId | null | undefined;
  /** The last primary that was seen, and how many seconds ago it was last seen to take writes. */
  readonly last: () => { readonly node: NodeId; readonly seenAgoS: number } | undefined;
  /** What a node was last seen to have. */
  readonly seen: (node: NodeId) => LastSeen | undefined;
  readonly record: (kind: JournalKind, opId: string, nodes: readonly NodeId[], message: string) => void;
  readonly publish: <K extends keyof FailoverEvents>(event: K, payload: FailoverEvents[K]) => void;
  /** Makes a node's data anew. Never rejects. */
  readonly rebuild: (
    node: NodeId,
    from: NodeId,
    why: 'errant' | 'purged',
    gtids: string,
  ) => Promise<RebuildResult>;
}

/** A change that is so old, and of which nothing is left to do, is over, seconds. */
const OVER_S = 60;
/** A witness that may lack its tables is asked again after so long, milliseconds. */
const WITNESS_MS = 30_000;

/** What was found, and what plans are made from. */
interface Look {
  readonly survey: ClusterSurvey;
  readonly context: PlanContext;
}

function rejoinIn(context: PlanContext, node: NodeId, primary: NodeId): FailoverPlan {
  const repair = planRejoin(context, node, primary);
  if (repair.kind === 'plan') return repair.plan;
  throw refusalOfRejoin(node, repair, context.surveys.get(node));
}

/** Puts things right. */
export class RepairShop {
  readonly #parts: RepairParts;
  readonly #desk: RebuildDesk;
  readonly #ends: LooseEnds;
  readonly #semiSync: SemiSyncDesk;
  readonly #own: OwnThings;
  #wrongVote = '';
  readonly #askedWitness = new Map<NodeId, number>();
  #withoutPrimary = 0;
  #isPaused = false;

  /** Makes a shop. */
  constructor(parts: RepairParts) {
    this.#parts = parts;
    this.#desk = new RebuildDesk(parts);
    const { options, control, meta } = parts;
    this.#ends = new LooseEnds({ cluster: options.cluster, control, meta });
    this.#semiSync = new SemiSyncDesk({ control, meta });
    this.#own = new OwnThings({
      control,
      meta,
      look: async (primary) => (await this.#look(primary))?.context,
    });
  }

  /** Nodes that serve nothing because their data is not that of the primary. */
  get diverged(): readonly NodeId[] {
    return this.#desk.diverged;
  }

  /** Puts one thing right, if there is one, and unless it is paused; whether something was done. */
  async repair(): Promise<boolean> {
    this.#isPaused = false;
    try {
      return await this.#repair();
    } catch (error) {
      // The journal tells of the pause.
      if (this.#isPaused) return false;
      throw error;
    }
  }

  async #repair(): Promise<boolean> {
    const primary = this.#parts.primary();
    if (primary === undefined) {
      this.#withoutPrimary += 1;
      // A lease that is late is no reason to look further.
      return this.#withoutPrimary > 1 && ((await this.#resume()) || (await this.#thaw()));
    }
    this.#withoutPrimary = 0;
    const look = await this.#look(primary);
    if (look === undefined) return false;
    const { autoRejoin } = this.#parts.options;
    // What ties loose ends up forgets what a change has left.
    if (autoRejoin && this.#parts.calm() && (await this.#own.putEvents(look.context, primary))) return true;
    if (this.#parts.calm()) {
      await this.#forgetClosed(look.context, primary);
      await this.#ends.tieUp(primary);
    }
    if (await this.#mendVotes(look.context, primary)) return true;
    if (await this.#own.putFence(look.context, primary)) return true;
    const lookAgain = async (): Promise<PlanContext | undefined> => (await this.#look(primary))?.context;
    if (await this.#semiSync.switchOn(look.context, primary, lookAgain)) return true;
    if (!autoRejoin) return false;
    for (const node of look.survey.nodes.keys()) {
      if (node === primary || this.#desk.isAtWork(node)) continue;
      if (await this.#putRight(look, node, primary)) return true;
    }
    return false;
  }

  /**
   * Looks at all nodes as those of `primary`; undefined when it does not answer, or when it may not be the primary any more: what
   * a new primary has, and the old one not yet, is no divergence.
   */
  async #look(primary: NodeId): Promise<Look | undefined> {
    const survey = await this.#survey(primary);
    if (!survey.nodes.has(primary)) return undefined;
    const context = await this.#context(survey);
    return this.#parts.primary() === primary ? { survey, context } : undefined;
  }

  /** Plans to make `node` a replica of `primary`. Rejects with `ERR_CHANGE_REFUSED` telling what speaks against it. */
  async planRejoin(node: NodeId, primary: NodeId): Promise<FailoverPlan> {
    await this.#refuseRebuilt(node, primary);
    return rejoinIn(await this.#parts.control.context(await this.#survey(primary)), node, primary);
  }

  async #survey(primary?: NodeId): Promise<ClusterSurvey> {
    return await this.#parts.control.survey(primary, this.#parts.down());
  }

  /** What is planned from by itself. Rejects while that is paused: also when it has been since the plan was made. */
  async #context(survey: ClusterSurvey): Promise<PlanContext> {
    const context = await this.#parts.control.context(survey);
    this.#isPaused = context.paused !== undefined;
    if (this.#isPaused) throw refused(`Automatic changes are paused: ${context.paused}`);
    return context;
  }

  /** The node that the newest epoch has made the primary and that takes writes, though no majority votes for it yet. */
  async promoted(): Promise<NodeId | undefined> {
    return promotedPrimary(await this.#parts.control.context(await this.#survey()));
  }

  /**
   * Why `node` is to be made anew; transactions of its own are found while it follows, too. Rejects with `ERR_CHANGE_REFUSED` for
   * the primary itself and for a node that does not answer.
   */
  async obstacle(node: NodeId, primary: NodeId): Promise<ReturnType<typeof obstacleOf>> {
    const { nodes, silent } = await this.#survey(primary);
    const [survey, source] = [nodes.get(node), nodes.get(primary)];
    if (node === primary) throw refused(`${node} is the primary; its data is what the others are made from`);
    if (survey === undefined || source === undefined) {
      const unseen = survey === undefined ? node : primary;
      throw refused(`${unseen} cannot be reached (${silent.get(unseen) ?? 'it does not answer'})`);
    }
    if ((this.#parts.primary() ?? primary) !== primary)
      throw refused(`${primary} is not the primary any more; ask again`);
    return obstacleOf(survey, source);
  }

  /** A witness that was away when the primary was changed, or when it was to be asked for the first time, is made to vote. */
  async #mendVotes(context: PlanContext, primary: NodeId): Promise<boolean> {
    const { control, meta, voters, voteOf } = this.#parts;
    for (const witness of voters.filter(({ kind }) => kind === 'witness')) {
      const vote = voteOf(witness.id);
      if (vote === primary) continue;
      if (typeof vote === 'string') {
        // What was read a moment before the end of a change is seen once only.
        const wrong = `${witness.id} ${vote} ${primary}`;
        const seenBefore = this.#wrongVote === wrong;
        this.#wrongVote = seenBefore ? '' : wrong;
        if (!seenBefore) continue;
        const plan = planVote(context, witness.id, primary);
        const again = async (): Promise<FailoverPlan> => {
          const now = this.#primary();
          return planVote(await this.#context(await this.#survey(now)), witness.id, now);
        };
        return (await control.make(plan, { again })).ok;
      }
      const now = performance.now();
      if (now - (this.#askedWitness.get(witness.id) ?? Number.NEGATIVE_INFINITY) < WITNESS_MS) continue;
      this.#askedWitness.set(witness.id, now);
      await meta.prepareWitness(witness, primary).catch(() => undefined);
    }
    return false;
  }

  async #refuseRebuilt(node: NodeId, primary: NodeId): Promise<void> {
    if (await this.#isRebuilt(node, primary))
      throw refused(`The data of ${node} is being made anew; wait for the end of that`);
  }

  async #isRebuilt(node: NodeId, primary: NodeId): Promise<boolean> {
    const { control, options } = this.#parts;
    return await isBeingRebuilt(control.voter(primary), options.cluster, node);
  }

  /** The nodes without a source whose data is made anew, from whichever node that is, or of which nobody can tell. */
  async #rebuilt({ surveys }: PlanContext): Promise<ReadonlySet<NodeId>> {
    const idle = [...surveys.values()].filter(({ channels }) => channels.length === 0);
    const held = idle.flatMap(({ node }) =>
      [...surveys.keys()].map(async (from) =>
        from !== node && (await this.#isRebuilt(node, from).catch(() => true)) ? [node] : [],
      ),
    );
    return new Set((await Promise.all(held)).flat());
  }

  async #putRight(look: Look, node: NodeId, primary: NodeId): Promise<boolean> {
    const repair = planRejoin(look.context, node, primary);
    // Another process may do it, and has stopped its replication for that.
    if (repair.kind !== 'none' && (await this.#isRebuilt(node, primary))) return false;
    switch (repair.kind) {
      case 'none':
        this.#desk.isWell(node);
        return false;
      case 'plan': {
        this.#desk.canGoOn(node);
        const again = async (): Promise<FailoverPlan> => {
          const now = this.#primary();
          await this.#refuseRebuilt(node, now);
          return rejoinIn(await this.#context(await this.#survey(now)), node, now);
        };
        const result = await this.#parts.control.make(repair.plan, { again });
        if (result.ok) {
          this.#parts.record('node-rejoined', repair.plan.opId, [node], `${node} follows ${primary}`);
        }
        return result.ok;
      }
      default: {
        if (look.survey.nodes.get(node)?.readOnly === false) return await this.#close(look, node, primary);
        const { kind } = repair;
        if (this.#desk.isTold(node, primary, repair)) return false;
        // What is told now may end in new data for the node: nobody does that on one look.
        const again = await this.#look(primary);
        if (again === undefined || again.context.epoch !== look.context.epoch) return false;
        const same = planRejoin(again.context, node, primary);
        if (same.kind === kind) this.#desk.cannotGoOn(node, primary, same as Obstacle);
        return false;
      }
    }
  }

  /** Makes a node that cannot follow refuse writes, under its lock: the look that says so may be older than a change. */
  async #close({ context }: Look, node: NodeId, primary: NodeId): Promise<boolean> {
    const again = async (): Promise<FailoverPlan> => {
      const look = await this.#look(primary);
      const kind = look === undefined ? 'none' : planRejoin(look.context, node, primary).kind;
      if (look !== undefined && (kind === 'diverged' || kind === 'purged'))
        return planClose(look.context, node, primary);
      throw refused(`${node} has not other data than ${primary} any more, or ${primary} is not the primary`);
    };
    return (await this.#parts.control.make(planClose(context, node, primary), { again })).ok;
  }

  /** The primary by the lease of now. */
  #primary(): NodeId {
    const primary = this.#parts.primary();
    if (primary === undefined) throw refused('No majority agrees on a primary any more');
    return primary;
  }

  async #planResume(): Promise<{ readonly plan: FailoverPlan; readonly unfinished: Unfinished } | undefined> {
    const { options, voters, seen } = this.#parts;
    // Before the look: what comes later is no loss.
    const had = new Map(voters.map(({ id }) => [id, seen(id)]));
    const context = await this.#context(await this.#survey());
    const unfinished = await unfinishedChange(this.#parts, context);
    if (unfinished === undefined) return undefined;
    const rebuilt = options.autoRejoin ? await this.#rebuilt(context) : new Set<NodeId>();
    const mayJoin = (node: NodeId): boolean => options.autoRejoin && !rebuilt.has(node);
    const plan = planResume(context, unfinished, had.get(context.named ?? unfinished.from), mayJoin);
    const loses = lossRefusal(plan.loss, options.maxLoss, null);
    if (loses !== undefined) throw refused(loses);
    if (unfinished.onlyBack !== undefined && plan.to !== unfinished.from)
      throw refused(`${unfinished.onlyBack}, and ${plan.to} has more than it`);
    return { plan, unfinished };
  }

  async #resume(): Promise<boolean> {
    const { control, record } = this.#parts;
    const found = await this.#planResume();
    if (found === undefined) return false;
    const { plan, unfinished } = found;
    const result = await control.make(plan, {
      again: async () => {
        const now = await this.#planResume();
        if (now === undefined) throw refused('Nothing is unfinished any more: another process has ended it');
        return now.plan;
      },
    });
    if (result.ok) {
      const what = plan.to === unfinished.from ? 'undone' : 'finished';
      record(
        'change-repaired',
        unfinished.opId,
        [unfinished.from, unfinished.to],
        unfinished.opId === SELF_FENCE
          ? `${plan.to} had fenced itself, and takes writes again`
          : `What was left unfinished is ${what}: ${plan.to} is the primary`,
      );
      await this.#ends.tieUp(plan.to);
    }
    return result.ok;
  }

  /** Undoes what a change that nobody goes on with has stopped. */
  async #thaw(): Promise<boolean> {
    const { control, calm } = this.#parts;
    const plan = async (): Promise<FailoverPlan | undefined> =>
      planThaw(await this.#context(await this.#survey()));
    const found = calm() ? await plan() : undefined;
    if (found === undefined) return false;
    const again = async (): Promise<FailoverPlan> => {
      const same = await plan();
      if (same === undefined) throw refused(`${found.to} receives again, or cannot`);
      return same;
    };
    return (await control.make(found, { again })).ok;
  }

  /** The note that a failover has left on a primary which it was undone on. What is noted just before it is closed says nothing yet. */
  async #forgetClosed({ closed, surveys }: PlanContext, primary: NodeId): Promise<void> {
    const { meta, control } = this.#parts;
    const note = closed?.get(primary);
    if (note !== undefined && note.ageS >= OVER_S && surveys.get(primary)?.readOnly === false)
      await meta.forgetClosed(control.voter(primary)).catch(() => undefined);
  }
}
