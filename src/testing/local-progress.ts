/** What a local cluster tells while it starts. */
import type { InstallProgress } from './servers/install-progress.js';

/** One report of a cluster that is starting. */
export interface LocalProgress {
  /**
   * `install`: server packages are being got. `data`: an empty database is being made, once per server version.
   * `start`: servers are starting. `ready`: everything runs.
   */
  readonly phase: 'install' | 'data' | 'start' | 'ready';
  /** The report for people. */
  readonly message: string;
  /** How far an installation is. */
  readonly install?: InstallProgress;
}

/** Receives the reports of a cluster that is starting. */
export type LocalProgressListener = (event: LocalProgress) => void;
