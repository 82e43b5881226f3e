import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { absPath, BadPath, relPath } from '../../../src/core/path.js'
import type { Directory } from '../../../src/host/files.js'
import { nodeFiles } from '../../../src/host/node/files.js'
import { close, cPath, errno, errnoName, fgetxattr, flistxattr, fsetxattr } from '../../../src/host/node/libc.js'
import { setModeByPlace } from '../../../src/host/node/mode.js'
import { codeOf, failureOf } from '../files.suite.js'
import { aclOf, attributeOf, groupTag, maskTag, othersTag, ownerTag, setAttribute, userTag } from './attributes.js'
import { asNobody, freshDirectory, isRoot, nobody } from './fixture.js'

const files = nodeFiles()
const root = freshDirectory()
let count = 0

/** A new directory, its path and its handle. */
function fresh(): { path: string; top: Directory } {
  const path = `${root}/${count++}`
  mkdirSync(path)
  return { path, top: files.openDirectory(absPath(path)) }
}

describe.skipIf(process.platform !== 'linux')('files of Linux', () => {
  test.each(['', '.', '..', 'a/b', '/etc', '../x', 'a\0b'])(
    '%j is no name of a member, whatever is done with it',
    (name) => {
      const { path, top } = fresh()
      mkdirSync(`${path}/a`)
      writeFileSync(`${path}/a/b`, 'text')
      const acts: readonly (() => unknown)[] = [
        () => top.statAt(name),
        () => top.openFile(name),
        () => top.createFile(name, 0o600),
        () => top.reopenFile(name),
        () => top.makeDirectory(name, 0o700),
        () => top.makeSymlink(name, 'x'),
        () => top.readSymlink(name),
        () => top.rename(name, top, 'x', 'no-replace'),
        () => top.rename('a', top, name, 'no-replace'),
        () => top.replace(name, 'x'),
        () => top.replace('a', name),
        () => top.removeFile(name),
        () => top.removeDirectory(name),
        () => top.setMode(name, 0o600),
        () => top.setGroup(name, 0),
        () => top.setTime(name, 0n),
        () => top.lock(name),
      ]
      for (const act of acts) expect(act).toThrow(BadPath)
      expect(readdirSync(path)).toEqual(['a'])
      top.close()
    },
  )

  test('a fifo without a writer does not hold the thread, and is no file', () => {
    const { path, top } = fresh()
    execFileSync('mkfifo', [`${path}/fifo`])
    const file = top.openFile('fifo')
    expect(file.stat().kind).toBe('special')
    expect(file.probe()).not.toBe('busy')
    file.close()
    top.close()
  })

  test('the access time is left alone', () => {
    const { path, top } = fresh()
    writeFileSync(`${path}/file`, '')
    utimesSync(`${path}/file`, 1_000, 2_000)
    top.setTime('file', 3_000_000_000_000n)
    const file = top.reopenFile('file')
    file.setTime(4_000_000_000_001n)
    file.close()
    const stat = statSync(`${path}/file`, { bigint: true })
    expect([stat.atimeNs, stat.mtimeNs]).toEqual([1_000_000_000_000n, 4_000_000_000_001n])
    top.close()
  })

  test('a stat says what Node says', () => {
    const { path, top } = fresh()
    writeFileSync(`${path}/file`, 'text')
    const own = top.statAt('file')
    const stat = lstatSync(`${path}/file`, { bigint: true })
    expect(own).toEqual({
      kind: 'file',
      mode: Number(stat.mode & 0o7777n),
      inode: stat.ino,
      device: stat.dev,
      sizeBytes: 4,
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
      birthNs: stat.birthtimeNs,
      links: 1,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
    })
    expect(files.statPath(absPath('/dev/null'))?.device).toBe(statSync('/dev/null', { bigint: true }).dev)
    top.close()
  })

  test('a mode without fchmodat2 is set all the same, and not through a link', () => {
    const { path, top } = fresh()
    writeFileSync(`${path}/file`, '')
    symlinkSync('file', `${path}/link`)
    const fd = openSync(path, 'r')
    setModeByPlace(fd, cPath('file'), 0o604, 'file')
    expect(statSync(`${path}/file`).mode & 0o7777).toBe(0o604)
    expect(codeOf(() => setModeByPlace(fd, cPath('link'), 0o777, 'link'))).toBe('unsupported')
    expect(codeOf(() => setModeByPlace(fd, cPath('nothing'), 0o777, 'nothing'))).toBe('absent')
    expect(codeOf(() => top.setMode('link', 0o777))).toBe('unsupported')
    expect(statSync(`${path}/file`).mode & 0o7777).toBe(0o604)
    closeSync(fd)
    top.close()
  })

  test('a closed handle serves nobody', () => {
    const { path, top } = fresh()
    writeFileSync(`${path}/file`, 'text')
    const file = top.openFile('file')
    file.close()
    expect(failureOf(() => file.read(new Uint8Array(1), 0))).toMatchObject({ code: 'io', errno: 'EBADF' })
    top.close()
    expect(failureOf(() => top.names())).toMatchObject({ code: 'io', errno: 'EBADF' })
    expect(failureOf(() => top.openFile('file'))).toMatchObject({ code: 'io', errno: 'EBADF' })
  })

  describe('races', () => {
    /** In another thread, for ever: `d` is a directory, then absent, then a link to ../outside, then absent. */
    const flip = `
      const { renameSync } = require('node:fs')
      const { parentPort, workerData: at } = require('node:worker_threads')
      parentPort.postMessage('ready')
      for (;;) {
        renameSync(at + '/d', at + '/directory')
        renameSync(at + '/link', at + '/d')
        renameSync(at + '/d', at + '/link')
        renameSync(at + '/directory', at + '/d')
      }`

    test('a directory that turns into a link and back never lets a write out', async () => {
      const { path, top } = fresh()
      mkdirSync(`${path}/inside/d/e`, { recursive: true })
      mkdirSync(`${path}/outside/e`, { recursive: true })
      writeFileSync(`${path}/outside/file`, 'mine')
      chmodSync(`${path}/outside/file`, 0o600)
      symlinkSync('../outside', `${path}/inside/link`)
      const inside = top.openDirectory(relPath('inside'))
      const worker = new Worker(flip, { eval: true, workerData: `${path}/inside` })
      await new Promise((resolve) => worker.once('message', resolve))
      const seen = new Map<string, number>()
      try {
        const deadline = performance.now() + 10_000
        const enough = (): boolean => (seen.get('done') ?? 0) > 500 && (seen.get('loop') ?? 0) > 50
        while (!enough() && performance.now() < deadline) {
          const outcome = codeOf(() => meddle(inside))
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
        }
      } finally {
        await worker.terminate()
        inside.close()
        top.close()
      }
      expect(readdirSync(`${path}/outside`).sort()).toEqual(['e', 'file'])
      expect(readdirSync(`${path}/outside/e`)).toEqual([])
      expect(statSync(`${path}/outside/file`).mode & 0o777).toBe(0o600)
      expect(statSync(`${path}/outside/file`).mtimeMs).toBeGreaterThan(1_000_000)
      // Both sides of the race were met, or the test has shown nothing.
      expect(seen.get('done')).toBeGreaterThan(0)
      expect(seen.get('loop')).toBeGreaterThan(0)
    })

    function meddle(inside: Directory): void {
      for (const path of ['d', 'd/e']) {
        const directory = inside.openDirectory(relPath(path))
        try {
          directory.createFile('file', 0o600).close()
          directory.setMode('file', 0o777)
          directory.setTime('file', 1_000n)
          directory.makeDirectory('made', 0o700)
          directory.rename('file', directory, 'file2', 'no-replace')
          directory.removeFile('file2')
          directory.removeDirectory('made')
        } finally {
          directory.close()
        }
      }
    }

    test('who opens a file in the instant of a probe does not end the process', async () => {
      const { path, top } = fresh()
      writeFileSync(`${path}/file`, 'text')
      const open = `
        const { openSync, closeSync } = require('node:fs')
        const { parentPort, workerData: at } = require('node:worker_threads')
        parentPort.postMessage('ready')
        for (;;) closeSync(openSync(at, 'r+'))`
      const worker = new Worker(open, { eval: true, workerData: `${path}/file` })
      await new Promise((resolve) => worker.once('message', resolve))
      const file = top.openFile('file')
      const seen = new Set<string>()
      const deadline = performance.now() + 10_000
      for (let probes = 0; (probes < 20_000 || seen.size < 2) && performance.now() < deadline; probes++)
        seen.add(file.probe())
      await worker.terminate()
      file.close()
      top.close()
      expect([...seen].sort()).toEqual(['busy', 'free'])
    })
  })

  describe('taking over', () => {
    const value = (fd: number, name: string): string | undefined => {
      const into = Buffer.alloc(8_192)
      const length = fgetxattr(fd, cPath(name), into, into.length)
      return length < 0 ? undefined : into.toString('latin1', 0, length)
    }

    /** Whether the file system of the tests holds attributes of users. */
    const attributes = (path: string): boolean => {
      const fd = openSync(path, 'r')
      const held = fsetxattr(fd, cPath('user.probe'), Buffer.from('x'), 1, 0) === 0 || errnoName(errno()) !== 'ENOTSUP'
      close(fd)
      return held
    }

    test('all attributes of the old file, and no others', (context) => {
      const { path, top } = fresh()
      writeFileSync(`${path}/old`, 'old')
      if (!attributes(`${path}/old`)) return context.skip('no attributes here')
      const old = openSync(`${path}/old`, 'r+')
      const long = 'v'.repeat(3_000)
      for (const [name, text] of [
        ['user.short', 'value'],
        ['user.empty', ''],
        ['user.long', long],
        ['user.caf\u00e9', 'n'],
      ] as const)
        expect(fsetxattr(old, cPath(name), Buffer.from(text), text.length, 0)).toBe(0)
      closeSync(old)
      const file = top.createFile('new', 0o600)
      const fd = openSync(`${path}/new`, 'r+')
      expect(fsetxattr(fd, cPath('user.alien'), Buffer.from('x'), 1, 0)).toBe(0)
      expect(file.takeOver(top, 'old')).toBeUndefined()
      expect(value(fd, 'user.short')).toBe('value')
      expect(value(fd, 'user.empty')).toBe('')
      expect(value(fd, 'user.long')).toBe(long)
      expect(value(fd, 'user.caf\u00e9')).toBe('n')
      expect(value(fd, 'user.probe')).toBe('x')
      expect(value(fd, 'user.alien')).toBeUndefined()
      closeSync(fd)
      file.close()
      top.close()
    })

    test('access control lists', (context) => {
      const { path, top } = fresh()
      writeFileSync(`${path}/old`, 'old')
      chmodSync(`${path}/old`, 0o600)
      const old = openSync(`${path}/old`, 'r+')
      const acl = aclOf([
        [ownerTag, 6],
        [userTag, 4, nobody],
        [groupTag, 0],
        [maskTag, 4],
        [othersTag, 0],
      ])
      const name = 'system.posix_acl_access'
      const set = fsetxattr(old, cPath(name), acl, acl.length, 0)
      closeSync(old)
      if (set !== 0) return context.skip('no access control lists here')
      const file = top.createFile('new', 0o600)
      expect(file.takeOver(top, 'old')).toBeUndefined()
      const fd = openSync(`${path}/new`, 'r')
      expect(value(fd, name)).toBe(acl.toString('latin1'))
      closeSync(fd)
      file.close()
      top.close()
    })

    test.skipIf(!isRoot)('owner and group; capabilities belong to the old bytes and stay behind', () => {
      const { path, top } = fresh()
      writeFileSync(`${path}/old`, 'old')
      chownSync(`${path}/old`, 1234, 5678)
      const old = openSync(`${path}/old`, 'r+')
      const capability = Buffer.from('0100000202000000000000000000000000000000', 'hex')
      fsetxattr(old, cPath('security.capability'), capability, capability.length, 0)
      closeSync(old)
      const file = top.createFile('new', 0o600)
      expect(file.takeOver(top, 'old')).toBeUndefined()
      expect(file.stat()).toMatchObject({ uid: 1234, gid: 5678 })
      const fd = openSync(`${path}/new`, 'r')
      expect(flistxattr(fd, null, 0)).toBe(0)
      closeSync(fd)
      file.close()
      top.close()
    })

    test('from a link or a directory, the owner alone', () => {
      const { path, top } = fresh()
      mkdirSync(`${path}/directory`)
      symlinkSync('nowhere', `${path}/link`)
      const file = top.createFile('new', 0o600)
      expect(file.takeOver(top, 'directory')).toBeUndefined()
      expect(file.takeOver(top, 'link')).toBeUndefined()
      file.close()
      top.close()
    })

    test.skipIf(!isRoot)('what a user may not take is told in words', () => {
      const { path, top } = fresh()
      writeFileSync(`${path}/old`, 'old')
      chmodSync(`${path}/old`, 0o600)
      chmodSync(path, 0o777)
      chmodSync(root, 0o755)
      const words = asNobody(() => {
        const file = top.createFile('new', 0o600)
        const missed = file.takeOver(top, 'old')
        file.close()
        return missed
      })
      expect(words).toBe('attributes (EACCES), group 0 (EPERM), owner 0 (EPERM)')
      top.close()
    })
  })

  describe('S2-23: a default access control list', () => {
    test('is handed down to a file of another directory, and the mode that is set after it is its mask', (context) => {
      const { path, top } = fresh()
      mkdirSync(`${path}/shared`)
      const list = aclOf([
        [ownerTag, 7],
        [userTag, 6, nobody],
        [groupTag, 5],
        [maskTag, 7],
        [othersTag, 0],
      ])
      if (!setAttribute(`${path}/shared`, 'system.posix_acl_default', list))
        return context.skip('no access control lists here')
      const shared = top.openDirectory(relPath('shared'))
      const handed = shared.handsDown()
      expect(handed.acl).toEqual(list)
      const [here, there] = [top.createFile('here', 0o600), shared.createFile('there', 0o640)]
      expect(here.inherit(handed)).toBeUndefined()
      here.setMode(0o640)
      there.setMode(0o640)
      const name = 'system.posix_acl_access'
      expect(attributeOf(`${path}/here`, name)).toEqual(attributeOf(`${path}/shared/there`, name))
      expect(attributeOf(`${path}/here`, name)).toEqual(
        aclOf([
          [ownerTag, 6],
          [userTag, 6, nobody],
          [groupTag, 5],
          [maskTag, 4],
          [othersTag, 0],
        ]),
      )
      // What its own directory gave goes again.
      expect(there.inherit(top.handsDown())).toBeUndefined()
      there.setMode(0o640)
      expect(attributeOf(`${path}/shared/there`, name)).toBeUndefined()
      expect(there.inherit(top.handsDown())).toBeUndefined()
      expect(there.stat().mode).toBe(0o640)
      for (const each of [here, there, shared, top]) each.close()
    })

    test.skipIf(!isRoot)('what a user may not take is told in words', () => {
      const { path, top } = fresh()
      chmodSync(path, 0o777)
      chmodSync(root, 0o755)
      const words = asNobody(() => {
        const file = top.createFile('new', 0o600)
        const missed = file.inherit({ gid: 4_321, acl: aclOf([[ownerTag, 7]]) })
        file.close()
        return missed
      })
      expect(words).toBe('access control list (EINVAL), group 4321 (EPERM)')
      top.close()
    })
  })

  describe('what only some may do', () => {
    test('denied', () => {
      const { path, top } = fresh()
      mkdirSync(`${path}/closed`)
      writeFileSync(`${path}/file`, 'text')
      chmodSync(`${path}/file`, 0)
      chmodSync(`${path}/closed`, 0)
      chmodSync(root, 0o755)
      const codes = (isRoot ? asNobody : (act: () => string[]) => act())(() => [
        codeOf(() => top.openFile('file')),
        codeOf(() => top.openDirectory(relPath('closed'))),
        codeOf(() => top.openDirectory(relPath('closed/deeper'))),
        codeOf(() => files.statPath(absPath(`${path}/closed/x`))),
        codeOf(() => files.realPath(absPath(`${path}/closed/x`))),
      ])
      expect(codes).toEqual(['denied', 'denied', 'denied', 'denied', 'denied'])
      chmodSync(`${path}/closed`, 0o700)
      top.close()
    })

    test.skipIf(!isRoot)("another user's file: nothing may be changed, and the probe does not know", () => {
      const { path, top } = fresh()
      writeFileSync(`${path}/file`, 'text')
      chmodSync(`${path}/file`, 0o644)
      chmodSync(root, 0o755)
      asNobody(() => {
        expect(codeOf(() => top.createFile('new', 0o600))).toBe('denied')
        expect(codeOf(() => top.setMode('file', 0o600))).toBe('not-permitted')
        expect(codeOf(() => top.setTime('file', 0n))).toBe('not-permitted')
        const file = top.openFile('file')
        expect(file.probe()).toBe('unknown')
        file.close()
      })
      top.close()
    })

    test.skipIf(!isRoot)('an immutable file', (context) => {
      const { path, top } = fresh()
      writeFileSync(`${path}/file`, 'text')
      try {
        execFileSync('chattr', ['+i', `${path}/file`], { stdio: 'ignore' })
      } catch {
        return context.skip('no chattr, or no such flag here')
      }
      try {
        expect(codeOf(() => top.removeFile('file'))).toBe('not-permitted')
        expect(codeOf(() => top.rename('file', top, 'other', 'no-replace'))).toBe('not-permitted')
      } finally {
        execFileSync('chattr', ['-i', `${path}/file`])
      }
      top.close()
    })

    test.skipIf(!isRoot)('another file system: full, busy, entered, and not renamed into', (context) => {
      const { path, top } = fresh()
      mkdirSync(`${path}/mount`)
      writeFileSync(`${path}/file`, 'text')
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', `${path}/mount`], { stdio: 'ignore' })
      } catch {
        return context.skip('no right to mount')
      }
      try {
        const mounted = top.openDirectory(relPath('mount'))
        expect(mounted.space()).toEqual({ freeBytes: 65_536, totalBytes: 65_536, filesystem: 'tmpfs' })
        expect(mounted.stat().device).not.toBe(top.stat().device)
        expect(codeOf(() => top.rename('file', mounted, 'file', 'no-replace'))).toBe('crosses')
        expect(codeOf(() => top.rename('mount', top, 'other', 'no-replace'))).toBe('busy')
        const file = mounted.createFile('file', 0o600)
        expect(codeOf(() => file.write(new Uint8Array(128 * 1024), 0))).toBe('disk-full')
        file.close()
        mounted.close()
        execFileSync('mount', ['-o', 'remount,ro', `${path}/mount`])
        const readOnly = top.openDirectory(relPath('mount'))
        expect(codeOf(() => readOnly.createFile('new', 0o600))).toBe('read-only')
        readOnly.close()
      } finally {
        execFileSync('umount', [`${path}/mount`])
      }
      expect(existsSync(`${path}/mount/file`)).toBe(false)
      top.close()
    })
  })
})
