/** What is mounted where, from the kernel's own table. */

/** One mounted file system. */
export interface Mounted {
  /** Where it is. */
  readonly path: string;
  /** Its type, like `ext4`. */
  readonly type: string;
  /** What it was mounted from, like `/dev/sdb1`. */
  readonly source: string;
}

/** Reads the text of `/proc/self/mountinfo`; the last mount on a path is the one that is seen. */
export function readMounts(text: string): readonly Mounted[] {
  return text.split('\n').flatMap((line) => {
    const [left = '', right] = line.split(' - ');
    const path = left.split(' ')[4];
    const [type, source] = right?.split(' ') ?? [];
    if (path === undefined || type === undefined || source === undefined) return [];
    return [{ path: unescaped(path), type, source: unescaped(source) }];
  });
}

/** What is mounted on `path`; undefined when nothing is. */
export function mountedOn(mounts: readonly Mounted[], path: string): Mounted | undefined {
  return mounts.findLast((mount) => mount.path === path);
}

/** What the kernel mounts itself; `mount` starts no program for it that shows itself as `fuse`. */
const OF_THE_KERNEL: ReadonlySet<string> = new Set([
  '9p',
  'btrfs',
  'ceph',
  'cifs',
  'ext2',
  'ext3',
  'ext4',
  'f2fs',
  'gfs2',
  'jfs',
  'nfs',
  'nfs4',
  'ocfs2',
  'smb3',
  'tmpfs',
  'virtiofs',
  'xfs',
  'zfs',
]);

/**
 * Whether a mount that `mount -t asked` made shows itself as `seen`: a program or a driver that is named may be called otherwise in
 * the kernel (`nfs` is `nfs4` there, `ntfs` may be `ntfs3`, and what a program drives is `fuse`, `fuseblk`, or `fuse.` and a name).
 */
export function isOfType(asked: string, seen: string): boolean {
  const types = asked.split(',');
  const isProgram = types.some((type) => !OF_THE_KERNEL.has(type));
  return (
    asked === 'auto' || types.some((type) => seen.startsWith(type)) || (isProgram && seen.startsWith('fuse'))
  );
}

/** Blanks, tabs, line ends and backslashes are written as octal numbers. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
