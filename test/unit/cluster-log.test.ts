import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { type LoggedParts, logCluster } from '../../src/cluster-log.js';
import { fakeCluster } from '../../src/testing/index.js';

const NO_PARTS: LoggedParts = {
  mysql: undefined,
  sessions: undefined,
  failover: undefined,
  cache: undefined,
};

function linesOf(parts: Partial<LoggedParts>): string[] {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: string): void => {
      lines.push(`${level} ${message.replace('stormlamp: ', '')}`);
    };
  logCluster(
    { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') },
    { ...NO_PARTS, ...parts },
  );
  return lines;
}

test('the last word about a primary that dies, is back and dies again is that it is lost', async () => {
  const fake = await fakeCluster();
  try {
    const { mysql, failover } = fake.cluster;
    const lines = linesOf({ mysql, failover });
    const last = (about: RegExp) =>
      expect.poll(() => lines.findLast((line) => about.test(line)), { timeout: 8_000 });
    await fake.kill('db1');
    await last(/primary db1/).toContain('is lost');
    await fake.start('db1');
    await last(/primary db1/).toContain('is back');
    await last(/node db1/).toContain('is up');
    await fake.kill('db1');
    await last(/primary db1/).toContain('is lost');
    await last(/node db1/).toContain('is down');
    await last(/takes writes|writes go/).toContain('no node takes writes');
  } finally {
    await fake.close();
  }
});

test('a breaker that opens again after each trial is told once in a while', () => {
  const mysql = new EventEmitter();
  const lines = linesOf({ mysql: mysql as never });
  const change = (before: string, after: string): boolean =>
    mysql.emit('breaker-changed', {
      node: 'db2',
      operation: 'read',
      before: { phase: before },
      after: { phase: after },
    });
  change('closed', 'open');
  change('open', 'half-open');
  change('half-open', 'open');
  expect(lines).toEqual(['warn breaker of db2 for read: open', 'debug breaker of db2 for read: half-open']);
  change('open', 'closed');
  change('closed', 'open');
  expect(lines.slice(2)).toEqual([
    'info breaker of db2 for read: closed',
    'warn breaker of db2 for read: open',
  ]);
});
