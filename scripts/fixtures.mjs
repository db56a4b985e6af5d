/** Fixtures of `test/spec`: written, or with `--check` compared with what PHP says now. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const FOLDER = join(ROOT, 'test', 'spec');

/** The folder of the fixtures that shall be compared, `--check` or `--check=<folder>`; undefined writes them. */
function checked() {
  const [argument, ...rest] = process.argv.slice(2);
  if (argument === undefined) return undefined;
  const [, folder = FOLDER] = /^--check(?:=(.+))?$/.exec(argument) ?? [];
  if (rest.length === 0 && argument.startsWith('--check')) return folder;
  process.stderr.write('The only argument is --check, or --check=<folder of fixtures>\n');
  process.exit(2);
}

/**
 * Writes `text` as the fixture `name`, or compares what it says in `lists` with the fixture that is there; the version of PHP
 * and the like may differ. A difference ends the process with code 1.
 */
export function settleFixture(name, text, lists) {
  const folder = checked();
  const path = join(folder ?? FOLDER, `${name}.fixture.json`);
  const now = JSON.parse(text);
  const size = lists.reduce((total, list) => total + now[list].length, 0);
  if (folder === undefined) {
    writeFileSync(path, text);
    process.stderr.write(`${path}: ${size} cases\n`);
    return;
  }
  const recorded = JSON.parse(readFileSync(path, 'utf8'));
  const differences = lists.flatMap((list) => differing(list, recorded[list], now[list]));
  if (differences.length === 0) {
    process.stderr.write(`${path}: ${size} cases, as PHP says them now\n`);
    return;
  }
  process.exitCode = 1;
  process.stderr.write(
    `${path}: ${differences.length} of ${size} cases are not what PHP says now. If PHP is right, write them anew without --check\n${differences.slice(0, 5).join('')}`,
  );
}

function differing(list, recorded, now) {
  const found = [];
  for (let index = 0; index < Math.max(recorded.length, now.length); index += 1) {
    const [before, after] = [JSON.stringify(recorded[index]), JSON.stringify(now[index])];
    if (before !== after)
      found.push(`  ${list}[${index}]\n    recorded: ${before}\n    PHP now:  ${after}\n`);
  }
  return found;
}
