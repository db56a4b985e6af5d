/** The cases of `test/spec` that PHP made are what PHP says now. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const SPEC = join(ROOT, 'test', 'spec');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-fixtures-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(script: string, where?: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [
    join(ROOT, 'scripts', script),
    where === undefined ? '--check' : `--check=${where}`,
  ]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, said };
}

const SCRIPTS = [
  [
    'generate-php-fixtures.mjs',
    ['php-floats', 'php-grammar', 'php-sessions', 'php-values'],
    { in: 'php-floats', from: '"d:0.1;"', to: '"d:0.10;"' },
  ],
  [
    'generate-placement-fixtures.mjs',
    ['placement'],
    { in: 'placement', from: '"lock":[0]', to: '"lock":[1]' },
  ],
] as const;
describe.each(SCRIPTS)('%s', (script, names, wrong) => {
  test('would write the very cases that are recorded', async () => {
    const { code, said } = await check(script);
    expect({ code, said }).toMatchObject({ code: 0 });
    for (const name of names)
      expect(said).toMatch(new RegExp(`${name}\\.fixture\\.json: \\d+ cases, as PHP`));
  });

  test('finds a case that PHP contradicts', async () => {
    for (const name of names) {
      const text = readFileSync(join(SPEC, `${name}.fixture.json`), 'utf8');
      const changed = name === wrong.in ? text.replace(wrong.from, wrong.to) : text;
      if (name === wrong.in) expect(changed).not.toBe(text);
      writeFileSync(join(folder, `${name}.fixture.json`), changed);
    }
    const { code, said } = await check(script, folder);
    expect(code).toBe(1);
    expect(said).toMatch(
      new RegExp(`${wrong.in}\\.fixture\\.json: 1 of \\d+ cases are not what PHP says now`),
    );
  });
});
