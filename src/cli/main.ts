#!/usr/bin/env node
/** The `stormlamp` program: finds the command, reads its options, and turns every failure into one clear message. */
import { readFileSync } from 'node:fs';
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import { type Call, type CommandCall, readCall, WrongUsage } from './call.js';
import type { CommandContext } from './command.js';
import { COMMANDS } from './commands.js';
import { fitHelp } from './help-text.js';
import { SignalWatch } from './interruption.js';
import { keepRunning } from './output-streams.js';
import { ansiPaint, paintFor } from './paint.js';
import { printable } from './printable.js';
import { endedInVain, unlessInVain } from './vain-wait.js';

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 terminated. */
async function main(argv: readonly string[]): Promise<number> {
  let call: Call;
  try {
    call = await readCall(argv, COMMANDS);
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    complain(`${error.message}\nSee '${error.help}'.`);
    if (error.json) writeDocument(refusal(error.code, error.message));
    return 2;
  }
  switch (call.kind) {
    case 'overview':
      return tellHelp(overview(), call.json);
    case 'nothing':
      process.stderr.write(fitHelp(overview(), helpWidth()));
      if (call.json) writeDocument(refusal(ErrorCode.INVALID_OPTION, 'No command was given'));
      return 2;
    case 'version':
      if (call.json) writeDocument({ ok: true, version: packageVersion() });
      else process.stdout.write(`${packageVersion()}\n`);
      return 0;
    case 'help':
      return tellHelp(call.command.help, call.json);
    case 'run':
      return await runCommand(call);
  }
}

async function runCommand(call: CommandCall): Promise<number> {
  const { command, json } = call;
  const watch = new SignalWatch(({ exitCode }) => {
    process.stderr.write('Interrupted again; ended in the middle.\n');
    context.result(refusal(ErrorCode.ABORTED, 'interrupted'));
    process.exit(exitCode);
  });
  let answered = false;
  let isLeft = false;
  // What a configuration prints is no part of the document.
  if (json) process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  const people = json ? process.stderr : process.stdout;
  const paint = paintFor(people);
  const context: CommandContext = {
    values: call.values,
    words: call.words,
    json,
    interactive: process.stderr.isTTY === true && process.env['TERM'] !== 'dumb',
    width: people.isTTY === true ? Math.max(20, people.columns ?? 80) : Number.POSITIVE_INFINITY,
    paint,
    signal: watch.signal,
    say(line) {
      if (!isLeft) people.write(`${printable(line, paint === ansiPaint)}\n`);
    },
    result(document) {
      if (!json || answered) return;
      answered = true;
      writeDocument(document);
    },
  };
  let isTold = false;
  // The process ends with it as any other would: only the document is owed.
  process.once('uncaughtExceptionMonitor', ({ message }) => {
    isTold = true;
    context.result(refusal(ErrorCode.INTERNAL, message));
  });
  const leave = (): void => {
    const error = isTold || watch.interruption !== undefined ? undefined : endedInVain();
    if (error !== undefined) process.exitCode = tellFailure(error, context);
  };
  process.once('exit', leave);
  try {
    return await unlessInVain(() => command.run(context), {
      starved: () => defect('Nothing is left to wait for, and the command is not done'),
      ended: () => defect('The process was ended before the command was done'),
    });
  } catch (error) {
    if (watch.interruption !== undefined) {
      isLeft = true;
      process.stderr.write('Interrupted; everything that was started is stopped.\n');
      context.result(refusal(ErrorCode.ABORTED, 'interrupted'));
      return watch.interruption.exitCode;
    }
    return tellFailure(error, context);
  } finally {
    process.off('exit', leave);
    watch.stop();
  }
}

/** Tells people and programs why a command failed; the exit code. */
function tellFailure(error: unknown, context: CommandContext): number {
  const code = isStormlampError(error) ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  // A stack helps nobody when the error is ours and says what to do; it does when it is a defect.
  complain(code === undefined ? ((error as Error).stack ?? message) : `${code}: ${message}`);
  context.result(refusal(code ?? ErrorCode.INTERNAL, message));
  return code === 'ERR_INVALID_OPTION' ? 2 : 1;
}

function defect(message: string): StormlampError {
  return new StormlampError(ErrorCode.INTERNAL, message);
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

function tellHelp(text: string, json: boolean): number {
  if (json) writeDocument({ ok: true, help: text });
  else process.stdout.write(fitHelp(text, helpWidth()));
  return 0;
}

function refusal(code: string, message: string): unknown {
  return { ok: false, error: { code, message } };
}

const writeOut = process.stdout.write.bind(process.stdout);

function writeDocument(document: unknown): void {
  writeOut(`${JSON.stringify(document, null, 2)}\n`);
}

/** How long what a configuration left open (a timer, a pool) may still do something, milliseconds. */
const LEFTOVERS_MS = 500;

/** Ends the process when all is written, whatever is left open; where nothing is, it ends by itself, and before that. */
function endSoon(): void {
  setTimeout(() => {
    if (process.stdout.writableLength + process.stderr.writableLength > 0) endSoon();
    else process.exit();
  }, LEFTOVERS_MS).unref();
}

/** Whether the answer, or what people read of it, could not be written. */
let isOutputLost = false;

function complain(text: string): void {
  process.stderr.write(`${printable(text, false)}\n`);
}

keepRunning(process.stdout, (error) => {
  isOutputLost = true;
  process.exitCode = 1;
  complain(`Standard output cannot be written: ${error.message}`);
});
keepRunning(process.stderr, () => undefined);

main(process.argv.slice(2))
  .then(
    (code) => {
      process.exitCode = isOutputLost && code === 0 ? 1 : code;
    },
    (error: unknown) => {
      complain((error as Error).stack ?? String(error));
      process.exitCode = 1;
    },
  )
  .finally(endSoon);
