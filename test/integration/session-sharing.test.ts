/** Objects and references that variables of a session share stay shared when Node saves it: PHP judges. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type AnySessionOptions,
  createSessionStore,
  type FileSessionStore,
  type SessionStore,
} from '../../src/index.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { type SessionPlace, sessionPlace } from '../support/session-places.js';

let servers: LocalCluster;
let root: string;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
  root = mkdtempSync(join(tmpdir(), 'stormlamp-sharing-'));
});
afterAll(async () => {
  await servers?.close();
  rmSync(root, { recursive: true, force: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** `kept` refers into `cart`, which is changed; `user` and `r` are shared with what is changed. */
const WRITE = `$u = new stdClass; $u->n = 1; $_SESSION['user'] = $u; $_SESSION['r'] = [1];
  $o = new stdClass; $o->m = 1;
  $_SESSION['cart'] = ['owner' => $u, 'own' => $o, 'items' => 0]; $_SESSION['q'] = ['x' => &$_SESSION['r'], 'n' => 0];
  $_SESSION['kept'] = ['own' => $o, 'f' => 0.1];`;
/** What PHP finds: the same objects, the same variables, and the numbers that were changed. */
const READ = `$s = &$_SESSION; $same = [$s['user'] === $s['cart']['owner'], $s['kept']['own'] === $s['cart']['own']];
  $s['r'][] = 2; $s['user']->n++;
  echo json_encode([...$same, $s['q']['x'], $s['cart']['owner']->n, $s['cart']['items'], $s['q']['n'], $s['other'] ?? null]);`;

describe.each(['memcached', 'files'] as const)('on %s', (name) => {
  let place: SessionPlace;
  beforeAll(() => {
    place = sessionPlace(name, servers, root);
  });
  const open = async (more: Partial<AnySessionOptions>): Promise<SessionStore | FileSessionStore> => {
    const store = await createSessionStore({ ...place.options, ...more } as AnySessionOptions);
    closers.push(() => store.close());
    return store;
  };
  const php = async (id: string, serialize: string, code: string): Promise<string> => {
    const ini = { ...place.ini, 'session.serialize_handler': serialize };
    const { stdout, stderr } = await servers.php(`<?php session_id('${id}'); session_start(); ${code}`, {
      ini,
    });
    expect(stderr).toBe('');
    return stdout;
  };

  describe.each(['php', 'php_serialize', 'php_binary', 'igbinary'] as const)('with %s', (serialize) => {
    test.each(['merge', 'lock', 'last-write-wins'] as const)('%s', async (conflict) => {
      const store = await open({ serialize, conflict });
      const { id } = store.create();
      await php(id, serialize, WRITE);
      const session = await store.load(id);
      const data = session.data as { cart: { items: number }; q: { n: number } };
      data.cart.items = 1;
      data.q.n = 2;
      await store.save(session);
      expect(JSON.parse(await php(id, serialize, READ))).toEqual([true, true, [1, 2], 2, 1, 2, null]);
    });

    test.each(['save', 'regenerate'] as const)(
      'where PHP has changed another variable since: %s',
      async (how) => {
        const store = await open({ serialize, conflict: 'merge' });
        const { id } = store.create();
        await php(id, serialize, WRITE);
        const session = await store.load(id);
        const data = session.data as { cart: { items: number }; q: { n: number } };
        data.cart.items = 1;
        data.q.n = 2;
        await php(id, serialize, "$_SESSION = ['other' => [$_SESSION['user'], 5]] + $_SESSION;");
        let now = id;
        if (how === 'save') await store.save(session);
        else now = (await store.regenerate(session)).id;
        const seen = JSON.parse(await php(now, serialize, READ));
        expect(seen).toEqual([true, true, [1, 2], 2, 1, 2, [{ n: 2 }, 5]]);
      },
    );

    test('an object that Node edits through one variable is edited in those that PHP added since', async () => {
      const store = await open({ serialize, conflict: 'merge' });
      const { id } = store.create();
      await php(id, serialize, WRITE);
      const session = await store.load(id);
      (session.data['user'] as { properties: Map<string, unknown> }).properties.set('n', 7);
      await php(id, serialize, "$_SESSION['other'] = $_SESSION['user'];");
      await store.save(session);
      const seen = JSON.parse(await php(id, serialize, READ));
      expect(seen).toEqual([true, true, [1, 2], 8, 0, 0, { n: 8 }]);
    });
  });
});
