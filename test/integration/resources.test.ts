/** Things that only one process may hold, on real servers, in real network namespaces, with real mounts. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createHttpUpstreams,
  type LeaderLease,
  type LeasedResource,
  startLeaderLease,
  watchMemcachedPair,
} from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';
import { eventually } from './eventually.js';

const HERE = join(import.meta.dirname, 'resources');
let servers: LocalCluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false });
  folder = await mkdtemp(join(tmpdir(), 'stormlamp-resources-'));
  await servers.waitForReplication();
});
afterAll(async () => {
  await servers?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The voters through the proxies, or over unix sockets, which also reach into a network namespace. */
function voters(over: 'proxy' | 'socket'): object[] {
  const { user, password } = servers.accounts.monitor;
  return servers.databases.map(({ host, port, socketPath }) =>
    over === 'proxy' ? { host, port, user, password } : { socketPath, user, password },
  );
}

/** Runs a script in namespaces of its own, as root of them; resolves with what it wrote, as JSON. */
function inNamespaces(
  flags: string,
  script: string,
  argument: string,
  path = '',
): Promise<Record<string, unknown>> {
  const args = [`-r${flags}`, process.execPath, join(HERE, script), argument];
  const env = {
    ...process.env,
    PATH: [path, process.env['PATH'], '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter),
  };
  const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (err += String(text)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) reject(new Error(`${script} ended with ${code}: ${err}${out}`));
      else resolve(JSON.parse(out) as Record<string, unknown>);
    });
  });
}

test('one of three processes is in charge, another one follows when it lets go, never two', async () => {
  const inCharge = new Set<string>();
  const story: string[] = [];
  let twice = 0;
  const resource = (name: string): LeasedResource => ({
    acquired: ({ until }) => {
      if (inCharge.size > 0) twice += 1;
      expect(until()).toBeGreaterThan(performance.now());
      inCharge.add(name);
      story.push(`${name} acquired`);
    },
    lost: ({ deadline }) => {
      inCharge.delete(name);
      if (performance.now() > deadline) story.push(`${name} late`);
      story.push(`${name} lost`);
    },
  });
  const leases = new Map<string, LeaderLease>();
  for (const name of ['a', 'b', 'c']) {
    leases.set(
      name,
      await startLeaderLease({
        name: 'job',
        voters: voters('proxy') as never,
        leaseMs: 2_500,
        resource: resource(name),
      }),
    );
  }
  try {
    const only = (): string | undefined => (inCharge.size === 1 ? [...inCharge][0] : undefined);
    const first = await eventually('somebody is in charge', only);
    expect([...leases.values()].filter(({ phase }) => phase === 'leading').length).toBe(1);
    await leases.get(first)?.close();
    const second = await eventually('another one is', () => (only() === first ? undefined : only()));
    // Without a majority nobody is.
    const [x, y] = servers.databases;
    const cuts = [x?.faults.partition({ only: 'clients' }), y?.faults.partition({ only: 'clients' })];
    await eventually('it lets go', () => inCharge.size === 0);
    for (const cut of cuts) cut?.heal();
    await eventually('somebody is again', only);
    expect(story.slice(0, 4)).toEqual([
      `${first} acquired`,
      `${first} lost`,
      `${second} acquired`,
      `${second} lost`,
    ]);
    expect(story.filter((line) => line.endsWith('late'))).toEqual([]);
    expect(twice).toBe(0);
  } finally {
    await Promise.all([...leases.values()].map((lease) => lease.close()));
  }
  expect(inCharge.size).toBe(0);
});

test('a resource that fails to take charge gives the lease back, cleaned up', async () => {
  const calls: string[] = [];
  const lease = await startLeaderLease({
    name: 'broken',
    voters: voters('proxy') as never,
    leaseMs: 2_000,
    resource: {
      acquired: () => {
        calls.push('acquired');
        throw new Error('the disk is not there');
      },
      lost: ({ because }) => void calls.push(`lost: ${because}`),
    },
  });
  const failures: string[] = [];
  lease.on('resource-failed', ({ during, error }) => failures.push(`${during}: ${error.message}`));
  await eventually('it lets go', () => calls.length >= 2);
  expect(calls.slice(0, 2)).toEqual(['acquired', 'lost: it failed to take charge: the disk is not there']);
  expect(failures[0]).toBe('acquired: the disk is not there');
  await lease.close();
});

test('a resource that does not listen is told to let go all the same, in time', async () => {
  const calls: string[] = [];
  const lease = await startLeaderLease({
    name: 'deaf',
    voters: voters('proxy') as never,
    leaseMs: 2_000,
    resource: {
      acquired: () => {
        calls.push('acquired');
        return new Promise(() => undefined);
      },
      lost: ({ deadline }) => void calls.push(performance.now() < deadline ? 'lost in time' : 'lost late'),
    },
  });
  await eventually('it is in charge', () => calls.length === 1);
  await lease.close();
  expect(calls).toEqual(['acquired', 'lost in time']);
});

test('an account that is refused is told: at the start by a majority, of one voter by an event', async () => {
  const [one, two, three] = voters('proxy');
  const resource = { acquired: () => undefined, lost: () => undefined };
  const wrong = (voter: object | undefined): object => ({ ...voter, password: 'wrong' });
  const start = (...all: readonly (object | undefined)[]): Promise<LeaderLease> =>
    startLeaderLease({ name: 'login', voters: all as never, leaseMs: 2_000, resource });
  await expect(start(one, wrong(two), wrong(three))).rejects.toMatchObject({
    code: 'ERR_ACCESS_DENIED',
    message: expect.stringContaining('2 of 3 voters refuse the account'),
  });
  const lease = await start(one, two, wrong(three));
  const told: object[] = [];
  lease.on('voters-missing', (event) => told.push(event));
  await eventually('it is in charge all the same', () => lease.phase === 'leading');
  await lease.close();
  const { id = '' } = servers.databases[2] ?? {};
  const why = expect.stringContaining('check user and password');
  expect(told).toEqual([{ name: 'login', isMajority: true, missing: [{ voter: id, why }] }]);
});

test.each([
  [{ name: 'x', voters: ['mysql://a', 'mysql://b'] }, /at least three servers/],
  [{ name: 'x', voters: ['mysql://a', 'mysql://b', 'mysql://a'] }, /servers that differ/],
  [{ name: 'x y', voters: [] }, /lease.name/],
  [{ name: 'x', voters: ['mysql://a', 'mysql://b', 'mysql://c'], leaseMs: 100 }, /lease.leaseMs/],
])('%j is refused by name', async (options, message) => {
  const resource = { acquired: () => undefined, lost: () => undefined };
  await expect(startLeaderLease({ ...options, resource })).rejects.toThrow(message);
});

test('a voter that is several servers, or the same as another one, is no voter', async () => {
  const [one, two, three] = servers.databases.map(({ realPort }) => realPort);
  const { user, password } = servers.accounts.monitor;
  let dealt = 0;
  const balancer = createServer((near) => {
    const far = connect([one, two][dealt++ % 2] ?? 0, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => [near, far].map((each) => each.destroy()));
    }
  });
  await new Promise<void>((done) => balancer.listen(0, '127.0.0.1', done));
  const { port } = balancer.address() as AddressInfo;
  const start = (...ports: readonly (number | undefined)[]): Promise<LeaderLease> =>
    startLeaderLease({
      name: 'job',
      voters: ports.map((at) => ({ host: '127.0.0.1', port: at, user, password })) as never,
      resource: { acquired: () => undefined, lost: () => undefined },
    });
  try {
    await expect(start(one, three, port)).rejects.toThrow(`127.0.0.1:${port} is not one server`);
    await expect(start(one, two, servers.primary.port)).rejects.toThrow(
      /`lease.voters`: 127.0.0.1:\d+ is the same server as/,
    );
  } finally {
    balancer.close();
  }
});

test('hot spare: the kernel takes the address from a stopped machine, the spare has it, the neighbours know, never two', async () => {
  const { arping } = await resolveServers(['arping']);
  if (arping === undefined) throw new Error('arping is missing in the answer');
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const command = [arping.command, ...arping.prefixArgs].map((word) => `'${word}'`).join(' ');
  await writeFile(join(bin, 'arping'), `#!/bin/sh\nexec ${command} "$@"\n`);
  await chmod(join(bin, 'arping'), 0o755);
  const report = await inNamespaces(
    'nm',
    'spare-pair.mjs',
    JSON.stringify({ voters: voters('socket'), leaseMs: 4_000 }),
    bin,
  );
  expect(report, JSON.stringify(report)).toMatchObject({
    ok: true,
    both: 0,
    afterResume: 'b',
  });
  // Between two holders nobody had it.
  expect((report['order'] as string[]).slice(0, 5)).toEqual(['', 'a', '', 'b', '']);
}, 180_000);

test.each([
  ['data', 'data'],
  ['disk', 'link/disk'],
])(
  'a mount: fenced first, verified, started; stopped and unmounted; nothing without a proof: %s as %s',
  async (name, named) => {
    await mkdir(join(folder, name));
    await symlink('.', join(folder, 'link')).catch(() => undefined);
    const path = join(folder, named);
    const report = await inNamespaces('m', 'mount-holder.mjs', path);
    expect(report).toEqual({
      whileHeld: true,
      second: expect.stringContaining('mounted on'),
      unfenced: expect.stringContaining("fencing ended as 'unknown' (the power switch does not answer)"),
      afterUnfenced: false,
      unverified: 'not the right disk',
      atEnd: false,
      steps: ['start mounted', 'stop mounted', 'stop unmounted', 'stop mounted'],
      // The lease was lost while `mount` was at work.
      late: { isMounted: false, steps: ['stop unmounted'] },
      // What was mounted before is never used again.
      stale: {
        busy: expect.stringMatching(/^the job hangs; `umount .*busy/),
        refused: expect.stringMatching(
          /before is still there, and may be older than the device \(`umount .*busy/,
        ),
        files: [],
        hung: 'the job hangs',
        isMounted: false,
      },
    });
  },
);

test('a memcached pair: a restart and an absence are seen, and only a fill makes it trusted again', async () => {
  const filled: string[] = [];
  let mayFill = false;
  const nodes = servers.memcached.map(({ id }) => id);
  const [node] = servers.memcached;
  if (node === undefined) throw new Error('there is no memcached');
  const pair = await watchMemcachedPair({
    nodes,
    intervalMs: 100,
    timeoutMs: 500,
    fill: async (name) => {
      if (!mayFill) throw new Error('the peer is busy');
      filled.push(name);
    },
  });
  try {
    expect(pair.trusted).toEqual(nodes);
    const failures: string[] = [];
    pair.on('fill-failed', ({ error }) => failures.push(error.message));
    await node.kill();
    await eventually('it is down', () => pair.states.get(node.id)?.state === 'down');
    await node.start();
    await eventually('it is warming, and filling it fails', () => failures.length > 0);
    expect(pair.states.get(node.id)?.state).toBe('warming');
    expect(pair.trusted).not.toContain(node.id);
    mayFill = true;
    await eventually('it is trusted again', () => pair.trusted.includes(node.id));
    expect(filled).toEqual([node.id]);
    await node.pause();
    await eventually('it is down', () => pair.states.get(node.id)?.state === 'down');
    await node.resume();
    await eventually('it was filled again, because it missed writes', () => filled.length === 2);
  } finally {
    await pair.close();
  }
});

test('HTTP upstreams: the one that fails is left out, and comes back', async () => {
  const { createServer } = await import('node:http');
  const answers = new Map<string, number>();
  const https = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      const server = createServer((_, response) => {
        response.statusCode = answers.get(name) ?? 200;
        response.end(name);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { name, server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
    }),
  );
  try {
    const upstreams = createHttpUpstreams({
      urls: https.map(({ url }) => url),
      baseMs: 300,
      consecutiveFailures: 3,
    });
    const ask = async (): Promise<string> => {
      const ticket = upstreams.pick();
      try {
        const response = await fetch(ticket.url);
        if (response.status < 500) ticket.success();
        else ticket.failure();
        return `${response.status} ${await response.text()}`;
      } catch {
        ticket.failure();
        return 'nobody';
      }
    };
    answers.set('a', 503);
    await eventually('it is left out', async () => {
      await ask();
      return upstreams.upstreams.some(({ ejected }) => ejected);
    });
    answers.delete('a');
    await eventually('it is asked again', async () => (await ask()) === '200 a');
  } finally {
    for (const { server } of https) server.close();
  }
});
