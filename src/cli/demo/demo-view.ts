/** The demo's live picture: who serves reads, lag, breakers, sessions and the story so far, as lines of text. */

import type { Paint } from '../paint.js';
import { printable } from '../printable.js';
import { cut, setTable, type TextColumn } from '../text-table.js';

/** A database node in the picture. */
export interface DatabaseLine {
  /** Short name. */
  readonly name: string;
  /** Role as the client sees it. */
  readonly role: string;
  /** Whether it answers. */
  readonly up: boolean;
  /** Lag in milliseconds with the age of the measurement; null when it has none or it is unknown. */
  readonly lagMs: number | null;
  /** Statements sent there since the last picture. */
  readonly reads: number;
  /** Writes sent there since the last picture. */
  readonly writes: number;
  /** Phase of the breaker for reads. */
  readonly breaker: string;
}

/** A memcached node in the picture. */
export interface CacheLine {
  /** Short name. */
  readonly name: string;
  /** Phase of the breaker for reads. */
  readonly breaker: string;
  /** Items that it holds, the copies of sessions; null when it does not answer. */
  readonly items: number | null;
}

/** A step of the story in the picture. */
export interface StepLine {
  /** What happens, in words. */
  readonly title: string;
  /** How far it is. */
  readonly state: 'waiting' | 'running' | 'verified' | 'failed';
  /** Milliseconds it took, or takes so far. */
  readonly ms: number;
  /** What was found, in words. */
  readonly detail: string;
}

/** Everything that the picture shows. */
export interface DemoPicture {
  /** The site's address; undefined before it listens. */
  readonly url: string | undefined;
  /** Versions of the servers. */
  readonly versions: string;
  /** Database nodes. */
  readonly databases: readonly DatabaseLine[];
  /** memcached nodes. */
  readonly caches: readonly CacheLine[];
  /** The story. */
  readonly steps: readonly StepLine[];
  /** A last line: what to do now. */
  readonly footer: string;
}

/** The picture as lines no wider than `width` columns. */
export function renderDemo(picture: DemoPicture, width: number, paint: Paint): readonly string[] {
  const lines: string[] = [];
  const add = (text: string, style?: Parameters<Paint>[0]): void => {
    const shown = cut(text, width);
    lines.push(style === undefined ? shown : paint(style, shown));
  };
  add(`stormlamp demo  ${picture.url ?? 'starting …'}`, 'bold');
  add(picture.versions, 'dim');
  if (picture.databases.length > 0) {
    add('');
    const rows = picture.databases.map(({ name, role, lagMs, reads, writes, breaker }) => [
      name,
      role,
      lagMs === null ? '-' : `${Math.round(lagMs)} ms`,
      String(reads),
      String(writes),
      breaker,
    ]);
    const table = setTable(DATABASE_COLUMNS, rows, width, '  ');
    add(table.heading, 'dim');
    for (const [index, node] of picture.databases.entries()) {
      const style = node.role === 'primary' ? 'green' : undefined;
      add(table.lines[index] ?? '', node.up ? style : 'red');
    }
  }
  if (picture.caches.length > 0) {
    add('');
    const rows = picture.caches.map(({ name, items, breaker }) => [name, String(items ?? '-'), breaker]);
    const table = setTable(CACHE_COLUMNS, rows, width, '  ');
    add(table.heading, 'dim');
    for (const [index, node] of picture.caches.entries()) {
      add(table.lines[index] ?? '', node.items === null ? 'red' : undefined);
    }
  }
  add('');
  for (const step of picture.steps) add(stepText(step), STEP_STYLE[step.state]);
  if (picture.footer !== '') {
    add('');
    add(picture.footer, 'dim');
  }
  return lines;
}

// The texts change while they are looked at: their usual width is in the titles, so that the columns stand still.
const DATABASE_COLUMNS: readonly TextColumn[] = [
  { title: 'MySQL' },
  { title: 'role   ' },
  { title: '     lag', align: 'right', dropAt: 1 },
  { title: 'reads', align: 'right', dropAt: 3 },
  { title: 'writes', align: 'right', dropAt: 4 },
  { title: 'breaker', dropAt: 2 },
];
const CACHE_COLUMNS: readonly TextColumn[] = [
  { title: 'memcached' },
  { title: 'sessions', align: 'right', dropAt: 1 },
  { title: 'breaker', dropAt: 2 },
];

const STEP_STYLE = { waiting: 'dim', running: 'yellow', verified: 'green', failed: 'red' } as const;
const STEP_MARK = { waiting: '·', running: '>', verified: '✓', failed: '✗' } as const;

function stepText({ title, state, ms, detail }: StepLine): string {
  const time = state === 'waiting' ? '' : ` (${Math.round(ms)} ms)`;
  return ` ${STEP_MARK[state]} ${title}${time}${detail === '' ? '' : `: ${detail}`}`;
}

/** Draws pictures over each other on a terminal. */
export class DemoScreen {
  readonly #out: NodeJS.WriteStream;
  #height = 0;

  /** @param out the terminal */
  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Replaces the last picture; where the terminal is too low for all of it, the `kept` end of it is shown. */
  draw(lines: readonly string[], kept: 'head' | 'tail' = 'tail'): void {
    // A picture higher than the terminal cannot be drawn over: its head has scrolled away.
    const room = Math.max(5, (this.#out.rows ?? 24) - 1);
    const shown = lines.length > room ? shorten(lines, room, kept) : lines;
    const up = this.#height > 0 ? `\u001b[${this.#height}A\r\u001b[J` : '';
    this.#out.write(`${up}${printable(shown.join('\n'), true)}\n`);
    this.#height = shown.length;
  }

  /** Leaves the last picture where it is. */
  release(): void {
    this.#height = 0;
  }
}

function shorten(lines: readonly string[], room: number, kept: 'head' | 'tail'): readonly string[] {
  if (kept === 'tail') return lines.slice(-room);
  return [...lines.slice(0, room - 1), `… ${lines.length - room + 1} lines more than this terminal has`];
}
