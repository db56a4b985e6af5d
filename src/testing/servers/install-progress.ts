/** What an installation of server programs tells while it runs. */

/** One report of an installation; `done` and `total` have the unit of their phase. */
export interface InstallProgress {
  /**
   * `index`: package indexes are read (percent). `download`: packages arrive (bytes). `unpack`: packages are
   * unpacked (packages). `verify`: the programs are run once (programs). `wait`: another process installs the
   * same set (milliseconds waited, of the longest wait).
   */
  readonly phase: 'index' | 'download' | 'unpack' | 'verify' | 'wait';
  /** The package set that is being installed, like `debian-bookworm-lamp-amd64`. */
  readonly set: string;
  /** How much of `total` is done. */
  readonly done: number;
  /** What `done` will be at the end of the phase. */
  readonly total: number;
  /** The same for people. */
  readonly message: string;
}

/** Receives the reports of an installation. */
export type InstallProgressListener = (event: InstallProgress) => void;
