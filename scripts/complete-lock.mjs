/**
 * Adds to package-lock.json the optional packages that npm left out since the registry in use does not have them for
 * other platforms: `npm ci` refuses a lock file without them, here and everywhere else. Run it after `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const SYSTEMS = [
  'android',
  'darwin',
  'win32',
  'freebsd',
  'linux',
  'openharmony',
  'openbsd',
  'netbsd',
  'sunos',
  'aix',
];
const PROCESSOR = /(?:^|[-_])(arm64|x64|ia32|arm|riscv64|ppc64|s390x|loong64|mips64el|wasm32)(?=[-_]|$)/;

/** The entry of a package that is only for the platform that its name tells. */
function entryOf(name, version, parent) {
  const cpu = PROCESSOR.exec(name)?.[1];
  const os = SYSTEMS.find((system) => name.includes(system));
  const libc = name.includes('musl') ? 'musl' : os === 'linux' && name.includes('gnu') ? 'glibc' : undefined;
  return {
    version,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}

const file = join(ROOT, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { packages } = lock;
let added = 0;
for (const [path, info] of Object.entries(packages)) {
  for (const [name, range] of Object.entries(info.optionalDependencies ?? {})) {
    const flat = `node_modules/${name}`;
    if (packages[flat] !== undefined || packages[`${path}/${flat}`] !== undefined) continue;
    packages[flat] = entryOf(name, range.replace(/^[\^~]/, ''), info);
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} entries added\n`);
