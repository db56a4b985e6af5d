import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { breakersFrom, pageAddress } from '../../../../src/cli/status/service-breakers.js';

test('user and password are sent as a browser does, and named in nothing', async () => {
  const seen: unknown[] = [];
  const server = createServer(({ url, headers }, response) => {
    seen.push([url, headers.authorization]);
    response.end(
      JSON.stringify({ nodes: [{ id: 'db1:3306', breakers: { read: 'closed', write: 'isolated' } }] }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const told = await breakersFrom(pageAddress(`http://ops:50%25off@127.0.0.1:${port}/ops`));
    expect(told).toEqual({
      service: { page: `http://127.0.0.1:${port}/ops/`, error: null },
      phases: new Map([['db1:3306', 'isolated']]),
    });
    expect(seen).toEqual([['/ops/state.json', `Basic ${Buffer.from('ops:50%off').toString('base64')}`]]);
  } finally {
    server.close();
  }
});

test('a % of a password that is not written as %25 is refused with what to do, and without it', () => {
  const refused = expect.objectContaining({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/^(?!.*off).*--from.*%25/),
  });
  expect(() => pageAddress('http://ops:50%off@127.0.0.1:9/')).toThrow(refused);
  expect(() => pageAddress('no address')).toThrow('--from');
});
