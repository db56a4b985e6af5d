/** Symfony and Laravel themselves, of Debian's packages, with a PHP of their own. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cachedServer } from '../../src/testing/servers/cached-server.js';
import { testPackages } from './test-packages.js';

/** Runs PHP code in a session of a framework. */
export interface PhpFramework {
  /** What the code echoes. */
  run(code: string, ini?: Readonly<Record<string, string>>): Promise<string>;
  /** Removes what was made for it. */
  close(): void;
}

const PACKAGES = [
  'php-cli',
  'php-memcached',
  'php-mbstring',
  'php-illuminate-session',
  'php-illuminate-cache',
  'php-illuminate-cookie',
  'php-illuminate-encryption',
  'php-symfony-http-foundation',
  'php-symfony-security-core',
];

/** Gets the packages, of another suite of Debian where one is named, and the PHP in them. */
export async function phpFrameworks(suite?: string): Promise<PhpFramework> {
  const folder = await testPackages({
    name: 'php-frameworks',
    packages: PACKAGES,
    servers: ['php'],
    ...(suite === undefined ? {} : { suite }),
  });
  const server = await cachedServer('php', folder);
  if (server?.name !== 'php') throw new Error(`${folder} has no PHP`);
  const { cli, extensionArgs } = server.binaries;
  const library = movedLibrary(join(folder, 'usr/share/php'));
  return {
    close: () => rmSync(library, { recursive: true, force: true }),
    async run(code, ini = {}) {
      const settings = { include_path: library, 'session.use_cookies': '0', ...ini };
      const args = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
      const child = spawn(cli.command, [
        ...cli.prefixArgs,
        ...extensionArgs,
        '-d',
        'extension=mbstring.so',
        ...args,
      ]);
      child.stdin.end(`<?php\nerror_reporting(E_ALL & ~E_DEPRECATED);\n${code}`);
      const [out, errors]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
      const status = await new Promise<number | null>((done) => child.once('close', done));
      const text = Buffer.concat(out).toString();
      if (status !== 0 || errors.length > 0)
        throw new Error(`PHP ended with ${status}: ${Buffer.concat(errors)}${text}`);
      return text;
    },
  };
}

/** A copy of the PHP files whose loaders look for each other here: newer packages name the place that they are installed to. */
function movedLibrary(installed: string): string {
  const library = mkdtempSync(join(tmpdir(), 'stormlamp-frameworks-'));
  cpSync(installed, library, { recursive: true });
  for (const name of readdirSync(library, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('autoload.php')) continue;
    const file = join(library, name);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('/usr/share/php/', `${library}/`));
  }
  return library;
}
