import { describe, expect, test } from 'vitest';
import { serverListText } from '../../../src/cli/server-list-text.js';
import type { ServerList } from '../../../src/testing/servers/server-list.js';

const LIST: ServerList = {
  cacheDir: '/home/ada/.cache/stormlamp',
  servers: [
    {
      found: true,
      name: 'mariadb',
      release: 'newest',
      version: '11.8.9',
      origin: 'cache',
      path: '/home/ada/.cache/stormlamp/debian-sid-mariadb-amd64/usr/sbin/mariadbd',
    },
    {
      found: false,
      name: 'mysql',
      release: 'system',
      rejected: ['`STORMLAMP_MYSQLD` names `/x`, which is not an executable file'],
      isMisnamed: true,
      wouldInstallInto: '/y',
    },
    { found: false, name: 'php', release: 'system', rejected: [], isMisnamed: false, wouldInstallInto: '/z' },
    { found: false, name: 'haproxy', release: 'system', rejected: ['too old'], isMisnamed: false },
  ],
};

describe('the list of servers', () => {
  test('has a line for each where there is room', () => {
    expect(serverListText(LIST, Number.POSITIVE_INFINITY)).toEqual([
      'Cache: /home/ada/.cache/stormlamp',
      'mariadb@newest   11.8.9       from cache        /home/ada/.cache/stormlamp/debian-sid-mariadb-amd64/usr/sbin/mariadbd',
      'mysql            wrong path   `STORMLAMP_MYSQLD` names `/x`, which is not an executable file',
      'php              missing      get it with: stormlamp servers install php',
      'haproxy          missing      cannot be installed here',
      '       too old',
    ]);
  });

  test('says in 40 columns the same', () => {
    const lines = serverListText(LIST, 40);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(40);
    const words = (texts: readonly string[]): string => texts.join('').replaceAll(/\s/g, '');
    expect(words(lines)).toBe(words(serverListText(LIST, Number.POSITIVE_INFINITY)));
    expect(lines).toContain('mysql wrong path');
  });

  test('does not tell to install what an option or a variable names wrongly', () => {
    const [, , mysql] = serverListText(LIST, Number.POSITIVE_INFINITY);
    expect(mysql).not.toContain('install');
  });
});
