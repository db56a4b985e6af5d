/** What was written and not acknowledged must not arrive when the way is free again: a connection that is given up is reset. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import { resetSocket } from '../../../src/common/reset-socket.js';
import { dialNode } from '../../../src/memcached/dial-node.js';
import { TEST_CERTIFICATE, TEST_CERTIFICATE_KEY } from '../../integration/tls-certificate.js';

/** How the server sees the end of a connection that was opened, written to, and given up. */
async function endSeen(withTls: boolean, end: (socket: Socket) => void): Promise<string | undefined> {
  const credentials = { cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY };
  const server = withTls ? createTlsServer(credentials) : createServer();
  const ended = new Promise<string | undefined>((resolve) => {
    server.on(withTls ? 'secureConnection' : 'connection', (socket: Socket) => {
      let code: string | undefined;
      socket.on('data', () => socket.write('VERSION 1\r\n'));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code;
      });
      socket.on('close', () => resolve(code));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const tls = withTls ? { ca: TEST_CERTIFICATE, servername: 'localhost' } : undefined;
  try {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const dialled = dialNode({ address: { host: '127.0.0.1', port } as never, tls }, () =>
        resolve(dialled),
      );
      dialled.on('error', reject);
    });
    socket.write('version\r\n');
    await once(socket, 'data');
    end(socket);
    return await ended;
  } finally {
    server.close();
  }
}

test.each([false, true])('with TLS %s, a reset is one', async (withTls) => {
  expect(await endSeen(withTls, resetSocket)).toBe('ECONNRESET');
  expect(await endSeen(withTls, (socket) => socket.destroy())).toBeUndefined();
});

test('a server whose certificate names another one is refused', async () => {
  const server = createTlsServer({ cert: TEST_CERTIFICATE, key: TEST_CERTIFICATE_KEY });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const failed = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const tls = { ca: TEST_CERTIFICATE, servername: 'elsewhere.example' };
    const socket = dialNode({ address: { host: '127.0.0.1', port } as never, tls }, () => resolve(undefined));
    socket.on('error', resolve);
  });
  server.close();
  expect(failed?.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
});

test.each([false, true])('with TLS %s, a port where nobody listens is told as such', async (withTls) => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  const tls = withTls ? { ca: TEST_CERTIFICATE, servername: 'localhost' } : undefined;
  const socket = dialNode({ address: { host: '127.0.0.1', port } as never, tls }, () => undefined);
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve));
  expect(error.code).toBe('ECONNREFUSED');
});
