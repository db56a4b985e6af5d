/** What docs/breakers.md, docs/dashboard.md, docs/php-topology-file.md, docs/haproxy.md and docs/resources.md show works when it is pasted. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

/** Runs a block in namespaces of its own, as root of them; the voters are reached over unix sockets, which lead into any. */
async function inNamespaces(flags: string, code: string, before = ''): Promise<string> {
  const { user, password } = servers.accounts.monitor;
  const program = servers.databases
    .reduce((text, { name, socketPath }) => {
      const voter = JSON.stringify({ socketPath, user, password });
      return text.replace(`'mysql://app:secret@${name}/shop'`, voter);
    }, code)
    .replaceAll('10.0.0.100/24', '10.77.0.100/24');
  expect(program).not.toContain('app:secret');
  const inside = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
  try {
    const file = join(inside, 'block.mjs');
    writeFileSync(file, program);
    const script = `${before}\nexec '${process.execPath}' '${file}'`;
    const args = [`-r${flags}`, 'sh', '-ec', script];
    const env = { PATH: `${folder}:${process.env['PATH']}:/usr/sbin:/sbin` };
    const { code: status, stdout, stderr } = await runProgram('unshare', args, { env, timeoutMs: 90_000 });
    expect([status, stderr], stdout).toEqual([0, '']);
    return stdout;
  } finally {
    rmSync(inside, { recursive: true, force: true });
  }
}

test('docs/resources.md: the address is on the machine while it is in charge, and off it afterwards', async () => {
  const [code = ''] = blocksOf('docs/resources.md', 'ts');
  const { arping } = await resolveServers(['arping']);
  if (arping === undefined) throw new Error('arping is missing in the answer');
  const command = [arping.command, ...arping.prefixArgs].map((word) => `'${word}'`).join(' ');
  writeFileSync(join(folder, 'arping'), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  const append = `
    import { execFileSync } from 'node:child_process';
    const has = () => execFileSync('ip', ['addr', 'show', 'eth0'], { encoding: 'utf8' }).includes('10.77.0.100/24');
    const limit = performance.now() + 60_000;
    while (!has() && performance.now() < limit) await new Promise((done) => setTimeout(done, 50));
    const before = has();
    await lease.close();
    console.log('address', before, has());`;
  // A pair of devices, so that there is a link for what is asked and told.
  const links =
    'ip link add eth0 type veth peer name far; ip addr add 10.77.0.1/24 dev eth0; ip link set eth0 up; ip link set far up';
  const output = await inNamespaces('n', code + append, links);
  expect(output).toMatch(/^leading /m);
  expect(output).toMatch(/^address true false$/m);
});

test('docs/resources.md: the mount is there while it is in charge, and only after the other machine was fenced', async () => {
  const [, code = '', ...others] = blocksOf('docs/resources.md', 'ts');
  expect(others).toEqual([]);
  const asked: string[] = [];
  const outlet = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('off');
  });
  await new Promise<void>((done) => outlet.listen(0, '127.0.0.1', done));
  const { port } = outlet.address() as AddressInfo;
  const path = join(folder, 'data');
  mkdirSync(path);
  // The kernel gives a user's own namespace no ext4; what is mounted is another file system.
  const program = code
    .replace("'/dev/disk/by-uuid/5e2b…'", "'none'")
    .replace("'ext4'", "'tmpfs'")
    .replace('/srv/data', path)
    .replace('http://power-switch', `http://127.0.0.1:${port}`);
  const prepend = `
    const [said, log] = [[], console.log];
    console.log = (text) => said.push(text) && log(text);`;
  const append = `
    import { readFileSync } from 'node:fs';
    const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(' ${path} ');
    const limit = performance.now() + 60_000;
    while (said.length === 0 && performance.now() < limit) await new Promise((done) => setTimeout(done, 50));
    const before = isMounted();
    await lease.close();
    log('mount', before, isMounted());`;
  try {
    const output = await inNamespaces('m', prepend + program + append);
    expect(output).toBe('the disk is there\nclose every file on it\nmount true false\n');
    expect(asked).toEqual(['POST /outlet/2/cycle']);
  } finally {
    await new Promise((done) => outlet.close(done));
  }
});

test('docs/dashboard.md: the page is made, and its pictures are there', async () => {
  const [code] = blocksOf('docs/dashboard.md', 'js');
  const append = `
    import { once } from 'node:events';
    if (!server.listening) await once(server, 'listening');
    const url = 'http://127.0.0.1:' + server.address().port + '/state.json';
    const authorization = 'Basic ' + Buffer.from('ops:für €').toString('base64');
    const [without, as] = [await fetch(url), await fetch(url, { headers: { authorization } })];
    console.log(without.status, as.status, (await as.json()).nodes.length);
    process.kill(process.pid, 'SIGTERM');`;
  const ran = await runBlock(code ?? '', servers, { env: { OPS_PASSWORD: 'für €', OPS_PORT: '0' }, append });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toMatch(/^the page: http:\/\/127\.0\.0\.1:\d+, for the user ops\n401 200 3\n$/);
  const pictures = [
    ...readFileSync(join(ROOT, 'docs/dashboard.md'), 'utf8').matchAll(/\]\((pictures\/[^)]+)\)/g),
  ];
  expect(pictures.length).toBe(3);
  for (const [, picture = ''] of pictures)
    expect(existsSync(join(ROOT, 'docs', picture)), picture).toBe(true);
});
