import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  keepAcquireSettings,
  writeAptConfiguration,
} from '../../../../src/testing/servers/apt-configuration.js';

test('of the machine only the settings about reaching repositories are kept', () => {
  const dump = [
    'APT::Update::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";',
    'APT::Get::AllowUnauthenticated "true";',
    'Acquire::AllowInsecureRepositories "true";',
    'Acquire::http::Proxy "http://proxy.test:3128/";',
    'Acquire::https::CaInfo "/etc/ca.pem";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Languages:: "none";',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "true";',
    'Acquire::ForceIPv4 "true";',
    'Dir::Etc::parts "apt.conf.d";',
  ].join('\n');
  expect(keepAcquireSettings(dump)).toEqual([
    'Acquire::http::Proxy "http://proxy.test:3128/";',
    'Acquire::https::CaInfo "/etc/ca.pem";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::ForceIPv4 "true";',
  ]);
});

test('every place of the private apt is below its folder, and files that may hold passwords are private', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-apt-'));
  try {
    const { file, archives } = writeAptConfiguration({
      folder,
      sources: [{ uri: 'http://me:secret@mirror.test/debian', suite: 'bookworm', components: ['main'] }],
      architecture: 'amd64',
      origin: 'Debian',
      acquire: ['Acquire::http::Proxy "http://me:secret@proxy.test:3128/";'],
    });
    const text = readFileSync(file, 'utf8');
    for (const [, value = ''] of text.matchAll(/^Dir::\S+ "([^"]*)";$/gm)) {
      expect(value === '/dev/null' || value.startsWith(folder), value).toBe(true);
    }
    expect(text).toContain('APT::Get::AllowUnauthenticated "false";');
    expect(text.indexOf('proxy.test')).toBeLessThan(
      text.indexOf('Acquire::AllowInsecureRepositories "false"'),
    );
    expect(archives.startsWith(folder)).toBe(true);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(join(folder, 'sources', 'distribution.sources')).mode & 0o077).toBe(0);
    expect(readFileSync(join(folder, 'state', 'status'), 'utf8')).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('apt believes that what is left out is there already', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-apt-'));
  try {
    const sources = [{ uri: 'http://mirror.test/debian', suite: 'sid', components: ['main'] }];
    const plain = { folder, sources, architecture: 'arm64', origin: 'Debian', acquire: [] };
    writeAptConfiguration({ ...plain, without: ['perl', 'systemd'] });
    const status = readFileSync(join(folder, 'state', 'status'), 'utf8');
    const paragraphs = status.trimEnd().split('\n\n');
    expect(paragraphs.map((text) => /^Package: (.+)$/m.exec(text)?.[1])).toEqual(['perl', 'systemd']);
    for (const text of paragraphs) {
      expect(text).toMatch(/^Status: install ok installed$/m);
      expect(text).toMatch(/^Architecture: arm64$/m);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
