/** What docs/breakers.md, docs/dashboard.md, docs/php-topology-file.md, docs/haproxy.md and docs/resources.md show works when it is pasted. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { freePort } from '../../src/testing/process/free-port.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { runProgram } from '../../src/testing/servers/run-program.js';
import { ROOT } from '../support/run-node.js';
import { blocksOf, letAppMonitor, runBlock } from './run-block.js';

let servers: LocalCluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster();
  await letAppMonitor(servers);
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-pages-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function outputOf(code: string | undefined): Promise<string> {
  const { code: status, stdout, stderr } = await runBlock(code ?? '', servers);
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

test('docs/breakers.md', async () => {
  const [isolate, detect] = blocksOf('docs/breakers.md', 'js');
  expect(await outputOf(isolate)).toBe('its breaker is open\n');
  expect(await outputOf(detect)).toBe('null false\n');
});

test('docs/php-topology-file.md: the file is written by the program and read by the PHP', async () => {
  const file = join(folder, 'topology.php');
  const at = (code: string | undefined): string => (code ?? '').replaceAll('/run/shop/topology.php', file);
  await outputOf(at(blocksOf('docs/php-topology-file.md', 'js')[0]));
  const { user, password } = servers.accounts.app;
  const php = at(blocksOf('docs/php-topology-file.md', 'php')[0])
    .replaceAll("'app', 'secret', 'shop'", `'${user}', '${password}', '${servers.database}'`)
    .concat("echo $write->query('SELECT @@server_id')->fetch_row()[0];");
  const { stdout, stderr } = await servers.php(php);
  expect(stderr).toBe('');
  expect(Number(stdout)).toBe(servers.primary.serverId);
});

test('docs/haproxy.md: the program runs, and HAProxy takes the configuration', async () => {
  const port = await freePort();
  await outputOf(blocksOf('docs/haproxy.md', 'js')[0]?.replace('9201', String(port)));
  const { haproxy } = await resolveServers(['haproxy']);
  if (haproxy === undefined) throw new Error('HAProxy is missing in the answer');
  const path = join(folder, 'haproxy.cfg');
  const defaults = 'defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n';
  const block =
    blocksOf('docs/haproxy.md', 'haproxy')[0]?.replaceAll(/ (db\d):3306/g, ' 127.0.0.1:3306') ?? '';
  writeFileSync(path, `${defaults}${block}`);
  const checked = await runProgram(haproxy.command, [...haproxy.prefixArgs, '-c', '-f', path], {
    timeoutMs: 20_000,
  });
  expect(checked.code, checked.stderr).toBe(0);
});

test('docs/resources.md: what can run here runs', async () => {
  const [lease, pair, upstreams] = blocksOf('docs/resources.md', 'js');
  expect(await outputOf(lease)).toBe('in charge true false\nnot in charge any more: it is closed true\n');
  expect(await outputOf(pair)).toBe('2\n');
  expect(await outputOf(upstreams)).toBe('no upstream answers\n');
});

test('docs/resources.md: what takes a machine of its own is at least of the right types', async () => {
  const inside = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
  try {
    const blocks = blocksOf('docs/resources.md', 'ts');
    expect(blocks.length).toBe(2);
    for (const [index, code] of blocks.entries()) writeFileSync(join(inside, `block-${index}.mts`), code);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2023',
      types: ['node'],
    };
    writeFileSync(join(inside, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.mts'] }));
    const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', inside];
    const { code, stdout } = await runProgram(process.execPath, args, { timeoutMs: 60_000 });
    expect(code, stdout).toBe(0);
  } finally {
    rmSync(inside, { recursive: true, force: true });
  }
});

test('docs/dashboard.md: the page is made, and its pictures are there', async () => {
  const [code] = blocksOf('docs/dashboard.md', 'js');
  const append = 'process.exitCode = page.name === undefined ? 1 : 0;';
  expect(await runBlock(code ?? '', servers, { env: { OPS_PASSWORD: 'x' }, append })).toMatchObject({
    code: 0,
    stderr: '',
  });
  const pictures = [
    ...readFileSync(join(ROOT, 'docs/dashboard.md'), 'utf8').matchAll(/\]\((pictures\/[^)]+)\)/g),
  ];
  expect(pictures.length).toBe(3);
  for (const [, picture = ''] of pictures)
    expect(existsSync(join(ROOT, 'docs', picture)), picture).toBe(true);
});
