/** A user who is stopped by permissions: root becomes somebody else for a while, anybody else stays who they are. */
import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { processUser } from '../../../src/files/file-owner.js';

/** Whether the tests run as root. */
export const isRoot: boolean = processUser().uid === 0;

/** The user. */
export const user: { readonly uid: number; readonly gid: number } = isRoot
  ? { uid: 12_345, gid: 12_345 }
  : processUser();

/** Runs `work` as this user. */
export async function asUser<T>(work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work();
  process.setegid?.(user.gid);
  process.seteuid?.(user.uid);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

/** Everything below a folder, which may be read afterwards. */
export function below(folder: string): string[] {
  if (!isRoot) chmodSync(folder, 0o700);
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? [path, ...below(path)] : [path];
  });
}
