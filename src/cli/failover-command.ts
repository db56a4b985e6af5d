/** `stormlamp failover`: plans and makes changes of the primary from a terminal, with the application's own options. */
import { invalidOption } from '../common/option-reader.js';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { createCluster } from '../create-cluster.js';
import type { ChangeResult } from '../failover/change/change-control.js';
import { createFailoverManager, type FailoverManager } from '../failover/failover-manager.js';
import type { FailoverPlan } from '../failover/plan/failover-plan.js';
import { createLookingCluster } from '../mysql/observe-mysql-cluster.js';
import { CONFIG_HELP, CONFIG_OPTION } from './cluster-config.js';
import type { Command, CommandContext } from './command.js';
import { type FailoverAction, readFailoverCall } from './failover-call.js';
import { inCommands } from './failover-words.js';
import { frozenWords } from './frozen-words.js';
import { leaveOn } from './interruption.js';
import { operatorFailover } from './operator-failover.js';
import { processUser } from './process-user.js';
import { configOf } from './read-config.js';
import { hangLine } from './wrap-line.js';

const HELP = `Usage: stormlamp failover <action> [options]

  preflight             whether the servers allow what may have to be done
  plan [switchover|failover]
                        what a switchover, or a failover, would do now: every statement; changes nothing
  switchover            make another node the primary; nothing acknowledged is lost
  failover              make another node the primary because the primary is dead
  rejoin <node>         make a node that came back a replica of the primary
  pause                 nothing is changed automatically for a while, by no process: failovers and repairs
  resume [pause]        end a pause by the name that \`pause\` has shown, or all of them, whoever made them
  acknowledge <op>      note that you have looked at a failover, so that the next one may be made automatically
  history               what was done, newest first

  --to <node>           the node that becomes the primary: its id, host:port or server_uuid
  --force               fail over although the primary is not down in the eyes of its replicas
  --accept-loss         fail over whatever is lost
  --seconds <n>         how long a pause lasts at most, up to 86400; default 3600
  --reason <text>       why; shown to others
  --by <name>           who has looked; default the user of this process
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
    seconds: { type: 'string' },
    reason: { type: 'string' },
    by: { type: 'string' },
    count: { type: 'string' },
    ...CONFIG_OPTION,
  },
  async run(context) {
    try {
      return await act(context);
    } catch (error) {
      if (!isStormlampError(error)) throw error;
      const { code, message, node } = error;
      throw new StormlampError(code, inCommands(message), { cause: error, node });
    }
  },
};

async function act(context: CommandContext): Promise<number> {
  const { action, word } = readFailoverCall(context.words, Object.keys(context.values));
  // Before anything is connected to.
  if (action === 'history') numberOf(context, 'count', 20);
  if (action === 'pause') secondsOf(context);
  const { options, source } = await configOf(context);
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
  const acting = operatorFailover(failover);
  if (isLook(action)) {
    const look = async (): Promise<number> => {
      // Not a whole cluster: one that acts makes ready for it on the servers, and a service may write a heartbeat.
      const client = await createLookingCluster(mysql);
      const manager = createFailoverManager({ ...client.failoverPorts(), ...acting });
      try {
        return await LOOKS[action](manager, context, word);
      } finally {
        await manager.close();
        await client.close();
      }
    };
    return await leaveOn(context.signal, look());
  }
  const cluster = await leaveOn(context.signal, createCluster({ mysql, failover: acting }));
  try {
    return await CHANGES[action](cluster.failover, context, word);
  } finally {
    await cluster.close();
  }
}

/** How long a pause lasts at most, seconds, when it is not said, and how long it may. */
const PAUSE_S = 3_600;
const LONGEST_PAUSE_S = 86_400;

type Run = (manager: FailoverManager, context: CommandContext, word: string) => Promise<number>;
type Look = 'preflight' | 'plan' | 'history';

/** What changes nothing. */
const LOOKS: Readonly<Record<Look, Run>> = {
  async preflight(manager, context) {
    const report = await manager.preflight();
    for (const { result, name, node, detail } of report.checks) {
      const about = `${result.toUpperCase().padEnd(5)} ${name.padEnd(24)} ${node ?? 'all'}`;
      tell(context, result === 'pass' ? about : `${about}  ${detail}`);
    }
    context.result(report);
    return report.ok ? 0 : 1;
  },
  async plan(manager, context, word) {
    const kind = word === 'failover' ? 'failover' : 'switchover';
    const plan = await manager.plan(kind, textOf(context, 'to'));
    showPlan(plan, context);
    context.result({ ok: true, plan });
    return 0;
  },
  async history(manager, context) {
    const records = await manager.history(numberOf(context, 'count', 20));
    if (records.length === 0) tell(context, 'No change was made yet, and nothing else was noted.');
    for (const { at, kind, message, frozen } of records) {
      tell(context, `${new Date(at).toISOString()}  ${kind.padEnd(18)} ${message}`);
      for (const line of frozen === undefined ? [] : frozenWords(frozen)) tell(context, line, '  ');
    }
    context.result({ ok: true, records });
    return 0;
  },
};

const CHANGES: Readonly<Record<Exclude<FailoverAction, Look>, Run>> = {
  async switchover(manager, context) {
    followSteps(manager, context);
    const { signal } = context;
    return ended(await manager.switchover({ to: textOf(context, 'to'), signal }), context);
  },
  async failover(manager, context) {
    followSteps(manager, context);
    const { signal, values } = context;
    const force = values['force'] === true;
    const acceptLoss = values['accept-loss'] === true;
    return ended(await manager.failover({ to: textOf(context, 'to'), force, acceptLoss, signal }), context);
  },
  async rejoin(manager, context, word) {
    followSteps(manager, context);
    return ended(await manager.rejoin(word), context);
  },
  async pause(manager, context) {
    const seconds = secondsOf(context);
    const reason = textOf(context, 'reason') ?? 'maintenance';
    // It outlives this process on purpose.
    const { id } = await manager.pause({ ttlMs: seconds * 1_000, reason });
    tell(
      context,
      `Nothing is changed automatically for ${seconds} s; \`stormlamp failover resume ${id}\` ends it`,
    );
    context.result({ ok: true, id, seconds, reason });
    return 0;
  },
  async acknowledge(manager, context, word) {
    const by = textOf(context, 'by') ?? processUser();
    tellWait(manager, context);
    await leaveOn(context.signal, manager.acknowledge(word, by));
    tell(context, `${by} has looked at ${word}: the next failover may be made automatically`);
    context.result({ ok: true, opId: word, by });
    return 0;
  },
  async resume(manager, context, word) {
    tellWait(manager, context);
    const ended = await leaveOn(context.signal, manager.resume(word === '' ? undefined : word));
    const whose = word === '' ? 'All pauses are' : 'That pause is';
    tell(context, ended ? `${whose} over` : `There was no ${word === '' ? '' : 'such '}pause`);
    context.result({ ok: true, ended });
    return 0;
  },
};

/** An order cannot be written without a primary, and holds for as long as this process gives it. */
function tellWait({ state }: FailoverManager, context: CommandContext): void {
  if (state.voted === null)
    tell(context, 'There is no primary now: this holds until there is one, two minutes at most');
}

function isLook(action: FailoverAction): action is Look {
  return Object.hasOwn(LOOKS, action);
}

function secondsOf(context: CommandContext): number {
  return numberOf(context, 'seconds', PAUSE_S, LONGEST_PAUSE_S);
}

function numberOf(context: CommandContext, name: string, fallback: number, max = Infinity): number {
  const text = textOf(context, name) ?? String(fallback);
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= max) return number;
  const limit = max === Infinity ? 'of at least 1' : `from 1 to ${max}`;
  throw invalidOption(`--${name}`, `a whole number ${limit}`, text);
}

function showPlan(plan: FailoverPlan, context: CommandContext): void {
  tell(context, `${plan.kind} from ${plan.from ?? 'nobody'} to ${plan.to}, epoch ${plan.epoch}`);
  const { known, transactions, why } = plan.loss;
  const certainty = known ? '' : 'not known for certain; ';
  tell(context, `loss: ${certainty}${transactions ?? 'unknown'} transactions seen: ${why}`);
  for (const { node, why: reason } of plan.excluded) tell(context, `not ${node}: ${reason}`);
  for (const warning of plan.warnings) tell(context, `warning: ${warning}`);
  for (const { id, sql, action, why: reason, undo, pointOfNoReturn } of plan.steps) {
    tell(context, `${id}${pointOfNoReturn === true ? '  [no way back from here]' : ''}`, '  ');
    tell(context, sql ?? action, '      ');
    tell(context, `because ${reason}${undo === undefined ? '' : `; undone by ${undo}`}`, '      ');
  }
}

/** A line for people, over as many lines of the terminal as it needs. */
function tell({ say, width }: CommandContext, text: string, indent = ''): void {
  for (const line of hangLine(inCommands(text), width, indent, `${indent}    `)) say(line);
}

function followSteps(manager: FailoverManager, context: CommandContext): void {
  manager.on('change-step', ({ step, phase, detail }) => {
    if (phase !== 'started')
      tell(context, `${phase === 'failed' ? 'FAILED' : 'done  '} ${step.id} ${detail}`);
  });
}

function ended(result: ChangeResult, context: CommandContext): number {
  if (result.ok) {
    tell(context, `${result.plan.kind} done: writes waited ${Math.round(result.writeGapMs)} ms`);
    for (const node of result.left)
      tell(context, `${node} does not follow yet; an elected process will see to it`);
    context.result(result);
    return 0;
  }
  const { at, error, clusterState } = result;
  tell(context, `${result.plan.kind} ended at ${at}: ${error.message}. The cluster is ${clusterState}.`);
  context.result({
    ...result,
    error: { code: (error as { code?: unknown }).code, message: inCommands(error.message) },
  });
  return 1;
}

function textOf({ values }: CommandContext, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}
