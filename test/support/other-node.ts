/** Other releases of Node than the one that runs the tests, got from npm once, and kept where the servers are kept. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from '../../src/testing/servers/cache-folder.js';
import { runProgram } from '../../src/testing/servers/run-program.js';

/** The oldest that `engines` lets in, and the newest of each line since. */
export const NODE_RELEASES = ['20.19.0', '22.23.5', '24.22.3', '26.12.1'] as const;

/** The release that runs `.ts` files for the short tests. */
export const NEWER_NODE = process.env['STORMLAMP_NEWER_NODE'] ?? '24.22.3';

/** The program of Node `version`. */
export async function otherNode(version: string): Promise<string> {
  if (version === process.versions.node) return process.execPath;
  const kind = `node-${process.platform}-${process.arch}`;
  const root = cacheRoot();
  const folder = join(root, `${kind}-${version}`);
  const program = join(folder, 'node');
  if (existsSync(program)) return program;
  mkdirSync(root, { recursive: true });
  const temporary = mkdtempSync(join(root, '.node-'));
  try {
    await done('npm', ['pack', `${kind}@${version}`, '--prefer-offline', '--pack-destination', temporary]);
    const [tarball = ''] = readdirSync(temporary);
    await done('tar', ['-xzf', join(temporary, tarball), '-C', temporary, '--strip-components=2', PROGRAM]);
    rmSync(join(temporary, tarball));
    try {
      renameSync(temporary, folder);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(program)) throw error;
    }
    return program;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const PROGRAM = 'package/bin/node';

async function done(command: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runProgram(command, args, { timeoutMs: 200_000 });
  if (code !== 0)
    throw new Error(
      `Another release of Node could not be had; it needs the npm registry once.\n${command} ${args.join(' ')}\n${stdout}\n${stderr}`,
    );
}
