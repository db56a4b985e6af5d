/** What one process was shown by its reads, as `failover-readers.mjs` notes it. */
import { readFileSync } from 'node:fs';

/** One read that was answered. */
export interface ReadNote {
  /** The process. */
  readonly app: string;
  /** The read, or for `own` the write that it looks for. */
  readonly id: string;
  /** `own`: in the scope that has just written the row; `newest`: outside of any. */
  readonly kind: 'own' | 'newest';
  readonly began: number;
  readonly ended: number;
  /** The port of the server that answered, as it says itself; 0 when it had no row. */
  readonly port: number;
  /** The rows that it was shown. */
  readonly shown: readonly string[];
  /** How many rows it had written. */
  readonly wanted: number;
}

/** The reads of the process `app`, in their order; none when it has no such file. Those that failed are left out. */
export function readNotes(app: string, file: string): readonly ReadNote[] {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return [];
  }
  // A process that was killed may have begun a line.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line): readonly ReadNote[] => {
    const [kind, id = '', began, ended, port, ...rest] = line.split(' ');
    const common = { app, id, began: Number(began), ended: Number(ended), port: Number(port) };
    if (kind === 'o') {
      const [shown, wanted] = rest.map(Number);
      return [{ ...common, kind: 'own', shown: Array(shown ?? 0).fill(id), wanted: wanted ?? 0 }];
    }
    if (kind !== 'n') return [];
    return [{ ...common, kind: 'newest', shown: (rest[0] ?? '').split(',').filter(Boolean), wanted: 0 }];
  });
}
