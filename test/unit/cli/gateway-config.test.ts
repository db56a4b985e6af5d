import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gatewayConfig } from '../../../src/cli/gateway-config.js';
import {
  type ResolvedSessionGatewayOptions,
  resolveGatewayOptions,
} from '../../../src/gateway/gateway-options.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from '../../integration/tls-certificate.js';

const NODES = ['cache1:11211', 'cache2:11211'];
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('the file may be that of a whole cluster, and may export a function', async () => {
  const all = { mysql: {}, sessions: { nodes: NODES }, logger: 'console', gateway: { port: 1 } };
  const file = put('stormlamp.config.mjs', `export default async () => (${JSON.stringify(all)});`);
  expect(await gatewayConfig({}, {}, folder)).toEqual({
    sessions: { nodes: NODES },
    gateway: { port: 1 },
    nodeChange: undefined,
    file,
  });
});

test('the step of a change of nodes is no option of the gateway; without a file there is none', async () => {
  const nodeChange = { nodes: [...NODES, 'cache3:11211'], step: 'prepare' };
  put('stormlamp.config.json', JSON.stringify({ sessions: { nodes: NODES }, gateway: { nodeChange } }));
  expect(await gatewayConfig({}, {}, folder)).toMatchObject({ gateway: {}, nodeChange });
  expect(await gatewayConfig({ nodes: NODES.join() }, {}, '/')).toEqual({
    sessions: { nodes: NODES },
    gateway: {},
    nodeChange: undefined,
    file: undefined,
  });
});

test('a module that has changed is read again', async () => {
  const config = (port: number): string =>
    put('gateway.mjs', `export default { sessions: { nodes: ['a'] }, gateway: { port: ${port} } };`);
  const flags = { config: config(1) };
  expect((await gatewayConfig(flags, {}, folder)).gateway).toEqual({ port: 1 });
  utimesSync(config(2), new Date(), new Date(Date.now() + 60_000));
  expect((await gatewayConfig(flags, {}, folder)).gateway).toEqual({ port: 2 });
});

test.each<[string, unknown, RegExp]>([
  ['without a step', { nodes: NODES }, /gateway\.nodeChange\.step/],
  ['with a step that there is not', { nodes: NODES, step: 'begin' }, /one of 'prepare'/],
  ['without nodes', { step: 'prepare' }, /gateway\.nodeChange\.nodes/],
  ['with a word that there is not', { nodes: NODES, step: 'prepare', weight: 1 }, /weights/],
  ['that is a word', 'prepare', /gateway\.nodeChange/],
])('a change of nodes %s is refused with its name', async (_name, nodeChange, message) => {
  put('stormlamp.config.json', JSON.stringify({ sessions: { nodes: NODES }, gateway: { nodeChange } }));
  await expect(gatewayConfig({}, {}, folder)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(message),
  });
});

test('the file is found as by every command: named, by a variable, or in a folder above', async () => {
  const file = put('stormlamp.config.cjs', `module.exports = { sessions: { nodes: ['cache1'] } };`);
  const other = put('other.json', JSON.stringify({ sessions: { nodes: ['cache2'] }, gateway: { port: 2 } }));
  const below = join(folder, 'a', 'b');
  mkdirSync(below, { recursive: true });
  expect(await gatewayConfig({}, {}, below)).toMatchObject({ file, sessions: { nodes: ['cache1'] } });
  // What the file has goes before the environment, and a flag before both.
  const env = { STORMLAMP_CONFIG: other, STORMLAMP_MEMCACHED: 'cache3' };
  const found = { file: other, sessions: { nodes: ['cache2'] }, gateway: { port: 2 } };
  expect(await gatewayConfig({}, env, below)).toMatchObject(found);
  expect(await gatewayConfig({ config: file }, env, below)).toMatchObject({ file });
  expect((await gatewayConfig({ nodes: 'cache4' }, env, below)).sessions.nodes).toEqual(['cache4']);
  put('bare.json', JSON.stringify({ gateway: { port: 3 } }));
  const bare = await gatewayConfig({ config: 'bare.json' }, { STORMLAMP_MEMCACHED: 'cache3' }, folder);
  expect([bare.sessions.nodes, bare.gateway]).toEqual([['cache3'], { port: 3 }]);
});

test.each(['/run/a.sock', 'unix:/run/a.sock', 'unix:///run/a.sock'])(
  '--listen %s is the socket, however PHP writes it',
  async (listen) => {
    const { gateway } = await gatewayConfig({ nodes: NODES.join(), listen }, {}, '/');
    expect(gateway).toEqual({ path: '/run/a.sock' });
  },
);

const PASSWORD = { STORMLAMP_GATEWAY_PASSWORD: 'secret' };
const withFile = (
  gateway: object,
  flags: Record<string, string>,
  env: Record<string, string>,
): Promise<ResolvedSessionGatewayOptions> => {
  put('stormlamp.config.json', JSON.stringify({ sessions: { nodes: NODES }, gateway }));
  return gatewayConfig(flags, env, folder).then((found) => resolveGatewayOptions(found.gateway));
};

test('a password without a user name is refused: it must not mean that there is no login', async () => {
  const refused = { code: 'ERR_INVALID_OPTION', message: expect.stringMatching(/username/) };
  const message = /STORMLAMP_GATEWAY_PASSWORD.*--username/;
  const byFlags = gatewayConfig({ nodes: NODES.join(), listen: '0.0.0.0:11311' }, PASSWORD, '/');
  await expect(byFlags).rejects.toMatchObject({ ...refused, message: expect.stringMatching(message) });
  await expect(byFlags).rejects.not.toMatchObject({ message: expect.stringMatching('secret') });
  await expect(withFile({ port: 1 }, {}, PASSWORD)).rejects.toMatchObject(refused);
  await expect(withFile({ password: 'x' }, {}, {})).rejects.toMatchObject(refused);
  // An empty variable, as a line that was not filled in leaves it, is none.
  const empty = { STORMLAMP_GATEWAY_PASSWORD: '' };
  expect((await withFile({}, {}, empty)).credentials).toBeUndefined();
  await expect(withFile({ username: 'php' }, {}, empty)).rejects.toMatchObject({
    message: expect.stringMatching('STORMLAMP_GATEWAY_PASSWORD'),
  });
});

test.each<[string, object, Record<string, string>, Record<string, string>, string]>([
  ['the variable goes with a user name in the file', { username: 'php' }, {}, PASSWORD, 'php:secret'],
  ['and with one on the command line', {}, { username: 'php' }, PASSWORD, 'php:secret'],
  ['the file may have both', { username: 'php', password: 'x' }, {}, {}, 'php:x'],
  ['and goes before the variable', { username: 'php', password: 'x' }, {}, PASSWORD, 'php:x'],
  ['but not for another user', { username: 'a', password: 'x' }, { username: 'b' }, PASSWORD, 'b:secret'],
  ['the flag alone takes the password of the file', { password: 'x' }, { username: 'b' }, {}, 'b:x'],
])('login: %s', async (_name, gateway, flags, env, expected) => {
  const { credentials } = await withFile(gateway, flags, env);
  expect(`${credentials?.username}:${credentials?.password}`).toBe(expected);
});

test.each<[string, object, Record<string, string>, object]>([
  [
    'an address takes the place of a socket',
    { path: '/a', socketMode: 0o660 },
    { listen: 'x:1' },
    { host: 'x', port: 1 },
  ],
  ['a socket that of an address', { host: 'x', port: 1 }, { listen: '/b' }, { path: '/b', mode: 0o600 }],
  [
    'a socket keeps the permissions',
    { path: '/a', socketMode: 0o660 },
    { listen: '/b' },
    { path: '/b', mode: 0o660 },
  ],
  [
    'permissions alone leave the socket',
    { path: '/a' },
    { 'socket-mode': '666' },
    { path: '/a', mode: 0o666 },
  ],
])('--listen before the file: %s', async (_name, gateway, flags, expected) => {
  const { listen, maxConnections } = await withFile({ ...gateway, maxConnections: 7 }, flags, {});
  expect([listen, maxConnections]).toEqual([expected, 7]);
});

test('--tls-cert and --tls-key take the place of the certificate in the file, and leave whom it lets in', async () => {
  const flags = {
    'tls-cert': put('cert.pem', TEST_CERTIFICATE),
    'tls-key': put('key.pem', TEST_CERTIFICATE_KEY),
  };
  const clients = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' };
  const own = { pfx: 'x', cert: 'x', key: 'x', privateKeyIdentifier: 'x', privateKeyEngine: 'x' };
  const pair = { cert: Buffer.from(TEST_CERTIFICATE), key: Buffer.from(TEST_CERTIFICATE_KEY) };
  for (const tls of [
    clients,
    { ...clients, ...own },
    { ...clients, ca: TEST_CERTIFICATE, passphrase: 'y' },
  ]) {
    const { pfx: _pfx, privateKeyIdentifier: _id, privateKeyEngine: _engine, ...kept } = { ...own, ...tls };
    expect((await withFile({ tls }, flags, {})).tls).toEqual({ ...kept, ...pair });
  }
  expect((await withFile({}, flags, {})).tls).toEqual(pair);
  await expect(withFile({ tls: 'mutual' }, flags, {})).rejects.toThrow(/`tls` to be an object/);
});
