/** Reads the pools of one PHP-FPM from its configuration and what that includes, and never more than a bounded amount of it. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError } from '../../../common/stormlamp-error.js';
import { matchingFiles } from './matching-files.js';
import { POOL_NAME, poolLines } from './pool-lines.js';

/** A setting of a pool, and where it stands. */
export interface PoolSetting {
  /** As PHP gives it to extensions. */
  readonly value: string;
  /** Whether scripts cannot change it. */
  readonly admin: boolean;
  /** The file, and the line in it. */
  readonly place: string;
  /** Why PHP may make something else of it; undefined when it is just that. */
  readonly doubt: string | undefined;
}

/** A pool. */
export interface Pool {
  /** As its section is called. */
  readonly name: string;
  /** The file in which it begins. */
  readonly file: string;
  /** What it sets of sessions, by names of the php.ini. */
  readonly settings: ReadonlyMap<string, PoolSetting>;
}

/** What one PHP-FPM is configured with. */
export interface ReadPools {
  /** In the order of their sections. */
  readonly pools: readonly Pool[];
  /** Files that could not be read, with the reason; what they say is not known. */
  readonly unread: readonly { readonly file: string; readonly why: string }[];
}

const MOST_FILES = 1_000;
const MOST_BYTES = 4 * 1024 * 1024;
/** PHP-FPM does not start where files include each other more deeply. */
const MOST_DEEPLY = 4;

/**
 * Reads `file`: the php-fpm.conf, the file of a pool, or a folder of such files (`*.conf`). Never rejects.
 *
 * Of a setting that a pool has twice the first one holds, and those that scripts cannot change before the others (measured
 * with PHP 8.2). `env` has the values of `${NAME}`: PHP-FPM takes those of its own environment, not of `env[…]` in a pool.
 */
export async function readPools(
  file: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ReadPools> {
  const reader = new PoolReader(file, env);
  const isFolder = (await stat(file).catch(() => undefined))?.isDirectory() === true;
  if (isFolder) await reader.include(join(file, '*.conf'), 0);
  else await reader.read(file, 0);
  return { pools: [...reader.pools.values()], unread: reader.unread };
}

interface GrowingPool extends Pool {
  readonly settings: Map<string, PoolSetting>;
}

class PoolReader {
  /** By names in small letters, as PHP-FPM compares them. */
  readonly pools: Map<string, GrowingPool> = new Map();
  readonly unread: { readonly file: string; readonly why: string }[] = [];
  readonly #root: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #seen = new Set<string>();
  #bytes = 0;
  #pool: GrowingPool | undefined;

  constructor(root: string, env: Readonly<Record<string, string | undefined>>) {
    this.#root = root;
    this.#env = env;
  }

  async read(file: string, depth: number): Promise<void> {
    // Settings that are read again change nothing.
    if (this.#seen.has(file)) return;
    this.#seen.add(file);
    let text: string;
    try {
      if (depth > MOST_DEEPLY) throw new Error('files include each other too deeply');
      if (this.#seen.size > MOST_FILES) throw new Error(`it is one of more than ${MOST_FILES} files`);
      text = await textOf(file, MOST_BYTES - this.#bytes);
    } catch (error) {
      this.#skip(file, describeError(error));
      return;
    }
    this.#bytes += Buffer.byteLength(text);
    for (const line of poolLines(text, this.#env)) {
      if (line.kind === 'section') this.#enter(line.name, file);
      else if (line.kind === 'include') await this.include(line.pattern, depth + 1);
      else if (this.#pool !== undefined) {
        const { name, admin, doubt } = line;
        const before = this.#pool.settings.get(name);
        if (before !== undefined && (before.admin || !admin)) continue;
        const value = line.value.replaceAll(POOL_NAME, this.#pool.name);
        this.#pool.settings.set(name, { value, admin, doubt, place: `${file}:${line.line}` });
      }
    }
  }

  async include(pattern: string, depth: number): Promise<void> {
    for (const file of await this.#filesOf(pattern)) await this.read(file, depth);
  }

  /** A relative pattern begins where PHP was installed, which is one or two folders above its configuration. */
  async #filesOf(pattern: string): Promise<readonly string[]> {
    if (pattern.startsWith('/')) return await existing(await matchingFiles(pattern));
    const home = dirname(this.#root);
    for (const prefix of [dirname(home), home, '/usr/local', '/usr']) {
      const found = await existing(await matchingFiles(join(prefix, pattern)));
      if (found.length > 0) return found;
    }
    return [];
  }

  #enter(name: string, file: string): void {
    const key = name.toLowerCase();
    this.#pool = undefined;
    if (key === 'global') return;
    this.#pool = this.pools.get(key) ?? { name, file, settings: new Map() };
    this.pools.set(key, this.#pool);
  }

  #skip(file: string, why: string): void {
    if (this.unread.length < MOST_FILES) this.unread.push({ file, why });
  }
}

/** What is there and no folder: PHP-FPM passes over folders, and over a pattern that names nothing. */
async function existing(files: readonly string[]): Promise<readonly string[]> {
  const kept = await Promise.all(
    files.map(async (file) => (await stat(file).catch(() => undefined))?.isDirectory() === false),
  );
  return files.filter((_file, at) => kept[at] === true);
}

/** Only of files: a pipe would be waited for, and a device never ends. */
async function textOf(file: string, most: number): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('it is no file');
    const { size } = found;
    if (size > most) throw new Error('it, or all files together, is too large');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
