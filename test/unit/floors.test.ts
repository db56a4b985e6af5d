/** The house has floors: a file imports from its own room or a lower floor, never sideways, never up. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');
const FLOORS: Record<string, number> = {
  common: 0,
  diagnostics: 1,
  topology: 2,
  breaker: 2,
  php: 2,
  health: 3,
  memcached: 3,
  files: 3,
  mysql: 4,
  session: 4,
  cache: 4,
  failover: 5,
  '': 6,
  express: 7,
  dashboard: 7,
  telemetry: 7,
  gateway: 7,
  testing: 7,
  cli: 8,
};
/** The only file that may import each library. */
const FRONTS: Record<string, RegExp> = {
  mysql2: /^(mysql\/connection-factory|testing\/admin-connection)\.ts$/,
  'generic-pool': /^mysql\/slot-store\.ts$/,
  opossum: /^breaker\/opossum-breaker\.ts$/,
  koffi: /^files\/koffi-flock\.ts$/,
  '@opentelemetry': /^telemetry\/otel\/[\w-]+\.ts$/,
  memjs: /^memcached\/memjs-node\.ts$/,
};

function sources(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => file.replaceAll('\\', '/'));
}

function room(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

function imports(file: string): { from: string; typeOnly: boolean }[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const pattern =
    /^\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    from: match[2] ?? match[3] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

test('every room has a floor', () => {
  for (const file of sources()) expect(FLOORS, file).toHaveProperty([room(file)]);
});

test('nobody imports sideways or up', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    for (const { from } of imports(file)) {
      if (!from.startsWith('.')) continue;
      const target = relative(SRC, resolve(SRC, file, '..', from)).replaceAll('\\', '/');
      const here = room(file);
      const there = room(target);
      if (here === there) continue;
      if ((FLOORS[there] ?? Number.NaN) < (FLOORS[here] ?? Number.NaN)) continue;
      wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('each library has one front file', () => {
  const wrong: string[] = [];
  for (const file of sources()) {
    for (const { from, typeOnly } of imports(file)) {
      const library = from.split('/')[0] ?? '';
      const front = FRONTS[library];
      if (front !== undefined && !typeOnly && !front.test(file)) wrong.push(`${file} imports ${from}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no file is longer than 400 lines or has a name that says nothing', () => {
  const wrong = sources().filter((file) => {
    const lines = readFileSync(join(SRC, file), 'utf8').split('\n').length;
    return lines > 401 || /(^|\/)(utils?|helpers?|types|misc)\.ts$/.test(file);
  });
  expect(wrong).toEqual([]);
});
