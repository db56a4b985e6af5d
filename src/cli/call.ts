/** What the words of a command line ask for. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../common/option-reader.js';
import { ErrorCode } from '../common/stormlamp-error.js';
import type { Command, CommandEntry } from './command.js';

/** A command with its options. */
export interface CommandCall {
  /** Tells it from the other calls. */
  readonly kind: 'run';
  /** The command. */
  readonly command: Command;
  /** Values of its options, by name. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  /** Words after its name. */
  readonly words: readonly string[];
  /** Whether the answer is one JSON document on standard output. */
  readonly json: boolean;
}

/** What {@link readCall} can answer. */
export type Call =
  | CommandCall
  | { readonly kind: 'overview' | 'nothing' | 'version'; readonly json: boolean }
  | { readonly kind: 'help'; readonly command: Command; readonly json: boolean };

/** A command line that asks for nothing that there is. */
export class WrongUsage extends Error {
  /** For programs. */
  readonly code: string = ErrorCode.INVALID_OPTION;
  /** What to type to read more. */
  readonly help: string;
  /** Whether the answer is one JSON document on standard output, all the same. */
  readonly json: boolean;

  /** Makes an error; its message names the word and, when one is near, the right one. */
  constructor(message: string, help: string, json: boolean) {
    super(message);
    this.help = help;
    this.json = json;
  }
}

/** Options of every command. */
const COMMON_OPTIONS = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/**
 * Reads the words after the program's name, and loads the command that they name. `--json` may also stand before it.
 *
 * @throws WrongUsage
 */
export async function readCall(argv: readonly string[], commands: readonly CommandEntry[]): Promise<Call> {
  const end = argv.indexOf('--');
  // Whatever else is wrong with the words: who asked for a document gets one.
  const json = (end < 0 ? argv : argv.slice(0, end)).includes('--json');
  const first = argv.findIndex((word) => word !== '--json');
  const name = argv[first];
  if (name === undefined) return { kind: 'nothing', json };
  if (name === '--help' || name === '-h' || name === 'help') return { kind: 'overview', json };
  if (name === '--version') return { kind: 'version', json };
  const entry = commands.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    const names = commands.map((candidate) => candidate.name);
    throw new WrongUsage(`Unknown command '${name}'${guess(nearest(name, names))}`, 'stormlamp --help', json);
  }
  const command = await entry.load();
  const config = {
    args: argv.slice(first + 1),
    options: { ...command.options, ...COMMON_OPTIONS },
    allowPositionals: true,
  };
  let parsed: { values: object; positionals: string[] };
  try {
    parsed = parseArgs({ ...config, strict: true });
  } catch (error) {
    const message = unknownOption(config) ?? (error as Error).message;
    throw new WrongUsage(message, `stormlamp ${name} --help`, json);
  }
  const values = parsed.values as CommandCall['values'];
  if (values['help'] === true) return { kind: 'help', command, json };
  return { kind: 'run', command, values, words: parsed.positionals, json };
}

/** Names the first option that the command does not have; `undefined` when it has them all. */
function unknownOption(config: ParseArgsConfig): string | undefined {
  const known = Object.keys(config.options ?? {});
  const { tokens } = parseArgs({ ...config, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option' || known.includes(token.name)) continue;
    const near = token.rawName.startsWith('--') ? nearest(token.name, known) : undefined;
    return `Unknown option '${token.rawName}'${guess(near === undefined ? undefined : `--${near}`)}`;
  }
  return undefined;
}

function guess(near: string | undefined): string {
  return near === undefined ? '.' : `; did you mean '${near}'?`;
}
