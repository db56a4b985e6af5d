/** Data folders that are made once and copied for every node of every cluster. */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from '../servers/cache-folder.js';
import { cacheStorage, storageError, usingStorage } from '../storage-error.js';

/** What a cache answers that is only read here. Node makes `ENOENT` of it when a folder above is missing, too. */
const READ_ONLY = ['EACCES', 'EPERM', 'EROFS', 'ENOENT'];

/** What a template is made from. */
export interface DataTemplate {
  /** The start of its folder's name, like `mariadb-10.11.14`. */
  readonly name: string;
  /** Everything that makes another template necessary. */
  readonly fingerprint: readonly string[];
  /** Fills an empty folder. */
  readonly make: (folder: string) => Promise<void>;
  /** A folder that can be written, and is not there yet, for a cache that cannot: it then serves this cluster only. */
  readonly instead: string;
  /** Told of the folder that is being filled, so that it is removed after a crash. */
  readonly onFolder: (folder: string) => void;
  /** Called before {@link DataTemplate.make}, which takes seconds. */
  readonly onMake: () => void;
}

/**
 * The folder of a finished template; makes it when it is not there.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when the cache has no room.
 */
export async function dataTemplate(template: DataTemplate): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(template.fingerprint)).digest('hex').slice(0, 12);
  const cache = cacheRoot();
  const root = join(cache, 'data');
  const finished = join(root, `${template.name.replaceAll(/[^A-Za-z0-9.]+/g, '-')}-${hash}`);
  if (await isFolder(finished)) return finished;
  const unfinished = join(root, `.making-${randomUUID()}`);
  template.onFolder(unfinished);
  template.onMake();
  try {
    await mkdir(unfinished, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!READ_ONLY.includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw storageError(cacheStorage(cache), error);
    }
    await mkdir(template.instead, { mode: 0o700 });
    await template.make(template.instead);
    return template.instead;
  }
  try {
    await template.make(unfinished);
    await usingStorage(cacheStorage(cache), () => rename(unfinished, finished));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process was faster: its template is as good.
    if (!(await isFolder(finished))) throw error;
  }
  return finished;
}

/** Copies the template `from` to the new folder `to`; blocks are shared where the file system can. */
export async function copyData(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
