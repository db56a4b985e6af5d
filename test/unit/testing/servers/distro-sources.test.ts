import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseSourcesList } from '../../../../src/testing/servers/apt-sources.js';
import { distroSources, readAptSources } from '../../../../src/testing/servers/distro-sources.js';

const debian = { family: 'debian', suite: 'bookworm', architecture: 'amd64' } as const;
const ubuntu = { family: 'ubuntu', suite: 'noble', architecture: 'amd64' } as const;

function chosen(list: string, system: typeof debian | typeof ubuntu, suite?: string): readonly string[] {
  return distroSources(parseSourcesList(list), system, suite).map(
    (source) => `${source.uri} ${source.suite} ${source.components.join(' ')}`,
  );
}

describe('the sources of the distribution itself', () => {
  test('are the release, its updates and its security updates, and nothing else', () => {
    const list = [
      'deb http://mirror.test/debian bookworm main contrib non-free-firmware',
      'deb http://mirror.test/debian bookworm-updates main',
      'deb http://mirror.test/debian bookworm-backports main',
      'deb http://mirror.test/debian-security bookworm-security main',
      'deb http://mirror.test/debian trixie main',
    ].join('\n');
    expect(chosen(list, debian)).toEqual([
      'http://mirror.test/debian bookworm main',
      'http://mirror.test/debian bookworm-updates main',
      'http://mirror.test/debian-security bookworm-security main',
    ]);
  });

  test('leave out other vendors that also name their suites after the release', () => {
    const list = [
      'deb https://vendor.test/linux/debian bookworm stable',
      'deb https://vendor.test/php bookworm main',
      'deb http://mirror.test/debian bookworm main',
    ].join('\n');
    expect(chosen(list, debian)).toEqual(['http://mirror.test/debian bookworm main']);
  });

  test('are taken from a mirror of any name when no mirror carries the name of the distribution', () => {
    expect(chosen('deb https://proxy.test/apt/remote bookworm main', debian)).toEqual([
      'https://proxy.test/apt/remote bookworm main',
    ]);
  });

  test('may be named by an alias of the release', () => {
    const list =
      'deb http://mirror.test/debian stable main\ndeb http://mirror.test/debian stable-updates main';
    expect(chosen(list, debian)).toEqual([
      'http://mirror.test/debian stable main',
      'http://mirror.test/debian stable-updates main',
    ]);
  });

  test('of another suite are the same repositories without their security part', () => {
    const list = [
      'deb [signed-by=/etc/a.gpg] http://mirror.test/debian bookworm main',
      'deb http://mirror.test/debian-security bookworm-security main',
    ].join('\n');
    expect(distroSources(parseSourcesList(list), debian, 'sid')).toEqual([
      { uri: 'http://mirror.test/debian', suite: 'sid', components: ['main'], signedBy: '/etc/a.gpg' },
    ]);
  });

  test('of Ubuntu have universe too, where the PHP extensions are', () => {
    const list = [
      'deb http://mirror.test/ubuntu noble main restricted',
      'deb http://mirror.test/ubuntu noble universe',
      'deb http://mirror.test/ubuntu noble-security main',
    ].join('\n');
    expect(chosen(list, ubuntu)).toEqual([
      'http://mirror.test/ubuntu noble main universe',
      'http://mirror.test/ubuntu noble-security main universe',
    ]);
  });

  test('are those of the architecture', () => {
    const list = [
      'deb [arch=arm64] http://ports.test/ubuntu-ports noble main',
      'deb [arch=amd64] http://mirror.test/ubuntu noble main',
    ].join('\n');
    expect(chosen(list, ubuntu)).toEqual(['http://mirror.test/ubuntu noble main universe']);
  });

  test('are none on a machine without the release, or with nothing but a disc', () => {
    expect(chosen('deb http://mirror.test/debian bookworm-updates main', debian)).toEqual([]);
    expect(chosen('deb cdrom:[Debian]/ bookworm main', debian)).toEqual([]);
  });
});

describe('reading the machine', () => {
  let etc = '';
  beforeEach(() => {
    etc = mkdtempSync(join(tmpdir(), 'stormlamp-etc-'));
  });
  afterEach(() => rmSync(etc, { recursive: true }));

  test('both formats are read, other endings are ignored as apt ignores them', () => {
    mkdirSync(join(etc, 'sources.list.d'));
    writeFileSync(join(etc, 'sources.list'), 'deb http://one.test/debian bookworm main\n');
    writeFileSync(join(etc, 'sources.list.d', 'b.list'), 'deb http://two.test/debian bookworm main\n');
    writeFileSync(join(etc, 'sources.list.d', 'c.list.off'), 'deb http://off.test/debian bookworm main\n');
    writeFileSync(
      join(etc, 'sources.list.d', 'a.sources'),
      'Types: deb\nURIs: http://three.test/debian\nSuites: bookworm\nComponents: main\n',
    );
    expect(readAptSources(etc).map(({ uri }) => uri)).toEqual([
      'http://one.test/debian',
      'http://three.test/debian',
      'http://two.test/debian',
    ]);
  });

  test('a machine without any source has none', () => {
    expect(readAptSources(join(etc, 'nowhere'))).toEqual([]);
  });
});
