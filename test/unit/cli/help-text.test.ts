import { expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.js';
import { fitHelp } from '../../../src/cli/help-text.js';

test('a long explanation continues below its own beginning', () => {
  expect(fitHelp('  --port <n>  the port of the shop on this machine', 30)).toBe(
    ['  --port <n>  the port of the', '              shop on this', '              machine'].join('\n'),
  );
  expect(fitHelp('One two three four', 9)).toBe('One two\nthree\nfour');
  expect(fitHelp('short\n\n  kept', 80)).toBe('short\n\n  kept');
});

test.each(COMMANDS.map(({ name, load }) => [name, load] as const))(
  'the help of %s fits 80 columns and loses no word',
  async (_, load) => {
    const { help } = await load();
    const fitted = fitHelp(help, 80);
    for (const line of fitted.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(fitted.split(/\s+/)).toEqual(help.split(/\s+/));
  },
);
