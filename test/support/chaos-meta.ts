/** What a long run leaves with its test for the summary of `npm run chaos`. */
import type { TestContext } from 'vitest';

/** What a scenario saw. */
export interface ChaosMeta {
  /** Which servers, and how many. */
  servers?: string;
  /** Acknowledged writes that are gone. */
  lost?: number;
  /** Writes that are there more often than they were made. */
  doubled?: number;
  /** Writes of which nobody was told what became of them. */
  unknown?: number;
  /** What else it saw, as JSON. */
  seen?: string;
}

declare module 'vitest' {
  interface TaskMeta {
    chaos?: ChaosMeta;
  }
}

/** Adds to what the summary says of a test. */
export function noteMeta(task: TestContext['task'], meta: ChaosMeta): void {
  task.meta.chaos = { ...task.meta.chaos, ...meta };
}

/** The numbers of a verdict on writes, as the summary has them. */
export function countsOf({
  lost,
  doubled,
  unknown,
}: {
  readonly lost: readonly unknown[];
  readonly doubled: readonly unknown[];
  readonly unknown: number;
}): Pick<ChaosMeta, 'lost' | 'doubled' | 'unknown'> {
  return { lost: lost.length, doubled: doubled.length, unknown };
}
