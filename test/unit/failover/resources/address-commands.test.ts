import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addCommand,
  announceCommand,
  heldAs,
  lifetimeSeconds,
  probeCommand,
  readDeviceAddress,
  removeCommand,
} from '../../../../src/failover/resources/address-commands.js';

const vip = readDeviceAddress('virtualIp', '10.0.0.100/24', 'eth0');

test('the commands, as one would type them', () => {
  expect(
    [addCommand(vip, 3), removeCommand(vip), announceCommand(vip, 3), probeCommand(vip)].map((c) =>
      c.join(' '),
    ),
  ).toEqual([
    'ip -4 address replace 10.0.0.100/24 dev eth0 valid_lft 3 preferred_lft 3',
    'ip -4 address delete 10.0.0.100/24 dev eth0',
    'arping -U -c 3 -w 4 -I eth0 10.0.0.100',
    'arping -D -c 2 -w 2 -I eth0 10.0.0.100',
  ]);
});

test.each([
  ['10.0.0.100', 'eth0', /virtualIp.address/],
  ['10.0.0.100/33', 'eth0', /virtualIp.address/],
  ['10.0.0.300/24', 'eth0', /virtualIp.address/],
  ['fd00::1/64', 'eth0', /virtualIp.address/],
  ['10.0.0.100/24/8', 'eth0', /virtualIp.address/],
  [undefined, 'eth0', /virtualIp.address/],
  ['10.0.0.100/24', '-f', /virtualIp.device/],
  ['10.0.0.100/24', 'eth0;reboot', /virtualIp.device/],
  ['10.0.0.100/24', '', /virtualIp.device/],
])('%j on %j is refused by name', (address, device, message) => {
  expect(() => readDeviceAddress('virtualIp', address, device)).toThrow(message);
});

test('the kernel never keeps the address beyond the lease', () => {
  fc.assert(
    fc.property(fc.double({ min: -10_000, max: 100_000, noNaN: true }), (leftMs) => {
      const seconds = lifetimeSeconds(leftMs);
      expect(seconds).toBeGreaterThanOrEqual(0);
      if (seconds > 0) expect(seconds * 1_000 + 500).toBeLessThanOrEqual(leftMs);
    }),
  );
  expect([4_000, 1_500, 1_499, 0].map(lifetimeSeconds)).toEqual([3, 1, 0, 0]);
});

test('how the device has the address', () => {
  const shown = (life: number | undefined): string =>
    JSON.stringify([
      {},
      {
        ifname: 'eth0',
        addr_info: [
          { local: '10.0.0.1', valid_life_time: 4_294_967_295 },
          { local: '10.0.0.100', valid_life_time: life },
        ],
      },
    ]);
  expect(heldAs(vip, shown(3))).toBe('leased');
  expect(heldAs(vip, shown(4_294_967_295))).toBe('permanent');
  expect(heldAs(vip, shown(undefined))).toBe('permanent');
  expect(heldAs(vip, '[]')).toBe('absent');
  expect(heldAs(vip, '')).toBe('absent');
});
