import { expect, test } from 'vitest';
import { mountedOn, readMounts } from '../../../../src/failover/resources/mount-table.js';

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
