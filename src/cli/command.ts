/** What a command of the command line program is, and what it gets to work with. */
import type { ParseArgsConfig } from 'node:util';
import type { Paint } from './paint.js';

/** The world as a command sees it. */
export interface CommandContext {
  /** Values of the command's options, by name. */
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  /** Words after the command's name. */
  readonly words: readonly string[];
  /** Whether exactly one JSON document goes to standard output. */
  readonly json: boolean;
  /** Whether colours and cursor movement may be used on standard error. */
  readonly interactive: boolean;
  /** How many columns a line of {@link CommandContext.say} may have; without a terminal as many as it wants. */
  readonly width: number;
  /** Colours for {@link CommandContext.say}. */
  readonly paint: Paint;
  /** Fires on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal;
  /** Prints a line for people: to standard output, or to standard error when that is reserved for JSON. */
  say(line: string): void;
  /** Prints the one JSON document, when it was asked for. */
  result(document: unknown): void;
}

/** What the overview tells of a command, and where the command is. */
export interface CommandEntry {
  /** What is typed after `stormlamp`. */
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** Loads it. */
  load(): Promise<Command>;
}

/** A command of `stormlamp`. */
export interface Command {
  /** The text of `--help`: usage, options, examples. */
  readonly help: string;
  /** Options besides `--json` and `--help`, as `util.parseArgs` takes them. */
  readonly options: NonNullable<ParseArgsConfig['options']>;
  /** Does the work; the exit code. */
  run(context: CommandContext): Promise<number>;
}
