/**
 * Real programs, apt's real client, real packages. The installation itself is tried with a small signed repository
 * that holds the real memcached with its libraries, so that it is quick and needs no network.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AptSource } from '../../src/testing/servers/apt-sources.js';
import { cachedServer } from '../../src/testing/servers/cached-server.js';
import { type InstallOptions, installPackages } from '../../src/testing/servers/install-packages.js';
import type { InstallProgress } from '../../src/testing/servers/install-progress.js';
import { programOf } from '../../src/testing/servers/installed-server.js';
import { type Machine, thisMachine } from '../../src/testing/servers/machine.js';
import { folderProgram } from '../../src/testing/servers/package-folder.js';
import { readManifest } from '../../src/testing/servers/package-manifest.js';
import { addOwnTimeZones, withTimeZones } from '../../src/testing/servers/php-time-zones.js';
import { resolveServers, resolveServersOn } from '../../src/testing/servers/resolve-servers.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import type { ServerProgram } from '../../src/testing/servers/server-binaries.js';
import { listServers } from '../../src/testing/servers/server-list.js';
import { processesWith } from '../support/processes-with.js';
import { eventually } from './eventually.js';
import { makeRepository } from './signed-repository.js';

const ALL = ['mariadb', 'mysql', 'memcached', 'php', 'pt-heartbeat', 'haproxy', 'arping'] as const;
const timeoutMs = 20_000;

/** This machine without the servers that are installed on it. */
function bareMachine(): Machine {
  const machine = thisMachine();
  return { ...machine, env: { ...machine.env, PATH: '' }, systemFolders: [] };
}

async function run(program: ServerProgram, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program.command, [...program.prefixArgs, ...args], {
    timeoutMs,
  });
  expect(code, stderr).toBe(0);
  return stdout;
}

describe('all servers of this machine', () => {
  test('are found or installed, and each one runs and tells the version that was noted', async () => {
    const { mariadb, mysql, memcached, php } = await resolveServers(ALL);
    if (!mariadb || !mysql || !memcached || !php) throw new Error('a server is missing in the answer');
    expect(await run(mariadb.server, ['--no-defaults', '--version'])).toContain(
      `${mariadb.server.version}-MariaDB`,
    );
    expect(await run(mysql.server, ['--no-defaults', '--version'])).toContain(mysql.server.version);
    expect(await run(memcached, ['-V'])).toContain(memcached.version);
    expect(await run(php.cli, ['-n', '-v'])).toContain(`PHP ${php.cli.version}`);
    for (const { shareDir } of [mariadb, mysql]) expect(readdirSync(shareDir)).toContain('english');
  });

  test('PHP loads the extensions of sessions and databases, and serializes with both serializers', async () => {
    const { php } = await resolveServersOn(bareMachine(), ['php']);
    if (!php) throw new Error('PHP is missing in the answer');
    const script = [
      'foreach (["session", "memcached", "memcache", "igbinary", "msgpack", "mysqli"] as $name)',
      '  if (!extension_loaded($name)) echo "no $name ";',
      'echo Memcached::HAVE_IGBINARY ? "igbinary" : "", " ", Memcached::HAVE_MSGPACK ? "msgpack" : "", " ", date("Y");',
    ].join('\n');
    expect(await run(php.cli, [...php.extensionArgs, '-r', script])).toBe(
      `igbinary msgpack ${new Date().getUTCFullYear()}`,
    );
  });

  test('PHP of the packages knows time zones on a machine that has none', async () => {
    const { php } = await resolveServersOn(bareMachine(), ['php']);
    const program = php?.cli.prefixArgs.at(-1)?.replace(/-own-zoneinfo$/, '') ?? '';
    const packages = dirname(dirname(dirname(program)));
    const folder = mkdtempSync(join(tmpdir(), 'stormlamp-zones-'));
    try {
      mkdirSync(join(folder, 'usr/share'), { recursive: true });
      symlinkSync(join(packages, 'usr/share/zoneinfo'), join(folder, 'usr/share/zoneinfo'));
      cpSync(program, join(folder, 'php'));
      addOwnTimeZones(folder, 'php');
      const { architecture } = thisMachine();
      const plain = folderProgram(packages, architecture ?? '', program.slice(packages.length + 1));
      const own = {
        command: plain?.command ?? '',
        prefixArgs: [...(plain?.prefixArgs.slice(0, -1) ?? []), join(folder, 'php')],
      };
      const { command, prefixArgs } = withTimeZones(folder, own, '/nowhere');
      expect(prefixArgs.at(-1)).toBe(join(folder, 'php-own-zoneinfo'));
      const script = 'date_default_timezone_set("Asia/Tokyo"); echo date("c T", 0);';
      const { code, stdout } = await runProgram(command, [...prefixArgs, '-n', '-r', script], { timeoutMs });
      expect({ code, stdout }).toEqual({ code: 0, stdout: '1970-01-01T09:00:00+09:00 JST' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('are listed as they were found', async () => {
    const found = await resolveServers(ALL);
    const newest = await resolveServers(['mariadb', 'memcached'], {
      versions: { mariadb: 'newest', memcached: 'newest' },
    });
    const { servers } = await listServers();
    const versions = Object.fromEntries(
      servers.map((each) => [`${each.name} ${each.release}`, each.found ? each.version : undefined]),
    );
    expect(versions).toEqual({
      'mariadb system': found.mariadb?.server.version,
      'mysql system': found.mysql?.server.version,
      'memcached system': found.memcached?.version,
      'php system': found.php?.cli.version,
      'pt-heartbeat system': found['pt-heartbeat']?.version,
      'haproxy system': found.haproxy?.version,
      'arping system': found.arping?.version,
      'mariadb newest': newest.mariadb?.server.version,
      'memcached newest': newest.memcached?.version,
    });
  });

  test('are found in a filled cache when no package source can be reached', async () => {
    const machine = bareMachine();
    await resolveServersOn(machine, ALL);
    const offline: Machine = {
      ...machine,
      aptSources: () => {
        throw new Error('the package sources were read');
      },
    };
    const found = await resolveServersOn(offline, ALL);
    expect(Object.keys(found).sort()).toEqual([...ALL].sort());
  });
});

describe('an installation', () => {
  let work = '';
  let source: AptSource;
  let cache = '';
  let count = 0;
  let base: Omit<InstallOptions, 'root' | 'signal' | 'onProgress'>;

  beforeAll(async () => {
    work = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-install-')));
    const { system, architecture } = thisMachine();
    if (system.kind !== 'apt' || architecture === undefined)
      throw new Error('this needs a Debian or Ubuntu machine');
    const { memcached } = await resolveServersOn(bareMachine(), ['memcached']);
    if (memcached === undefined) throw new Error('memcached is missing in the answer');
    source = makeRepository(
      join(work, 'repository'),
      packagesOf(memcached, architecture),
      system.suite,
      architecture,
    );
    base = {
      set: { name: 'small', packages: ['memcached'], servers: ['memcached'] },
      system,
      architecture,
      sources: [source],
    };
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  beforeEach(() => {
    count += 1;
    cache = join(work, `cache-${count}`);
  });
  afterEach(() => rmSync(cache, { recursive: true, force: true }));

  function install(options: Partial<InstallOptions> = {}) {
    return installPackages({
      ...base,
      root: cache,
      signal: undefined,
      onProgress: () => undefined,
      ...options,
    });
  }

  test('goes through its phases and ends with one folder that knows what is in it', async () => {
    const events: InstallProgress[] = [];
    const { folder, installed } = await install({ onProgress: (event) => events.push(event) });
    expect(installed).toBe(true);
    expect([...new Set(events.map(({ phase }) => phase))]).toEqual(['index', 'download', 'unpack', 'verify']);
    for (const { done, total } of events) expect(done).toBeLessThanOrEqual(total);
    expect(readdirSync(cache)).toEqual([basename(folder)]);
    expect(readManifest(folder)).toMatchObject({
      requested: ['memcached'],
      packages: { memcached: '1:1.0-1', 'memcached-libraries': '2.0' },
      sources: [`file:${join(work, 'repository')} ${source.suite} main`],
    });
    const server = await cachedServer('memcached', folder);
    if (server === undefined) throw new Error('the folder holds no memcached');
    expect(await run(programOf(server), ['-V'])).toContain(`memcached ${programOf(server).version}`);
  });

  test('is not done again', async () => {
    await install();
    const events: InstallProgress[] = [];
    expect(await install({ onProgress: (event) => events.push(event) })).toMatchObject({ installed: false });
    expect(events).toEqual([]);
  });

  test('that two want at once is done once', async () => {
    const waits: InstallProgress[] = [];
    const onProgress = (event: InstallProgress): void => {
      if (event.phase === 'wait') waits.push(event);
    };
    const results = await Promise.all([install({ onProgress }), install({ onProgress })]);
    expect(results.map(({ installed }) => installed).sort()).toEqual([false, true]);
    expect(waits[0]?.message).toContain(`process ${process.pid}`);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  test('that two processes want at once is done once', async () => {
    const script = compiledInstaller();
    const processes = [script, script].map((file) => fork(file, [JSON.stringify({ ...base, root: cache })]));
    const results = await Promise.all(processes.map((child) => lastMessage(child)));
    expect(results.sort()).toEqual(['installed: false', 'installed: true']);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  test.each(['index', 'download', 'unpack', 'verify'] as const)(
    'that is aborted in the phase %s leaves nothing, and the next one works',
    async (phase) => {
      const abort = new AbortController();
      const onProgress = (event: InstallProgress): void => {
        if (event.phase === phase) abort.abort();
      };
      await expect(install({ onProgress, signal: abort.signal })).rejects.toMatchObject({
        code: 'ERR_ABORTED',
      });
      expect(readdirSync(cache)).toEqual([]);
      expect(await install()).toMatchObject({ installed: true });
    },
  );

  test('whose process is killed leaves neither files nor programs', async () => {
    // A repository that takes a request and never answers keeps apt at work.
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const uri = `http://127.0.0.1:${(mute.address() as AddressInfo).port}/debian`;
    try {
      const options = { ...base, root: cache, sources: [{ ...source, uri }] };
      const child = fork(compiledInstaller(), [JSON.stringify(options)]);
      await once(mute, 'connection');
      expect(processesWith(cache)).not.toEqual([]);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await eventually('all programs are gone', () => processesWith(cache).length === 0);
      await eventually('all files are gone', () => readdirSync(cache).length === 0);
    } finally {
      mute.close();
    }
  });

  test('whose process and guardian are killed leaves nothing that is taken for finished, and the next one cleans up', async () => {
    const child = fork(compiledInstaller(), [JSON.stringify({ ...base, root: cache }), 'unpack']);
    expect(await lastMessage(child)).toBe('reached unpack');
    for (const guardian of guardiansOf(child.pid ?? 0)) process.kill(guardian, 'SIGKILL');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(readdirSync(cache).filter((name) => name.includes('.tmp-'))).toHaveLength(1);
    const { folder, installed } = await install();
    expect(installed).toBe(true);
    expect(readdirSync(cache)).toEqual([basename(folder)]);
  });

  test('of packages that the sources do not have tells what apt said', async () => {
    const set = { ...base.set, packages: ['memcached', 'no-such-package'] };
    await expect(install({ set })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringContaining('Unable to locate package no-such-package'),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  test('from sources that cannot be reached tells which one and why', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const uri = `http://127.0.0.1:${port}/debian`;
    await expect(install({ sources: [{ ...source, uri }] })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringContaining(`Failed to fetch ${uri}`),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  test('from a source that is not signed by the key of the machine is refused', async () => {
    const other = join(work, 'other');
    const stranger = makeRepository(other, [], base.system.suite, base.architecture);
    const signedBy = stranger.signedBy ?? '';
    await expect(install({ sources: [{ ...source, signedBy }] })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringMatching(/not signed|verif|public key|NO_PUBKEY|no key/i),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  test('of a package that was changed after it was signed is refused', async () => {
    const copy = join(work, 'changed');
    cpSync(join(work, 'repository'), copy, { recursive: true });
    for (const name of readdirSync(join(copy, 'pool'))) {
      const bytes = readFileSync(join(copy, 'pool', name));
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
      writeFileSync(join(copy, 'pool', name), bytes);
    }
    await expect(install({ sources: [{ ...source, uri: `file:${copy}` }] })).rejects.toMatchObject({
      code: 'ERR_SERVER_MISSING',
      message: expect.stringMatching(/Hash Sum mismatch/i),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  test.each([
    ['too small', '2m', 'true'],
    ['full', '64k', 'head -c 1m /dev/zero > "$3/ballast" 2>&-'],
  ])('into a cache that is %s says so, and leaves nothing', async (_what, size, fill) => {
    mkdirSync(cache);
    const before = `mount -t tmpfs -o size=${size} none "$3"; ${fill}`;
    const command = `${before}; "$0" "$1" "$2" 2>&1; rm -f "$3/ballast"; echo "left: $(ls -A "$3")"`;
    const options = JSON.stringify({ ...base, root: cache });
    const args = ['-rm', '/bin/sh', '-c', command, process.execPath, compiledInstaller(), options, cache];
    const { stdout } = await runProgram('unshare', args, { timeoutMs });
    expect(stdout).toMatch(/StormlampError: .*space.*STORMLAMP_CACHE.*/);
    expect(stdout).toContain("code: 'ERR_SERVER_MISSING'");
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('left:');
  });

  test('into a folder that cannot be made names the folder', async () => {
    writeFileSync(join(work, 'file'), '');
    const root = join(work, 'file', 'cache');
    await expect(install({ root })).rejects.toThrow(root);
  });

  /** Compiles the sources into plain JavaScript, for a process that vitest does not run. */
  function compiledInstaller(): string {
    const out = join(work, 'compiled');
    const src = resolve(import.meta.dirname, '../../src');
    for (const room of ['common', 'testing', 'testing/process', 'testing/servers']) {
      for (const name of readdirSync(join(src, room)).filter((each) => each.endsWith('.ts'))) {
        const text = readFileSync(join(src, room, name), 'utf8');
        const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
        const { outputText } = ts.transpileModule(text, { compilerOptions: options });
        mkdirSync(join(out, room), { recursive: true });
        writeFileSync(join(out, room, name.replace(/\.ts$/, '.js')), outputText);
      }
    }
    writeFileSync(join(out, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(out, 'installer.js'),
      `import { installPackages } from './testing/servers/install-packages.js';
      const [, , options, stopAt] = process.argv;
      const forever = new Int32Array(new SharedArrayBuffer(4));
      const onProgress = ({ phase }) => {
        if (phase === stopAt) process.send('reached ' + phase, () => Atomics.wait(forever, 0, 0));
      };
      const { installed } = await installPackages({ ...JSON.parse(options), onProgress });
      process.send('installed: ' + installed);
      process.disconnect();`,
    );
    return join(out, 'installer.js');
  }
});

/** The guardians that a process has started. */
function guardiansOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children
    .filter((id) => readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('stormlamp-guardian'))
    .map(Number);
}

/** The first message of a child process; fails when it ends without one. */
async function lastMessage(child: ReturnType<typeof fork>): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => `ended with ${code} and said nothing`);
  const message = once(child, 'message').then(([text]) => text as unknown);
  return await Promise.race([message, ended]);
}

/** Packages with the real memcached: one with the program, one with its loader and exactly the libraries it needs. */
function packagesOf(memcached: ServerProgram, architecture: string) {
  const program = memcached.prefixArgs.at(-1) ?? '';
  const root = dirname(dirname(dirname(program)));
  const list = execFileSync(memcached.command, ['--list', ...memcached.prefixArgs], { encoding: 'utf8' });
  const libraries = [...list.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '');
  const files = [memcached.command, ...libraries].filter((path) => path.startsWith(root));
  return [
    {
      name: 'memcached',
      version: '1:1.0-1',
      depends: ['memcached-libraries'],
      files: { 'usr/bin/memcached': program },
    },
    {
      name: 'memcached-libraries',
      version: '2.0',
      depends: [],
      files: Object.fromEntries(files.map((path) => [path.slice(root.length + 1), path])),
    },
    { name: 'unrelated', version: `1-${architecture}`, depends: [], files: {} },
  ];
}
