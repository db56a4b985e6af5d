#!/usr/bin/env node
/** The `stormlamp` program: finds the command, reads its options, and turns every failure into one clear message. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isStormlampError } from '../common/stormlamp-error.js';
import type { Command, CommandContext } from './command.js';
import { COMMANDS } from './commands.js';
import { fitHelp } from './help-text.js';
import { paintFor } from './paint.js';

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(fitHelp(overview(), helpWidth()));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) return usageError(`Unknown command '${name}'.`, 'stormlamp --help');
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read(command, rest);
  } catch (error) {
    return usageError((error as Error).message, `stormlamp ${name} --help`);
  }
  if (parsed.values['help'] === true) {
    process.stdout.write(fitHelp(command.help, helpWidth()));
    return 0;
  }
  return runCommand(command, parsed);
}

function read(
  command: Command,
  args: readonly string[],
): { values: Record<string, string | boolean | undefined>; positionals: string[] } {
  const options = {
    ...command.options,
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: true,
  });
  return { values: values as Record<string, string | boolean | undefined>, positionals };
}

async function runCommand(command: Command, parsed: ReturnType<typeof read>): Promise<number> {
  const json = parsed.values['json'] === true;
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Error('interrupted'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let answered = false;
  const people = json ? process.stderr : process.stdout;
  const context: CommandContext = {
    values: parsed.values,
    words: parsed.positionals,
    json,
    interactive: process.stderr.isTTY === true && process.env['TERM'] !== 'dumb',
    width: people.isTTY === true ? Math.max(20, people.columns ?? 80) : Number.POSITIVE_INFINITY,
    paint: paintFor(people),
    signal: abort.signal,
    say: (line) => void people.write(`${line}\n`),
    result(document) {
      if (!json || answered) return;
      answered = true;
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    },
  };
  try {
    return await command.run(context);
  } catch (error) {
    if (abort.signal.aborted) {
      process.stderr.write('Interrupted; everything that was started is stopped.\n');
      context.result({ ok: false, error: { code: 'ERR_ABORTED', message: 'interrupted' } });
      return 130;
    }
    const code = isStormlampError(error) ? error.code : undefined;
    const message = error instanceof Error ? error.message : String(error);
    // A stack helps nobody when the error is ours and says what to do; it does when it is a defect.
    process.stderr.write(
      `${code === undefined ? ((error as Error).stack ?? message) : `${code}: ${message}`}\n`,
    );
    context.result({ ok: false, error: { code: code ?? 'ERR_INTERNAL', message } });
    return code === 'ERR_INVALID_OPTION' ? 2 : 1;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function overview(): string {
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`);
  return [
    'Usage: stormlamp <command> [options]',
    '',
    ...lines,
    '',
    'Every command takes --json (one JSON document on standard output, progress on standard error) and --help.',
    '',
  ].join('\n');
}

function helpWidth(): number {
  return process.stdout.isTTY === true
    ? Math.max(40, process.stdout.columns ?? 80)
    : Number.POSITIVE_INFINITY;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function usageError(message: string, where: string): number {
  process.stderr.write(`${message}\nSee '${where}'.\n`);
  return 2;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exitCode = 1;
  },
);
