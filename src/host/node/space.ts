import type { Space } from '../files.js'
import { checked } from './file-failure.js'
import { fstatfs, macosFstatfs, onLinux } from './libc.js'

/** Of the file system that holds `fd`. @throws FileFailure */
export function spaceOf(fd: number, label: string): Space {
  const bytes = Buffer.alloc(4096)
  if (onLinux) {
    checked('fstatfs', label, () => fstatfs(fd, bytes))
    return decodeLinux(bytes)
  }
  checked('fstatfs', label, () => macosFstatfs(fd, bytes))
  return decodeMacos(bytes)
}

/** struct statfs of Linux: | type u64 | blockBytes u64 | blocks | free | free for all users | files | free files | ... | 72 fragmentBytes u64 | */
function decodeLinux(bytes: Buffer): Space {
  const magic = bytes.readUInt32LE(0)
  const available = Number(bytes.readBigUInt64LE(32))
  const fragmentBytes = Number(bytes.readBigUInt64LE(72))
  const unitBytes = fragmentBytes > 0 ? fragmentBytes : Number(bytes.readBigUInt64LE(8))
  return {
    freeBytes: available * unitBytes,
    totalBytes: Number(bytes.readBigUInt64LE(16)) * unitBytes,
    filesystem: filesystems.get(magic) ?? `0x${magic.toString(16)}`,
  }
}

/** struct statfs of macOS: | blockBytes u32 | ioBytes i32 | blocks u64 | free u64 | 24 free for all users u64 | ... | 72 name char[16] | */
export function decodeMacos(bytes: Buffer): Space {
  const name = bytes.toString('latin1', 72, 88)
  const end = name.indexOf('\0')
  const filesystem = end < 0 ? name : name.slice(0, end)
  const blockBytes = bytes.readUInt32LE(0)
  return {
    freeBytes: Number(bytes.readBigUInt64LE(24)) * blockBytes,
    totalBytes: Number(bytes.readBigUInt64LE(8)) * blockBytes,
    filesystem: filesystem === 'smbfs' ? 'smb' : filesystem.endsWith('fuse') ? 'fuse' : filesystem,
  }
}

/** Magic numbers of statfs(2). virtiofs says that it is fuse. */
const filesystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0xca451a4e, 'bcachefs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x794c7630, 'overlay'],
  [0x4d44, 'vfat'],
  [0x2011bab0, 'exfat'],
  [0x5346544e, 'ntfs'],
  [0x7366746e, 'ntfs'],
  [0x482b, 'hfs'],
  [0x9660, 'iso9660'],
  [0x73717368, 'squashfs'],
  [0xe0f5e1e2, 'erofs'],
  [0xf15f, 'ecryptfs'],
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
  [0x6b414653, 'afs'],
  [0x5346414f, 'afs'],
  [0x73757245, 'coda'],
  [0x0bd00bd0, 'lustre'],
  [0x47504653, 'gpfs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
])
