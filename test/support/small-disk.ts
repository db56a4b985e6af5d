/** A disk of its own for the data of one server, which can be filled and freed. Needs root. */
import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalDatabaseNode } from '../../src/testing/index.js';

const ROOM_MIB = 64;
const CHUNK = Buffer.alloc(65_536);

/** A mounted disk. */
export class SmallDisk {
  readonly #folder: string;
  readonly #ballast: string;
  #unmounted = false;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  /** Moves the data of `node` to a disk with little room beside it; the server is stopped for that. */
  static async under(node: LocalDatabaseNode): Promise<SmallDisk> {
    const [{ folder } = { folder: '' }] = await node.query<{ folder: string }>('SELECT @@datadir AS folder');
    const data = folder.replace(/\/$/, '');
    await node.stop();
    const usedMib = Number(execFileSync('du', ['-sm', data], { encoding: 'utf8' }).split('\t')[0]);
    renameSync(data, `${data}.before`);
    mkdirSync(data);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${usedMib + ROOM_MIB}m`, 'none', data]);
    const disk = new SmallDisk(data);
    try {
      cpSync(`${data}.before`, data, { recursive: true });
      await node.start();
      return disk;
    } catch (error) {
      disk.unmount();
      throw error;
    }
  }

  /** Leaves no room. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (;;) writeSync(file, CHUNK);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives the room back. */
  free(): void {
    rmSync(this.#ballast);
  }

  /** Takes the disk away; a server that runs on it keeps it until it ends. Safe to call twice. */
  unmount(): void {
    if (this.#unmounted) return;
    this.#unmounted = true;
    execFileSync('umount', ['--lazy', this.#folder]);
  }
}
