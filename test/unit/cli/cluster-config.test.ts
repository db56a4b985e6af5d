import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findClusterConfig } from '../../../src/cli/cluster-config.js';
import { findConfig } from '../../../src/cli/config-file.js';
import { checkClusterOptions } from '../../../src/cluster-options.js';

const hasTypes = Boolean((process.features as { readonly typescript?: unknown }).typescript);
// Where Node takes them vitest does, too, and compiles them: that is for test/integration/other-node.test.ts.
const REFUSED = hasTypes ? [] : ['ts', 'mts', 'cts'];
const NODES = { sessions: { nodes: ['cache1'] } };

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-config-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe('a configuration file', () => {
  test.each([
    ['stormlamp.config.json', JSON.stringify(NODES)],
    ['stormlamp.config.mjs', `export default ${JSON.stringify(NODES)};`],
    ['stormlamp.config.cjs', `module.exports = ${JSON.stringify(NODES)};`],
    ['stormlamp.config.mjs', `export default async () => (${JSON.stringify(NODES)});`],
  ])('%s is found, also from a folder below', async (name, text) => {
    const source = put(name, text);
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    expect(await findClusterConfig(undefined, {}, join(folder, 'a/b'))).toEqual({ options: NODES, source });
  });

  test('that is named goes before one that is found, --config before the variable', async () => {
    put('stormlamp.config.json', JSON.stringify(NODES));
    const other = put('other.json', JSON.stringify({ sessions: { nodes: ['cache2'] } }));
    const third = put('third.json', JSON.stringify({ sessions: { nodes: ['cache3'] } }));
    const env = { STORMLAMP_CONFIG: 'other.json' };
    expect((await findClusterConfig(undefined, env, folder)).source).toBe(other);
    expect((await findClusterConfig('third.json', env, folder)).source).toBe(third);
  });

  test('of JSON may say the mode `approve`, whose hook it cannot hold; one that could has to', async () => {
    const account = { user: 'ha', password: 'x' };
    const mysql = { primary: 'mysql://a:b@db1/shop', replicas: ['mysql://a:b@db2/shop'] };
    const told = JSON.stringify({
      mysql,
      failover: { mode: 'approve', credentials: account, replication: account },
    });
    put('stormlamp.config.json', told);
    const { options } = await findClusterConfig(undefined, {}, folder);
    expect(options.failover?.mode).toBe('approve');
    expect(() => checkClusterOptions(options)).not.toThrow();
    put('stormlamp.config.mjs', `export default ${told};`);
    await expect(findClusterConfig(undefined, {}, folder)).rejects.toThrow('failover.hooks.approve');
  });

  test('may be that of the gateway, too', async () => {
    put('stormlamp.config.json', JSON.stringify({ ...NODES, gateway: { port: 1 } }));
    expect((await findClusterConfig(undefined, {}, folder)).options).toEqual(NODES);
  });

  test('that is named by an empty text is refused', async () => {
    put('stormlamp.config.json', JSON.stringify(NODES));
    await expect(findClusterConfig('', {}, folder)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('--config'),
    });
  });

  test('leaves to the environment what it does not have', async () => {
    put('stormlamp.config.json', JSON.stringify(NODES));
    const env = { STORMLAMP_MYSQL_PRIMARY: 'mysql://db1', STORMLAMP_MEMCACHED: 'cache9' };
    expect(await findClusterConfig(undefined, env, folder)).toEqual({
      options: { ...NODES, mysql: { primary: 'mysql://db1', replicas: [] } },
      source: `${join(folder, 'stormlamp.config.json')}, STORMLAMP_MYSQL_PRIMARY`,
    });
  });

  test('is not refused because of half of what the environment says about a part that it has', async () => {
    const mysql = { primary: 'mysql://db1' };
    const source = put('stormlamp.config.json', JSON.stringify({ ...NODES, mysql }));
    const env = { STORMLAMP_MYSQL_REPLICAS: 'mysql://db9', STORMLAMP_MEMCACHED: 'cache9' };
    expect(await findClusterConfig(undefined, env, folder)).toEqual({ options: { ...NODES, mysql }, source });
  });

  test('leaves to the environment also what it has as undefined', async () => {
    const file = put(
      'stormlamp.config.mjs',
      `export default { mysql: undefined, ...${JSON.stringify(NODES)} };`,
    );
    expect(await findClusterConfig(undefined, { STORMLAMP_MYSQL_PRIMARY: 'mysql://db1' }, folder)).toEqual({
      options: { ...NODES, mysql: { primary: 'mysql://db1', replicas: [] } },
      source: `${file}, STORMLAMP_MYSQL_PRIMARY`,
    });
  });

  test('may say that processes share what they see on the nodes of the sessions, as in createCluster', async () => {
    const mysql = { primary: 'mysql://db1', monitor: { share: true } };
    put('stormlamp.config.json', JSON.stringify({ ...NODES, mysql }));
    expect((await findClusterConfig(undefined, {}, folder)).options.mysql?.monitor).toEqual({
      share: { memcached: ['cache1:11211'], tls: false },
    });
  });

  test.each([
    ['not.json', '{', 'cannot be read: '],
    ['list.json', '[]', 'has no options'],
    ['nothing.mjs', 'export const options = {};', 'has no options'],
    ['thrown.mjs', "throw new Error('no secrets server');", 'no secrets server'],
    [
      'failed.mjs',
      "export default () => Promise.reject(new Error('sealed'));",
      'function that failed: sealed',
    ],
    ['wrong.json', '{"mysq":{}}', 'did you mean `mysql`?'],
  ])('%s is refused with its path and the reason', async (name, text, reason) => {
    const path = put(name, text);
    await expect(findClusterConfig(path, {}, folder)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(new RegExp(`${path}.*${reason.replace(/[?`]/g, '.')}`)),
    });
  });

  test('that gives nothing in time is an error with its path', async () => {
    const path = put('waits.mjs', 'export default () => new Promise(() => undefined);');
    await expect(findConfig(path, {}, folder, 50)).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringContaining(`${path} gave no options within 0.05 s`),
    });
  });

  test('may begin with the mark of an editor', async () => {
    const path = put('marked.json', '\ufeff{"sessions":{"nodes":["cache1"]}}');
    expect((await findClusterConfig(path, {}, folder)).options.sessions).toEqual({ nodes: ['cache1'] });
  });

  test.each(REFUSED)('of the type .%s is found, and told where Node cannot run it', async (ending) => {
    const path = put(
      `stormlamp.config.${ending}`,
      'export default { sessions: { nodes: ["cache1"] } } as const;',
    );
    await expect(findClusterConfig(undefined, {}, folder)).rejects.toThrow(
      new RegExp(`${path} .*runs no TypeScript.*use Node 22\\.18 or newer`),
    );
  });

  test('that is not there is told by who named it', async () => {
    await expect(findClusterConfig('nowhere.json', {}, folder)).rejects.toThrow('correct `--config`');
    const env = { STORMLAMP_CONFIG: 'nowhere.json' };
    await expect(findClusterConfig(undefined, env, folder)).rejects.toThrow('correct `STORMLAMP_CONFIG`');
  });
});

test('without a file the environment is all, and without both the error tells both ways', async () => {
  const env = { STORMLAMP_MEMCACHED: 'cache1' };
  expect(await findClusterConfig(undefined, env, folder)).toEqual({
    options: NODES,
    source: 'STORMLAMP_MEMCACHED',
  });
  await expect(findClusterConfig(undefined, {}, folder)).rejects.toThrow(
    /No cluster is configured: .*stormlamp\.config.*STORMLAMP_MYSQL_PRIMARY/,
  );
});
