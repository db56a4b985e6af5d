/** Sessions loaded, saved and touched through the clients and stores that Node services use for that. */
import { startLocalCluster } from '../../dist/testing/index.js';
import { freePort, startProgram } from '../bench-servers.mjs';
import { startNutcracker } from '../nutcracker.mjs';
import { pipelinedMemcached } from '../pipelined-memcached.mjs';
import { sessionOf } from '../session-data.mjs';

const SIZES = { '0.2 kB': 200, '2 kB': 2000, '20 kB': 20_000, '200 kB': 200_000 };
const USERS = 500;
/** Sessions that requests hold at a time: as many as are saved at once. */
const LOADED = 100;
const SECONDS = 1440;
const idOf = (size, number) => `${size.replace(/[^0-9]/g, '')}x${String(number % USERS).padStart(26, 'a')}`;

export const suite = {
  name: 'sessions',
  title: 'Sessions',
  works: ({ quick }) =>
    (quick ? ['2 kB'] : Object.keys(SIZES)).flatMap((size) =>
      ['load', 'save', 'touch'].map((operation) => ({
        name: `${operation} ${size}`,
        // After the rounds of nine others the first hundredths are slower than what comes then. Longest where the goals are.
        ms: quick ? 200 : size === '2 kB' ? 400 : 250,
        // A merging save runs ten times the code of one command: its first thousands are made by code that is not optimized yet.
        warmMs: 500,
        atOnce: quick ? [100] : [1, 10, 100],
      })),
    ),
  goals: [
    ...['memjs', 'memcached', 'connect-memcached'].map((reference) => ({
      text: `sessions of 2 kB loaded a second, 100 at once, over ${reference}`,
      work: 'load 2 kB',
      reference,
      peer: 'stormlamp, two copies',
      least: 2,
    })),
    ...['memjs', 'memcached', 'connect-memcached'].flatMap((reference) => [
      {
        text: `saves to two copies a second, last-write-wins, 100 at once, over ${reference}'s to one`,
        work: 'save 2 kB',
        reference,
        peer: 'stormlamp, two copies, last-write-wins',
        least: 1,
      },
      {
        text: `merging saves to two copies a second, 100 at once, over ${reference}'s to one`,
        work: 'save 2 kB',
        reference,
        peer: 'stormlamp, two copies',
        least: 0.5,
      },
    ]),
  ].map((goal) => ({ atOnce: 100, field: 'perSecond', ...goal })),
  setup,
};

async function setup({ quick, onProgress }) {
  const closers = [];
  const close = async () => {
    for (const one of closers.reverse()) await one();
  };
  try {
    const servers = await startLocalCluster({
      databases: false,
      php: false,
      memcached: 2,
      // Every peer keeps values of its own, over 100 MB: an evicted one would be a peer that dropped out.
      serverArgs: { memcached: ['-m', '4096'] },
    });
    closers.push(() => servers.close());
    const ports = servers.memcached.map((node) => node.realPort);
    const context = { ports, sizes: quick ? ['2 kB'] : Object.keys(SIZES) };
    const notes = [];
    try {
      const port = await freePort();
      const redis = await startProgram(
        'redis-server',
        () => ({
          args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
          port,
        }),
        onProgress,
      );
      closers.push(redis.close);
      context.redis = port;
    } catch (error) {
      notes.push(`redis-server could not be started: ${error.message}`);
    }
    try {
      const proxy = await startNutcracker(ports, onProgress);
      closers.push(proxy.close);
      context.nutcracker = proxy.port;
    } catch (error) {
      notes.push(`nutcracker could not be started: ${error.message}`);
    }
    return { context, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Works over a client that moves bytes: loading and saving decode and encode JSON, as a store does. */
async function byteWorks(sizes, { get, set, touch }, prefix) {
  const works = {};
  for (const size of sizes) {
    const data = sessionOf(SIZES[size]);
    const bytes = () => Buffer.from(JSON.stringify(data));
    const keyOf = (number) => `${prefix}:${idOf(size, number)}`;
    for (let number = 0; number < USERS; number += 1) await set(keyOf(number), bytes());
    works[`load ${size}`] = async (number) => {
      const value = await get(keyOf(number));
      return JSON.parse(value.toString()).csrf;
    };
    works[`save ${size}`] = (number) => {
      data.last_seen = number;
      return set(keyOf(number), bytes());
    };
    works[`touch ${size}`] = (number) => touch(keyOf(number));
  }
  return works;
}

/** Works over an express-session store. */
async function storeWorks(sizes, store) {
  const call = (method, ...args) =>
    new Promise((done, fail) =>
      store[method](...args, (error, value) => (error ? fail(error) : done(value))),
    );
  const works = {};
  for (const size of sizes) {
    const data = { cookie: { originalMaxAge: SECONDS * 1000 }, ...sessionOf(SIZES[size]) };
    for (let number = 0; number < USERS; number += 1) await call('set', idOf(size, number), data);
    works[`load ${size}`] = async (number) => (await call('get', idOf(size, number))).csrf;
    works[`save ${size}`] = (number) => {
      data.last_seen = number;
      return call('set', idOf(size, number), data);
    };
    works[`touch ${size}`] = (number) => call('touch', idOf(size, number), data);
  }
  return works;
}

/** Sessions of its own: another store on the same nodes would leave copies that have to be merged. */
async function stormlamp({ ports, sizes }, peer, options) {
  const { createSessionStore } = await import('../../dist/index.js');
  const { encodeSession } = await import('../../dist/php/index.js');
  const store = await createSessionStore({ nodes: ports.map((port) => `127.0.0.1:${port}`), ...options });
  const own = (size, number) => `${peer}${idOf(size, number)}`;
  const works = {};
  for (const size of sizes) {
    const bytes = encodeSession(sessionOf(SIZES[size]), 'php');
    for (let number = 0; number < USERS; number += 1) await store.writeRaw(own(size, number), bytes);
    const loaded = [];
    for (let number = 0; number < LOADED; number += 1) loaded.push(await store.load(own(size, number)));
    let turn = 0;
    works[`load ${size}`] = async (number) => (await store.load(own(size, number))).data.csrf;
    // The request has loaded the session before, which is not part of saving it.
    works[`save ${size}`] = async (_, worker) => {
      // One for each: two saves of one session would wait for each other.
      const session = loaded[worker];
      turn += 1;
      session.data.last_seen = turn;
      await store.save(session);
    };
    works[`touch ${size}`] = (number) => store.touch(own(size, number));
  }
  return { works, close: () => store.close() };
}

export const peers = {
  async 'pipelined commands (no JSON)'({ ports, sizes }) {
    const client = pipelinedMemcached(ports[0]);
    const raw = {
      get: (key) => client.get(key),
      set: (key, value) => client.set(key, value, SECONDS),
      touch: (key) => client.touch(key, SECONDS),
    };
    const works = await byteWorks(sizes, raw, 'pipelined');
    for (const size of sizes) {
      const value = Buffer.from(JSON.stringify(sessionOf(SIZES[size])));
      works[`load ${size}`] = (number) => raw.get(`pipelined:${idOf(size, number)}`);
      works[`save ${size}`] = (number) => raw.set(`pipelined:${idOf(size, number)}`, value);
    }
    return { works, close: client.close };
  },

  async memjs({ ports, sizes }) {
    const { default: memjs } = await import('memjs');
    const client = memjs.Client.create(`127.0.0.1:${ports[0]}`);
    const works = await byteWorks(
      sizes,
      {
        get: async (key) => (await client.get(key)).value,
        set: (key, value) => client.set(key, value, { expires: SECONDS }),
        touch: (key) => client.touch(key, SECONDS),
      },
      'memjs',
    );
    return { works, close: () => client.close() };
  },

  async memcached({ ports, sizes }) {
    const { default: Memcached } = await import('memcached');
    const client = new Memcached(`127.0.0.1:${ports[0]}`, { poolSize: 10 });
    const call = (method, ...args) =>
      new Promise((done, fail) =>
        client[method](...args, (error, value) => (error ? fail(error) : done(value))),
      );
    const works = await byteWorks(
      sizes,
      {
        get: (key) => call('get', key),
        set: (key, value) => call('set', key, value, SECONDS),
        touch: (key) => call('touch', key, SECONDS),
      },
      'memcached',
    );
    return { works, close: () => client.end() };
  },

  async 'memcache-client'({ ports, sizes }) {
    const { MemcacheClient } = await import('memcache-client');
    const client = new MemcacheClient({
      server: { server: `127.0.0.1:${ports[0]}`, maxConnections: 10 },
      ignoreNotStored: true,
    });
    const works = await byteWorks(
      sizes,
      {
        get: async (key) => (await client.get(key)).value,
        set: (key, value) => client.set(key, value, { lifetime: SECONDS }),
        touch: (key) => client.touch(key, SECONDS),
      },
      'memcache-client',
    );
    return { works, close: () => client.shutdown() };
  },

  async 'connect-memcached'({ ports, sizes }) {
    const { default: session } = await import('express-session');
    const { default: connectMemcached } = await import('connect-memcached');
    const store = new (connectMemcached(session))({ hosts: [`127.0.0.1:${ports[0]}`], ttl: SECONDS });
    return { works: await storeWorks(sizes, store) };
  },

  async 'connect-redis'({ redis, sizes }) {
    if (redis === undefined) throw new Error('redis-server is not running');
    const { createClient } = await import('redis');
    const { RedisStore } = await import('connect-redis');
    const client = createClient({ url: `redis://127.0.0.1:${redis}` });
    await client.connect();
    return {
      works: await storeWorks(sizes, new RedisStore({ client, ttl: SECONDS })),
      close: () => client.close(),
    };
  },

  async 'memcached through nutcracker'({ nutcracker, sizes }) {
    if (nutcracker === undefined) throw new Error('nutcracker is not running');
    return await peers.memcached({ ports: [nutcracker], sizes });
  },

  'stormlamp, one copy': (context) => stormlamp(context, 'one', { copies: 1 }),
  'stormlamp, two copies': (context) => stormlamp(context, 'two', {}),
  'stormlamp, two copies, last-write-wins': (context) =>
    stormlamp(context, 'lww', { conflict: 'last-write-wins' }),
};
