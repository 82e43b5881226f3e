import { closeSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as libc from '../../../src/host/node/libc.js'
import { freshDirectory } from './fixture.js'

const { cPath, errno, errnoName, openFlags } = libc
const root = freshDirectory()
const onLinux = test.skipIf(process.platform !== 'linux')

/** An open descriptor of a new file with `text`. */
function file(name: string, text: string): number {
  writeFileSync(`${root}/${name}`, text)
  return openSync(`${root}/${name}`, 'r+')
}

test('a variadic open and openat give the mode that was asked for', () => {
  const create = openFlags.readWrite | openFlags.create | openFlags.exclusive | openFlags.closeOnExec
  const one = libc.open(cPath(`${root}/one`), create, 0o640)
  const top = openSync(root, 'r')
  const two = libc.openat(top, cPath('two'), create, 0o604)
  expect(statSync(`${root}/one`).mode & 0o777 & ~process.umask()).toBe(0o640 & ~process.umask())
  expect(statSync(`${root}/two`).mode & 0o777 & ~process.umask()).toBe(0o604 & ~process.umask())
  for (const fd of [one, two, top]) expect(libc.close(fd)).toBe(0)
})

test('bytes go to and from descriptors, at their position and at any other', () => {
  const fd = file('bytes', 'abcdef')
  const into = Buffer.alloc(3)
  expect([libc.read(fd, into, 3), into.toString()]).toEqual([3, 'abc'])
  expect([libc.pread(fd, into, 3, 1), into.toString()]).toEqual([3, 'bcd'])
  expect(libc.write(fd, Buffer.from('X'), 1)).toBe(1)
  expect(libc.pwrite(fd, Buffer.from('Y'), 1, 0)).toBe(1)
  expect(libc.lseek(fd, 0, 2)).toBe(6)
  expect(libc.lseek(fd, 5_000_000_000, 0)).toBe(5_000_000_000)
  expect(libc.ftruncate(fd, 5)).toBe(0)
  expect(libc.fsync(fd)).toBe(0)
  closeSync(fd)
  expect(readFileSync(`${root}/bytes`, 'utf8')).toBe('YbcXe')
})

test('a path of any characters arrives as its bytes', () => {
  const fd = openSync(root, 'r')
  for (const name of ['caf\u00e9', '\u{1f600}', '\u20ac']) {
    expect(libc.mkdirat(fd, cPath(name), 0o700)).toBe(0)
    expect(statSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)])).isDirectory()).toBe(true)
    expect(libc.unlinkat(fd, cPath(name), libc.atFlags.removeDirectory)).toBe(0)
  }
  closeSync(fd)
})

onLinux('inotify, poll and FIONREAD tell of a change before the write has returned', () => {
  mkdirSync(`${root}/watched`)
  const inotify = libc.inotifyInit(openFlags.nonBlock | openFlags.closeOnExec)
  const wd = libc.inotifyAddWatch(inotify, cPath(`${root}/watched`), 0x100)
  expect(wd).toBeGreaterThan(0)
  const ready = new Int32Array([inotify, 0x0001])
  expect(libc.poll(ready, 1, 0)).toBe(0)
  writeFileSync(`${root}/watched/\u00e9`, '')
  expect(libc.poll(ready, 1, 0)).toBe(1)
  const readable = new Int32Array(1)
  expect(libc.ioctlReadable(inotify, readable)).toBe(0)
  expect(readable[0]).toBe(32)
  const event = Buffer.alloc(64)
  expect(libc.read(inotify, event, 64)).toBe(32)
  expect([event.readInt32LE(0), event.readUInt32LE(4)]).toEqual([wd, 0x100])
  expect(event.subarray(16, 18)).toEqual(Buffer.from('\u00e9'))
  expect(libc.inotifyRemoveWatch(inotify, wd)).toBe(0)
  expect(libc.inotifyRemoveWatch(inotify, wd)).toBe(-1)
  expect(errnoName(errno())).toBe('EINVAL')
  libc.close(inotify)
})

onLinux('an eventfd counts', () => {
  const fd = libc.eventfd(0, openFlags.nonBlock | openFlags.closeOnExec)
  const count = new BigUint64Array([3n])
  expect(libc.write(fd, count, 8)).toBe(8)
  expect(libc.write(fd, count, 8)).toBe(8)
  expect(libc.read(fd, count, 8)).toBe(8)
  expect(count[0]).toBe(6n)
  expect(libc.read(fd, count, 8)).toBe(-1)
  expect(errnoName(errno())).toBe('EAGAIN')
  libc.close(fd)
})

onLinux('ranges are copied in the kernel; a clone is made or refused by name', () => {
  const [from, to] = [file('from', 'abcdef'), file('to', '------')]
  const [at, toAt] = [new BigInt64Array([1n]), new BigInt64Array([2n])]
  expect(libc.copyFileRange(from, at, to, toAt, 3)).toBe(3)
  expect([at[0], toAt[0]]).toEqual([4n, 5n])
  expect(readFileSync(`${root}/to`, 'utf8')).toBe('--bcd-')
  if (libc.ioctlClone(to, from) === -1) expect(['EOPNOTSUPP', 'ENOTSUP', 'EINVAL']).toContain(errnoName(errno()))
  else expect(readFileSync(`${root}/to`, 'utf8')).toBe('abcdef')
  closeSync(from)
  closeSync(to)
})

onLinux('a lease is taken, told and given back', () => {
  writeFileSync(`${root}/leased`, '')
  const fd = openSync(`${root}/leased`, 'r')
  expect(libc.fcntl(fd, libc.setLease, libc.leaseRead)).toBe(0)
  expect(libc.fcntl(fd, libc.getLease, 0)).toBe(libc.leaseRead)
  expect(libc.fcntl(fd, libc.setLease, libc.leaseNone)).toBe(0)
  expect(libc.fcntl(fd, libc.getLease, 0)).toBe(libc.leaseNone)
  closeSync(fd)
})

onLinux('attributes of a link are its own', () => {
  writeFileSync(`${root}/attributed`, '')
  symlinkSync('attributed', `${root}/to attributed`)
  const fd = openSync(`${root}/attributed`, 'r')
  if (libc.fsetxattr(fd, cPath('user.tandem'), Buffer.from('value'), 5, 0) !== 0) {
    expect(errnoName(errno())).toBe('ENOTSUP')
    return
  }
  const into = Buffer.alloc(64)
  expect(libc.lgetxattr(cPath(`${root}/attributed`), cPath('user.tandem'), into, 64)).toBe(5)
  expect(into.toString('latin1', 0, 5)).toBe('value')
  expect(libc.llistxattr(cPath(`${root}/attributed`), into, 64)).toBeGreaterThanOrEqual(12)
  expect(libc.lgetxattr(cPath(`${root}/to attributed`), cPath('user.tandem'), into, 64)).toBe(-1)
  expect(errnoName(errno())).toBe('ENODATA')
  closeSync(fd)
})

onLinux('what belongs to the other platform is refused', () => {
  expect(() => libc.macosFstat(0, Buffer.alloc(144))).toThrow('not on linux')
})
