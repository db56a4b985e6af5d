/** What the tests of sessions on memcached share: servers, stores and sites that end with the test, and PHP in a session. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { createSessionStore } from '../../src/session/create-session-store.js';
import type { SessionOptions } from '../../src/session/session-options.js';
import type { SessionStore } from '../../src/session/session-store.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';

/** See the head of this file. */
export interface SessionSuite {
  /** PHP and memcached nodes; every node runs and is healed when a test begins. */
  readonly servers: LocalCluster;
  /** A store on all nodes. */
  openStore(options?: Partial<SessionOptions>): Promise<SessionStore>;
  /** An id that PHP could have made, and nobody had before. */
  newId(): string;
  /** Runs PHP code inside an open session and gives what it echoes. */
  php(id: string, code: string, ini?: Readonly<Record<string, string | number>>): Promise<string>;
  /** Serves HTTP; its address. */
  listen(handler: RequestListener): Promise<string>;
}

/** Starts the servers before the tests of the calling file; `name` begins its ids. */
export function sessionSuite(name: string): SessionSuite {
  let servers: LocalCluster | undefined;
  let ids = 0;
  const stores: SessionStore[] = [];
  const sites: Server[] = [];
  beforeAll(async () => {
    servers = await startLocalCluster({ databases: false });
  });
  afterAll(async () => {
    await servers?.close();
  });
  afterEach(async () => {
    for (const site of sites) site.closeAllConnections();
    await Promise.all(sites.splice(0).map((site) => new Promise((done) => site.close(done))));
    await Promise.all(stores.splice(0).map((store) => store.close()));
    for (const node of servers?.memcached ?? []) {
      await node.faults.heal();
      if (!node.running) await node.start();
    }
  });
  const running = (): LocalCluster => {
    if (servers === undefined) throw new Error('The servers are not running');
    return servers;
  };
  return {
    get servers() {
      return running();
    },
    async openStore(options = {}) {
      const nodes = running().memcached.map((node) => node.id);
      const store = await createSessionStore({ nodes, ...options });
      stores.push(store);
      return store;
    },
    newId() {
      ids += 1;
      return `${name}${String(ids).padStart(26 - name.length, '0')}`;
    },
    async php(id, code, ini = {}) {
      const script = `<?php session_id('${id}'); if (!session_start()) { echo 'NO SESSION'; exit; } ${code}`;
      const { stdout, stderr, exitCode } = await running().php(script, { ini });
      // A page that is killed on purpose, or gets no session, says so on its own.
      if (exitCode === 0 && !stdout.startsWith('NO SESSION')) expect(stderr).toBe('');
      return stdout;
    },
    async listen(handler) {
      const site = createServer(handler);
      sites.push(site);
      await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
      return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    },
  };
}
