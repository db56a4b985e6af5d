/** A whole Express request with each session middleware, sent by autocannon: what the middleware adds to the bare request. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { sessionOf } from '../session-data.mjs';
import { suite as sessions } from './sessions.mjs';

const CLIENT = join(import.meta.dirname, '..', 'autocannon-process.mjs');
const USERS = 200;
const SECONDS = 1440;
const BYTES = 1500;
const WORKS = { 'read the session': '/read', 'change the session': '/change' };

export const suite = {
  title: 'Express requests',
  works: ({ quick }) =>
    Object.keys(WORKS).map((name) => ({ name, ms: quick ? 500 : 1000, warmMs: 1500, atOnce: [50] })),
  goals: Object.keys(WORKS).map((work) => ({
    text: `CPU added to a bare request, to ${work}, over what express-session with connect-redis adds`,
    work,
    atOnce: 50,
    peer: 'stormlamp, two copies',
    reference: 'express-session + connect-redis',
    base: 'bare Express',
    field: 'cpuUs',
    most: 0.4,
  })),
  setup: async (options) => {
    const { notes, ...servers } = await sessions.setup({ ...options, quick: true });
    return {
      ...servers,
      notes: [
        ...notes,
        'CPU is that of the application alone; every connection of autocannon is a user with a session of 1.5 kB, who sends one request after the other. autocannon rounds latencies to milliseconds.',
      ],
    };
  },
};

/** Serves an application on a free port, with the cookies that its users send. */
async function served(use, cookies = [], close) {
  const { default: express } = await import('express');
  const app = express();
  if (use !== undefined) app.use(use);
  let turn = 0;
  app.get('/read', (req, res) => res.json({ csrf: req.session?.csrf ?? null }));
  app.get('/change', (req, res) => {
    turn += 1;
    if (req.session !== undefined) req.session.last_seen = turn;
    res.json({ ok: true });
  });
  const server = await new Promise((done) => {
    const one = app.listen(0, '127.0.0.1', () => done(one));
  });
  const { port } = server.address();
  const client = fork(CLIENT, { execArgv: [], stdio: ['ignore', 2, 2, 'ipc'] });
  const cannon = (path) => ({
    run: async ({ ms, workers }) => {
      const answer = await new Promise((done, fail) => {
        const ended = () => fail(new Error('autocannon ended'));
        client.once('exit', ended);
        client.once('message', (message) => {
          client.off('exit', ended);
          done(message);
        });
        client.send({ url: `http://127.0.0.1:${port}${path}`, cookies, connections: workers, ms });
      });
      const { failed, ...measured } = answer;
      if (failed > 0) throw new Error(`${failed} requests failed`);
      return measured;
    },
  });
  return {
    works: Object.fromEntries(Object.entries(WORKS).map(([name, path]) => [name, cannon(path)])),
    close: async () => {
      client.kill();
      server.close();
      await close?.();
    },
  };
}

async function expressSession(store, close) {
  const { default: session } = await import('express-session');
  const { createHmac } = await import('node:crypto');
  const secret = 'bench';
  const idOf = (number) => `u${number % USERS}`.padEnd(32, 'x');
  const data = { cookie: { originalMaxAge: SECONDS * 1000 }, ...sessionOf(BYTES) };
  for (let number = 0; number < USERS; number += 1)
    await new Promise((done, fail) =>
      store.set(idOf(number), data, (error) => (error ? fail(error) : done())),
    );
  const sign = (id) => createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  const cookies = Array.from({ length: USERS }, (_, number) => {
    const id = idOf(number);
    return `connect.sid=${encodeURIComponent(`s:${id}.${sign(id)}`)}`;
  });
  return served(
    session({ store, secret, resave: false, saveUninitialized: false, cookie: { maxAge: SECONDS * 1000 } }),
    cookies,
    close,
  );
}

async function stormlamp({ ports }, options) {
  const { createSessionStore } = await import('../../dist/index.js');
  const { phpSession } = await import('../../dist/express/index.js');
  const { encodeSession } = await import('../../dist/php/index.js');
  const store = await createSessionStore({ nodes: ports.map((port) => `127.0.0.1:${port}`), ...options });
  const bytes = encodeSession(sessionOf(BYTES), 'php');
  const idOf = (number) => `u${number % USERS}`.padEnd(26, 'x');
  for (let number = 0; number < USERS; number += 1) await store.writeRaw(idOf(number), bytes);
  const cookies = Array.from({ length: USERS }, (_, number) => `PHPSESSID=${idOf(number)}`);
  return served(phpSession(store), cookies, () => store.close());
}

export const peers = {
  'bare Express': () => served(),

  async 'express-session + connect-redis'({ redis }) {
    if (redis === undefined) throw new Error('redis-server is not running');
    const { createClient } = await import('redis');
    const { RedisStore } = await import('connect-redis');
    const client = createClient({ url: `redis://127.0.0.1:${redis}` });
    await client.connect();
    return expressSession(new RedisStore({ client, ttl: SECONDS }), () => client.close());
  },

  async 'express-session + connect-memcached'({ ports }) {
    const { default: session } = await import('express-session');
    const { default: connectMemcached } = await import('connect-memcached');
    return expressSession(
      new (connectMemcached(session))({ hosts: [`127.0.0.1:${ports[0]}`], ttl: SECONDS }),
    );
  },

  'stormlamp, two copies': (context) => stormlamp(context, {}),
  'stormlamp, two copies, last-write-wins': (context) => stormlamp(context, { conflict: 'last-write-wins' }),
};
