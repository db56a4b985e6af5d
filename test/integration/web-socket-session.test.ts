/** The session of a request that asks for a WebSocket, with what the libraries for them hand over in place of a response. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  loadSession,
  type PhpSessionOptions,
  type PhpSessionRequest,
  phpSession,
  type RequestSession,
} from '../../src/express/index.js';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { FileSessionOptions } from '../../src/session/file-session-options.js';
import type { FileSessionStore } from '../../src/session/file-session-store.js';
import type { SessionStorePort } from '../../src/session/session-store-port.js';

/** As engine.io's, which only keeps headers. */
class WebSocketResponse {
  readonly headers: Record<string, unknown> = {};
  setHeader(name: string, value: unknown): void {
    this.headers[name] = value;
  }
  getHeader(name: string): unknown {
    return this.headers[name];
  }
  removeHeader(name: string): void {
    delete this.headers[name];
  }
  write(): void {}
  writeHead(): void {}
  end(): void {}
}

type Load = (
  store: SessionStorePort,
  req: IncomingMessage,
  options?: PhpSessionOptions,
) => Promise<RequestSession>;

const throughMiddleware =
  (response: () => object): Load =>
  async (store, req, options) => {
    await new Promise<void>((done, fail) =>
      phpSession(store, options)(req, response() as ServerResponse, (error) =>
        error === undefined ? done() : fail(error as Error),
      ),
    );
    return (req as PhpSessionRequest).session;
  };

let folder: string;
let store: FileSessionStore;
let server: Server | undefined;

async function openStore(options: Partial<FileSessionOptions> = {}): Promise<string> {
  store = await createSessionStore({ mounts: [folder], ...options });
  const login = store.create();
  login.data['user'] = 'ada';
  await store.save(login);
  return login.id;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-ws-'));
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What `work` makes of a request for an upgrade with this id. */
async function upgrade<T>(id: string, work: (req: IncomingMessage) => Promise<T>): Promise<T> {
  const site = createServer();
  server = site;
  const worked = new Promise<T>((done, fail) => {
    site.on('upgrade', (req, socket: Duplex) => {
      work(req)
        .then(done, fail)
        .finally(() => socket.destroy());
    });
  });
  await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
  const asked = request({
    port: (site.address() as AddressInfo).port,
    host: '127.0.0.1',
    headers: { connection: 'Upgrade', upgrade: 'websocket', cookie: `PHPSESSID=${id}` },
  });
  asked.on('error', () => undefined);
  asked.end();
  const closed = new Promise((done) => asked.once('close', done));
  const result = await worked;
  await closed;
  return result;
}

describe.each<[string, Load]>([
  [
    'loadSession without a response',
    async (at, req, options) => (await loadSession(at, req, undefined, options)).session,
  ],
  ['phpSession with the empty object of `ws`', throughMiddleware(() => ({}))],
  ["phpSession with engine.io's object", throughMiddleware(() => new WebSocketResponse())],
])('%s', (_name, load) => {
  test('reads the session, and reads it anew until it is ended', async () => {
    const id = await openStore();
    const seen = await upgrade(id, async (req) => {
      const session = await load(store, req, { readOnly: true });
      const users = [session['user']];
      const other = await store.load(id);
      other.data['user'] = 'bob';
      await store.save(other);
      await session.reload();
      users.push(session['user']);
      await store.destroy(id);
      await session.reload();
      return [...users, session['user']];
    });
    expect(seen).toEqual(['ada', 'bob', undefined]);
  });

  test.each(['merge', 'lock'] as const)(
    'holds no lock, saves when it is told to, and tells of a logout (%s)',
    async (conflict) => {
      const id = await openStore({ conflict, lockWaitMs: 60_000 });
      const outcomes = await upgrade(id, async (req) => {
        const session = await load(store, req);
        const other = await store.load(id);
        other.data['page'] = 1;
        await store.save(other);
        session['seen'] = true;
        const saved = await session.save();
        const now = { ...(await store.load(id, { lock: false })).data };
        await session.reload();
        const again = { ...session };
        await store.destroy(id);
        session['late'] = true;
        return [saved, now, again, await session.save()];
      });
      const all = { user: 'ada', page: 1, seen: true };
      expect(outcomes).toEqual(['saved', all, all, 'gone']);
    },
  );

  test('refuses what the browser could not learn, and stores nothing of it', async () => {
    const id = await openStore();
    const codes = await upgrade('unknown', async (req) => {
      const session = await load(store, req);
      session['user'] = 'eve';
      const save = await session.save().catch((error) => error.code);
      const other = await load(store, Object.assign(req, { headers: { cookie: `PHPSESSID=${id}` } }));
      return [
        save,
        await other.regenerate().catch((error) => error.code),
        (await store.load(session.id)).exists,
      ];
    });
    expect(codes).toEqual(['ERR_UNSUPPORTED', 'ERR_UNSUPPORTED', false]);
  });

  test('is empty where the session was ended before it is read anew', async () => {
    const id = await openStore();
    const seen = await upgrade(id, async (req) => {
      const session = await load(store, req);
      await store.destroy(id);
      await session.reload();
      session['user'] = 'eve';
      return [await session.save(), (await store.load(id)).exists];
    });
    expect(seen).toEqual(['gone', false]);
  });
});
