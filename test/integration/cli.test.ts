/** The command line program as a user meets it. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { DEMO_STEPS } from '../../src/cli/demo/demo-story.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT, startNode, stormlamp } from '../support/run-node.js';

interface DemoResult {
  readonly ok: boolean;
  readonly steps: readonly { name: string; verified: boolean; ms: number; nodes: string[] }[];
}

/** A folder for temporary files of one test, to see that nothing stays in it. */
let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'cli-'));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});
const left = (): readonly string[] => readdirSync(temporary);

describe.each(['mariadb', 'mysql'])('the demo on %s', (flavor) => {
  test('verifies every step from real state, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await stormlamp(['demo', '--once', '--json', '--flavor', flavor], {
      timeoutMs: 150_000,
      env: { TMPDIR: temporary },
    });
    const result = JSON.parse(stdout) as DemoResult;
    const failed = result.steps.filter((step) => !step.verified);
    expect({ failed, code, stderr: failed.length > 0 ? stderr : '' }).toEqual({
      failed: [],
      code: 0,
      stderr: '',
    });
    expect(result.ok).toBe(true);
    expect(result.steps.map((step) => step.name)).toEqual([
      'servers-start',
      ...DEMO_STEPS.map((step) => step.name),
    ]);
    for (const step of result.steps) {
      expect(step.nodes.length, step.name).toBeGreaterThan(0);
      expect(Number.isInteger(step.ms)).toBe(true);
    }
    expect(left()).toEqual([]);
  }, 180_000);
});

test('Ctrl-C during the demo ends it with 130, one JSON document, and nothing left behind', async () => {
  const demo = startNode(['dist/cli/main.js', 'demo', '--once', '--json'], { env: { TMPDIR: temporary } });
  // The moment with most under way: an order that waits for a primary, and the promotion of one. The other moments
  // are tried by the chaos run `demo-interrupt`.
  await expect.poll(() => demo.output().includes('db1 is dead'), { timeout: 90_000 }).toBe(true);
  demo.child.kill('SIGINT');
  const { code, stdout, stderr } = await demo.finished;
  expect({ code, stack: stderr.includes('    at ') }).toEqual({ code: 130, stack: false });
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_ABORTED' } });
  expect(left()).toEqual([]);
}, 120_000);

test('a busy port is one error that names it and says what to do', async () => {
  const squatter = createServer();
  await new Promise<void>((done) => squatter.listen(0, '127.0.0.1', done));
  const { port } = squatter.address() as AddressInfo;
  const { code, stdout, stderr } = await stormlamp(['demo', '--once', '--json', '--port', String(port)], {
    env: { TMPDIR: temporary },
  });
  squatter.close();
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'ERR_PORT_IN_USE' } });
  expect(stderr.match(/ERR_PORT_IN_USE/g)).toHaveLength(1);
  expect(stderr).toContain(
    `Port ${port} of 127.0.0.1 is used by another process; choose another with --port`,
  );
  expect(left()).toEqual([]);
}, 120_000);

test.each([
  [['demo', '--port', 'abc'], 'Expected `--port` to be a port number from 1 to 65535, got `abc` (string)'],
  [
    ['demo', '--flavor', 'oracle'],
    "Expected `--flavor` to be one of 'mariadb', 'mysql', got `oracle` (string)",
  ],
  [['demo', 'now'], 'Expected `demo <argument>` to be left out, got `now` (string)'],
  [['demo', '--onec'], "Unknown option '--onec'; did you mean '--once'?"],
  [['demo', '--bogus'], "Unknown option '--bogus'."],
  [['demo', '-x'], "Unknown option '-x'."],
  [['dmeo'], "Unknown command 'dmeo'; did you mean 'demo'?"],
  [['nonsense'], "Unknown command 'nonsense'."],
  [['servers', 'list', '--all'], "Expected `--all` to be left out for 'list', which shows all of them"],
  [['servers', 'upgrade'], "Expected `servers <action>` to be 'install' or 'list', got `upgrade` (string)"],
  [
    ['servers', 'install', 'oracle'],
    'one of mariadb, mysql, memcached, php, pt-heartbeat, haproxy, arping, mariadb@newest, memcached@newest',
  ],
  [['servers', 'install', 'php@newest'], 'got `php@newest`'],
  [
    ['failover', 'pause', '--seconds', '86401'],
    'Expected `--seconds` to be a whole number from 1 to 86400, got `86401` (string)',
  ],
  [
    ['failover', 'history', '--count', '0'],
    'Expected `--count` to be a whole number of at least 1, got `0` (string)',
  ],
])('%j is wrong usage: exit code 2, one message, no stack', async (args, message) => {
  const { code, stdout, stderr } = await stormlamp(args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(stdout).toBe('');
});

test.each([
  [['demo', '--once', '--json', '--bogus'], "Unknown option '--bogus'."],
  [['explain', '--json', '--nope'], "Unknown option '--nope'."],
  [['nonsense', '--json'], "Unknown command 'nonsense'."],
  [['--json', 'dmeo'], "Unknown command 'dmeo'; did you mean 'demo'?"],
  [['--json', 'demo', 'now'], 'Expected `demo <argument>` to be left out, got `now` (string)'],
  [['--json'], 'No command was given'],
])('%j is wrong usage, and still gets its one JSON document', async (args, message) => {
  const { code, stdout } = await stormlamp(args);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toEqual({ ok: false, error: { code: 'ERR_INVALID_OPTION', message } });
});

test('help and version', async () => {
  expect((await stormlamp(['--help'])).stdout).toContain('Usage: stormlamp <command> [options]');
  expect((await stormlamp([])).code).toBe(2);
  for (const { name, load } of COMMANDS) {
    const { help } = await load();
    expect([name, help]).toEqual([name, expect.stringMatching(/^Usage: stormlamp [\s\S]*Examples:\n {2}\S/)]);
    for (const word of ['--json', '--help']) expect(help, name).toContain(word);
  }
  const { code, stdout } = await stormlamp(['doctor', '--help']);
  expect([code, stdout]).toEqual([0, expect.stringContaining('Usage: stormlamp doctor')]);
  expect((await stormlamp(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('servers list tells where every server comes from', async () => {
  const { code, stdout } = await stormlamp(['servers', 'list', '--json']);
  expect(code).toBe(0);
  const { ok, servers } = JSON.parse(stdout) as {
    ok: boolean;
    servers: { name: string; release: string; found: boolean; version: string }[];
  };
  expect(servers.map(({ name, release }) => `${name} ${release}`)).toEqual([
    'mariadb system',
    'mysql system',
    'memcached system',
    'php system',
    'pt-heartbeat system',
    'haproxy system',
    'arping system',
    'mariadb newest',
    'memcached newest',
  ]);
  for (const server of servers) expect(server.version).toMatch(/^\d+/);
  expect(ok).toBe(true);
});

test('servers list where not all are there is a list, in its exit code and in its document', async () => {
  const { code, stdout } = await stormlamp(['servers', 'list', '--json'], {
    env: { STORMLAMP_CACHE: temporary, PATH: temporary },
  });
  const { ok, servers } = JSON.parse(stdout) as { ok: boolean; servers: { found: boolean }[] };
  expect([code, ok, servers.every(({ found }) => found)]).toEqual([0, true, false]);
});

test('a server program that is not there is one error that names the variable', async () => {
  const { code, stderr } = await stormlamp(['demo', '--once'], {
    env: { STORMLAMP_MEMCACHED_BINARY: '/nowhere/memcached' },
  });
  expect(code).toBe(1);
  expect(stderr).toContain(
    'ERR_SERVER_MISSING: `STORMLAMP_MEMCACHED_BINARY` names `/nowhere/memcached`, which is not an executable file',
  );
});

describe('output that is not taken', () => {
  const main = join(ROOT, 'dist', 'cli', 'main.js');
  const shell = (line: string) => runProgram('bash', ['-c', line, process.execPath], { timeoutMs: 60_000 });

  test('a reader who leaves early is no failure', async () => {
    const { code, stdout, stderr } = await shell(
      `set -o pipefail; { "$0" '${main}' --help; "$0" '${main}' doctor --help; } | head -n 1`,
    );
    expect([code, stdout, stderr]).toEqual([0, 'Usage: stormlamp <command> [options]\n', '']);
  });

  test.each(['--help', '--version --json'])('a full disk is: %s', async (words) => {
    const { code, stderr } = await shell(`"$0" '${main}' ${words} > /dev/full`);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^Standard output cannot be written: ENOSPC.*\n$/),
    ]);
  });
});

const NEVER = 'new Promise(() => undefined)';
const GIVES_NONE: Readonly<Record<string, readonly [code: string, message: RegExp]>> = {
  awaits: [`await ${NEVER};\nexport default {};`, / gave no options: it awaits what nothing .* export /],
  answers: [`export default () => ${NEVER};`, / gave no options: it awaits what nothing /],
  round: ["await import('./more.mjs');\nexport default {};", / gave no options: .* import each other /],
  circle: [
    "import options from './stormlamp.config.mjs';\nexport default options;",
    / cannot be read: Cannot access 'options' before initialization; if it imports itself, /,
  ],
  exits: ['process.exit(0);', / gave no options: it ended the process .* export /],
};

test('a configuration that can never give options is one error with its name, not silence', async () => {
  const look = async (name: string, code: string, message: RegExp, command: string): Promise<void> => {
    const folder = mkdtempSync(join(temporary, `${name}-`));
    const config = join(folder, 'stormlamp.config.mjs');
    writeFileSync(config, `${code}\n`);
    writeFileSync(join(folder, 'more.mjs'), "await import('./stormlamp.config.mjs');\n");
    const run = await stormlamp([command, '--json', '--config', config], { timeoutMs: 30_000 });
    expect([name, run.code]).toEqual([name, 2]);
    expect(run.stderr).toMatch(/^ERR_INVALID_OPTION: The configuration .*\n$/);
    expect(run.stderr).toContain(config);
    expect(run.stderr).toMatch(message);
    expect(JSON.parse(run.stdout)).toMatchObject({ ok: false, error: { code: 'ERR_INVALID_OPTION' } });
  };
  const cases = Object.entries(GIVES_NONE);
  await Promise.all(
    cases.map(([name, [code, message]]) =>
      look(name, code, message, name === 'answers' ? 'gateway' : 'status'),
    ),
  );
});

test('a command that is ended from within says so', async () => {
  const config = join(temporary, 'stormlamp.config.mjs');
  const options = { mysql: { primary: 'mysql://a:b@127.0.0.1:1/shop' } };
  writeFileSync(config, `setTimeout(() => process.exit(0));\nexport default ${JSON.stringify(options)};\n`);
  const { code, stdout, stderr } = await stormlamp([
    'top',
    '--json',
    '--interval',
    '60000',
    '--config',
    config,
  ]);
  const message = 'The process was ended before the command was done';
  expect([code, stderr]).toEqual([1, `ERR_INTERNAL: ${message}\n`]);
  expect(JSON.parse(stdout)).toEqual({ ok: false, error: { code: 'ERR_INTERNAL', message } });
});

describe('a configuration', () => {
  const withConfig = async (code: string) => {
    const config = join(temporary, 'stormlamp.config.mjs');
    writeFileSync(config, code);
    const args = ['failover', 'history', '--json', '--config', config];
    const { signal, ...finished } = await stormlamp(args, { timeoutMs: 60_000 });
    return { ...finished, document: JSON.parse(finished.stdout) as unknown };
  };
  const NAMES_NOBODY = "export default { mysql: { primary: 'mysql://a:b@127.0.0.1:1/shop' } };\n";
  const refused = { ok: false, error: { code: 'ERR_INVALID_OPTION' } };

  test('that leaves something open does not keep the command', async () => {
    const { code, document } = await withConfig(`setInterval(() => undefined, 1_000);\n${NAMES_NOBODY}`);
    expect([code, document]).toMatchObject([2, refused]);
  });

  test('that prints does so beside the document', async () => {
    const { code, document, stderr } = await withConfig(
      `console.log('loading'); process.stdout.write('more\\n');\n${NAMES_NOBODY}`,
    );
    expect([code, document]).toMatchObject([2, refused]);
    expect(stderr).toMatch(/^loading\nmore\n/);
  });

  test('that fails later, with nobody to see it, is told in the document, too', async () => {
    const { code, document, stderr } = await withConfig(
      `Promise.reject(new Error('no secrets'));\nawait new Promise(() => undefined);\n${NAMES_NOBODY}`,
    );
    const error = { code: 'ERR_INTERNAL', message: 'no secrets' };
    expect([code, document]).toEqual([1, { ok: false, error }]);
    expect(stderr).toContain('Error: no secrets');
  });
});

test('what a session or a configuration holds does not command the terminal', async () => {
  const file = join(temporary, 'sess_x');
  writeFileSync(file, 'k\u001b]0;mine\u0007|i:1;');
  expect((await stormlamp(['session', 'decode', file])).stdout).toBe('k\\u001b]0;mine\\u0007 = 1\n');
  const config = join(temporary, 'stormlamp.config.mjs');
  writeFileSync(config, "throw new Error('\\u001b[2J');\n");
  const { code, stderr } = await stormlamp(['status', '--config', config]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('cannot be read: \\u001b[2J')]);
});

test('failover without the account that changes servers says what to add to which configuration', async () => {
  const config = join(temporary, 'stormlamp.config.json');
  writeFileSync(config, JSON.stringify({ mysql: { primary: 'mysql://a:b@127.0.0.1:1/shop' } }));
  const { code, stderr } = await stormlamp(['failover', 'history', '--config', config]);
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(`${config} does not name it: give \`failover: {`),
  ]);
});

test('the environment that names a cluster does not get into the way of a local one', async () => {
  const { code, stdout } = await stormlamp(['servers', 'list', '--json'], {
    env: { STORMLAMP_MEMCACHED: 'cache1:11211,cache2:11211' },
  });
  expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ ok: true })]);
});

test('the overview loads no command, and so nothing of the package', async () => {
  const program = `
    import { createRequire } from 'node:module';
    const { COMMANDS } = await import('./dist/cli/commands.js');
    const loaded = (name) => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes(name));
    console.log(loaded('/mysql2/'), COMMANDS.length > 5);
    await COMMANDS.find(({ name }) => name === 'status').load();
    console.log(loaded('/mysql2/'));`;
  const { stdout, stderr } = await startNode(['--input-type=module', '-e', program]).finished;
  expect([stdout, stderr]).toEqual(['false true\ntrue\n', '']);
});

/** The environment of a machine without servers, without packages and without a Docker engine. */
async function demoOnFedora(args: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  const release = join(temporary, 'os-release');
  writeFileSync(release, 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n');
  const bind = ['/etc/os-release', '/usr/lib/os-release'].map(
    // The first is a link to the second on many systems.
    (file) => `mount --bind '${release}' "$(readlink -f ${file})"`,
  );
  const main = join(ROOT, 'dist', 'cli', 'main.js');
  const env = `PATH=/bin STORMLAMP_CACHE='${join(temporary, 'cache')}' DOCKER_HOST=unix:///nowhere.sock`;
  const command = `${bind.join(' && ')}; exec env ${env} "$0" '${main}' demo --once --json "$@"`;
  return await runProgram('unshare', ['-rm', '/bin/sh', '-c', command, process.execPath, ...args], {
    timeoutMs: 60_000,
  });
}

test('where servers cannot be had, the demo asks for Docker, and tells both when no engine answers', async () => {
  const auto = await demoOnFedora(['--flavor', 'mysql']);
  expect(auto.code).toBe(1);
  expect(JSON.parse(auto.stdout)).toMatchObject({
    ok: false,
    error: {
      code: 'ERR_SERVER_MISSING',
      message: expect.stringMatching(
        /Fedora Linux 42 has no packages.*`dnf install .*Docker cannot be used instead \(/,
      ),
    },
  });
  const docker = await demoOnFedora(['--driver', 'docker']);
  expect(docker.code).toBe(1);
  expect(JSON.parse(docker.stdout)).toMatchObject({
    error: { code: 'ERR_SERVER_MISSING', message: expect.stringMatching(/^No Docker engine answers/) },
  });
});
