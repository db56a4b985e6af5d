/** The commands that put a virtual address on a network device, take it off, and tell the neighbours: pure, so that they can be read. */
import { isIPv4 } from 'node:net';
import { invalidOption } from '../../common/option-reader.js';

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: readonly string[]];

/** A virtual address on a device. */
export interface DeviceAddress {
  /** Like `10.0.0.100`. */
  readonly ip: string;
  /** Length of the prefix, like 24. */
  readonly prefix: number;
  /** The network device, like `eth0`. */
  readonly device: string;
}

/** The kernel looks at lifetimes in steps, and removes an address up to this much later, milliseconds. */
const KERNEL_SLACK_MS = 500;

/**
 * Reads `10.0.0.100/24` and a device.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`; IPv6 is not supported.
 */
export function readDeviceAddress(path: string, address: unknown, device: unknown): DeviceAddress {
  const [ip = '', length = '', rest] = typeof address === 'string' ? address.split('/') : [];
  const prefix = Number(length);
  if (rest !== undefined || !isIPv4(ip) || !/^\d{1,2}$/.test(length) || prefix < 1 || prefix > 32)
    throw invalidOption(`${path}.address`, "an IPv4 address with its prefix, like '10.0.0.100/24'", address);
  if (typeof device !== 'string' || !/^[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,14}$/.test(device))
    throw invalidOption(`${path}.device`, "the name of a network device, like 'eth0'", device);
  return { ip, prefix, device };
}

/** Whole seconds that the kernel may keep the address, so that it is gone when `leftMs` have passed; 0 when that is too short. */
export function lifetimeSeconds(leftMs: number): number {
  return Math.max(0, Math.floor((leftMs - KERNEL_SLACK_MS) / 1_000));
}

/** Puts the address on the device for `seconds`; the kernel removes it then, even if this process is dead or stopped. */
export function addCommand({ ip, prefix, device }: DeviceAddress, seconds: number): Command {
  const life = String(seconds);
  return [
    'ip',
    '-4',
    'address',
    'replace',
    `${ip}/${prefix}`,
    'dev',
    device,
    'valid_lft',
    life,
    'preferred_lft',
    life,
  ];
}

/** Takes the address off. */
export function removeCommand({ ip, prefix, device }: DeviceAddress): Command {
  return ['ip', '-4', 'address', 'delete', `${ip}/${prefix}`, 'dev', device];
}

/** Shows the device's addresses as JSON. */
export function showCommand({ device }: DeviceAddress): Command {
  return ['ip', '-4', '-json', 'address', 'show', 'dev', device];
}

/** Tells the neighbours by gratuitous ARP who has the address now. */
export function announceCommand({ ip, device }: DeviceAddress, count: number): Command {
  return ['arping', '-U', '-c', String(count), '-w', String(count + 1), '-I', device, ip];
}

/** Asks the neighbours whether somebody has the address; exit code 0: nobody answered, 1: somebody did, any other: they could not be asked. */
export function probeCommand({ ip, device }: DeviceAddress): Command {
  return ['arping', '-D', '-c', '2', '-w', '2', '-I', device, ip];
}

/** How the device has the address: not at all, for a while, or for good (somebody configured it). */
export function heldAs({ ip }: DeviceAddress, json: string): 'absent' | 'leased' | 'permanent' {
  const shown: unknown = json.trim() === '' ? [] : JSON.parse(json);
  if (!Array.isArray(shown)) return 'absent';
  for (const device of shown as readonly {
    addr_info?: readonly { local?: string; valid_life_time?: number }[];
  }[]) {
    for (const { local, valid_life_time: life } of device.addr_info ?? []) {
      if (local === ip) return life === undefined || life >= 0xffff_ffff ? 'permanent' : 'leased';
    }
  }
  return 'absent';
}
