/** `stormlamp failover`: plans and makes changes of the primary from a terminal, with the application's own options. */
import { invalidOption } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { type Cluster, createCluster } from '../create-cluster.js';
import type { ChangeResult } from '../failover/change/change-control.js';
import type { FailoverPlan } from '../failover/plan/failover-plan.js';
import { CONFIG_HELP, CONFIG_OPTION, findClusterConfig } from './cluster-config.js';
import type { Command, CommandContext } from './command.js';
import { type FailoverAction, readFailoverCall } from './failover-call.js';

const HELP = `Usage: stormlamp failover <action> [options]

  preflight             whether the servers allow what may have to be done
  plan [switchover|failover]
                        what a switchover, or a failover, would do now: every statement; changes nothing
  switchover            make another node the primary; nothing acknowledged is lost
  failover              make another node the primary because the primary is dead
  rejoin <node>         make a node that came back a replica of the primary
  history               what was done, newest first

  --to <node>           the node that becomes the primary
  --force               fail over although the primary is not down in the eyes of its replicas
  --accept-loss         fail over whatever is lost
  --count <n>           records of the history; default 20
  --json                one JSON document on standard output
  --help                this text

${CONFIG_HELP}

The options must hold \`mysql\` and, in \`failover\`, \`credentials\` and \`replication\`. This process never acts by itself.

Examples:
  stormlamp failover preflight
  stormlamp failover plan --to db2:3306
  stormlamp failover switchover --to db2:3306
  stormlamp failover history --count 5 --json | jq -r '.records[].message'
`;

/** The command `failover`. */
export const failoverCommand: Command = {
  help: HELP,
  options: {
    to: { type: 'string' },
    force: { type: 'boolean' },
    'accept-loss': { type: 'boolean' },
    count: { type: 'string' },
    ...CONFIG_OPTION,
  },
  async run(context) {
    const { action, word } = readFailoverCall(context.words, Object.keys(context.values));
    if (action === 'history') countOf(context);
    const { options, source } = await findClusterConfig(textOf(context, 'config'));
    const { mysql, failover } = options;
    if (mysql === undefined) {
      throw invalidOption('mysql', `configured for this command (looked at ${source})`, mysql);
    }
    if (failover?.credentials === undefined) {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        `\`stormlamp failover\` needs the account that may change servers, and ${source} does not name it: give \`failover: { credentials: { user, password }, replication: { user, password } }\`, in any mode; \`stormlamp failover --help\``,
      );
    }
    const approve = (): { veto: string } => ({ veto: 'the command line decides nothing by itself' });
    const cluster = await createCluster({
      mysql,
      failover: { ...failover, mode: 'approve', automatic: false, hooks: { ...failover?.hooks, approve } },
    });
    try {
      return await ACTIONS[action](cluster, context, word);
    } finally {
      await cluster.close();
    }
  },
};

const ACTIONS: Readonly<
  Record<FailoverAction, (cluster: Cluster, context: CommandContext, word: string) => Promise<number>>
> = {
  async preflight(cluster, context) {
    const report = await cluster.failover.preflight();
    for (const { result, name, node, detail } of report.checks) {
      context.say(
        `${result.toUpperCase().padEnd(5)} ${name.padEnd(24)} ${node ?? 'all'}  ${result === 'pass' ? '' : detail}`,
      );
    }
    context.result(report);
    return report.ok ? 0 : 1;
  },
  async plan(cluster, context, word) {
    const kind = word === 'failover' ? 'failover' : 'switchover';
    const plan = await cluster.failover.plan(kind, textOf(context, 'to'));
    showPlan(plan, context);
    context.result({ ok: true, plan });
    return 0;
  },
  async switchover(cluster, context) {
    followSteps(cluster, context);
    const { signal } = context;
    return ended(await cluster.failover.switchover({ to: textOf(context, 'to'), signal }), context);
  },
  async failover(cluster, context) {
    followSteps(cluster, context);
    const { signal, values } = context;
    const force = values['force'] === true;
    const acceptLoss = values['accept-loss'] === true;
    // A process that has only just begun to look has not seen the primary die.
    return ended(
      await cluster.failover.failover({ to: textOf(context, 'to'), force, acceptLoss, signal }),
      context,
    );
  },
  async rejoin(cluster, context, word) {
    followSteps(cluster, context);
    return ended(await cluster.failover.rejoin(word), context);
  },
  async history(cluster, context) {
    const records = await cluster.failover.history(countOf(context));
    for (const { at, kind, message } of records) {
      context.say(`${new Date(at).toISOString()}  ${kind.padEnd(18)} ${message}`);
    }
    context.result({ ok: true, records });
    return 0;
  },
};

function countOf(context: CommandContext): number {
  const text = textOf(context, 'count') ?? '20';
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw invalidOption('--count', 'a whole number of at least 1', text);
}

function showPlan(plan: FailoverPlan, { say }: CommandContext): void {
  say(`${plan.kind} from ${plan.from ?? 'nobody'} to ${plan.to}, epoch ${plan.epoch}`);
  const { known, transactions, why } = plan.loss;
  say(
    `loss: ${known ? '' : 'not known for certain; '}${transactions ?? 'unknown'} transactions seen: ${why}`,
  );
  for (const { node, why: reason } of plan.excluded) say(`not ${node}: ${reason}`);
  for (const warning of plan.warnings) say(`warning: ${warning}`);
  for (const { id, sql, action, why: reason, undo, pointOfNoReturn } of plan.steps) {
    say(`  ${id}${pointOfNoReturn === true ? '  [no way back from here]' : ''}`);
    say(`      ${sql ?? action}`);
    say(`      because ${reason}${undo === undefined ? '' : `; undone by ${undo}`}`);
  }
}

function followSteps(cluster: Cluster, { say }: CommandContext): void {
  cluster.failover.on('change-step', ({ step, phase, detail }) => {
    if (phase !== 'started') say(`${phase === 'failed' ? 'FAILED' : 'done  '} ${step.id} ${detail}`);
  });
}

function ended(result: ChangeResult, context: CommandContext): number {
  if (result.ok) {
    context.say(`${result.plan.kind} done: writes waited ${Math.round(result.writeGapMs)} ms`);
    for (const node of result.left)
      context.say(`${node} does not follow yet; an elected process will see to it`);
    context.result(result);
    return 0;
  }
  const { at, error, clusterState } = result;
  context.say(`${result.plan.kind} ended at ${at}: ${error.message}. The cluster is ${clusterState}.`);
  context.result({ ...result, error: { code: (error as { code?: unknown }).code, message: error.message } });
  return 1;
}

function textOf({ values }: CommandContext, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}
