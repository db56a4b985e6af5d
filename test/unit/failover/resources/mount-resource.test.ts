/** What is mounted is looked up in the kernel's table, which has no symbolic links; nothing is mounted here. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mountResource } from '../../../../src/failover/resources/mount-resource.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-mount-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const made = (
  path: string,
  stop: () => Promise<void> = async () => {},
): { readonly ran: string[]; readonly mount: ReturnType<typeof mountResource> } => {
  const ran: string[] = [];
  const mount = mountResource({
    source: '/dev/x',
    path,
    type: 'proc',
    fence: async () => ({ state: 'fenced', proof: 'a test' }),
    stop,
    run: async (program, args) => {
      ran.push([program, ...args].join(' '));
      return { code: 0, stdout: '', stderr: '' };
    },
  });
  return { ran, mount };
};
const held = {
  name: 'data',
  until: () => performance.now() + 5_000,
  signal: new AbortController().signal,
  report: () => {},
};

test.runIf(process.platform === 'linux')('what is mounted behind a symbolic link is found', async () => {
  symlinkSync('/proc', join(folder, 'link'));
  const { mount, ran } = made(join(folder, 'link'));
  await expect(mount.check?.(5_000)).rejects.toThrow('Something is mounted on');
  // The program of this test unmounts nothing.
  await expect(mount.lost({ name: 'data', because: '', deadline: 0 })).rejects.toThrow('still mounted');
  expect(ran).toEqual(['umount /proc']);
});

test.runIf(process.platform === 'linux')(
  'what was mounted before is never used again: it is unmounted first, or nothing is mounted',
  async () => {
    const { mount, ran } = made('/proc');
    await expect(mount.acquired(held)).rejects.toThrow(
      /what was mounted on \/proc before is still there, and may be older than the device/,
    );
    expect(ran).toEqual(['umount /proc']);
  },
);

test.runIf(process.platform === 'linux')(
  'what does not stop is unmounted all the same, and told',
  async () => {
    const { mount, ran } = made('/proc', async () => {
      throw new Error('the job hangs');
    });
    const loss = { name: 'data', because: '', deadline: 0 };
    await expect(mount.lost(loss)).rejects.toThrow(/the job hangs; \/proc is still mounted/);
    expect(ran).toEqual(['umount /proc']);
  },
);

test('a folder that is not there is told at the start', async () => {
  const { mount } = made(join(folder, 'none'));
  await expect(mount.check?.(5_000)).rejects.toThrow(
    /none, on which \/dev\/x is to be mounted, cannot be found/,
  );
});
