/**
 * Time zones for an unpacked PHP. Debian's PHP reads them from `/usr/share/zoneinfo` and nowhere else, and crashes in
 * `date()` on a machine that has none there, as small container images do. The package folder brings the files; a
 * second copy of the program reads them through a descriptor, because any other path to them is longer than the
 * place that the program has for one.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FolderProgram, isFile } from './package-folder.js';

/** The descriptor that the copy reads through; low ones are used by scripts, higher ones make the path too long. */
const DESCRIPTOR = 9;
const SYSTEM_ZONES = '/usr/share/zoneinfo';
const SUFFIX = '-own-zoneinfo';

/** A PHP program with its paths of time zones pointed at descriptor 9; `undefined` when it has no such path. */
export function redirectTimeZones(program: Buffer): Buffer | undefined {
  const from = Buffer.from(`${SYSTEM_ZONES}/`);
  const to = Buffer.from(`/proc/self/fd/${DESCRIPTOR}/`);
  const copy = Buffer.from(program);
  let at = copy.indexOf(from);
  if (at === -1) return undefined;
  while (at !== -1) {
    const end = copy.indexOf(0, at);
    if (end === -1) return undefined;
    const path = Buffer.concat([to, copy.subarray(at + from.length, end)]);
    copy.fill(0, at, end);
    path.copy(copy, at);
    at = copy.indexOf(from, end);
  }
  return copy;
}

/** Writes the copy beside `program` (relative to `folder`), if the program is one that needs it. */
export function addOwnTimeZones(folder: string, program: string): void {
  const copy = redirectTimeZones(readFileSync(join(folder, program)));
  if (copy === undefined) return;
  writeFileSync(join(folder, program + SUFFIX), copy);
  chmodSync(join(folder, program + SUFFIX), 0o755);
}

/** How the PHP `program` is run on this machine: the copy where the system has no time zones, else the program itself. */
export function withTimeZones(
  folder: string,
  program: FolderProgram,
  systemZones: string = SYSTEM_ZONES,
): FolderProgram {
  const copy = `${program.prefixArgs.at(-1) ?? ''}${SUFFIX}`;
  if (isFile(join(systemZones, 'UTC')) || !isFile(copy)) return program;
  return {
    command: '/bin/sh',
    prefixArgs: [
      '-c',
      `exec ${DESCRIPTOR}<"$0" && exec "$@"`,
      join(folder, SYSTEM_ZONES),
      program.command,
      ...program.prefixArgs.slice(0, -1),
      copy,
    ],
  };
}
