import { expect, test } from 'vitest';
import { readCall, WrongUsage } from '../../../src/cli/call.js';
import { COMMANDS } from '../../../src/cli/commands.js';

const read = (...argv: string[]): ReturnType<typeof readCall> => readCall(argv, COMMANDS);

async function refused(...argv: string[]): Promise<WrongUsage> {
  try {
    await read(...argv);
  } catch (error) {
    if (error instanceof WrongUsage) return error;
    throw error;
  }
  throw new Error('It was taken');
}

test('a command with its options and words', async () => {
  expect(await read('explain', 'SELECT 1', '--json')).toMatchObject({
    kind: 'run',
    command: { help: expect.stringContaining('stormlamp explain') },
    words: ['SELECT 1'],
    json: true,
  });
  expect(await read('--json', 'demo', '--once')).toMatchObject({
    kind: 'run',
    values: { once: true },
    json: true,
  });
});

test('what asks for a text', async () => {
  expect(await read()).toEqual({ kind: 'nothing', json: false });
  expect(await read('--help')).toEqual({ kind: 'overview', json: false });
  expect(await read('--json', '--version')).toEqual({ kind: 'version', json: true });
  expect(await read('demo', '-h')).toMatchObject({
    kind: 'help',
    command: { help: expect.stringContaining('stormlamp demo') },
    json: false,
  });
});

test('the nearest option and command are named', async () => {
  expect((await refused('demo', '--onec')).message).toBe("Unknown option '--onec'; did you mean '--once'?");
  expect((await refused('demo', '--flavour=mysql')).message).toBe(
    "Unknown option '--flavour'; did you mean '--flavor'?",
  );
  expect((await refused('demo', '--port', '1', '--x')).message).toBe("Unknown option '--x'.");
  expect(await refused('dmeo')).toMatchObject({
    message: "Unknown command 'dmeo'; did you mean 'demo'?",
    help: 'stormlamp --help',
  });
});

test('an option without its value, or with one too many, is named', async () => {
  expect((await refused('demo', '--port')).message).toContain('--port');
  expect((await refused('demo', '--once=yes')).message).toContain('--once');
});

test('JSON that was asked for counts though the rest is wrong, but not behind `--`', async () => {
  expect((await refused('demo', '--json', '--nope')).json).toBe(true);
  expect((await refused('demo', '--nope', '--', '--json')).json).toBe(false);
});
