import { describe, expect, test } from 'vitest';
import { decideOperatingSystem, parseOsRelease } from '../../../../src/testing/servers/operating-system.js';

const decide = (text: string) => decideOperatingSystem('linux', parseOsRelease(text));

describe('os-release', () => {
  test('quotes are taken off and comments are ignored', () => {
    const release = parseOsRelease(
      '# comment\nPRETTY_NAME="Debian \\"12\\""\nID=debian\nNAME=\'Debian\'\n\nnonsense\n',
    );
    expect(Object.fromEntries(release)).toEqual({ PRETTY_NAME: 'Debian "12"', ID: 'debian', NAME: 'Debian' });
  });
});

describe('what a system allows', () => {
  test('Debian uses its own code name', () => {
    expect(
      decide('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n'),
    ).toEqual({
      kind: 'apt',
      name: 'Debian GNU/Linux 12 (bookworm)',
      distro: 'debian',
      family: 'debian',
      suite: 'bookworm',
    });
  });

  test('Debian without a code name is unstable', () => {
    expect(decide('PRETTY_NAME="Debian GNU/Linux bookworm/sid"\nID=debian\n')).toMatchObject({
      suite: 'sid',
    });
  });

  test('Ubuntu uses its own code name', () => {
    expect(decide('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n')).toMatchObject({
      kind: 'apt',
      distro: 'ubuntu',
      family: 'ubuntu',
      suite: 'noble',
    });
  });

  test('a relative of Ubuntu uses the code name of the Ubuntu that it is made of', () => {
    expect(
      decide(
        'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n',
      ),
    ).toMatchObject({ kind: 'apt', distro: 'linuxmint', family: 'ubuntu', suite: 'noble' });
  });

  test('a relative of Debian that names the Debian it is made of uses that', () => {
    expect(
      decide('ID=linuxmint\nID_LIKE=debian\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n'),
    ).toMatchObject({ kind: 'apt', family: 'debian', suite: 'bookworm' });
  });

  test('a code name that could leave the cache folder is not believed', () => {
    expect(decide('ID=debian\nVERSION_CODENAME=../../etc\n')).toMatchObject({ kind: 'other' });
  });

  test.each([
    ['ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n', 'Fedora Linux 42', 'dnf'],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\nNAME="Rocky Linux"\n', 'Rocky Linux', 'dnf'],
    ['ID=arch\nNAME="Arch Linux"\n', 'Arch Linux', 'pacman'],
    ['ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n', 'Alpine Linux v3.22', 'apk'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"\nNAME="openSUSE Leap"\n', 'openSUSE Leap', 'zypper'],
  ])('%j is named with its package manager', (text, name, manager) => {
    expect(decide(text)).toEqual({ kind: 'other', name, manager });
  });

  test('a Linux that nobody knows has no package manager', () => {
    expect(decide('ID=nixos\nNAME=NixOS\n')).toEqual({ kind: 'other', name: 'NixOS' });
  });

  test('macOS has brew, Windows nothing', () => {
    expect(decideOperatingSystem('darwin', new Map())).toEqual({
      kind: 'other',
      name: 'macOS',
      manager: 'brew',
    });
    expect(decideOperatingSystem('win32', new Map())).toEqual({ kind: 'other', name: 'Windows' });
  });
});
