/** Whoever is woken by an event finds it in a runbook, with what to do. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** The events, or what else stands between quotes at the beginning of a line, of one declaration. */
function namesIn(file: string, declaration: string): readonly string[] {
  const text = readFileSync(join(ROOT, 'src/failover', file), 'utf8');
  const begin = text.indexOf(declaration);
  if (begin < 0) throw new Error(`${file} has no ${declaration}`);
  const body = text.slice(begin, text.indexOf('\n\n', begin));
  return [...body.matchAll(/^\s+(?:\| )?'([\w-]+)'/gm)].map(([, name = '']) => name);
}

/** What the first column of the page's tables names. */
function rowsOf(page: string): string {
  const lines = readFileSync(join(ROOT, 'docs', page), 'utf8').split('\n');
  return lines.flatMap((line) => (line.startsWith('|') ? [line.split('|')[1]] : [])).join('\n');
}

test('every kind of failure has a row', () => {
  const kinds = namesIn('failure-kind.ts', 'export type FailureKind');
  expect(kinds).toContain('dead-primary');
  expect(kinds.filter((kind) => !rowsOf('failover.md').includes(`\`${kind}\``))).toEqual([]);
});

test('every event of a lease, and of what else is looked after, has a row', () => {
  const events = [
    ...namesIn('resources/leader-lease.ts', 'export interface LeaderLeaseEvents'),
    ...namesIn('resources/memcached-pair.ts', 'export interface MemcachedPairEvents'),
    ...namesIn('resources/http-upstreams.ts', 'export interface HttpUpstreamsEvents'),
  ];
  expect(events).toContain('lease-overrun');
  expect(events.filter((event) => !rowsOf('resources.md').includes(`\`${event}\``))).toEqual([]);
});

test('it is said what to do when nobody is elected', () => {
  expect(rowsOf('failover.md')).toMatch(/`leadership-changed` with `leads: false`/);
});
