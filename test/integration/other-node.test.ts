/** What only a newer Node than the oldest one does: configurations in TypeScript, as every command reads them. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import { docBlocks } from '../support/doc-blocks.js';
import { NEWER_NODE, otherNode } from '../support/other-node.js';
import { type Finished, ROOT, type RunningNode, startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';
import { MemcachedServers } from './memcached-servers.js';

let program: string;
let folder: string;
let servers: MemcachedServers;
let id: string;

beforeAll(async () => {
  program = await otherNode(NEWER_NODE);
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'stormlamp-node-')));
  // Most applications have one, and it says nothing of the kind of their modules.
  writeFileSync(join(folder, 'package.json'), '{"name":"shop"}');
  servers = await MemcachedServers.open();
  const { host, port } = await servers.start();
  const nodes = [`${host}:${port}`];
  await using store = await createSessionStore({ nodes });
  const session = store.create();
  session.data['user'] = 'ada';
  await store.save(session);
  id = session.id;
  writeFileSync(
    join(folder, 'stormlamp.config.ts'),
    `import type { ClusterOptions } from 'stormlamp';
     const nodes: readonly string[] = ${JSON.stringify(nodes)};
     export default { sessions: { nodes, copies: 1 } } satisfies ClusterOptions;`,
  );
  writeFileSync(
    join(folder, 'database.mts'),
    `const primary: string = 'mysql://app:secret@127.0.0.1:1/shop';
     const account = { user: 'ha', password: 'secret' };
     export default () => ({
       mysql: { primary, startTimeoutMs: 100 },
       failover: { credentials: account, replication: account },
     });`,
  );
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function start(args: readonly string[]): RunningNode {
  return startNode([join(ROOT, 'dist/cli/main.js'), ...args], { program, cwd: folder });
}

/** Runs a program of this project with the newer Node. */
async function run(code: string): Promise<Finished> {
  return await startNode(['--input-type=module', '-e', code], { program }).finished;
}

test('every command takes a configuration in TypeScript', async () => {
  const told = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await start(args).finished;
    return [code, stdout, stderr].join('\n');
  };
  const [status, doctor, top, get, resync, explain, plan] = await Promise.all([
    told('status'),
    told('doctor', '--no-php'),
    told('top', '--once', '--interval', '100'),
    told('session', 'get', id),
    told('resync', '--check'),
    told('explain', 'SELECT 1', '--config', 'database.mts'),
    told('failover', 'plan', '--config', 'database.mts'),
  ]);
  const file = join(folder, 'stormlamp.config.ts');
  expect(status).toMatch(/^0\n/);
  expect(status).toContain(`Configured by ${file}`);
  expect(doctor).toContain(file);
  expect(top).toMatch(/^0\n/);
  expect(get).toMatch(/^0\n[\s\S]*ada/);
  expect(resync).toMatch(/^0\n/);
  for (const output of [explain, plan]) expect(output).toMatch(/127\.0\.0\.1:1/);
  for (const output of [status, doctor, top, get, resync, explain, plan])
    expect(output).not.toMatch(/Warning|cannot be read/);
});

test('the gateway serves by one', async () => {
  const gateway = start(['gateway', '--listen', '127.0.0.1:0']);
  try {
    await eventually('it serves', () => /listening on/i.test(gateway.output()));
  } finally {
    gateway.child.kill('SIGTERM');
  }
  expect(await gateway.finished).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/Warning/) });
});

test('each kind of module is read, and anew once it has changed; what Node cannot take is told', async () => {
  const [block = '', ...others] = docBlocks('command-line.md', 'ts');
  expect(others).toEqual([]);
  writeFileSync(join(folder, 'block.ts'), block);
  const { stdout, stderr } = await run(`
    import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
    import { findConfig } from './dist/cli/config-file.js';
    const read = (name) => findConfig(${JSON.stringify(folder)} + '/' + name, {}, '/').then(({ options }) => options, ({ message }) => message);
    const write = (name, text, at) => {
      const file = ${JSON.stringify(folder)} + '/' + name;
      writeFileSync(file, text);
      utimesSync(file, at, at);
    };
    const told = {};
    for (const [name, begins] of [['a.ts', 'export default'], ['b.mts', 'export default'], ['c.cts', 'module.exports =']]) {
      told[name] = [];
      for (const node of ['one', 'two']) {
        write(name, 'const n: string = ' + JSON.stringify(node) + '; ' + begins + ' { sessions: { nodes: [n] } };', node.length + (node === 'two' ? 5 : 0));
        told[name].push((await read(name)).sessions?.nodes[0]);
      }
    }
    write('enum.ts', 'enum A { B } export default { sessions: { nodes: [A.B] } };', 1);
    told.enum = await read('enum.ts');
    told.block = await read('block.ts');
    mkdirSync(${JSON.stringify(folder)} + '/common');
    writeFileSync(${JSON.stringify(folder)} + '/common/package.json', '{"type":"commonjs"}');
    write('common/d.ts', 'const n: string = "x"; export default { sessions: { nodes: [n] } };', 1);
    told.common = await read('common/d.ts');
    console.log(JSON.stringify(told));
  `);
  expect(JSON.parse(stdout)).toEqual({
    'a.ts': ['one', 'two'],
    'b.mts': ['one', 'two'],
    'c.cts': ['one', 'two'],
    enum: expect.stringMatching(/enum\.ts cannot be read: .*enum.*: Node only takes types away/),
    common: expect.stringMatching(/d\.ts cannot be read: .*it is CommonJS where package.json.*\.mts$/),
    block: expect.objectContaining({ sessions: { nodes: ['cache1:11211', 'cache2:11211'] } }),
  });
  // Node's own, about the last one.
  expect(stderr).not.toContain('MODULE_TYPELESS_PACKAGE_JSON');
});

test('all entries are imported, and required from CommonJS, without a warning', async () => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, unknown>>;
  };
  const entries = Object.keys(exports)
    .filter((entry) => !entry.endsWith('.json'))
    .map((entry) => entry.replace('.', 'stormlamp'));
  const { code, stdout, stderr } = await run(`
    import { createRequire } from 'node:module';
    const require = createRequire(process.cwd() + '/x.cjs');
    for (const entry of ${JSON.stringify(entries)}) {
      const [imported, required] = [await import(entry), require(entry)];
      console.log(entry, Object.keys(imported).every((name) => imported[name] === required[name]));
    }
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(entries.map((entry) => `${entry} true\n`).join(''));
});
