/** Tiny programs that answer like servers do when they are asked for their version, for unit tests only. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Machine } from '../../../../src/testing/servers/machine.js';
import { MANIFEST_FORMAT, writeManifest } from '../../../../src/testing/servers/package-manifest.js';

/** Writes an executable shell script and returns its path. */
export function putScript(folder: string, name: string, script: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

/** A program that prints `text` whatever it is asked. */
export function putSpeaker(folder: string, name: string, text: string): string {
  return putScript(folder, name, `echo '${text}'`);
}

/** The messages that a database server needs near it: `folder` is its base. */
export function putMessages(folder: string): void {
  mkdirSync(join(folder, 'share/mysql/english'), { recursive: true });
  writeFileSync(join(folder, 'share/mysql/english/errmsg.sys'), '');
}

/** A PHP that has `builtIn` and can load the `.so` files of the folder `extensions`. */
export function putPhp(folder: string, builtIn: readonly string[], extensions: string): string {
  const loaded = builtIn.map((name) => `"${name}"`).join(',');
  return putScript(
    folder,
    'php',
    `loaded='${loaded}'
    for argument in "$@"; do
      case "$argument" in
        -v) echo 'PHP 8.3.1 (cli)'; exit 0 ;;
        extension=*) loaded="$loaded,\\"$(basename "$argument" .so | cut -d= -f2)\\"" ;;
      esac
    done
    echo "stormlamp:{\\"dir\\":\\"${extensions}\\",\\"loaded\\":[$loaded]}"`,
  );
}

/**
 * A finished package folder in `cacheDir` with a memcached of `version`.
 * Its loader runs shell scripts and counts the runs in the file `runs`.
 */
export function fillCache(
  cacheDir: string,
  version: string,
  name = 'debian-bookworm-lamp-amd64',
): { readonly folder: string; readonly runs: string } {
  const folder = join(cacheDir, name);
  const loader = 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2';
  putScript(folder, loader, 'shift 2; echo run >>"$0.runs"; exec "$@"');
  const path = putSpeaker(folder, 'usr/bin/memcached', `memcached ${version}`);
  const { mtimeMs, size } = statSync(path);
  writeManifest(folder, {
    format: MANIFEST_FORMAT,
    set: name,
    architecture: 'amd64',
    createdAt: '2026-01-01T00:00:00.000Z',
    sources: [],
    requested: [],
    packages: {},
    programs: { memcached: { path: 'usr/bin/memcached', version, mtimeMs, size } },
  });
  return { folder, runs: join(folder, `${loader}.runs`) };
}

/** A Debian machine with nothing on it but the folder `path`. */
export function emptyMachine(path: string, overrides: Partial<Machine> = {}): Machine {
  return {
    system: { kind: 'apt', name: 'Debian 12', distro: 'debian', family: 'debian', suite: 'bookworm' },
    architecture: 'amd64',
    env: { PATH: path },
    systemFolders: [],
    appArmorFolder: undefined,
    aptSources: () => [],
    ...overrides,
  };
}
