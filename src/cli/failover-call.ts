/** What the words and options after `stormlamp failover` ask for; whatever an action does not take is refused, before anything is looked at. */
import { invalidOption, nearest } from '../common/option-reader.js';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** What an action takes besides `--config` and `--json`. */
interface Takes {
  /** Its one word, as the usage shows it; none when it is left out. */
  readonly word?: {
    readonly usage: string;
    readonly required: boolean;
    readonly oneOf?: readonly string[];
    readonly is?: string;
  };
  /** Names of options. */
  readonly options: readonly string[];
}

/** The name of an action. */
export type FailoverAction =
  | 'preflight'
  | 'plan'
  | 'switchover'
  | 'failover'
  | 'rejoin'
  | 'pause'
  | 'resume'
  | 'acknowledge'
  | 'history';

const ACTIONS: Readonly<Record<FailoverAction, Takes>> = {
  preflight: { options: [] },
  plan: {
    word: { usage: '[switchover|failover]', required: false, oneOf: ['switchover', 'failover'] },
    options: ['to'],
  },
  switchover: { options: ['to'] },
  failover: { options: ['to', 'force', 'accept-loss'] },
  rejoin: { word: { usage: '<node>', required: true }, options: [] },
  pause: { options: ['seconds', 'reason'] },
  resume: { word: { usage: '[pause]', required: false }, options: [] },
  acknowledge: {
    word: { usage: '<op>', required: true, is: 'the name of a change, as history shows it' },
    options: ['by'],
  },
  history: { options: ['count'] },
};

/** An action with its word. */
export interface FailoverCall {
  /** What is to be done. */
  readonly action: FailoverAction;
  /** The node of `rejoin`, what `plan` plans, the change of `acknowledge`, or the pause of `resume`; '' when the action has none. */
  readonly word: string;
}

/** Options that every action takes. */
const COMMON_OPTIONS = ['config', 'json', 'help'];

/**
 * Reads `words` and the names of the options that were given.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming the word or the option that the action does not take, and what was probably meant.
 */
export function readFailoverCall(words: readonly string[], given: readonly string[]): FailoverCall {
  const [action = '', word, ...rest] = words;
  if (!isAction(action)) {
    const names = Object.keys(ACTIONS);
    const near = nearest(action, names);
    const hint = near === undefined ? '' : ` (did you mean '${near}'?)`;
    throw invalidOption('failover <action>', `one of ${names.join(', ')}${hint}`, action);
  }
  const takes = ACTIONS[action];
  for (const name of given)
    if (!takes.options.includes(name) && !COMMON_OPTIONS.includes(name)) throw notTaken(`--${name}`, action);
  const [unwanted] = takes.word === undefined ? [word, ...rest] : rest;
  if (unwanted !== undefined) throw notTaken(`\`${unwanted}\``, action);
  if (takes.word === undefined) return { action, word: '' };
  const { usage, required, oneOf, is = 'the name of a node, as host:port' } = takes.word;
  if (word === undefined ? required : oneOf?.includes(word) === false) {
    const expected = oneOf === undefined ? is : `one of ${oneOf.join(', ')}`;
    throw invalidOption(`failover ${action} ${usage}`, expected, word);
  }
  return { action, word: word ?? '' };
}

function isAction(name: string): name is FailoverAction {
  return Object.hasOwn(ACTIONS, name);
}

function notTaken(what: string, action: FailoverAction): StormlampError {
  const { word, options } = ACTIONS[action];
  const shown = [...(word === undefined ? [] : [word.usage]), ...options.map((name) => `--${name}`)];
  const taken = shown.length === 0 ? 'nothing but --config and --json' : shown.join(', ');
  const hint = options.includes('to') && !what.startsWith('-') ? '; a node is named by --to' : '';
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `\`stormlamp failover ${action}\` does not take ${what}, it takes ${taken}${hint}; nothing was done`,
  );
}
