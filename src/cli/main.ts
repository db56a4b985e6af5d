#!/usr/bin/env node
/** The `stormlamp` program: finds the command, reads its options, and turns every failure into one clear message. */
import { readFileSync } from 'node:fs';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { type Call, type CommandCall, readCall, WrongUsage } from './call.js';
import type { CommandContext } from './command.js';
import { COMMANDS } from './commands.js';
import { fitHelp } from './help-text.js';
import { paintFor } from './paint.js';

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
async function main(argv: readonly string[]): Promise<number> {
  let call: Call;
  try {
    call = await readCall(argv, COMMANDS);
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    process.stderr.write(`${error.message}\nSee '${error.help}'.\n`);
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
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new Error('interrupted'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let answered = false;
  const people = json ? process.stderr : process.stdout;
  const context: CommandContext = {
    values: call.values,
    words: call.words,
    json,
    interactive: process.stderr.isTTY === true && process.env['TERM'] !== 'dumb',
    width: people.isTTY === true ? Math.max(20, people.columns ?? 80) : Number.POSITIVE_INFINITY,
    paint: paintFor(people),
    signal: abort.signal,
    say: (line) => void people.write(`${line}\n`),
    result(document) {
      if (!json || answered) return;
      answered = true;
      writeDocument(document);
    },
  };
  try {
    return await command.run(context);
  } catch (error) {
    if (abort.signal.aborted) {
      process.stderr.write('Interrupted; everything that was started is stopped.\n');
      context.result(refusal(ErrorCode.ABORTED, 'interrupted'));
      return 130;
    }
    const code = isStormlampError(error) ? error.code : undefined;
    const message = error instanceof Error ? error.message : String(error);
    // A stack helps nobody when the error is ours and says what to do; it does when it is a defect.
    process.stderr.write(
      `${code === undefined ? ((error as Error).stack ?? message) : `${code}: ${message}`}\n`,
    );
    context.result(refusal(code ?? 'ERR_INTERNAL', message));
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

function tellHelp(text: string, json: boolean): number {
  if (json) writeDocument({ ok: true, help: text });
  else process.stdout.write(fitHelp(text, helpWidth()));
  return 0;
}

function refusal(code: string, message: string): unknown {
  return { ok: false, error: { code, message } };
}

function writeDocument(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
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
