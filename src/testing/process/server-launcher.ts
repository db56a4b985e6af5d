/** Starts servers, wherever their programs are: on this machine or in containers. */
import type { ServerName } from '../servers/server-binaries.js';
import type { RunningServer } from './running-server.js';

/** What shall be started. */
export interface LaunchSpec {
  /** Which server's program. */
  readonly server: ServerName;
  /** The node's name, for messages. */
  readonly name: string;
  /** The program's own arguments. */
  readonly args: readonly string[];
  /** The folder it runs in. */
  readonly folder: string;
  /** The file that gets its output, appended. */
  readonly logFile: string;
  /** The file that gets its standard output, when that is not {@link LaunchSpec.logFile}. */
  readonly outFile?: string | undefined;
  /** The file that it reads as its standard input; none by default. */
  readonly stdinFile?: string | undefined;
  /** Folders outside the cluster's that it reads or writes. */
  readonly shared?: readonly string[] | undefined;
  /** More variables for its environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Where a server came from. */
export interface LocalServerVersion {
  /** Its version, like `10.11.14`. */
  readonly version: string;
  /** Who brought it. */
  readonly origin: 'option' | 'environment' | 'path' | 'cache' | 'docker';
  /** The program's path, or the image. */
  readonly from: string;
}

/** Starts the servers of one cluster. */
export interface ServerLauncher {
  /** Versions of the servers that can be started. */
  readonly versions: Readonly<Partial<Record<ServerName, LocalServerVersion>>>;
  /**
   * Starts a server.
   *
   * @throws StormlampError `ERR_SERVER_START` when it cannot be started at all.
   */
  launch(spec: LaunchSpec): Promise<RunningServer>;
  /** Arguments that come before all others and tell a database server where its own files are. */
  databaseArgs(server: 'mariadb' | 'mysql'): readonly string[];
  /** Where a database server whose files are in `folder` has its unix socket. */
  socketPath(folder: string): string;
  /** Fills the empty folder `data` with what an empty database has. `folder` is for temporary files. */
  makeData(server: 'mariadb' | 'mysql', data: string, folder: string): Promise<void>;
  /** Everything that makes {@link ServerLauncher.makeData} give another result. */
  dataFingerprint(server: 'mariadb' | 'mysql'): Promise<readonly string[]>;
  /** Gives back what the launcher itself holds. */
  close(): Promise<void>;
}
