/** A server that cannot list its keys at the moment is asked again. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { TextConnection } from '../../../src/memcached/text-connection.js';

test.each([
  ['another one dumps', 'BUSY currently processing crawler request\r\n'],
  ['its table grows', 'OK\r\nERROR locked try again later\r\n'],
])('while %s', async (_why, refusal) => {
  let asked = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (!data.toString('latin1').startsWith('lru_crawler'))
        return void socket.write('VERSION 1.6.45\r\n'.repeat(3));
      asked += 1;
      socket.write(asked === 1 ? refusal : 'OK\r\nkey=a exp=-1 la=1 cas=1 fetch=no cls=1 size=1\r\nEND\r\n');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const connection = await TextConnection.open({ address: { host: '127.0.0.1', port } as never, id: 'x' });
  const found: string[] = [];
  for await (const keys of connection.metadumpKeys()) found.push(...keys);
  expect(found).toEqual(['a']);
  expect(asked).toBe(2);
  connection.destroy();
  server.close();
});
