import { expect, test } from 'vitest'
import { decodeMacos as decodeSpace } from '../../../src/host/node/space.js'
import { decodeMacos as decodeStat } from '../../../src/host/node/stat.js'

// Laid out after sys/stat.h and sys/mount.h of macOS, with 64-bit inodes.

test('struct stat', () => {
  const view = new DataView(new ArrayBuffer(144))
  view.setInt32(0, 0x0100_0004, true)
  view.setUint16(4, 0o101644, true)
  view.setUint16(6, 2, true)
  view.setBigUint64(8, 12_884_901_890n, true)
  view.setUint32(16, 501, true)
  view.setUint32(20, 20, true)
  const times = [
    [32, 1n, 1n],
    [48, 1_700_000_000n, 123_456_789n],
    [64, 1_700_000_001n, 5n],
    [80, -1n, 999_999_999n],
  ] as const
  for (const [offset, seconds, nanoseconds] of times) {
    view.setBigInt64(offset, seconds, true)
    view.setBigInt64(offset + 8, nanoseconds, true)
  }
  view.setBigInt64(96, 5_000_000_000n, true)
  expect(decodeStat(view)).toEqual({
    kind: 'file',
    mode: 0o1644,
    inode: 12_884_901_890n,
    device: 0x0100_0004n,
    sizeBytes: 5_000_000_000,
    mtimeNs: 1_700_000_000_123_456_789n,
    ctimeNs: 1_700_000_001_000_000_005n,
    birthNs: -1n,
    links: 2,
    uid: 501,
    gid: 20,
  })
})

test.each([
  ['apfs', 'apfs'],
  ['smbfs', 'smb'],
  ['macfuse', 'fuse'],
  ['nfs', 'nfs'],
])('struct statfs: %s is %s', (name, filesystem) => {
  const bytes = Buffer.alloc(2_168)
  bytes.writeUInt32LE(4_096, 0)
  bytes.writeBigUInt64LE(1_000_000n, 8)
  bytes.writeBigUInt64LE(900_000n, 16)
  bytes.writeBigUInt64LE(800_000n, 24)
  bytes.write(`${name}\0rest`, 72, 'latin1')
  bytes.write('/Volumes', 88, 'latin1')
  expect(decodeSpace(bytes)).toEqual({
    freeBytes: 800_000 * 4_096,
    totalBytes: 1_000_000 * 4_096,
    filesystem,
  })
})
