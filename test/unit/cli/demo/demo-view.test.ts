import { expect, test } from 'vitest';
import { type DemoPicture, DemoScreen, renderDemo } from '../../../../src/cli/demo/demo-view.js';
import { ansiPaint, plainPaint } from '../../../../src/cli/paint.js';

const picture: DemoPicture = {
  url: 'http://127.0.0.1:8080',
  versions: 'mariadb 10.11.14 (cache)',
  databases: [
    { name: 'db1', role: 'primary', up: true, lagMs: null, reads: 0, writes: 3, breaker: 'closed' },
    { name: 'db2', role: 'replica', up: true, lagMs: 41.6, reads: 20, writes: 0, breaker: 'closed' },
    { name: 'db3', role: 'down', up: false, lagMs: null, reads: 1, writes: 0, breaker: 'open' },
  ],
  caches: [
    { name: 'cache1', items: 2, breaker: 'closed' },
    { name: 'cache2', items: null, breaker: 'open' },
  ],
  steps: [
    { title: 'Ada logs in', state: 'verified', ms: 41.2, detail: 'stored on cache1' },
    { title: 'A node dies', state: 'running', ms: 900, detail: '' },
    { title: 'Nothing was lost', state: 'waiting', ms: 0, detail: '' },
  ],
  footer: 'Ctrl-C ends the demo.',
};

test('the picture shows who serves, lag, breakers, sessions and the story', () => {
  expect(renderDemo(picture, 80, plainPaint)).toMatchInlineSnapshot(`
    [
      "stormlamp demo  http://127.0.0.1:8080",
      "mariadb 10.11.14 (cache)",
      "",
      "  MySQL  role          lag  reads  writes  breaker",
      "  db1    primary         -      0       3  closed",
      "  db2    replica     42 ms     20       0  closed",
      "  db3    down            -      1       0  open",
      "",
      "  memcached  sessions  breaker",
      "  cache1            2  closed",
      "  cache2            -  open",
      "",
      " ✓ Ada logs in (41 ms): stored on cache1",
      " > A node dies (900 ms)",
      " · Nothing was lost",
      "",
      "Ctrl-C ends the demo.",
    ]
  `);
});

test('no line is wider than the terminal', () => {
  for (const width of [20, 40, 60]) {
    for (const line of renderDemo(picture, width, plainPaint)) expect(line.length).toBeLessThanOrEqual(width);
  }
});

test('tables in a narrow terminal leave out columns instead of cutting them', () => {
  const tables = (width: number): readonly string[] =>
    renderDemo(picture, width, plainPaint).filter((line) => line.startsWith('  '));
  for (const width of [30, 40, 50]) expect(tables(width).join('')).not.toContain('…');
  expect(tables(50)[0]).toContain('breaker');
  expect(tables(44)[0]).not.toContain('writes');
  expect(tables(44)[0]).toContain('breaker');
});

test('colours only paint', () => {
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  const coloured = renderDemo(picture, 80, ansiPaint).map((line) => line.replaceAll(escapes, ''));
  expect(coloured).toEqual(renderDemo(picture, 80, plainPaint));
});

test('a picture is drawn over the last one, and never higher than the terminal', () => {
  const written: string[] = [];
  const screen = new DemoScreen({
    rows: 8,
    write: (text: string) => written.push(text) > 0,
  } as unknown as NodeJS.WriteStream);
  screen.draw(['a', 'b']);
  screen.draw(Array.from({ length: 50 }, (_, index) => `line ${index}`));
  screen.draw(['c']);
  expect(written[0]).toBe('a\nb\n');
  expect(written[1]).toMatch(/^\S+\[2A\r\S+\[Jline 43\n/);
  expect(written[2]).toMatch(/^\S+\[7A\r\S+\[Jc\n$/);
});

test('a picture of which the head matters says how much of it is not there', () => {
  const written: string[] = [];
  const screen = new DemoScreen({
    rows: 6,
    write: (text: string) => written.push(text) > 0,
  } as unknown as NodeJS.WriteStream);
  const lines = Array.from({ length: 9 }, (_, index) => `line ${index}`);
  screen.draw(lines.slice(0, 5), 'head');
  screen.draw(lines, 'head');
  expect(written[0]).toBe('line 0\nline 1\nline 2\nline 3\nline 4\n');
  expect(written[1]?.split('\n').slice(1, -1)).toEqual([
    'line 1',
    'line 2',
    'line 3',
    '… 5 lines more than this terminal has',
  ]);
});
