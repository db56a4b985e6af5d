import { expect, test } from 'vitest';
import { readCall, WrongUsage } from '../../../src/cli/call.js';
import { COMMANDS } from '../../../src/cli/commands.js';

const read = (...argv: string[]): ReturnType<typeof readCall> => readCall(argv, COMMANDS);

function refused(...argv: string[]): WrongUsage {
  try {
    read(...argv);
  } catch (error) {
    if (error instanceof WrongUsage) return error;
    throw error;
  }
  throw new Error('It was taken');
}

test('a command with its options and words', () => {
  expect(read('explain', 'SELECT 1', '--json')).toMatchObject({
    kind: 'run',
    command: { name: 'explain' },
    words: ['SELECT 1'],
    json: true,
  });
  expect(read('--json', 'demo', '--once')).toMatchObject({ kind: 'run', values: { once: true }, json: true });
});

test('what asks for a text', () => {
  expect(read()).toEqual({ kind: 'nothing', json: false });
  expect(read('--help')).toEqual({ kind: 'overview', json: false });
  expect(read('--json', '--version')).toEqual({ kind: 'version', json: true });
  expect(read('demo', '-h')).toMatchObject({ kind: 'help', command: { name: 'demo' }, json: false });
});

test('the nearest option and command are named', () => {
  expect(refused('demo', '--onec').message).toBe("Unknown option '--onec'; did you mean '--once'?");
  expect(refused('demo', '--flavour=mysql').message).toBe(
    "Unknown option '--flavour'; did you mean '--flavor'?",
  );
  expect(refused('demo', '--port', '1', '--x').message).toBe("Unknown option '--x'.");
  expect(refused('dmeo')).toMatchObject({
    message: "Unknown command 'dmeo'; did you mean 'demo'?",
    help: 'stormlamp --help',
  });
});

test('an option without its value, or with one too many, is named', () => {
  expect(refused('demo', '--port').message).toContain('--port');
  expect(refused('demo', '--once=yes').message).toContain('--once');
});

test('JSON that was asked for counts though the rest is wrong, but not behind `--`', () => {
  expect(refused('demo', '--json', '--nope').json).toBe(true);
  expect(refused('demo', '--nope', '--', '--json').json).toBe(false);
});
