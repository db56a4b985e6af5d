/**
 * Real file systems that a test may fill, make read-only and take away, without any privilege.
 *
 * A child shell makes them in a user and mount namespace of its own. Other processes of the same user reach them through
 * `/proc/<pid>/root`, and nothing is left when the shell ends.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';

const FUSE_SERVER = join(import.meta.dirname, '..', 'support', 'fuse-server.mjs');

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
  /** The same one as the machine of that name sees it, which may lose it or have it while this one does not. */
  seenBy(machine: string): Promise<FaultyMount>;
}

/** A file system of a process of its own, as a network mount is one of a server. */
export interface RemoteMount {
  /** Where it is, for every process of this user. */
  readonly path: string;
  /** Where its files are, whatever the mount does. */
  readonly behind: string;
  /** Stops the process: every call hangs from now on. */
  hang(): void;
  /** Lets it go on. */
  goOn(): void;
  /** Tells it how to err; see `fuse-server.mjs`. */
  order(order: string): void;
  /** Ends an order that lasts. */
  obeyed(): void;
  /** Whether the process is stopped. */
  isStopped(): Promise<void>;
  /** Kills the process. What hung comes back with an error, and so does every call. */
  kill(): Promise<void>;
  /** Mounts it anew, with what was in it. */
  mount(): Promise<void>;
}

/** A namespace with file systems. */
export class MountRoom {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly #servers = new Set<number>();
  /** Rejects when the shell ends. */
  readonly #ended: Promise<never>;
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
    this.#ended = new Promise((_, reject) => {
      shell.once('error', reject);
      shell.once('close', () => reject(new Error(`A namespace is needed (unshare -rm): ${this.#output}`)));
    });
    this.#ended.catch(() => undefined);
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
    const store = join(this.#folder, `${name}-store`);
    mkdirSync(store);
    await this.#run(`mount -t tmpfs -o size=${size},mode=700 none ${store}`);
    return this.#seen(store, join(this.#folder, name));
  }

  async #seen(store: string, place: string): Promise<FaultyMount> {
    mkdirSync(place);
    const run = async (command: string): Promise<void> => void (await this.#run(command));
    await run(`mount --bind ${store} ${place}`);
    const pid = (await this.#run('echo $$')).trim();
    return {
      path: `/proc/${pid}/root${place}`,
      readOnly: () => run(`until mount -o remount,ro,bind ${place} 2>/dev/null; do :; done`),
      writable: () => run(`mount -o remount,rw,bind ${place}`),
      fill: () => run(`head -c 100m /dev/zero > ${store}/ballast 2>/dev/null; test -s ${store}/ballast`),
      empty: () => run(`rm ${store}/ballast`),
      unmount: () => run(`umount -l ${place}`),
      mount: () => run(`mount --bind ${store} ${place}`),
      seenBy: (machine) => this.#seen(store, `${place}-${machine}`),
    };
  }

  /** Makes a file system that may hang and whose files may become stale; it needs `/dev/fuse`. */
  async addRemote(name: string): Promise<RemoteMount> {
    try {
      accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    } catch (cause) {
      throw new Error('/dev/fuse is needed: load the module fuse, and let this user open it', { cause });
    }
    const [behind, place] = [join(this.#folder, `${name}-files`), join(this.#folder, name)];
    const orders = join(this.#folder, `${name}-orders`);
    mkdirSync(behind);
    mkdirSync(place);
    let pid = 0;
    const mount = async (): Promise<void> => {
      const commands = [
        'exec 3<>/dev/fuse',
        `mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none ${place}`,
        `{ '${process.execPath}' '${FUSE_SERVER}' ${behind} ${orders} 3<&3 & }`,
        'exec 3>&-',
        'echo $!',
        // Answered once the process serves.
        `ls -d ${place}/. >/dev/null`,
      ];
      pid = Number.parseInt(await this.#run(commands.join(' && ')), 10);
      this.#servers.add(pid);
    };
    await mount();
    const shell = (await this.#run('echo $$')).trim();
    return {
      path: `/proc/${shell}/root${place}`,
      behind,
      hang: () => void process.kill(pid, 'SIGSTOP'),
      goOn: () => void process.kill(pid, 'SIGCONT'),
      order: (order) => writeFileSync(orders, order),
      obeyed: () => rmSync(orders, { force: true }),
      isStopped: async () => {
        await eventually('the process is stopped', () =>
          readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') T '),
        );
      },
      kill: async () => {
        process.kill(pid, 'SIGKILL');
        this.#servers.delete(pid);
        // The shell that began it may not look after it yet.
        await eventually('the process is gone', () => {
          const file = `/proc/${pid}/stat`;
          return !existsSync(file) || readFileSync(file, 'latin1').includes(') Z ');
        });
      },
      mount: async () => {
        await this.#run(`umount -l ${place}`);
        await mount();
      },
    };
  }

  /** Ends the namespace with everything in it. */
  async close(): Promise<void> {
    for (const pid of this.#servers) process.kill(pid, 'SIGKILL');
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
      await Promise.race([once(this.#shell.stdout, 'data'), this.#ended]);
    }
  }
}
