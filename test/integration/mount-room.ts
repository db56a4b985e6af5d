/**
 * Real file systems that a test may fill, make read-only and take away, without any privilege.
 *
 * A child shell makes them in a user and mount namespace of its own. Other processes of the same user reach them through
 * `/proc/<pid>/root`, and nothing is left when the shell ends.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One file system that can go wrong. */
export interface FaultyMount {
  /** Where it is, for every process of this user. */
  readonly path: string;
  /** Makes it read-only, as soon as nobody is writing. */
  readOnly(): Promise<void>;
  /** Makes it writable again. */
  writable(): Promise<void>;
  /** Takes all its room. */
  fill(): Promise<void>;
  /** Gives the room back. */
  empty(): Promise<void>;
  /** Unmounts it; the empty folder below remains. */
  unmount(): Promise<void>;
  /** Mounts it again, with what was in it. */
  mount(): Promise<void>;
}

/** A namespace with file systems. */
export class MountRoom {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  #output = '';

  private constructor(shell: ChildProcessWithoutNullStreams, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
  }

  /** Makes a namespace. */
  static async open(): Promise<MountRoom> {
    const folder = mkdtempSync(join(tmpdir(), 'stormlamp-mounts-'));
    const room = new MountRoom(spawn('unshare', ['-rm', 'sh']), folder);
    await room.#run('true');
    return room;
  }

  /** Makes a file system of `size`, as `mount -o size=` takes it. */
  async add(name: string, size: string): Promise<FaultyMount> {
    const [store, place] = [join(this.#folder, `${name}-store`), join(this.#folder, name)];
    mkdirSync(store);
    mkdirSync(place);
    const run = async (command: string): Promise<void> => void (await this.#run(command));
    await run(`mount -t tmpfs -o size=${size},mode=700 none ${store} && mount --bind ${store} ${place}`);
    const pid = (await this.#run('echo $$')).trim();
    return {
      path: `/proc/${pid}/root${place}`,
      readOnly: () => run(`until mount -o remount,ro,bind ${place} 2>/dev/null; do :; done`),
      writable: () => run(`mount -o remount,rw,bind ${place}`),
      fill: () => run(`head -c 100m /dev/zero > ${store}/ballast 2>/dev/null; test -s ${store}/ballast`),
      empty: () => run(`rm ${store}/ballast`),
      unmount: () => run(`umount -l ${place}`),
      mount: () => run(`mount --bind ${store} ${place}`),
    };
  }

  /** Ends the namespace with everything in it. */
  async close(): Promise<void> {
    const ended = new Promise((done) => this.#shell.once('close', done));
    this.#shell.stdin.end();
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Runs a command in the shell; what it wrote. */
  async #run(command: string): Promise<string> {
    const mark = randomUUID();
    this.#output = '';
    this.#shell.stdin.write(`${command}\necho "$? ${mark}"\n`);
    for (;;) {
      const found = new RegExp(`([\\s\\S]*?)(\\d+) ${mark}\n`).exec(this.#output);
      if (found !== null) {
        if (found[2] === '0') return found[1] ?? '';
        throw new Error(`${command}: ${found[1]} (status ${found[2]})`);
      }
      await new Promise((resolve, reject) => {
        this.#shell.stdout.once('data', resolve);
        this.#shell.once('error', reject);
        this.#shell.once('close', () =>
          reject(new Error(`A namespace is needed (unshare -rm): ${this.#output}`)),
        );
      });
    }
  }
}
