/** `npm ci` takes the lock file on every machine. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const file = resolve(import.meta.dirname, '../../package-lock.json');
const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> };

test('every optional package of every platform is in it (else: node scripts/complete-lock.mjs)', () => {
  const missing = Object.entries(packages).flatMap(([path, info]) =>
    Object.keys(info.optionalDependencies ?? {}).filter(
      (name) =>
        packages[`node_modules/${name}`] === undefined &&
        packages[`${path}/node_modules/${name}`] === undefined,
    ),
  );
  expect(missing).toEqual([]);
});

test('it names no registry', () => {
  expect(Object.values(packages).filter((info) => info.resolved !== undefined)).toEqual([]);
});
