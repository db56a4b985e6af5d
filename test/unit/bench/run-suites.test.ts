/** A bench that is stopped, or of which a part fails, keeps what it has. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

interface Result {
  readonly missing: readonly string[];
  readonly suites: readonly {
    readonly name: string;
    readonly rows: readonly { readonly peer: string }[];
    readonly notes: readonly string[];
    readonly goals: readonly unknown[];
    readonly isWhole: boolean;
  }[];
}
interface Options {
  readonly quick: boolean;
  readonly signal: AbortSignal;
  readonly folder: string;
  readonly limitMs?: number;
  readonly onSuite?: (result: Result) => void;
}
const load = async <T>(file: string) =>
  (await import(pathToFileURL(resolve(import.meta.dirname, `../../../bench/${file}`)).href)) as T;
const { runSuites } = await load<{ runSuites(names: string[], options: Options): Promise<Result> }>(
  'run-suites.mjs',
);
const { page, tables } = await load<{
  page(result: Result, file: string): void;
  tables(result: Result): string;
}>('report.mjs');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-bench-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const SETUP = 'async () => ({ context: {}, close: async () => undefined })';

/** A suite of two peers, one of which does not open unless it is said. */
function suite(name: string, setup = SETUP, second = "() => { throw new Error('no such server'); }"): void {
  writeFileSync(
    join(folder, `${name}.mjs`),
    `export const suite = { title: 'The ${name}', setup: ${setup},
      works: () => [{ name: 'nothing', ms: 5, atOnce: [1, 2] }],
      goals: [{ text: 'a goal', work: 'nothing', atOnce: 1, reference: 'stormlamp', field: 'cpuUs', most: 1 }] };
    export const peers = {
      stormlamp: () => ({ works: { nothing: async () => undefined } }),
      broken: ${second} };`,
  );
}

const signal = new AbortController().signal;

test('a peer that does not open is named, and the others are measured', async () => {
  suite('first');
  const result = await runSuites(['first'], { quick: true, signal, folder });
  expect(result.missing).toEqual([]);
  const [first] = result.suites;
  expect(first?.rows.map(({ peer }) => peer)).toEqual(['stormlamp', 'stormlamp']);
  expect(first?.notes).toEqual(['broken dropped out: Error: no such server']);
  expect(first?.goals).toMatchObject([{ measured: '1', reached: true }]);
  // It does not replace figures that have all peers.
  expect(first?.isWhole).toBe(false);
  const text = tables(result);
  expect(text).toContain('1 of 1 reached.');
  expect(text).toContain('## The first');
});

test('a suite whose servers do not start costs its own figures only, and each is told when it ends', async () => {
  suite('first', 'async () => { throw new Error("no memcached"); }');
  suite('second', SETUP, '() => ({ works: { nothing: async () => undefined } })');
  const seen: (readonly string[])[] = [];
  const result = await runSuites(['first', 'second'], {
    quick: true,
    signal,
    folder,
    onSuite: ({ missing }) => seen.push(missing),
  });
  expect(seen).toEqual([['second'], []]);
  expect(result.suites[0]).toMatchObject({ notes: ['Not measured: no memcached.'], isWhole: false });
  expect(result.suites[1]?.rows).toHaveLength(4);
  expect(result.suites[1]?.isWhole).toBe(true);
});

test('stopped, it answers with what there is and says what is missing', async () => {
  suite('first');
  suite('second');
  const abort = new AbortController();
  const result = await runSuites(['first', 'second'], {
    quick: true,
    signal: abort.signal,
    folder,
    onSuite: () => abort.abort(),
  });
  expect(result.suites.map(({ name }) => name)).toEqual(['first']);
  expect(result.missing).toEqual(['second']);
  expect(tables(result)).toContain('Not measured: second.');
});

test('a suite that takes too long is cut, and says so', async () => {
  suite(
    'first',
    // Loading the suite alone may take longer than its limit.
    'async ({ signal }) => { while (!signal.aborted) await new Promise((done) => setTimeout(done, 5)); throw new Error("waiting for a server"); }',
  );
  const result = await runSuites(['first'], { quick: true, signal, folder, limitMs: 50 });
  expect(result.suites[0]?.notes[0]).toBe('Not measured: waiting for a server.');
  expect(result.suites[0]?.notes[1]).toMatch(/^Stopped after/);
});

test('the figures of a page are replaced, and nothing around them', async () => {
  suite('first');
  const result = await runSuites(['first'], { quick: true, signal, folder });
  const file = join(folder, 'page.md');
  const frame = (figures: string) =>
    `before\n<!-- figures: written by \`npm run bench -- --save\` -->\n\n${figures}\n<!-- end of figures -->\nafter\n`;
  writeFileSync(file, frame('old'));
  page(result, file);
  const { readFileSync } = await import('node:fs');
  expect(readFileSync(file, 'utf8')).toBe(frame(tables(result)));
  writeFileSync(file, 'no place');
  expect(() => page(result, file)).toThrow('no place for figures');
});
