/** `stormlamp session`: shows a stored session, copy by copy, or decodes bytes that somebody has. */
import { readFile } from 'node:fs/promises';
import { invalidOption, readChoice } from '../../common/option-reader.js';
import { describeError } from '../../common/stormlamp-error.js';
import { SESSION_HANDLERS } from '../../php/index.js';
import { CONFIG_HELP, CONFIG_OPTION } from '../cluster-config.js';
import type { Command, CommandContext } from '../command.js';
import { leaveOn } from '../interruption.js';
import { mountsApart } from '../mounts/mounts-apart.js';
import { configOf } from '../read-config.js';
import { setRows } from '../text-table.js';
import { hangLine } from '../wrap-line.js';
import { readSessionCopies } from './session-copies.js';
import { pastedDocument, variablesOf } from './session-text.js';

const HELP = `Usage: stormlamp session get <id> [options]
       stormlamp session decode [file] [options]

  get       read every copy of a session, in PHP's order, and show its variables and what differs between copies;
            the exit code is 1 when it is missing somewhere, cannot be read, or differs
  decode    show the variables in a file, or in standard input, as PHP stored them

Nothing is changed or locked. Both print what is in the session: mind who reads along.

  --handler <name>    for decode: ${SESSION_HANDLERS.join(', ')} (default: php)
${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp session get 5f0c3sm1b7b8lq0fjbvlhgk0jq
  stormlamp session decode /var/lib/php/sessions/sess_5f0c3sm1b7b8lq0fjbvlhgk0jq
  redis-cli get somewhere | stormlamp session decode --handler php_serialize --json
`;

/** The command `session`. */
export const sessionCommand: Command = {
  help: HELP,
  options: { ...CONFIG_OPTION, handler: { type: 'string' } },
  run(context) {
    const [action, word, ...rest] = context.words;
    if (rest.length > 0) throw invalidOption(`session ${action} <argument>`, 'left out', rest[0]);
    if (action === 'get') return get(context, word);
    if (action === 'decode') return decode(context, word);
    throw invalidOption('session <action>', "'get' or 'decode'", action);
  },
};

async function get(context: CommandContext, id: string | undefined): Promise<number> {
  const { values, say, width, paint } = context;
  if (id === undefined) throw invalidOption('session get <id>', 'the id of a session', id);
  if (values['handler'] !== undefined)
    throw invalidOption('--handler', "left out for 'get': the configuration tells it", values['handler']);
  const { options, source } = await configOf(context);
  if (options.sessions === undefined)
    throw invalidOption('sessions', `configured for this command (looked at ${source})`, undefined);
  const report = await leaveOn(context.signal, readSessionCopies(options.sessions, id, mountsApart));
  const rows = report.copies.map(({ node, state, bytes, error }, index) => [
    node,
    index === 0 ? 'decides' : '',
    state,
    bytes === null ? '-' : `${bytes} bytes`,
    error ?? '',
  ]);
  const columns = [{ title: 'copy' }, { title: '' }, { title: 'state' }, { title: 'size' }, { title: '' }];
  const table = setRows(columns, rows, width, '  ');
  say(paint('dim', table.heading));
  for (const [index, row] of table.rows.entries())
    for (const line of row) say(report.copies[index]?.state === 'held' ? line : paint('red', line));
  say('');
  for (const { variable, values: held } of report.differences) {
    say(paint('yellow', `${variable} differs:`));
    for (const { node } of report.copies) {
      const value = node in held ? JSON.stringify(held[node]) : '(not there)';
      for (const line of hangLine(`${node}  ${value}`, width, '  ', '      ')) say(line);
    }
  }
  const isAbsent = report.copies.every(({ state }) => state === 'missing');
  if (report.data === null) say(isAbsent ? 'There is no such session.' : 'No copy can be read.');
  else showVariables(context, report.data as Record<string, unknown>, report.unnamed);
  if (!report.same && report.differences.length === 0 && report.copies.every(({ state }) => state === 'held'))
    say(
      paint(
        'yellow',
        report.unnamed === 0
          ? 'The copies have the same variables in different bytes.'
          : 'The copies differ, and all variables are alike that can be shown.',
      ),
    );
  context.result(report);
  return report.ok ? 0 : 1;
}

async function decode(context: CommandContext, file: string | undefined): Promise<number> {
  const handler = readChoice('--handler', context.values['handler'], SESSION_HANDLERS, 'php');
  const bytes = await leaveOn(context.signal, readInput(file));
  const document = pastedDocument(bytes, handler);
  const data = variablesOf(document);
  const unnamed = document.byteKeys.length;
  showVariables(context, data, unnamed);
  context.result({ ok: true, handler, bytes: bytes.length, data, unnamed });
  return 0;
}

async function readInput(file: string | undefined): Promise<Buffer> {
  try {
    if (file !== undefined && file !== '-') return await readFile(file);
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (cause) {
    throw invalidOption('session decode <file>', `a file that can be read (${describeError(cause)})`, file);
  }
}

function showVariables(
  { say, width, paint }: CommandContext,
  data: Readonly<Record<string, unknown>>,
  unnamed: number,
): void {
  const entries = Object.entries(data);
  if (entries.length === 0 && unnamed === 0) say('No variables.');
  for (const [name, value] of entries) {
    const lines = hangLine(`${name} = ${JSON.stringify(value)}`, width, '', '    ');
    for (const [at, line] of lines.entries())
      say(at === 0 ? line.replace(name, () => paint('bold', name)) : line);
  }
  if (unnamed > 0) say(paint('yellow', `Not shown: variables whose names are not UTF-8 (${unnamed}).`));
}
