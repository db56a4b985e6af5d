import { expect, test } from 'vitest';
import { sameDevices, sameServers } from '../../../../src/cli/status/shared-fate.js';

test('nodes with one marker, or at one address, are one server', async () => {
  const node = (host: string, port: number, marker?: string) => ({
    id: `${host}:${port}`,
    address: { host, port },
    marker,
  });
  expect(
    await sameServers([
      node('127.0.0.1', 1, 'a'),
      node('127.0.0.2', 1, 'b'),
      node('127.0.0.1', 2),
      node('localhost', 2),
      node('127.0.0.3', 1, 'b'),
      node('127.0.0.3', 2),
    ]),
  ).toEqual([
    ['127.0.0.2:1', '127.0.0.3:1'],
    ['127.0.0.1:2', 'localhost:2'],
  ]);
});

test('mounts of one device are on one file system; those that cannot be reached are nowhere', () => {
  const mounts = [
    { mount: '/a', device: 1 },
    { mount: '/b', device: 2 },
    { mount: '/c', device: 1 },
    { mount: '/d', device: undefined },
    { mount: '/e', device: undefined },
  ];
  expect(sameDevices(mounts)).toEqual([['/a', '/c']]);
});
