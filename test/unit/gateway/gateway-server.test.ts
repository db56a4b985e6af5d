import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { resolveGatewayOptions, type SessionGatewayOptions } from '../../../src/gateway/gateway-options.js';
import { GatewayServer } from '../../../src/gateway/gateway-server.js';
import type { GatewayItems } from '../../../src/gateway/item-command.js';
import { TEST_CERTIFICATE as cert, TEST_CERTIFICATE_KEY as key } from '../../integration/tls-certificate.js';

const NODES = {
  nodes: [],
  change: 'none',
  handler: 'memcached',
  prefix: '',
  copies: 2,
  keys: 'all',
} as const;

/** A gateway that has no nodes. */
async function listening(
  options: SessionGatewayOptions,
): Promise<{ readonly server: GatewayServer; readonly told: string[] }> {
  const items = { hungUp: () => undefined, gone: () => undefined } as unknown as GatewayItems;
  const server = new GatewayServer(items, resolveGatewayOptions({ port: 0, ...options }), () => NODES);
  const told: string[] = [];
  server.on('client-fault', ({ reason }) => told.push(reason));
  server.on('client-refused', ({ peer, connections }) => told.push(`${peer} beside ${connections}`));
  await server.listen();
  return { server, told };
}

test.each(['close', 'destroy'] as const)(
  '%s waits for no client that is still in its TLS handshake, and does not call that its fault',
  async (end) => {
    const { server, told } = await listening({ drainMs: 600_000, tls: { cert, key } });
    const [first, second] = [connectTcp(server.port, '127.0.0.1'), connectTcp(server.port, '127.0.0.1')];
    for (const silent of [first, second]) silent.on('error', () => undefined);
    const client = connectTls({ port: server.port, host: '127.0.0.1', ca: cert, servername: 'localhost' });
    client.on('error', () => undefined);
    await Promise.all([once(first, 'connect'), once(second, 'connect'), once(client, 'secureConnect')]);
    await expect.poll(() => server.connections).toBe(1);
    const gone = [first, second, client].map((socket) => once(socket, 'close'));
    for (const socket of [first, second, client]) socket.resume();
    await server[end]();
    await Promise.all(gone);
    await expect.poll(() => server.connections).toBe(0);
    expect(told).toEqual([]);
  },
);

test('who is dropped because too many are in their handshake is told, and counted', async () => {
  const { server, told } = await listening({ maxConnections: 1, tls: { cert, key } });
  const sockets = Array.from({ length: 70 }, () => connectTcp(server.port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => undefined);
  await expect.poll(() => server.stats().get('rejected_connections')).toBe('5');
  expect(told).toEqual(Array.from({ length: 5 }, () => expect.stringMatching(/^127\.0\.0\.1:\d+ beside 0$/)));
  server.destroy();
});
