/** Symfony and Laravel themselves, of the system's packages, with a PHP of their own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cachedServer } from '../../src/testing/servers/cached-server.js';
import { testPackages } from './test-packages.js';

/** Runs PHP code in a session of a framework. */
export interface PhpFramework {
  /** What the code echoes. */
  run(code: string, ini?: Readonly<Record<string, string>>): Promise<string>;
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

/** Gets the packages, and the PHP in them. */
export async function phpFrameworks(): Promise<PhpFramework> {
  const folder = await testPackages({ name: 'php-frameworks', packages: PACKAGES, servers: ['php'] });
  const server = await cachedServer('php', folder);
  if (server?.name !== 'php') throw new Error(`${folder} has no PHP`);
  const { cli, extensionArgs } = server.binaries;
  return {
    async run(code, ini = {}) {
      const settings = { include_path: join(folder, 'usr/share/php'), 'session.use_cookies': '0', ...ini };
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
