/** Packages that only the tests need, got in the same way as the servers: unpacked privately, into the same cache. */
import { cacheRoot } from '../../src/testing/servers/cache-folder.js';
import { distroSources } from '../../src/testing/servers/distro-sources.js';
import { installPackages } from '../../src/testing/servers/install-packages.js';
import { thisMachine } from '../../src/testing/servers/machine.js';
import type { PackageSet } from '../../src/testing/servers/package-sets.js';

/** The folder in which the packages of `set` are unpacked; they are installed first where they are missing. */
export async function testPackages(set: PackageSet): Promise<string> {
  const machine = thisMachine();
  const { system, architecture } = machine;
  if (system.kind !== 'apt' || architecture === undefined) {
    throw new Error(
      `This test needs the packages ${set.packages.join(', ')}, which can only be unpacked on Debian and Ubuntu; run it there`,
    );
  }
  const sources = distroSources(machine.aptSources(), { ...system, architecture }, set.suite);
  const { folder } = await installPackages({
    set,
    system,
    architecture,
    sources,
    root: cacheRoot(undefined, machine.env),
    onProgress: () => undefined,
    signal: undefined,
  });
  return folder;
}
