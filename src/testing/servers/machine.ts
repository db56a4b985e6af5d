/** Everything that the search for servers reads of the machine, in one value, so that a test can give another one. */
import { isAppArmorOn } from './app-armor.js';
import type { AptSource } from './apt-sources.js';
import { readAptSources } from './distro-sources.js';
import { type OperatingSystem, readOperatingSystem } from './operating-system.js';
import { debianArchitecture } from './package-folder.js';

/** A machine as the search sees it. */
export interface Machine {
  /** The operating system. */
  readonly system: OperatingSystem;
  /** Debian's name of the architecture; `undefined` when its packages cannot be run from a folder. */
  readonly architecture: string | undefined;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folders of system programs that a user's PATH may lack. */
  readonly systemFolders: readonly string[];
  /** The folder of AppArmor's profiles; `undefined` when AppArmor is not in force. */
  readonly appArmorFolder: string | undefined;
  /** Reads the machine's package sources. */
  aptSources(): readonly AptSource[];
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return {
    system: readOperatingSystem(),
    architecture: debianArchitecture(),
    env: process.env,
    systemFolders: ['/usr/sbin', '/usr/local/sbin', '/usr/libexec'],
    appArmorFolder: isAppArmorOn() ? '/etc/apparmor.d' : undefined,
    aptSources: readAptSources,
  };
}
