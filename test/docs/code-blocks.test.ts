/** Every code block of README and docs: programs are typechecked here (and run by the other tests), the rest is parsed. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { ROOT, stormlamp } from '../support/run-node.js';

interface Block {
  readonly page: string;
  readonly number: number;
  readonly language: string;
  readonly code: string;
}

/** What blocks that go on where another one ended take from there, without a type. */
const AMBIENT = ['app', 'cluster', 'createMysqlCluster', 'db', 'req', 'res', 'session'];

/** What only TypeScript minds: what a middleware adds to a request, members of one half of a union, values of any kind. */
const UNTYPED =
  /TS2339: Property '\w+' does not exist on type '(Request<|QueryResult|ChangeResult|string \| AddressInfo)|TS(2365|2488): .*'unknown'/;

const DOCS = readdirSync(join(ROOT, 'docs'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => `docs/${file}`);

const blocks = ['README.md', 'examples/README.md', ...DOCS].flatMap((page): Block[] => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = ''], number) => ({
    page,
    number,
    language,
    code,
  }));
});
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(ROOT, '.stormlamp-blocks-'));
});
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test('every link between pages leads somewhere, and the start page to every page', () => {
  const pages = ['README.md', 'CHANGELOG.md', 'examples/README.md', ...DOCS];
  const broken: string[] = [];
  const linked = new Set<string>();
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [path = '', anchor] = target.split('#');
      if (/^https?:/.test(target)) continue;
      const file = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
      if (page === 'docs/README.md') linked.add(file);
      if (!existsSync(join(ROOT, file))) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined && !anchorsOf(file).has(anchor)) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
  expect(DOCS.filter((page) => !linked.has(page) && page !== 'docs/README.md')).toEqual([]);
});

/** What GitHub makes of the headings of a page. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = readFileSync(join(ROOT, file), 'utf8').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('every block has a language that is looked at', () => {
  const known = ['', 'js', 'ts', 'sh', 'json', 'php', 'ini', 'sql', 'yaml', 'cfg', 'haproxy'];
  expect(blocks.filter(({ language }) => !known.includes(language))).toEqual([]);
  expect(of('js', 'ts').length).toBeGreaterThan(50);
});

test('programs have no wrong names, options or arguments', () => {
  for (const { page, number, language, code } of of('js', 'ts')) {
    const name = `${page.replaceAll(/\W/g, '_')}_${number}.m${language}`;
    const missing = AMBIENT.filter(
      (word) =>
        new RegExp(`\\b${word}\\b`).test(code) &&
        !new RegExp(
          `(?:const|let|var|function|import) [^=;(]*\\b${word}\\b|[({,] ?${word}\\b ?[,)}]|\\b${word} =>`,
        ).test(code),
    );
    const given = missing.map((word) =>
      language === 'ts' ? `declare const ${word}: any;` : `const ${word} = /** @type {any} */ (undefined);`,
    );
    writeFileSync(join(folder, name), `${given.join(' ')} export {};\n${code}`);
  }
  mkdirSync(join(folder, 'types'), { recursive: true });
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable', 'dom'],
    allowJs: true,
    checkJs: true,
    noEmit: true,
    strict: false,
    skipLibCheck: true,
    types: ['node'],
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.mjs', '*.mts'] }),
  );
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { cwd: ROOT, encoding: 'utf8' });
  const wrong = stdout.split('\n').filter((line) => /error TS/.test(line) && !UNTYPED.test(line));
  expect(wrong).toEqual([]);
});

test('JSON is JSON, and shell is shell', () => {
  for (const { code, page } of of('json')) expect(() => JSON.parse(code), page).not.toThrow();
  for (const { code, page } of of('sh')) {
    const input = code.replaceAll(/<(\w+)>/g, '$1');
    const { status, stderr } = spawnSync('bash', ['-n'], { input, encoding: 'utf8' });
    expect([page, status, stderr]).toEqual([page, 0, '']);
  }
});

test('docs/php-sessions.md: its declaration gives the session to every handler of Express, and nothing else does', () => {
  const [block = '', ...others] = of('ts').flatMap(({ page, code }) =>
    page === 'docs/php-sessions.md' ? [code] : [],
  );
  expect(others).toEqual([]);
  const project = join(folder, 'declaration');
  mkdirSync(project);
  const app = `import express from 'express';
    express().get('/me', (req, res) => {
      req.session.user = 'ada';
      res.json(req.session.user);
    });`;
  writeFileSync(join(project, 'with.mts'), `${block}\n${app}`);
  writeFileSync(join(project, 'without.mts'), app);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const options =
    '--ignoreConfig --strict --noEmit --skipLibCheck --module nodenext --target es2022 --types node'.split(
      ' ',
    );
  const errors = (file: string): string[] => {
    const { stdout } = spawnSync(process.execPath, [tsc, ...options, join(project, file)], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    return stdout.split('\n').flatMap((line) => /error (TS\d+)/.exec(line)?.[1] ?? []);
  };
  expect(errors('with.mts')).toEqual([]);
  expect(errors('without.mts')).toEqual(['TS2339', 'TS2339']);
});

/** The blocks of every page by their language: how many, and the test that executes them, or why none does. */
const EXECUTED: Readonly<Record<string, readonly [count: number, by: string]>> = {
  'README.md sh': [
    4,
    'test/docs/new-user.test.ts; what is for a clone: test/integration/cli.test.ts and set-up.test.ts there',
  ],
  'README.md js': [2, 'test/docs/new-user.test.ts'],
  'README.md sql': [1, 'test/docs/new-user.test.ts'],
  'examples/README.md sh': [1, 'test/docs/commands.test.ts'],
  'examples/README.md sql': [1, 'test/docs/examples.test.ts'],
  'docs/breakers.md js': [2, 'test/docs/failover-pages.test.ts'],
  'docs/cache.md js': [2, 'test/docs/cache.test.ts'],
  'docs/cache.md php': [1, 'test/docs/cache.test.ts'],
  'docs/command-line.md js': [1, 'test/docs/diagnostics.test.ts'],
  'docs/command-line.md ts': [1, 'test/integration/other-node.test.ts'],
  'docs/dashboard.md js': [1, 'test/docs/failover-pages.test.ts'],
  'docs/diagnostics.md js': [1, 'test/docs/diagnostics.test.ts'],
  'docs/failover.md js': [
    2,
    'test/docs/failover-page.test.ts; that a node is made anew: failover-rebuild.test.ts',
  ],
  'docs/failover.md json': [1, 'test/unit/failover/plan/frozen-replicas.test.ts'],
  'docs/freshness.md js': [4, 'test/docs/freshness.test.ts'],
  'docs/freshness.md php': [1, 'test/integration/request-scope.test.ts'],
  'docs/gateway.md ini': [1, 'test/docs/gateway.test.ts'],
  'docs/gateway.md sh': [2, 'test/docs/gateway.test.ts'],
  'docs/gateway.md json': [2, 'test/docs/gateway.test.ts'],
  'docs/gateway.md js': [1, 'test/docs/gateway.test.ts'],
  'docs/haproxy.md js': [1, 'test/docs/failover-pages.test.ts'],
  'docs/haproxy.md haproxy': [1, 'test/docs/failover-pages.test.ts'],
  'docs/laravel.md js': [1, 'test/docs/sessions.test.ts'],
  'docs/mysql.md js': [10, 'test/docs/mysql.test.ts'],
  'docs/mysql2.md js': [1, 'test/docs/operate.test.ts'],
  'docs/operate.md sh': [1, 'test/docs/readme.test.ts'],
  'docs/operate.md js': [1, 'test/docs/operate.test.ts'],
  'docs/performance.md sh': [
    2,
    'test/docs/commands.test.ts has its words; they take from minutes to an hour, and test/chaos/benchmark.test.ts runs the shortest',
  ],
  'docs/php-sessions.md js': [5, 'test/docs/sessions.test.ts'],
  'docs/php-sessions.md ini': [1, 'test/docs/sessions.test.ts'],
  'docs/php-sessions.md ts': [
    1,
    'test/docs/code-blocks.test.ts; it is types only, and with them a handler compiles',
  ],
  'docs/php-topology-file.md js': [1, 'test/docs/failover-pages.test.ts'],
  'docs/php-topology-file.md php': [1, 'test/docs/failover-pages.test.ts'],
  'docs/replication.md js': [3, 'test/docs/replication.test.ts'],
  'docs/replication.md sh': [1, 'test/docs/commands.test.ts'],
  'docs/resources.md js': [3, 'test/docs/failover-pages.test.ts'],
  'docs/resources.md ts': [
    2,
    'test/docs/failover-pages.test.ts, in namespaces of its own; another file system in the place of ext4',
  ],
  'docs/shared-mounts.md js': [4, 'test/docs/sessions.test.ts'],
  'docs/symfony.md js': [2, 'test/docs/sessions.test.ts'],
  'docs/telemetry.md js': [4, 'test/docs/telemetry.test.ts'],
  'docs/testing.md js': [6, 'test/docs/operate.test.ts and, with Jest, test/docs/jest.test.ts'],
  'docs/testing.md json': [1, 'test/docs/jest.test.ts'],
  'docs/testing.md yaml': [
    2,
    "test/docs/commands.test.ts, but for the steps that are GitHub's and those that need a Docker engine",
  ],
  'docs/topology.md js': [2, 'test/docs/topology.test.ts'],
  'docs/wordpress.md php': [1, 'test/docs/sessions.test.ts'],
};

test('it is known of every block what executes it', () => {
  const found: Record<string, number> = {};
  for (const { page, language } of blocks) {
    const key = `${page} ${language}`;
    if (language !== '') found[key] = (found[key] ?? 0) + 1;
  }
  expect(found).toEqual(Object.fromEntries(Object.entries(EXECUTED).map(([key, [count]]) => [key, count])));
  for (const [key, [, by]] of Object.entries(EXECUTED)) {
    const [file = ''] = by.split(/[;, ]/);
    const page = /([\w-]+)\.md/.exec(key)?.[1] ?? '';
    expect(readFileSync(join(ROOT, file), 'utf8'), key).toMatch(new RegExp(`${page}(\\.md|')`));
  }
});

test('PHP is PHP', async () => {
  const { php } = await resolveServers(['php']);
  if (php === undefined) throw new Error('PHP was not resolved');
  const { command, prefixArgs, env } = php.cli;
  for (const { code, page } of of('php')) {
    const input = code.startsWith('<?php') ? code : `<?php\n${code}`;
    const options = { input, encoding: 'utf8', env: { ...process.env, ...env } } as const;
    const { status, stdout } = spawnSync(command, [...prefixArgs, '-l'], options);
    expect([page, status, stdout.split('\n')[0]]).toEqual([
      page,
      0,
      expect.stringMatching(/^No syntax errors/),
    ]);
  }
});

test('the commands that pages show exist, with their flags', async () => {
  const shown = new Map<string, Set<string>>();
  for (const { code } of of('sh'))
    for (const [line, command = ''] of code.matchAll(/^npx stormlamp (\w+).*$/gm)) {
      const flags = shown.get(command) ?? new Set();
      for (const [flag] of line.replace(/#.*/, '').matchAll(/--[a-z][a-z-]+/g)) flags.add(flag);
      shown.set(command, flags);
    }
  expect(shown.size).toBeGreaterThan(4);
  const look = async ([command, flags]: readonly [string, ReadonlySet<string>]): Promise<void> => {
    const { code, stdout } = await stormlamp([command, '--help']);
    expect([command, code]).toEqual([command, 0]);
    for (const flag of flags) expect(stdout, command).toContain(flag);
  };
  await Promise.all([...shown].map(look));
});
