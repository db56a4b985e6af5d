/** One user, one browser, a PHP page and a Node page: whoever logs in or out on one is logged in or out on the other. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect } from 'vitest';
import { type PhpSessionRequest, phpSession, type SessionSource } from '../../src/express/index.js';

/** What the story asks of a browser. */
export interface StoryBrowser {
  /** Opens an address and waits for the page. */
  open(url: string): Promise<void>;
  /** Follows the link with this id and waits for the page. */
  click(id: string): Promise<void>;
  /** The text of the element with this id. */
  text(id: string): Promise<string>;
  /** The value of a cookie of the site; undefined when there is none. */
  cookie(name: string): Promise<string | undefined>;
  /** Sets a cookie of the site. */
  setCookie(name: string, value: string): Promise<void>;
}

const LINKS = ['login', 'regenerate', 'logout', 'add']
  .map((action) => `<a id="${action}" href="/${action}">${action}</a>`)
  .join(' ');

/** The page of PHP, for `LocalCluster.phpSite`. */
export const PHP_PAGE = `<?php
session_start();
$action = trim(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/');
if ($action === 'login') { $_SESSION['user'] = 'ada@php'; session_regenerate_id(true); }
if ($action === 'regenerate') session_regenerate_id(true);
if ($action === 'add') { $_SESSION['cart'][] = 'php'; }
if ($action === 'logout') { $_SESSION = []; session_destroy(); }
if (in_array($action, ['login', 'regenerate', 'add', 'logout'])) { header('Location: /'); exit; }
if ($action !== '') { http_response_code(404); exit; }
header('Content-Type: text/html');
?><!doctype html><title>PHP</title>
<p id="site">php</p><p id="user"><?= htmlspecialchars($_SESSION['user'] ?? 'nobody') ?></p>
<p id="cart"><?= implode(',', $_SESSION['cart'] ?? []) ?></p>${LINKS}
`;

/** The page of Node; the caller closes the server. */
export async function nodePage(
  sessions: SessionSource,
): Promise<{ readonly url: string; readonly server: Server }> {
  const app = express();
  app.use(phpSession(sessions));
  const sessionOf = (req: unknown) => (req as PhpSessionRequest).session;
  app.get('/', (req, res) => {
    const { user = 'nobody', cart = [] } = sessionOf(req) as { user?: string; cart?: string[] };
    res.send(
      `<!doctype html><title>Node</title><p id="site">node</p><p id="user">${user}</p><p id="cart">${cart.join(',')}</p>${LINKS}`,
    );
  });
  app.get('/login', async (req, res) => {
    sessionOf(req)['user'] = 'ada@node';
    await sessionOf(req).regenerate();
    res.redirect('/');
  });
  app.get('/regenerate', async (req, res) => {
    await sessionOf(req).regenerate();
    res.redirect('/');
  });
  app.get('/add', (req, res) => {
    const session = sessionOf(req);
    session['cart'] = [...((session['cart'] ?? []) as string[]), 'node'];
    res.redirect('/');
  });
  app.get('/logout', async (req, res) => {
    await sessionOf(req).destroy();
    res.redirect('/');
  });
  const server = createServer(app);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/**
 * Plays the story: a cart before the login, a login, new ids and a logout on each side, and after each the page of the other
 * side; at the end an id that an attacker chose.
 */
export async function playLoginStory(
  browser: StoryBrowser,
  urls: { readonly php: string; readonly node: string },
  cookieName = 'PHPSESSID',
): Promise<void> {
  const expectPage = async (side: 'php' | 'node', user: string, cart: string): Promise<void> => {
    await browser.open(`${urls[side]}/`);
    const page = {
      site: await browser.text('site'),
      user: await browser.text('user'),
      cart: await browser.text('cart'),
    };
    expect(page).toEqual({ site: side, user, cart });
  };
  const act = async (side: 'php' | 'node', link: string): Promise<{ before?: string; after?: string }> => {
    await browser.open(`${urls[side]}/`);
    const before = await browser.cookie(cookieName);
    await browser.click(link);
    expect(await browser.text('site')).toBe(side);
    const after = await browser.cookie(cookieName);
    return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  };
  for (const [side, other] of [
    ['php', 'node'],
    ['node', 'php'],
  ] as const) {
    await act(other, 'add');
    await expectPage(side, 'nobody', other);
    const login = await act(side, 'login');
    expect(login.before).toBeDefined();
    expect(login.after).not.toBe(login.before);
    await expectPage(other, `ada@${side}`, other);
    await act(side, 'add');
    await expectPage(other, `ada@${side}`, `${other},${side}`);
    for (const mover of [side, other]) {
      const moved = await act(mover, 'regenerate');
      expect(moved.after).not.toBe(moved.before);
      await expectPage('php', `ada@${side}`, `${other},${side}`);
      await expectPage('node', `ada@${side}`, `${other},${side}`);
    }
    const { before: inside = '' } = await act(other, 'logout');
    await expectPage('php', 'nobody', '');
    await expectPage('node', 'nobody', '');
    // The id that was logged in is worth nothing any more.
    await browser.setCookie(cookieName, inside);
    await expectPage('node', 'nobody', '');
    await expectPage('php', 'nobody', '');
  }
  const chosen = 'chosenbytheattacker0000000';
  await browser.setCookie(cookieName, chosen);
  const { after } = await act('node', 'login');
  expect(after).toBeDefined();
  expect(after).not.toBe(chosen);
  await expectPage('php', 'ada@node', '');
  await browser.setCookie(cookieName, chosen);
  await expectPage('php', 'nobody', '');
  await expectPage('node', 'nobody', '');
}
