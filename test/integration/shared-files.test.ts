/** Shared files on two real mounts, which go wrong: nothing acknowledged is lost, and what was deleted stays so. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSharedFiles, type SharedFiles } from '../../src/files/shared-files.js';
import { eventually } from './eventually.js';
import { type FaultyMount, MountRoom } from './mount-room.js';

let room: MountRoom;
let a: FaultyMount;
let b: FaultyMount;
let files: SharedFiles;

beforeEach(async () => {
  room = await MountRoom.open();
  [a, b] = [await room.add('a', '3m'), await room.add('b', '16m')];
  files = await createSharedFiles({ mounts: [a.path, b.path], monitorIntervalMs: 60_000 });
});
afterEach(async () => {
  await files?.close();
  await room?.close();
});

const on = (mount: FaultyMount, name: string): string => join(mount.path, name);
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('a stream goes to every mount, and comes back, with its checksum', async () => {
  const bytes = randomBytes(900_000);
  const pieces = [bytes.subarray(0, 10), bytes.subarray(10, 600_000), bytes.subarray(600_000)];
  const done = await files.write('uploads/2024/a.bin', Readable.from(pieces), { mode: 0o640 });
  expect(done).toEqual({ size: bytes.length, sha256: sha(bytes), mounts: [a.path, b.path], missed: [] });
  for (const mount of [a, b]) expect(readFileSync(on(mount, 'uploads/2024/a.bin'))).toEqual(bytes);
  const read = await buffer(files.read('uploads/2024/a.bin', { sha256: sha(bytes) }));
  expect(read.equals(bytes)).toBe(true);
  expect(
    (await buffer(files.read('uploads/2024/a.bin', { offset: 899_990 }))).equals(bytes.subarray(-10)),
  ).toBe(true);
  expect(await files.stat('uploads/2024/a.bin')).toMatchObject({
    size: bytes.length,
    mode: 0o640,
    mount: a.path,
  });
  expect(await files.stat('uploads/none')).toBeUndefined();
  expect([...(await files.checksums('uploads/2024/a.bin')).values()]).toEqual([sha(bytes), sha(bytes)]);
  expect(statSync(on(a, 'uploads/2024/a.bin')).mtimeMs).toBe(statSync(on(b, 'uploads/2024/a.bin')).mtimeMs);
});

test('a wrong checksum and a source that fails leave the old file, and nothing beside it', async () => {
  await files.write('page.html', 'old');
  await expect(files.write('page.html', 'new', { sha256: sha(Buffer.from('other')) })).rejects.toMatchObject({
    code: 'ERR_CHECKSUM',
  });
  async function* broken(): AsyncGenerator<string> {
    yield 'half';
    throw new Error('the browser went away');
  }
  await expect(files.write('page.html', broken())).rejects.toThrow('the browser went away');
  expect(await text(files.read('page.html'))).toBe('old');
  for (const mount of [a, b]) expect(readdirSync(mount.path).sort()).toEqual(['.stormlamp', 'page.html']);
  await expect(text(files.read('page.html', { sha256: sha(Buffer.from('x')) }))).rejects.toMatchObject({
    code: 'ERR_CHECKSUM',
  });
  await expect(text(files.read('none'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
});

test('what is no checksum is an option that is wrong, and changes nothing', async () => {
  await files.write('page.html', 'old');
  const good = sha(Buffer.from('old'));
  const wrong = { code: 'ERR_INVALID_OPTION', message: expect.stringContaining('options.sha256') };
  for (const sha256 of ['zz', '', good.slice(1), `${good}0`, ` ${good}`, 7 as unknown as string]) {
    await expect(files.write('page.html', 'new', { sha256 })).rejects.toMatchObject(wrong);
    expect(() => files.read('page.html', { sha256 })).toThrow(expect.objectContaining(wrong));
  }
  expect(await text(files.read('page.html', { sha256: good.toUpperCase() }))).toBe('old');
});

test('links, folders and sockets have no checksum, and say nothing of their mount', async () => {
  await files.write('page.html', 'old');
  mkdirSync(on(a, 'folder'));
  symlinkSync('page.html', on(a, 'link'));
  writeFileSync(on(a, 'half'), 'a file here');
  mkdirSync(on(b, 'half'));
  const server = createServer();
  // Its path has to be short.
  const short = mkdtempSync(join(tmpdir(), 's-'));
  symlinkSync(a.path, join(short, 'a'));
  await new Promise<void>((done) => server.listen(join(short, 'a', 'socket'), done));
  try {
    for (const name of ['folder', 'link', 'socket', 'folder/none'])
      expect([...(await files.checksums(name)).values()], name).toEqual([undefined, undefined]);
    expect([...(await files.checksums('half')).values()]).toEqual([
      sha(Buffer.from('a file here')),
      undefined,
    ]);
    expect(files.status().map(({ health }) => health.phase)).toEqual(['healthy', 'healthy']);
  } finally {
    await new Promise((done) => server.close(done));
    rmSync(short, { recursive: true });
  }
});

describe('a source that falls silent', () => {
  /** Gives something, then nothing more. */
  const silent = (): Readable => {
    const stream = new Readable({ read: () => undefined });
    stream.push('half');
    return stream;
  };

  test('ends its write at the deadline, by the signal, and when the files are closed', async () => {
    await files.write('up/x', 'old');
    const streams = [silent(), silent(), silent()] as const;
    await expect(files.write('up/x', streams[0], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    const ending = new AbortController();
    const aborted = files.write('up/x', streams[1], { signal: ending.signal });
    ending.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const left = expect(files.write('up/x', streams[2])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    await files.close();
    await left;
    for (const stream of streams) expect(stream.destroyed).toBe(true);
    for (const mount of [a, b]) {
      expect(readdirSync(on(mount, 'up'))).toEqual(['x']);
      expect(readFileSync(on(mount, 'up/x'), 'utf8')).toBe('old');
    }
  });
});

test('a name that a folder has, or that is below a file, is told as such; so is what is no source and no date', async () => {
  await files.write('d/x', '1');
  await files.write('file', '1');
  const code = (expected: string) => expect.objectContaining({ code: expected });
  await expect(files.write('d', '2')).rejects.toEqual(code('ERR_FILE_NAME'));
  await expect(files.write('file/y', '2')).rejects.toEqual(code('ERR_FILE_NAME'));
  await expect(files.delete('d')).rejects.toEqual(code('ERR_FILE_NAME'));
  expect(await files.delete('file/y')).toBe(false);
  for (const source of [undefined, null, 5, {}, new ArrayBuffer(4), [1, 2], new Uint16Array([1, 2])])
    await expect(files.write('x', source as never)).rejects.toEqual(code('ERR_INVALID_OPTION'));
  for (const modified of [new Date(Number.NaN), '2020'])
    await expect(files.write('x', '1', { modified: modified as Date })).rejects.toEqual(
      code('ERR_INVALID_OPTION'),
    );
  expect(files.status().map(({ health }) => health.phase)).toEqual(['healthy', 'healthy']);
  expect((await files.list()).map(({ name }) => name)).toEqual(['d', 'file']);
  // Nothing was buried: what is put there later stays.
  expect(await text(files.read('d/x'))).toBe('1');
});

test('a reader of a file that is replaced gets the old one to its end', async () => {
  const [old, fresh] = [randomBytes(1_000_000), randomBytes(1_000_000)];
  await files.write('big', old);
  const reading = files.read('big')[Symbol.asyncIterator]();
  const first = (await reading.next()).value as Buffer;
  await files.write('big', fresh);
  const rest: Buffer[] = [first];
  for (;;) {
    const { done, value } = await reading.next();
    if (done === true) break;
    rest.push(value as Buffer);
  }
  expect(Buffer.concat(rest).equals(old)).toBe(true);
  expect((await buffer(files.read('big'))).equals(fresh)).toBe(true);
});

test('a folder is listed over all mounts, without what was deleted and what is ours', async () => {
  await files.write('z.txt', 'z');
  await files.write('docs/a.txt', 'a');
  await a.readOnly();
  await files.write('docs/only-b.txt', 'b');
  expect(await files.delete('z.txt')).toBe(true);
  expect(await files.delete('never.txt')).toBe(false);
  expect(await files.list()).toEqual([{ name: 'docs', kind: 'folder' }]);
  expect((await files.list('docs')).map(({ name }) => name)).toEqual(['docs/a.txt', 'docs/only-b.txt']);
  expect(await files.list('nothing')).toEqual([]);
  await expect(text(files.read('z.txt'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
});

describe.each([
  ['read-only', 'readOnly', 'writable'],
  ['full', 'fill', 'empty'],
  ['away', 'unmount', 'mount'],
] as const)('with the first mount %s', (_name, harm, heal) => {
  test('files are written, replaced, read and deleted, and the mount gets it all when it is back', async () => {
    const contents = new Map<string, Buffer>();
    for (const name of ['kept', 'replaced', 'deleted']) {
      contents.set(name, randomBytes(20_000));
      await files.write(name, contents.get(name) ?? '');
    }
    await a[harm]();
    const missed: string[] = [];
    files.on('copy-missed', ({ name, mount }) => void missed.push(`${name} ${mount === a.path}`));
    for (const name of ['replaced', 'new/file']) {
      contents.set(name, randomBytes(30_000));
      expect((await files.write(name, contents.get(name) ?? '')).mounts).toEqual([b.path]);
    }
    contents.delete('deleted');
    expect(await files.delete('deleted')).toBe(true);
    expect(missed.slice(0, 2)).toEqual(['replaced true', 'new/file true']);
    for (const [name, bytes] of contents) expect(await buffer(files.read(name))).toEqual(bytes);
    expect(await files.stat('deleted')).toBeUndefined();
    await a[heal]();
    for (const [name, bytes] of contents) expect(await buffer(files.read(name))).toEqual(bytes);
    expect(await files.stat('deleted')).toBeUndefined();
    await files.checkMounts();
    expect(files.status().map(({ health }) => health.phase)).toEqual(['healthy', 'healthy']);
    for (const [name, bytes] of contents) {
      for (const mount of [a, b]) expect(readFileSync(on(mount, name))).toEqual(bytes);
    }
    for (const mount of [a, b]) expect(existsSync(on(mount, 'deleted'))).toBe(false);
    const walked: unknown[] = [];
    await files.walk({ mode: 'heal', onProgress: ({ name, action }) => walked.push(`${name} ${action}`) });
    expect(walked).toEqual(['kept nothing', 'replaced nothing', 'new/file nothing']);
  });
});

test('a file that is put back as it was stays, though the mount that noted a later one is read-only', async () => {
  await files.write('page', 'the old one');
  const before = statSync(on(a, 'page')).mtime;
  await a.unmount();
  await files.checkMounts();
  await files.write('page', 'the latest');
  await b.readOnly();
  await files.checkMounts();
  await a.mount();
  await files.checkMounts();
  expect(readFileSync(on(a, 'page'), 'utf8')).toBe('the latest');
  writeFileSync(on(a, 'page'), 'the old one');
  utimesSync(on(a, 'page'), before, before);
  for (const mend of [async () => undefined, () => b.writable()]) {
    await mend();
    await files.checkMounts();
    expect(readFileSync(on(a, 'page'), 'utf8')).toBe('the old one');
    expect(await text(files.read('page'))).toBe('the old one');
  }
});

describe('a walk', () => {
  test('one way: what its source missed is left as the others have it, and told, also where it prunes', async () => {
    await files.write('page', 'old');
    await files.write('gone', 'old');
    await a.readOnly();
    expect((await files.write('page', 'the latest')).mounts).toEqual([b.path]);
    expect((await files.write('upload', 'acknowledged')).mounts).toEqual([b.path]);
    await files.delete('gone');
    const failed = new Map<string, unknown>();
    const report = await files.walk({
      mode: 'one-way',
      prune: true,
      onProgress: ({ name, error }) => void (error && failed.set(name, error)),
    });
    expect(report).toMatchObject({ copied: 0, deleted: 0, failed: 3 });
    expect([...failed.keys()].sort()).toEqual(['gone', 'page', 'upload']);
    for (const error of failed.values())
      expect(error).toMatchObject({ code: 'ERR_FILE_CLASH', node: a.path });
    expect(readFileSync(on(b, 'page'), 'utf8')).toBe('the latest');
    expect(readFileSync(on(b, 'upload'), 'utf8')).toBe('acknowledged');
    await a.writable();
    await files.checkMounts();
    expect(await files.walk({ mode: 'one-way', prune: true })).toMatchObject({ copied: 0, failed: 0 });
    expect(readFileSync(on(a, 'page'), 'utf8')).toBe('the latest');
    expect(existsSync(on(a, 'gone'))).toBe(false);
  });

  test('one way: what a deployment put on the first mount gets to the others, with date and mode', async () => {
    mkdirSync(on(a, 'site/css'), { recursive: true });
    writeFileSync(on(a, 'site/index.php'), '<?php', { mode: 0o644 });
    writeFileSync(on(a, 'site/css/main.css'), 'body{}');
    const old = new Date('2020-01-02T03:04:05Z');
    utimesSync(on(a, 'site/index.php'), old, old);
    writeFileSync(on(b, 'extra'), 'only here');
    const told: string[] = [];
    const dry = await files.walk({
      mode: 'one-way',
      dryRun: true,
      onProgress: (p) => told.push(`${p.name} ${p.action}`),
    });
    expect(dry).toMatchObject({ looked: 3, copied: 2, bytes: 0, deleted: 0 });
    expect(told).toEqual(['extra nothing', 'site/index.php copy', 'site/css/main.css copy']);
    expect(existsSync(on(b, 'site'))).toBe(false);
    expect(await files.walk({ mode: 'one-way' })).toMatchObject({
      looked: 3,
      copied: 2,
      bytes: 11,
      failed: 0,
    });
    expect(readFileSync(on(b, 'site/css/main.css'), 'utf8')).toBe('body{}');
    expect(statSync(on(b, 'site/index.php')).mtime).toEqual(old);
    expect(existsSync(on(b, 'extra'))).toBe(true);
    expect(await files.walk({ mode: 'one-way' })).toMatchObject({ copied: 0, deleted: 0 });
    expect(await files.walk({ mode: 'one-way', prune: true })).toMatchObject({ deleted: 1 });
    expect(existsSync(on(b, 'extra'))).toBe(false);
  });

  test('heal: every mount gets the latest, and what was deleted is not brought back by a mount that was away', async () => {
    await files.write('gone', 'x');
    await files.write('both', 'first');
    await b.unmount();
    await files.checkMounts();
    await files.delete('gone');
    await b.mount();
    // The note that b missed the deletion is lost, as after a crash; the tombstone remains.
    for (const id of readdirSync(on(a, '.stormlamp/missed')))
      for (const note of readdirSync(on(a, `.stormlamp/missed/${id}`)))
        unlinkSync(on(a, `.stormlamp/missed/${id}/${note}`));
    const later = new Date(Date.now() + 5_000);
    writeFileSync(on(b, 'both'), 'second');
    utimesSync(on(b, 'both'), later, later);
    writeFileSync(on(b, 'new'), 'n');
    const report = await files.walk({ mode: 'heal' });
    expect(report).toMatchObject({ copied: 2, deleted: 1, failed: 0 });
    expect(readFileSync(on(a, 'both'), 'utf8')).toBe('second');
    expect(readFileSync(on(a, 'new'), 'utf8')).toBe('n');
    expect([existsSync(on(a, 'gone')), existsSync(on(b, 'gone'))]).toEqual([false, false]);
  });

  test('a file that is put back after its deletion stays, even with an old date', async () => {
    await files.write('logo', 'x');
    await files.delete('logo');
    writeFileSync(on(a, 'logo'), 'again');
    const old = new Date('2020-01-02T03:04:05Z');
    utimesSync(on(a, 'logo'), old, old);
    await files.walk({ mode: 'heal' });
    expect(readFileSync(on(b, 'logo'), 'utf8')).toBe('again');
  });

  test('by checksum finds what size and date hide', async () => {
    await files.write('table', 'good');
    const { mtime } = statSync(on(b, 'table'));
    writeFileSync(on(b, 'table'), 'rot!');
    utimesSync(on(b, 'table'), mtime, mtime);
    expect(await files.walk()).toMatchObject({ copied: 0 });
    expect(await files.walk({ compare: 'checksum' })).toMatchObject({ copied: 1 });
    expect(readFileSync(on(b, 'table'), 'utf8')).toBe('good');
  });

  test('a file in the place of a folder, and the other way round, is decided by a one-way walk that prunes', async () => {
    writeFileSync(on(a, 'css'), 'now a file');
    mkdirSync(on(a, 'js'));
    writeFileSync(on(a, 'js/main.js'), 'now a folder');
    writeFileSync(on(a, 'z'), 'last');
    mkdirSync(on(b, 'css/deep/empty'), { recursive: true });
    writeFileSync(on(b, 'css/deep/x.css'), 'old');
    writeFileSync(on(b, 'js'), 'old');
    const failed: unknown[] = [];
    const report = await files.walk({
      mode: 'heal',
      onProgress: ({ action, error }) => action === 'failed' && failed.push(error),
    });
    expect(report).toMatchObject({ failed: 2, copied: 1, deleted: 0 });
    expect(failed).toEqual([
      expect.objectContaining({
        code: 'ERR_FILE_CLASH',
        message: expect.stringContaining(`css is a file on ${a.path} and a folder on ${b.path}`),
      }),
      expect.objectContaining({
        code: 'ERR_FILE_CLASH',
        message: expect.stringContaining(`js is a file on ${b.path} and a folder on ${a.path}`),
      }),
    ]);
    expect(await files.walk({ mode: 'one-way', from: a.path })).toMatchObject({ failed: 2, deleted: 0 });
    const prune = { mode: 'one-way', from: a.path, prune: true } as const;
    expect(await files.walk({ ...prune, dryRun: true })).toMatchObject({ failed: 0, copied: 2, deleted: 2 });
    expect(readFileSync(on(b, 'css/deep/x.css'), 'utf8')).toBe('old');
    expect(await files.walk(prune)).toMatchObject({ failed: 0, copied: 2, deleted: 2 });
    expect(readFileSync(on(b, 'css'), 'utf8')).toBe('now a file');
    expect(readFileSync(on(b, 'js/main.js'), 'utf8')).toBe('now a folder');
    expect(await files.walk()).toMatchObject({ looked: 3, failed: 0, copied: 0, deleted: 0 });
  });

  test('can be ended, and leaves links alone', async () => {
    await files.write('one', '1');
    symlinkSync('/etc/passwd', on(a, 'link'));
    expect(await files.walk()).toMatchObject({ looked: 1, skipped: 1 });
    await files.write('two', '2');
    const ending = new AbortController();
    const walk = files.walk({ signal: ending.signal, onProgress: () => ending.abort() });
    await expect(walk).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});

describe('names', () => {
  test.each([
    '../x',
    'a/../../x',
    '/etc/passwd',
    'a//b',
    '',
    '.',
    'a\0b',
    '.stormlamp/mount.json',
    'a/.stormlamp-x',
    'x'.repeat(256),
    'a/',
  ])('%j is refused', async (name) => {
    for (const call of [files.write(name, 'x'), files.stat(name), files.delete(name)])
      await expect(call).rejects.toMatchObject({ code: 'ERR_FILE_NAME' });
    expect(() => files.read(name)).toThrow(expect.objectContaining({ code: 'ERR_FILE_NAME' }));
  });

  test('a link out of the folder is not followed, for writing, reading or listing', async () => {
    symlinkSync('/etc', on(a, 'out'));
    symlinkSync('/etc/hostname', on(a, 'file'));
    await expect(files.write('out/x', 'x')).rejects.toMatchObject({ code: 'ERR_FILE_NAME' });
    await expect(text(files.read('out/hostname'))).rejects.toMatchObject({ code: 'ERR_FILE_NAME' });
    await expect(files.list('out')).rejects.toMatchObject({ code: 'ERR_FILE_NAME' });
    await expect(text(files.read('file'))).rejects.toMatchObject({ code: 'ERR_FILE_MISSING' });
    expect(existsSync('/etc/x')).toBe(false);
    expect(existsSync(on(b, 'out'))).toBe(false);
  });

  test.each(['/etc', 'inside'])(
    'a walk follows no link to %s where another mount has a folder',
    async (target) => {
      await files.write('inside/plain', 'x');
      await files.write('out/mine', 'y');
      rmSync(on(a, 'out'), { recursive: true });
      symlinkSync(target, on(a, 'out'));
      unlinkSync(on(b, 'inside/plain'));
      const seen: string[] = [];
      const report = await files.walk({
        onProgress: ({ name, action }) => void seen.push(`${action} ${name}`),
      });
      expect(report).toMatchObject({ failed: 1, copied: 1, skipped: 1 });
      expect(seen.sort()).toEqual(['copy inside/plain', 'failed out']);
      expect(readdirSync(on(b, 'out'))).toEqual(['mine']);
    },
  );
});

test('a set of mounts in another order, or with another member, is refused', async () => {
  const wrong = createSharedFiles({ mounts: [b.path, a.path] });
  await expect(wrong).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(createSharedFiles({ mounts: [a.path] })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

test('two processes writing one name leave the same file on every mount', async () => {
  const other = await createSharedFiles({ mounts: [a.path, b.path], monitorIntervalMs: 60_000 });
  try {
    const writers = [files, other].flatMap((one) =>
      [1, 2, 3, 4].map((n) => one.write('same', `${n}`.repeat(5_000 + n))),
    );
    await Promise.all(writers);
    expect(readFileSync(on(a, 'same'))).toEqual(readFileSync(on(b, 'same')));
  } finally {
    await other.close();
  }
});

test('a lock that another process keeps, and mounts that are gone, are told as what they are', async () => {
  await files.write('held.txt', Readable.from(['one']));
  const slot = createHash('sha256').update('held.txt').digest('hex').slice(0, 2);
  const lock = on(a, join('.stormlamp', 'locks', slot));
  const impatient = await createSharedFiles({ mounts: [a.path, b.path], lockWaitMs: 50 });
  const holder = spawn('flock', [lock, 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await eventually('it holds the lock', () => spawnSync('flock', ['-n', lock, 'true']).status !== 0);
    const write = impatient.write('held.txt', Readable.from(['two']));
    await expect(write).rejects.toMatchObject({ code: 'ERR_FILE_LOCKED' });
    expect(await text(impatient.read('held.txt'))).toBe('one');
  } finally {
    holder.stdin.end();
    await once(holder, 'exit');
  }
  await impatient.write('held.txt', Readable.from(['three']));
  await a.unmount();
  await b.unmount();
  await expect(impatient.write('held.txt', Readable.from(['four']))).rejects.toMatchObject({
    code: 'ERR_STORE_DOWN',
    cause: { code: 'ERR_MOUNT_DOWN' },
  });
  await impatient.close();
});
