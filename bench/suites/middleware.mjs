/** A whole Express request with each session middleware: what the middleware adds to the bare request. */
import { sessionOf } from '../session-data.mjs';
import { suite as sessions } from './sessions.mjs';

const USERS = 200;
const SECONDS = 1440;
const BYTES = 1500;

export const suite = {
  name: 'middleware',
  title: 'Express requests (client and server in one process)',
  reference: 'bare Express',
  works: ({ quick }) => [
    { name: 'read the session', calls: quick ? 800 : 3000, atOnce: [50] },
    { name: 'change the session', calls: quick ? 800 : 3000, atOnce: [50] },
  ],
  goals: [],
  setup: (options) => sessions.setup({ ...options, quick: true }),
};

/** Serves an application on a free port; the client keeps its connections and reads answers to their end. */
async function served(use, cookieOf, close) {
  const { default: express } = await import('express');
  const http = await import('node:http');
  const app = express();
  if (use !== undefined) app.use(use);
  app.get('/read', (req, res) => res.json({ csrf: req.session?.csrf ?? null }));
  app.get('/change', (req, res) => {
    if (req.session !== undefined) req.session.last_seen = Number(req.query.n);
    res.json({ ok: true });
  });
  const server = await new Promise((done) => {
    const one = app.listen(0, '127.0.0.1', () => done(one));
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  const { port } = server.address();
  const get = (path, cookie) =>
    new Promise((done, fail) => {
      http
        .get(
          { host: '127.0.0.1', port, path, agent, headers: cookie === undefined ? {} : { cookie } },
          (res) => {
            res.resume();
            res.once('end', () =>
              res.statusCode === 200 ? done() : fail(new Error(`status ${res.statusCode}`)),
            );
          },
        )
        .once('error', fail);
    });
  return {
    works: {
      'read the session': (number) => get('/read', cookieOf?.(number)),
      'change the session': (number) => get(`/change?n=${number}`, cookieOf?.(number)),
    },
    close: async () => {
      agent.destroy();
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
    (number) => cookies[number % USERS],
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
  return served(
    phpSession(store),
    (number) => `PHPSESSID=${idOf(number)}`,
    () => store.close(),
  );
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
