import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AptSource,
  describeSource,
  formatDeb822Sources,
  parseDeb822Sources,
  parseSourcesList,
} from '../../../../src/testing/servers/apt-sources.js';

describe('sources.list', () => {
  test('a line is one repository with its components', () => {
    expect(parseSourcesList('deb http://mirror.test/debian bookworm main contrib\n')).toEqual([
      { uri: 'http://mirror.test/debian', suite: 'bookworm', components: ['main', 'contrib'] },
    ]);
  });

  test('options in brackets are read, also with spaces around them', () => {
    expect(
      parseSourcesList(
        'deb [ arch=amd64,arm64 signed-by=/etc/a.gpg,/etc/b.gpg check-valid-until=no ] http://mirror.test/d bookworm main',
      ),
    ).toEqual([
      {
        uri: 'http://mirror.test/d',
        suite: 'bookworm',
        components: ['main'],
        signedBy: '/etc/a.gpg /etc/b.gpg',
        architectures: ['amd64', 'arm64'],
        checkValidUntil: 'no',
      },
    ]);
  });

  test('comments, sources of source code and flat repositories are left out', () => {
    const text = [
      '# deb http://mirror.test/debian bookworm main',
      '  #deb http://mirror.test/debian bookworm main',
      'deb-src http://mirror.test/debian bookworm main',
      'deb http://mirror.test/flat ./',
      'deb http://mirror.test/debian bookworm-updates main # why',
      '',
    ].join('\n');
    expect(parseSourcesList(text)).toEqual([
      { uri: 'http://mirror.test/debian', suite: 'bookworm-updates', components: ['main'] },
    ]);
  });

  test('the words that switch the check of signatures off are not taken over', () => {
    const [source] = parseSourcesList(
      'deb [trusted=yes allow-insecure=yes] http://mirror.test/d bookworm main',
    );
    expect(source).toEqual({ uri: 'http://mirror.test/d', suite: 'bookworm', components: ['main'] });
  });
});

describe('*.sources', () => {
  test('a paragraph is every suite of every URI', () => {
    const text = [
      'Types: deb deb-src',
      '# a comment inside',
      'URIs: http://a.test/debian http://b.test/debian',
      'Suites: bookworm bookworm-updates',
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n');
    const sources = parseDeb822Sources(text);
    expect(sources.map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
      'http://a.test/debian bookworm',
      'http://a.test/debian bookworm-updates',
      'http://b.test/debian bookworm',
      'http://b.test/debian bookworm-updates',
    ]);
    expect(sources[0]?.signedBy).toBe('/usr/share/keyrings/debian-archive-keyring.gpg');
  });

  test('field names have no case, values may continue on the next line', () => {
    const text = 'TYPES: deb\nuris:\n http://a.test/debian\nsuites: bookworm\ncomponents: main\n contrib\n';
    expect(parseDeb822Sources(text)).toEqual([
      { uri: 'http://a.test/debian', suite: 'bookworm', components: ['main', 'contrib'] },
    ]);
  });

  test('disabled paragraphs and those of source code are left out', () => {
    const paragraph = 'URIs: http://a.test/debian\nSuites: bookworm\nComponents: main\n';
    expect(parseDeb822Sources(`Types: deb\nEnabled: no\n${paragraph}`)).toEqual([]);
    expect(parseDeb822Sources(`Types: deb-src\n${paragraph}`)).toEqual([]);
    expect(parseDeb822Sources(`Types: deb\nEnabled: yes\n${paragraph}`)).toHaveLength(1);
  });

  test('a key inside the file survives reading and writing', () => {
    const text = [
      'Types: deb',
      'URIs: http://a.test/debian',
      'Suites: bookworm',
      'Components: main',
      'Architectures: amd64',
      'Signed-By:',
      ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
      ' .',
      ' mQINBF',
      ' =abcd',
      ' -----END PGP PUBLIC KEY BLOCK-----',
    ].join('\n');
    const sources = parseDeb822Sources(text);
    expect(sources[0]?.signedBy).toContain('\n.\nmQINBF\n=abcd\n');
    const again = parseDeb822Sources(formatDeb822Sources(sources));
    expect(again.map(({ signedBy }) => signedBy?.trim())).toEqual([sources[0]?.signedBy?.trim()]);
  });

  test('what is written is read again', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9/.-]{0,12}$/);
    const source: fc.Arbitrary<AptSource> = fc.record(
      {
        uri: word.map((path) => `http://mirror.test/${path}`),
        suite: word,
        components: fc.array(word, { minLength: 1, maxLength: 3 }),
        signedBy: word.map((path) => `/etc/${path}.gpg`),
        checkValidUntil: fc.constantFrom('yes', 'no'),
      },
      { requiredKeys: ['uri', 'suite', 'components'] },
    );
    fc.assert(
      fc.property(fc.array(source, { maxLength: 4 }), (sources) => {
        expect(parseDeb822Sources(formatDeb822Sources(sources))).toEqual(sources);
      }),
    );
  });
});

test('a password in a URI is not shown', () => {
  expect(
    describeSource({ uri: 'https://me:secret@mirror.test/debian', suite: 'bookworm', components: ['main'] }),
  ).toBe('https://mirror.test/debian bookworm main');
});
