/** What one process was told of its writes, read from its file as far as that has grown. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Operation } from './app-fleet.js';

const CHUNK = Buffer.alloc(1 << 16);

/** The writes of one process; each look reads only what is new, so that looking often costs the watching process nothing. */
export class WriteJournal {
  readonly operations = new Map<string, Operation>();
  readonly #file: string;
  #offset = 0;
  #rest = '';

  /** Nothing is read yet; a process without writers has no file. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Reads what is new. */
  read(): ReadonlyMap<string, Operation> {
    let file: number;
    try {
      file = openSync(this.#file, 'r');
    } catch {
      return this.operations;
    }
    try {
      for (;;) {
        const length = readSync(file, CHUNK, 0, CHUNK.length, this.#offset);
        if (length === 0) return this.operations;
        this.#offset += length;
        const lines = `${this.#rest}${CHUNK.toString('latin1', 0, length)}`.split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) this.#note(line);
      }
    } finally {
      closeSync(file);
    }
  }

  #note(line: string): void {
    const [kind, id = '', began, ended, rest = ''] = line.split(' ');
    const outcome = kind === undefined ? undefined : OUTCOMES[kind];
    if (outcome === undefined) return;
    this.operations.set(id, {
      id,
      outcome,
      began: Number(began),
      // A process that died before it was told knows nothing.
      ended: kind === 'b' ? undefined : Number(ended),
      why: kind === 'b' ? 'died' : outcome === 'acknowledged' ? '' : rest,
      rows: outcome === 'acknowledged' ? Number(rest) : 0,
    });
  }
}

const OUTCOMES: Readonly<Record<string, Operation['outcome']>> = {
  b: 'unknown',
  a: 'acknowledged',
  r: 'refused',
  u: 'unknown',
};
