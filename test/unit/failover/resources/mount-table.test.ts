import { expect, test } from 'vitest';
import { isOfType, mountedOn, readMounts } from '../../../../src/failover/resources/mount-table.js';

const TABLE = `22 26 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
90 26 0:45 / /srv/my\\040data rw - tmpfs none rw
91 90 8:17 / /srv/my\\040data rw - ext4 /dev/sdb1 rw
`;

test('the last mount on a path is the one that is seen', () => {
  expect(mountedOn(readMounts(TABLE), '/srv/my data')).toEqual({
    path: '/srv/my data',
    type: 'ext4',
    source: '/dev/sdb1',
  });
  expect(mountedOn(readMounts(TABLE), '/')?.type).toBe('ext4');
  expect(mountedOn(readMounts(TABLE), '/srv')).toBeUndefined();
});

test.each([
  ['ext4', 'ext4', true],
  ['ext4', 'xfs', false],
  ['nfs', 'nfs4', true],
  ['nfs4', 'nfs', false],
  ['ntfs-3g', 'fuseblk', true],
  ['ntfs', 'ntfs3', true],
  ['glusterfs', 'fuse.glusterfs', true],
  ['auto', 'xfs', true],
  ['ext4,xfs', 'xfs', true],
  ['ext4', 'fuse.sshfs', false],
  ['nfs,xfs', 'fuse', false],
  ['xfs,glusterfs', 'fuse.glusterfs', true],
])('what `mount -t %s` made may be a %s: %s', (asked, seen, isIt) => {
  expect(isOfType(asked, seen)).toBe(isIt);
});
