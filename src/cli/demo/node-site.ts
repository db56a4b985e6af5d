/** The Node half of the demo's shop: Express, the PHP session, and the cart in MySQL; `*.php` is handed to PHP. */
import { request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import type { Cluster } from '../../create-cluster.js';
import { type PhpSessionRequest, phpSession } from '../../express/index.js';

/** A running site. */
export interface NodeSite {
  /** Its address. */
  readonly url: string;
  /** Stops it. */
  close(): Promise<void>;
}

interface User {
  readonly name: string;
}

/**
 * Starts the site on `port` of 127.0.0.1 (0: a free one).
 *
 * @throws StormlampError `ERR_PORT_IN_USE` naming the port; `ERR_UNSUPPORTED` when express is not installed.
 */
export async function startNodeSite(cluster: Cluster, phpUrl: string, port: number): Promise<NodeSite> {
  const express = await loadExpress();
  const app = express();
  app.disable('x-powered-by');
  app.use((req, res, next) => {
    if (/\.php$/.test(new URL(req.url, 'http://shop').pathname)) forward(req, res, phpUrl);
    else next();
  });
  app.use(phpSession(cluster));

  app.get('/', (_req, res) => {
    res.type('html').send(page());
  });
  app.get('/node/me', (req, res) => {
    res.json({ user: userOf(req) ?? null, balance: balanceOf(req), server: 'node' });
  });
  app.post('/node/cart', (req, res, next) => {
    const item = new URL(req.url, 'http://shop').searchParams.get('item') ?? 'lamp';
    addToCart(cluster, req as unknown as PhpSessionRequest, item).then(
      (answer) => res.status(answer.status).json(answer.body),
      next,
    );
  });
  app.get('/node/cart', (req, res, next) => {
    readCart(cluster, req as unknown as PhpSessionRequest).then(
      (answer) => res.status(answer.status).json(answer.body),
      next,
    );
  });
  app.use((error: Error, _req: IncomingMessage, res: import('express').Response, _next: unknown) => {
    res.status(503).json({ error: error.message, server: 'node' });
  });
  return listen(app.listen.bind(app), port);
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function addToCart(cluster: Cluster, req: PhpSessionRequest, item: string): Promise<Answer> {
  const user = userOf(req);
  if (user === undefined) return { status: 401, body: { error: 'not logged in' } };
  const [result] = await cluster.mysql.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', [
    user.name,
    item,
  ]);
  req.session['lastItem'] = item;
  return { status: 201, body: { item, id: (result as { insertId: number }).insertId, server: 'node' } };
}

async function readCart(cluster: Cluster, req: PhpSessionRequest): Promise<Answer> {
  const user = userOf(req);
  if (user === undefined) return { status: 401, body: { error: 'not logged in' } };
  const [rows] = await cluster.mysql.query(
    'SELECT item, @@server_id AS servedBy FROM cart WHERE owner = ? ORDER BY id',
    [user.name],
  );
  const list = rows as { item: string; servedBy: number }[];
  return {
    status: 200,
    body: { items: list.map((row) => row.item), servedBy: list[0]?.servedBy ?? null, server: 'node' },
  };
}

function userOf(req: IncomingMessage): User | undefined {
  const user = (req as PhpSessionRequest).session['user'];
  return typeof user === 'object' && user !== null && 'name' in user && typeof user.name === 'string'
    ? { name: user.name }
    : undefined;
}

function balanceOf(req: IncomingMessage): unknown {
  const user = (req as PhpSessionRequest).session['user'];
  return typeof user === 'object' && user !== null && 'balance' in user ? user.balance : null;
}

async function loadExpress(): Promise<typeof import('express')> {
  try {
    return (await import('express')).default;
  } catch (cause) {
    const message = 'The demo needs the package express; install it with: npm install express';
    throw new StormlampError(ErrorCode.UNSUPPORTED, message, { cause });
  }
}

function forward(req: IncomingMessage, res: ServerResponse, phpUrl: string): void {
  const target = new URL(req.url ?? '/', phpUrl);
  const upstream = httpRequest(
    target,
    { method: req.method ?? 'GET', headers: { ...req.headers, host: target.host } },
    (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    },
  );
  upstream.on('error', (error) => {
    if (res.headersSent) {
      // PHP's answer broke off in the middle: so does ours.
      res.destroy();
      return;
    }
    res.writeHead(502, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ error: `PHP does not answer: ${error.message}` }));
  });
  req.pipe(upstream);
}

function listen(start: (port: number, host: string) => Server, port: number): Promise<NodeSite> {
  return new Promise((resolve, reject) => {
    const server = start(port, '127.0.0.1');
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES') reject(cause);
      const why = cause.code === 'EACCES' ? 'may not be used by this user' : 'is used by another process';
      const message = `Port ${port} of 127.0.0.1 ${why}; choose another with --port, or leave --port out for a free one`;
      reject(new StormlampError(ErrorCode.PORT_IN_USE, message, { cause }));
    });
    server.once('listening', () => {
      const address = server.address();
      const used = typeof address === 'object' && address !== null ? address.port : port;
      resolve({
        url: `http://127.0.0.1:${used}`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function page(): string {
  return `<!doctype html><meta charset="utf-8"><title>stormlamp demo shop</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:2rem auto;padding:0 1rem}button{margin:.2rem;padding:.4rem .8rem}pre{background:#8881;padding:1rem;white-space:pre-wrap}</style>
<h1>Demo shop</h1><p>One cookie, two servers. The first row is answered by PHP, the second by Node.</p>
<p><button data-go="/login.php?user=ada">PHP: log in as ada</button><button data-go="/me.php">PHP: who am I</button><button data-go="/cart.php">PHP: my cart</button><button data-go="/logout.php">PHP: log out</button></p>
<p><button data-go="/node/me">Node: who am I</button><button data-post="/node/cart?item=lamp">Node: add a lamp</button><button data-go="/node/cart">Node: my cart</button></p>
<pre aria-live="polite" id="out">Log in on PHP, then ask Node who you are.</pre>
<script>for(const b of document.querySelectorAll('button'))b.onclick=async()=>{const u=b.dataset.go||b.dataset.post;const r=await fetch(u,{method:b.dataset.post?'POST':'GET'});out.textContent=r.status+' '+u+'\\n'+JSON.stringify(await r.json(),null,2)}</script>`;
}
