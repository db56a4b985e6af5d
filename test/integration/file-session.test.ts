/** PHP and Node share sessions in files: the same bytes, the same lock, one folder or mirrored mounts. */
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCluster } from '../../src/create-cluster.js';
import { loadSession, sessionStore } from '../../src/express/index.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionOptions } from '../../src/session/file-session-options.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
let root: string;
let a: string;
let b: string;
const stores: FileSessionStore[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false, memcached: 0 });
});
afterAll(async () => {
  await servers?.close();
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stormlamp-sessions-'));
  [a, b] = [join(root, 'a'), join(root, 'b')];
  mkdirSync(a, { mode: 0o700 });
  mkdirSync(b, { mode: 0o700 });
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  rmSync(root, { recursive: true, force: true });
});

async function openStore(options: Partial<FileSessionOptions> = {}): Promise<FileSessionStore> {
  const store = await createSessionStore({ mounts: [a, b], monitorIntervalMs: 60_000, ...options });
  stores.push(store);
  return store;
}
function newId(): string {
  return randomUUID().replaceAll('-', '').slice(0, 26);
}
/** Runs PHP code inside an open session and gives what it echoes. */
async function php(id: string, code: string, ini: Readonly<Record<string, string>> = {}): Promise<string> {
  const script = `<?php session_id('${id}'); if (!session_start()) { echo 'NO SESSION'; exit; } ${code}`;
  const result = await servers.php(script, { ini: { 'session.save_path': a, ...ini } });
  expect({ stderr: result.stderr, exitCode: result.exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return result.stdout;
}
function fileOf(id: string, mount: string = a): string {
  return join(mount, `sess_${id}`);
}
/** A PHP page that holds its session until `release` is made; resolves when it has the lock. */
async function page(id: string, code: string): Promise<{ release(): Promise<string> }> {
  const [held, go] = [join(root, `held-${randomUUID()}`), join(root, `go-${randomUUID()}`)];
  const done = php(
    id,
    `touch('${held}'); while (!file_exists('${go}')) { usleep(2000); clearstatcache(); } ${code}`,
  );
  await eventually('PHP has the session', () => existsSync(held));
  return {
    release: () => {
      writeFileSync(go, '');
      return done;
    },
  };
}

test.each(['php', 'php_serialize', 'php_binary', 'igbinary'] as const)(
  'a session that PHP wrote as %s is read, changed and read again by PHP',
  async (serialize) => {
    const store = await openStore({ serialize });
    const ini = { 'session.serialize_handler': serialize };
    const id = newId();
    await php(id, "$_SESSION = ['user' => 'ada', 'price' => 100.0, 'list' => [1, 2]];", ini);
    const before = readFileSync(fileOf(id));
    expect(await store.readRaw(id)).toEqual(before);
    const session = await store.load(id);
    expect(session.data).toEqual({ user: 'ada', price: 100, list: [1, 2] });
    expect((await store.save(session)).outcome).toBe('unchanged');
    expect(readFileSync(fileOf(id))).toEqual(before);
    session.data['cart'] = ['lamp'];
    expect(await store.save(session)).toEqual({ outcome: 'saved', copies: [a, b] });
    expect(readFileSync(fileOf(id, b))).toEqual(readFileSync(fileOf(id)));
    const seen = await php(id, 'var_export($_SESSION["price"]); echo json_encode($_SESSION["cart"]);', ini);
    expect(seen).toBe('100.0["lamp"]');
  },
);

test('createCluster opens the sessions that a php.ini names, and the middleware serves them', async () => {
  const ini = { 'session.save_path': `1;0640;${a}`, 'session.name': 'SHOP', 'session.gc_maxlifetime': '600' };
  mkdirSync(join(a, 'k'), { mode: 0o700 });
  const id = `k${newId()}`;
  await php(id, "$_SESSION['user'] = 'ada';", ini);
  const file = join(root, 'php.ini');
  writeFileSync(
    file,
    Object.entries(ini)
      .map(([name, value]) => `${name} = "${value}"\n`)
      .join(''),
  );
  const cluster = await createCluster({ sessions: { phpIni: file } });
  expect(cluster.sessions.kind).toBe('files');
  const site = createServer(async (req, res) => {
    const http = await loadSession(cluster, req, res);
    http.session['seen'] = http.session['user'];
    await http.save();
    res.end(String(http.session['user']));
  });
  await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
  const { port } = site.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { Cookie: `SHOP=${id}` } });
  expect(await answer.text()).toBe('ada');
  await new Promise((done) => site.close(done));
  await cluster.close();
  expect(await php(id, "echo $_SESSION['seen'];", ini)).toBe('ada');
});

test('express-session keeps its sessions in files, and hears of it when no mount is left', async () => {
  const store = await openStore({ onStoreDown: 'anonymous', monitorIntervalMs: 50 });
  const sessions = sessionStore(store);
  const heard: string[] = [];
  for (const event of ['connect', 'disconnect']) sessions.on(event, () => heard.push(event));
  const id = newId();
  const done = (work: (callback: (error?: unknown, value?: unknown) => void) => void): Promise<unknown> =>
    new Promise((resolve, reject) => work((error, value) => (error ? reject(error) : resolve(value))));
  await done((callback) => sessions.set(id, { user: 'ada', cookie: { originalMaxAge: null } }, callback));
  expect(await php(id, "echo $_SESSION['user'];")).toBe('ada');
  expect(await done((callback) => sessions.get(id, callback))).toMatchObject({ user: 'ada' });
  for (const mount of [a, b]) renameSync(mount, `${mount}-away`);
  await eventually('it is disconnected', () => heard.includes('disconnect'));
  for (const mount of [a, b]) renameSync(`${mount}-away`, mount);
  await eventually('it is connected again', () => heard.at(-1) === 'connect');
  expect(await done((callback) => sessions.get(id, callback))).toMatchObject({ user: 'ada' });
  await done((callback) => sessions.destroy(id, callback));
  expect(existsSync(fileOf(id))).toBe(false);
});

test('what Node writes has the very bytes that PHP would write', async () => {
  const store = await openStore();
  const [byNode, byPhp] = [newId(), newId()];
  const session = store.create();
  const variables = { a: 1, b: 'ü', c: [true, null, 1.5], d: { x: 'y' } };
  Object.assign(session.data, variables);
  const { copies } = await store.save(session);
  expect(copies).toEqual([a, b]);
  await php(byPhp, `$_SESSION = json_decode('${JSON.stringify(variables)}', true);`);
  expect(readFileSync(fileOf(session.id))).toEqual(readFileSync(fileOf(byPhp)));
  expect(statSync(fileOf(session.id)).mode & 0o777).toBe(0o600);
  await store.writeRaw(byNode, readFileSync(fileOf(byPhp)));
  expect(await php(byNode, 'echo json_encode($_SESSION["d"]);')).toBe('{"x":"y"}');
});

test('a session locked by a PHP page makes a save wait, and the two are merged', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['php' => 0, 'node' => 0];");
  const session = await store.load(id);
  session.data['node'] = 1;
  const slow = await page(id, "$_SESSION['php'] = 1;");
  const impatient = await openStore({ lockWaitMs: 50 });
  await expect(impatient.save(session)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  expect(session.data).toEqual({ php: 0, node: 1 });
  const save = store.save(session);
  await slow.release();
  expect((await save).outcome).toBe('saved');
  expect(await php(id, 'echo json_encode($_SESSION);')).toBe('{"php":1,"node":1}');
});

test('a load does not wait for the PHP page that has the session', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['user' => 'ada'];");
  const slow = await page(id, "$_SESSION['user'] = 'grace';");
  expect((await store.load(id)).data).toEqual({ user: 'ada' });
  await slow.release();
  expect((await store.load(id)).data).toEqual({ user: 'grace' });
});

test('a session that a PHP page is about to make is waited for', async () => {
  const store = await openStore();
  const id = newId();
  const slow = await page(id, "$_SESSION['user'] = 'ada';");
  // However slow this machine is, the file is a new one.
  const soon = new Date(Date.now() + 3_600_000);
  utimesSync(fileOf(id), soon, soon);
  const load = store.load(id);
  await slow.release();
  expect((await load).data).toEqual({ user: 'ada' });
});

test('a session without variables that a PHP page has is not waited for', async () => {
  const store = await openStore({ lockWaitMs: 600_000 });
  const id = newId();
  await php(id, '');
  const slow = await page(id, "$_SESSION['user'] = 'ada';");
  const old = new Date(Date.now() - 60_000);
  utimesSync(fileOf(id), old, old);
  const session = await store.load(id);
  expect({ exists: session.exists, data: session.data }).toEqual({ exists: true, data: {} });
  await slow.release();
  session.data['cart'] = 1;
  await store.save(session);
  expect((await store.load(id)).data).toEqual({ user: 'ada', cart: 1 });
});

test('a session locked by Node makes PHP wait', async () => {
  const store = await openStore({
    // While this decides, the lock is held.
    onConflict: () => {
      writeFileSync(join(root, 'deciding'), '');
      const until = Date.now() + 400;
      while (Date.now() < until) {
        // PHP is started and reaches for the lock meanwhile.
      }
      return 'ours';
    },
  });
  const id = newId();
  await php(id, "$_SESSION = ['n' => 0];");
  const session = await store.load(id);
  await php(id, "$_SESSION['n'] = 1;");
  session.data['n'] = 2;
  const waiting = servers.php(
    `<?php while (!file_exists('${root}/deciding')) { usleep(1000); clearstatcache(); }
     session_id('${id}'); session_start(); echo $_SESSION['n'];`,
    { ini: { 'session.save_path': a } },
  );
  await store.save(session);
  expect((await waiting).stdout).toBe('2');
});

test('a session loaded with its lock keeps PHP and other requests out until it is saved or released', async () => {
  const store = await openStore({ conflict: 'lock', lockWaitMs: 60 });
  const id = newId();
  await php(id, "$_SESSION = ['n' => 0];");
  const session = await store.load(id);
  expect(session.locked).toBe(true);
  await expect(store.load(id)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  const other = await openStore({ lockWaitMs: 60 });
  const theirs = await other.load(id);
  theirs.data['n'] = 9;
  await expect(other.save(theirs)).rejects.toMatchObject({ code: 'ERR_SESSION_LOCKED' });
  const waiting = php(id, "$_SESSION['n'] += 10; echo $_SESSION['n'];");
  session.data['n'] = 1;
  await store.save(session);
  expect(session.locked).toBe(false);
  expect(await waiting).toBe('11');
  const again = await store.load(id);
  await again.release();
  const destroyed = await store.load(id);
  await store.destroy(destroyed);
  expect((await store.load(id)).locked).toBe(false);
  expect(existsSync(fileOf(id))).toBe(false);
});

test('closing the store gives back what its sessions hold', async () => {
  const store = await openStore({ conflict: 'lock' });
  const id = newId();
  await php(id, "$_SESSION = ['n' => 0];");
  await store.load(id);
  await store.close();
  expect(await php(id, "echo $_SESSION['n'];")).toBe('0');
});

test('many PHP and Node writers of one session lose nothing that was acknowledged', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['start' => 1];");
  const rounds = 15;
  const phpWriter = (name: string) =>
    servers.php(
      `<?php for ($i = 0; $i < ${rounds}; $i++) { session_id('${id}'); session_start();
       $_SESSION['${name}'] = ($_SESSION['${name}'] ?? 0) + 1; session_write_close(); }`,
      { ini: { 'session.save_path': a, 'session.use_cookies': 0, 'session.cache_limiter': '' } },
    );
  const nodeWriter = async (name: string) => {
    for (let round = 0; round < rounds; round += 1) {
      const session = await store.load(id);
      session.data[name] = Number(session.data[name] ?? 0) + 1;
      await store.save(session);
    }
  };
  await Promise.all([phpWriter('p1'), phpWriter('p2'), nodeWriter('n1'), nodeWriter('n2'), nodeWriter('n3')]);
  const all = { p1: rounds, p2: rounds, n1: rounds, n2: rounds, n3: rounds };
  expect((await store.load(id)).data).toEqual({ start: 1, ...all });
});

test('a logout in PHP stands: the session is not written again, on no mount', async () => {
  const store = await openStore();
  const id = newId();
  await php(id, "$_SESSION = ['user' => 'ada'];");
  const session = await store.load(id);
  session.data['seen'] = 1;
  await store.save(session);
  session.data['seen'] = 2;
  await php(id, 'session_destroy();');
  expect((await store.save(session)).outcome).toBe('gone');
  expect((await store.load(id)).exists).toBe(false);
  expect(existsSync(fileOf(id, b))).toBe(true);
  expect(await store.resync()).toMatchObject({ removed: 1 });
  expect(existsSync(fileOf(id, b))).toBe(false);
});

test('whoever waits for a session that is removed meanwhile does not write into nothing', async () => {
  const store = await openStore({ onGone: 'recreate' });
  const id = newId();
  await php(id, "$_SESSION = ['user' => 'ada'];");
  const session = await store.load(id);
  session.data['cart'] = 1;
  // As session_destroy() does, but under the lock: it gives that back first, and whoever saves in between saved before.
  const slow = await page(id, `unlink('${fileOf(id, a)}'); session_abort();`);
  const save = store.save(session);
  await slow.release();
  await save;
  expect(await php(id, 'echo json_encode($_SESSION);')).toBe('{"user":"ada","cart":1}');
});

test('destroy, regenerate and touch work on every mount, as PHP sees it', async () => {
  const store = await openStore();
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const old = new Date(Date.now() - 3_600_000);
  for (const mount of [a, b]) utimesSync(fileOf(session.id, mount), old, old);
  await store.touch(session.id);
  for (const mount of [a, b])
    expect(statSync(fileOf(session.id, mount)).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
  const fresh = await store.regenerate(session, { graceMs: 0 });
  for (const mount of [a, b]) expect(existsSync(fileOf(session.id, mount))).toBe(false);
  expect(await php(fresh.id, 'echo $_SESSION["user"];')).toBe('ada');
  await store.destroy(fresh.id);
  for (const mount of [a, b]) expect(existsSync(fileOf(fresh.id, mount))).toBe(false);
});

test('folders by depth and the mode of new files are those of the save path', async () => {
  const store = await openStore({ mounts: [`2;640;${a}`, `2;640;${b}`] });
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  const [one = '', two = ''] = session.id;
  const file = join(a, one, two, `sess_${session.id}`);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(await php(session.id, 'echo $_SESSION["user"];', { 'session.save_path': `2;640;${a}` })).toBe('ada');
  expect(await store.resync()).toMatchObject({ looked: 1, copied: 0 });
});

test('what PHP changed on the first mount gets to the others', async () => {
  const store = await openStore();
  const ids = [newId(), newId(), newId()];
  for (const id of ids) await php(id, "$_SESSION = ['user' => 'ada'];");
  const looked: number[] = [];
  expect(await store.resync((done) => looked.push(done.looked))).toMatchObject({
    looked: 3,
    copied: 3,
    removed: 0,
  });
  expect(looked.at(-1)).toBe(3);
  for (const id of ids) expect(readFileSync(fileOf(id, b))).toEqual(readFileSync(fileOf(id)));
  expect(await store.resync()).toMatchObject({ looked: 3, copied: 0 });
});

test('sessions that nobody used for their life are removed, and those that PHP touched are not', async () => {
  const store = await openStore({ lifetimeMs: 60_000 });
  const [ended, used] = [newId(), newId()];
  for (const id of [ended, used]) {
    await php(id, "$_SESSION = ['user' => 'ada'];");
  }
  await store.resync();
  const old = new Date(Date.now() - 600_000);
  utimesSync(fileOf(ended), old, old);
  for (const id of [ended, used]) utimesSync(fileOf(id, b), old, old);
  expect(await store.collect()).toBe(1);
  expect([existsSync(fileOf(ended)), existsSync(fileOf(ended, b))]).toEqual([false, false]);
  expect([existsSync(fileOf(used)), existsSync(fileOf(used, b))]).toEqual([true, true]);
});

describe('what must not be followed or read', () => {
  test('a symbolic link in the place of a session is refused, as PHP refuses it', async () => {
    const store = await openStore();
    const id = newId();
    writeFileSync(join(root, 'secret'), 'user|s:5:"admin";');
    const { symlinkSync } = await import('node:fs');
    symlinkSync(join(root, 'secret'), fileOf(id));
    await expect(store.load(id)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('what is not a session is not written, and what PHP could not decode is an error', async () => {
    const store = await openStore();
    const id = newId();
    await expect(store.writeRaw(id, Buffer.from('user|s:9:"ada";'))).rejects.toMatchObject({
      code: 'ERR_PHP_SYNTAX',
    });
    expect(existsSync(fileOf(id))).toBe(false);
    writeFileSync(fileOf(id), 'user|s:9:"ada";');
    await expect(store.load(id)).rejects.toMatchObject({ code: 'ERR_PHP_SYNTAX' });
  });

  test('an id that could leave the folder never gets near a path', async () => {
    const store = await openStore({ ids: { accept: /^.+$/ } });
    for (const id of ['../secret', 'a/b', 'a\0b', '.', 'lock.x'])
      await expect(store.load(id)).rejects.toMatchObject({ code: 'ERR_SESSION_ID' });
  });
});

test('a session file that is too large does not keep the others from a mount, or a mount from being filled', async () => {
  const ids = [newId(), newId(), newId()];
  for (const id of ids) await php(id, "$_SESSION['n'] = 1;");
  const large = newId();
  writeFileSync(join(a, `sess_${large}`), `x|s:2000:"${'x'.repeat(2000)}";`, { mode: 0o600 });
  const skipped: unknown[] = [];
  const open = async (): Promise<FileSessionStore> => {
    const store = await openStore({ maxBytes: 1024 });
    store.on('file-skipped', ({ file, error }) => skipped.push([file, (error as { code?: string }).code]));
    return store;
  };
  const told = [`sess_${large.slice(0, 4)}…`, 'ERR_SESSION_TOO_LARGE'];
  const store = await open();
  expect(await store.resync()).toEqual({
    looked: 4,
    copied: 3,
    removed: 0,
    postponed: 0,
    failed: 1,
    unreached: [],
  });
  expect(skipped).toEqual([told]);
  await store.close();
  rmSync(b, { recursive: true });
  mkdirSync(b, { mode: 0o700 });
  const again = await open();
  expect(again.status()[1]?.health.phase).toBe('down');
  await again.fill(b);
  expect(again.status().map(({ health }) => health.phase)).toEqual(['healthy', 'healthy']);
  for (const id of ids) expect(existsSync(fileOf(id, b))).toBe(true);
  expect(skipped).toEqual([told, told]);
  expect(existsSync(join(a, `sess_${large}`))).toBe(true);
});
