import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { isOwnAction, mayEnter } from '../../../src/dashboard/request-gate.js';

const request = (headers: object, remoteAddress = '127.0.0.1'): IncomingMessage =>
  ({
    headers: { host: 'localhost:3000', ...headers },
    socket: { remoteAddress },
  }) as unknown as IncomingMessage;
const open = { authorize: undefined, allowActions: false, title: '' };

test.each([
  ['this machine by its name', request({}), true],
  ['this machine by its address', request({ host: '127.0.0.1:3000' }), true],
  ['this machine over IPv6', request({ host: '[::1]:3000' }, '::1'), true],
  ['another machine', request({}, '10.0.0.9'), false],
  ['a name of another site that points here', request({ host: 'evil.example:3000' }), false],
  ['a proxy on this machine', request({ 'x-forwarded-for': '10.0.0.9' }), false],
  ['a proxy that tells another way', request({ 'x-real-ip': '10.0.0.9' }), false],
  ['a proxy that tells nothing', { ...request({}), httpVersion: '1.0' } as IncomingMessage, false],
])('without authorize: %s', async (_, incoming, allowed) => {
  expect(await mayEnter(incoming, open)).toBe(allowed);
});

test.each([
  [() => true, true],
  [() => Promise.resolve(true), true],
  [() => false, false],
  [() => 1 as unknown as boolean, false],
  [() => Promise.reject(new Error('no')), false],
  [
    () => {
      throw new Error('no');
    },
    false,
  ],
])('authorize %# decides, and only true is yes', async (authorize, allowed) => {
  expect(await mayEnter(request({}, '10.0.0.9'), { ...open, authorize })).toBe(allowed);
});

test.each([
  [{ 'x-stormlamp-token': 'secret', 'sec-fetch-site': 'same-origin', origin: 'http://localhost:3000' }, true],
  [{ 'x-stormlamp-token': 'secret' }, true],
  // A proxy that asks by a name of its own.
  [
    {
      'x-stormlamp-token': 'secret',
      'sec-fetch-site': 'same-origin',
      origin: 'https://ops.example',
      host: 'app',
    },
    true,
  ],
  [{ 'sec-fetch-site': 'same-origin', origin: 'https://ops.example', host: 'app' }, false],
  [{ 'x-stormlamp-token': 'secret', 'sec-fetch-site': 'same-site' }, false],
  [{ 'x-stormlamp-token': 'Secret' }, false],
  [{ 'x-stormlamp-token': 'sécret' }, false],
  [{}, false],
  [{ 'x-stormlamp-token': 'secret', 'sec-fetch-site': 'cross-site' }, false],
  [{ 'x-stormlamp-token': 'secret', origin: 'http://evil.example' }, false],
  [{ 'x-stormlamp-token': 'secret', origin: 'null' }, false],
])('an action with %j: %s', (headers, own) => {
  expect(isOwnAction(request(headers), 'secret')).toBe(own);
});
