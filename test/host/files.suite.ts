import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AbsPath, absPath, decodeName, relPath } from '../../src/core/path.js'
import { type Directory, FileFailure, type Files } from '../../src/host/files.js'
import { surveyOf } from '../../src/host/survey.js'

/** What the suite needs of an implementation. */
export interface FilesFixture {
  readonly files: Files
  /** An empty directory of one file system, which is this test's alone. */
  readonly root: AbsPath
  /** Somebody else opens the file for writing; the answer closes it. Null where that cannot be played, or is not seen. */
  readonly openWriter: ((path: AbsPath) => () => void) | null
  /** Whether names and targets may hold bytes that are not UTF-8. */
  readonly anyBytes: boolean
  /** False where a file's holes take memory: positions stay small. */
  readonly sparse?: false
  /** Ends the fixture. */
  dispose(): void
}

/** The contract of Files. `make` gives a fresh fixture for each test. */
export function describeFiles(title: string, make: () => FilesFixture): void {
  describe(`files: ${title}`, () => {
    let fixture: FilesFixture
    let files: Files
    let root: AbsPath
    let top: Directory

    beforeEach(() => {
      fixture = make()
      files = fixture.files
      root = fixture.root
      top = files.openDirectory(root)
    })

    afterEach(() => {
      top.close()
      fixture.dispose()
    })

    /** `path` in the root, absolute. */
    const inRoot = (path: string): AbsPath => absPath(`${root}/${path}`)

    /** Puts a file with `text` into `directory`. */
    function put(name: string, text = '', directory = top): void {
      const file = directory.createFile(name, 0o600)
      file.write(Buffer.from(text), 0)
      file.close()
    }

    function textOf(name: string, directory = top): string {
      const file = directory.openFile(name)
      try {
        const into = new Uint8Array(64)
        return Buffer.from(into.subarray(0, file.read(into, 0))).toString()
      } finally {
        file.close()
      }
    }

    /** A new directory `name` in the top, open. The test closes it. */
    function folder(name: string): Directory {
      top.makeDirectory(name, 0o700)
      return top.openDirectory(relPath(name))
    }

    const statOf = (name: string, directory = top) => {
      const stat = directory.statAt(name)
      if (stat === undefined) throw new Error(`${name} is absent`)
      return stat
    }

    describe('names', () => {
      const odd: readonly (readonly [string, string])[] = [
        ['with a newline', 'a\nb'],
        ['with a backslash', 'a\\b'],
        ['of one blank', ' '],
        ['of three dots', '...'],
        ['beginning with a dash', '-rf'],
        ['with a byte order mark', '\ufeffname'],
        ['with a replacement character', 'a\ufffdb'],
        [
          'with every control character',
          Array.from({ length: 31 }, (_, code) => String.fromCharCode(code + 1)).join(''),
        ],
        ['outside the basic plane', 'a\u{1f600}b'],
        ['of 255 bytes', 'n'.repeat(255)],
        ['of 255 bytes in 85 characters', '\u20ac'.repeat(85)],
      ]
      test.each(odd)('a name %s comes back as it was given', (_, name) => {
        put(name, 'text')
        expect(top.names()).toEqual([name])
        expect(statOf(name).kind).toBe('file')
        expect(textOf(name)).toBe('text')
      })

      const raw: readonly (readonly [string, readonly number[]])[] = [
        ['latin1', [0x66, 0xfc, 0x72]],
        ['a lone continuation byte', [0x80]],
        ['a cut sequence', [0x61, 0xe2, 0x82]],
        ['an overlong slash', [0xc0, 0xaf]],
        ['a surrogate in UTF-8', [0xed, 0xb2, 0x80]],
        ['255 high bytes', Array.from({ length: 255 }, () => 0xff)],
        ['a character outside the basic plane beside a bad byte', [0xf0, 0x9f, 0x98, 0x80, 0xff]],
      ]
      test.each(raw)('bytes that are not UTF-8 are kept: %s', (_, bytes) => {
        if (!fixture.anyBytes) return
        const name = decodeName(Uint8Array.from(bytes))
        put(name, 'text')
        top.makeDirectory('other', 0o700)
        const other = top.openDirectory(relPath('other'))
        top.rename(name, other, name, 'no-replace')
        expect(other.names()).toEqual([name])
        expect(textOf(name, other)).toBe('text')
        other.removeFile(name)
        expect(other.names()).toEqual([])
        other.close()
      })

      test('names that differ in form or case are different names, where they can be', () => {
        put('\u00e9', 'one')
        const names = top.statAt('e\u0301') === undefined ? ['\u00e9', 'e\u0301'] : ['\u00e9']
        if (names.length === 2) put('e\u0301', 'two')
        expect(top.names().sort()).toEqual(names.sort())
        expect(textOf('\u00e9')).toBe('one')
      })

      test('an empty directory has no names', () => {
        expect(top.names()).toEqual([])
      })

      test('a large directory is listed whole, and again as it is then', () => {
        const names = Array.from({ length: 800 }, (_, count) => `${String(count).padStart(4, '0')}-${'x'.repeat(200)}`)
        for (const name of names) put(name)
        expect(top.names().sort()).toEqual(names)
        expect(top.names()).toHaveLength(800)
        top.removeFile(names[0] ?? '')
        expect(top.names()).toHaveLength(799)
      })
    })

    describe('survey', () => {
      /** The same by the other calls, which is what a survey means. */
      const sameAsOneByOne = (without = '') => {
        const one = top.survey(without)
        expect(one).toEqual({ ...surveyOf(top, without), linked: one?.linked })
        return one
      }
      const digest = (without = '') => Buffer.from(top.survey(without)?.digest ?? []).toString('hex')

      test('says of all members what looking at each one by one says', () => {
        expect(sameAsOneByOne()).toMatchObject({ count: 0, directories: [], linked: undefined })
        for (const name of ['b', 'a', 'a.b', 'caf\u00e9', '\ud83d\ude00', 'x'.repeat(255)]) put(name, name)
        folder('z').close()
        folder('d').close()
        top.makeSymlink('link', 'nowhere')
        top.setTime('a', -1_500_000_001n)
        top.setTime('b', 4_000_000_000_123_456_789n)
        expect(sameAsOneByOne()).toMatchObject({ count: 9, directories: ['d', 'z'], linked: undefined })
        expect(sameAsOneByOne('z')).toMatchObject({ count: 8, directories: ['d'] })
      })

      test('names of bytes that are not UTF-8 are in it byte for byte', () => {
        if (!fixture.anyBytes) return
        for (const bytes of [[0xe9], [0xff], [0x61, 0xe9], [0x61, 0x2e]]) put(decodeName(Uint8Array.from(bytes)))
        expect(sameAsOneByOne()?.count).toBe(4)
      })

      test('a large directory is in it whole', () => {
        for (let count = 0; count < 800; count++) put(`${count}-${'x'.repeat(200)}`)
        expect(sameAsOneByOne()?.count).toBe(800)
      })

      const rows: readonly (readonly [string, () => void, boolean])[] = [
        ['nothing', () => {}, false],
        ['what is in a directory below', () => put('in', 'd', top.openDirectory(relPath('below'))), false],
        ['a new name', () => put('new'), true],
        ['a name that goes', () => top.removeFile('f'), true],
        ['another name', () => top.rename('f', top, 'g', 'no-replace'), true],
        ['the mode of a file', () => top.setMode('f', 0o640), true],
        ['the mode of a directory', () => top.setMode('below', 0o750), true],
        ['a time', () => top.setTime('f', 1n), true],
        [
          'a size',
          () => {
            const file = top.reopenFile('f')
            file.write(Buffer.from('more'), 4)
            file.close()
          },
          true,
        ],
        [
          'another file of the same name',
          () => {
            put('other', 'text')
            top.replace('other', 'f')
          },
          true,
        ],
        [
          'another directory of the same name',
          () => {
            top.makeDirectory('other', 0o700)
            top.rename('other', top, 'below', 'exchange')
            top.removeDirectory('other')
          },
          true,
        ],
      ]
      test.each(rows)('changes with %s: only if it is told of a member', (_, change, changes) => {
        put('f', 'text')
        folder('below').close()
        const before = digest()
        change()
        expect(digest() !== before).toBe(changes)
        sameAsOneByOne()
      })

      test('what is left out does not change it', () => {
        put('f')
        folder('own').close()
        const before = digest('own')
        top.setMode('own', 0o750)
        expect(digest('own')).toBe(before)
      })
    })

    describe('stat', () => {
      test('tells kinds, and does not follow a link', () => {
        put('file', 'abc')
        top.makeDirectory('directory', 0o700)
        top.makeSymlink('link', 'file')
        expect(statOf('file')).toMatchObject({ kind: 'file', mode: 0o600, sizeBytes: 3, links: 1 })
        expect(statOf('directory')).toMatchObject({ kind: 'directory', mode: 0o700 })
        expect(statOf('link')).toMatchObject({ kind: 'symlink', sizeBytes: 4 })
        expect(top.statAt('nothing')).toBeUndefined()
      })

      test('is the same by name, by handle and by path', () => {
        put('file', 'abc')
        const file = top.openFile('file')
        expect(file.stat()).toEqual(statOf('file'))
        expect(files.statPath(inRoot('file'))).toEqual(statOf('file'))
        expect(files.statPath(root)).toEqual(top.stat())
        file.close()
      })

      test('tells members apart by inode, on one device', () => {
        put('a')
        put('b')
        expect(statOf('a').inode).not.toBe(statOf('b').inode)
        expect(statOf('a').device).toBe(top.stat().device)
      })

      test('a path below a file or below nothing is absent', () => {
        put('file')
        expect(files.statPath(inRoot('nothing'))).toBeUndefined()
        expect(files.statPath(inRoot('nothing/deeper'))).toBeUndefined()
        expect(files.statPath(inRoot('file/deeper'))).toBeUndefined()
      })
    })

    describe('opening directories', () => {
      test('below, deep, and once more the same', () => {
        const a = folder('a')
        a.makeDirectory('b', 0o700)
        const b = top.openDirectory(relPath('a/b'))
        put('file', 'text', b)
        const again = b.openDirectory(relPath(''))
        b.close()
        expect(again.names()).toEqual(['file'])
        expect(again.stat().inode).toBe(statOf('b', a).inode)
        again.close()
        a.close()
      })

      test('a path longer than the kernel takes at once', () => {
        const name = 'd'.repeat(250)
        const chain = [top]
        for (let depth = 0; depth < 20; depth++) {
          const last = chain.at(-1) ?? top
          last.makeDirectory(name, 0o700)
          chain.push(last.openDirectory(relPath(name)))
        }
        put('deepest', 'text', chain.at(-1))
        const path = Array.from({ length: 20 }, () => name).join('/')
        const deepest = top.openDirectory(relPath(path))
        expect(textOf('deepest', deepest)).toBe('text')
        deepest.close()
        const absolute = files.openDirectory(inRoot(path))
        expect(absolute.names()).toEqual(['deepest'])
        absolute.removeFile('deepest')
        absolute.close()
        expect(files.statPath(inRoot(path))?.kind).toBe('directory')
        while (chain.length > 1) {
          chain.pop()?.close()
          chain.at(-1)?.removeDirectory(name)
        }
      })

      test('the root itself may be named by a link', () => {
        folder('real').close()
        top.makeSymlink('link', 'real')
        const linked = files.openDirectory(inRoot('link'))
        expect(linked.stat().inode).toBe(statOf('real').inode)
        linked.close()
      })

      test("'..' and absolute paths are no RelPath at all", () => {
        expect(() => relPath('..')).toThrow()
        expect(() => relPath('a/../..')).toThrow()
        expect(() => relPath('/etc')).toThrow()
      })

      test('a handle stays good when its directory is renamed', () => {
        const a = folder('a')
        top.rename('a', top, 'b', 'no-replace')
        put('file', 'text', a)
        const b = top.openDirectory(relPath('b'))
        expect(b.names()).toEqual(['file'])
        b.close()
        a.close()
      })

      test('a handle on a removed directory takes nothing', () => {
        const a = folder('a')
        top.removeDirectory('a')
        expect(codeOf(() => a.createFile('file', 0o600))).toBe('absent')
        a.close()
      })

      test('a directory that is exchanged for a link to elsewhere after it was opened keeps what is written', () => {
        const [inside, outside] = [folder('inside'), folder('outside')]
        top.rename('inside', top, 'moved', 'no-replace')
        top.makeSymlink('inside', 'outside')
        put('file', 'text', inside)
        inside.makeDirectory('directory', 0o700)
        inside.makeSymlink('link', 'target')
        expect(outside.names()).toEqual([])
        expect(inside.names().sort()).toEqual(['directory', 'file', 'link'])
        expect(codeOf(() => top.openDirectory(relPath('inside')))).toBe('loop')
        inside.close()
        outside.close()
      })
    })

    describe('reading and writing', () => {
      test('reads up to the room there is, from any position, and nothing past the end', () => {
        put('file', 'abcdef')
        const file = top.openFile('file')
        const room = new Uint8Array(8).fill(0x2e)
        expect(file.read(room.subarray(1, 5), 1)).toBe(4)
        expect(Buffer.from(room).toString()).toBe('.bcde...')
        expect(file.read(room, 4)).toBe(2)
        expect(file.read(room, 6)).toBe(0)
        expect(file.read(room, 1_000_000_000_000)).toBe(0)
        expect(file.read(room.subarray(0, 0), 0)).toBe(0)
        file.close()
      })

      test('writes a part of a larger memory, at a position, and leaves the rest', () => {
        const file = top.createFile('file', 0o600)
        file.write(Buffer.from('abcdef'), 0)
        file.write(Buffer.from('__XY__').subarray(2, 4), 2)
        file.write(new Uint8Array(0), 100)
        expect(file.stat().sizeBytes).toBe(6)
        file.close()
        expect(textOf('file')).toBe('abXYef')
      })

      test('what was never written reads as zeros', () => {
        const file = top.createFile('file', 0o600)
        const far = fixture.sparse === false ? 5_000_000 : 5_000_000_000
        file.write(Buffer.from('end'), far)
        expect(file.stat().sizeBytes).toBe(far + 3)
        const into = new Uint8Array(4).fill(1)
        expect(file.read(into, far - 2)).toBe(4)
        expect([...into]).toEqual([0, 0, 0x65, 0x6e])
        file.close()
      })

      test('a file opened again is written on in place', () => {
        put('file', 'abc')
        const before = statOf('file').inode
        const file = top.reopenFile('file')
        file.write(Buffer.from('def'), 3)
        file.sync()
        file.close()
        expect(textOf('file')).toBe('abcdef')
        expect(statOf('file').inode).toBe(before)
      })

      test('a handle follows its file, not the name', () => {
        put('file', 'old')
        const file = top.openFile('file')
        top.removeFile('file')
        put('file', 'new')
        const into = new Uint8Array(3)
        file.read(into, 0)
        expect(Buffer.from(into).toString()).toBe('old')
        expect(file.stat().links).toBe(0)
        file.close()
      })

      test('closing twice, and a directory twice, is harmless', () => {
        const file = top.createFile('file', 0o600)
        const a = folder('a')
        file.close()
        a.close()
        const other = top.openFile('file')
        file.close()
        a.close()
        expect(other.stat().kind).toBe('file')
        other.close()
      })

      test('what was synced is there', () => {
        put('file', 'text')
        top.sync()
        top.syncFilesystem()
        expect(textOf('file')).toBe('text')
      })
    })

    describe('links', () => {
      const targets: readonly (readonly [string, string])[] = [
        ['a name', 'file'],
        ['nowhere', 'no/such/place'],
        ['out of the root', '../../etc'],
        ['an absolute path', '/etc/passwd'],
        ['a newline', 'a\nb'],
        ['three thousand bytes', 't/'.repeat(1_500)],
      ]
      test.each(targets)('a target is only text: %s', (_, target) => {
        top.makeSymlink('link', target)
        expect(top.readSymlink('link')).toBe(target)
      })

      test('a target that is not UTF-8 is kept', () => {
        if (!fixture.anyBytes) return
        const target = decodeName(Uint8Array.from([0x2f, 0xff, 0x80]))
        top.makeSymlink('link', target)
        expect(top.readSymlink('link')).toBe(target)
      })
    })

    describe('renaming', () => {
      test('no-replace moves a file, a link and a directory with what it holds', () => {
        const a = folder('a')
        put('file', 'text')
        top.makeSymlink('link', 'file')
        const d = folder('d')
        put('inner', 'inner', d)
        d.close()
        for (const name of ['file', 'link', 'd']) top.rename(name, a, `${name}2`, 'no-replace')
        expect(top.names()).toEqual(['a'])
        expect(textOf('file2', a)).toBe('text')
        expect(a.readSymlink('link2')).toBe('file')
        const d2 = top.openDirectory(relPath('a/d2'))
        expect(textOf('inner', d2)).toBe('inner')
        d2.close()
        a.close()
      })

      test('no-replace changes nothing when the new name is taken', () => {
        put('file', 'one')
        put('other', 'two')
        top.makeDirectory('empty', 0o700)
        top.makeSymlink('dangling', 'nowhere')
        for (const name of ['other', 'empty', 'dangling', 'file'])
          expect(codeOf(() => top.rename('file', top, name, 'no-replace'))).toBe('exists')
        expect(textOf('file')).toBe('one')
        expect(textOf('other')).toBe('two')
        expect(top.readSymlink('dangling')).toBe('nowhere')
      })

      test('exchange swaps two members, and keeps their inodes and times', () => {
        put('a', 'one')
        put('b', 'two')
        const [a, b] = [statOf('a'), statOf('b')]
        top.rename('a', top, 'b', 'exchange')
        expect(textOf('a')).toBe('two')
        expect(textOf('b')).toBe('one')
        expect(statOf('a')).toMatchObject({ inode: b.inode, mtimeNs: b.mtimeNs })
        expect(statOf('b')).toMatchObject({ inode: a.inode, mtimeNs: a.mtimeNs })
      })

      test('exchange swaps members of any kind, in different directories', () => {
        const d = folder('d')
        put('inner', 'inner', d)
        const other = folder('other')
        put('file', 'text', other)
        other.makeSymlink('link', 'nowhere')
        top.rename('d', other, 'file', 'exchange')
        expect(textOf('d')).toBe('text')
        expect(statOf('file', other).kind).toBe('directory')
        expect(d.names()).toEqual(['inner'])
        top.rename('d', other, 'link', 'exchange')
        expect(top.readSymlink('d')).toBe('nowhere')
        d.close()
        other.close()
      })

      test('exchange with what is not there changes nothing', () => {
        put('file', 'text')
        expect(codeOf(() => top.rename('file', top, 'nothing', 'exchange'))).toBe('absent')
        expect(codeOf(() => top.rename('nothing', top, 'file', 'exchange'))).toBe('absent')
        expect(top.names()).toEqual(['file'])
      })

      test('replace takes the place of a file, or of nothing', () => {
        put('a', 'one')
        put('b', 'two')
        top.replace('a', 'b')
        expect(top.names()).toEqual(['b'])
        expect(textOf('b')).toBe('one')
        top.replace('b', 'c')
        expect(top.names()).toEqual(['c'])
      })
    })

    describe('properties', () => {
      test.each([0o600, 0o644, 0o000, 0o777, 0o4755, 0o2755, 0o1777, 0o7777])('mode %o is kept whole', (mode) => {
        put('file')
        top.makeDirectory('directory', 0o700)
        top.setMode('file', mode)
        top.setMode('directory', mode)
        expect(statOf('file').mode).toBe(mode)
        expect(statOf('directory').mode).toBe(mode)
        const file = top.createFile('by handle', 0o600)
        file.setMode(mode)
        expect(file.stat().mode).toBe(mode)
        file.close()
        top.setMode('directory', 0o700)
      })

      const times: readonly (readonly [string, bigint])[] = [
        ['to the nanosecond', 1_700_000_000_123_456_789n],
        ['the last nanosecond of a second', 1_700_000_000_999_999_999n],
        ['the epoch', 0n],
        ['a nanosecond before it', -1n],
        ['a second before it', -1_000_000_000n],
        ['1960', -300_000_000_123_456_789n],
        ['2100', 4_102_444_800_000_000_001n],
      ]
      test.each(times)('time %s', (_, mtimeNs) => {
        put('file')
        top.makeDirectory('directory', 0o700)
        top.makeSymlink('link', 'file')
        const before = statOf('file').mtimeNs
        top.setTime('link', mtimeNs)
        top.setTime('directory', mtimeNs)
        expect(statOf('link').mtimeNs).toBe(mtimeNs)
        expect(statOf('directory').mtimeNs).toBe(mtimeNs)
        expect(statOf('file').mtimeNs).toBe(before)
        const file = top.reopenFile('file')
        file.setTime(mtimeNs)
        expect(file.stat().mtimeNs).toBe(mtimeNs)
        file.close()
      })

      test('a mode never goes through a link', () => {
        put('file')
        top.makeSymlink('link', 'file')
        codeOf(() => top.setMode('link', 0o777))
        expect(statOf('file').mode).toBe(0o600)
        expect(statOf('link').kind).toBe('symlink')
      })

      test('a replacement takes over from a file like itself without a word', () => {
        put('old', 'old')
        const file = top.createFile('new', 0o600)
        expect(file.takeOver(top, 'old')).toBeUndefined()
        expect(codeOf(() => file.takeOver(top, 'nothing'))).toBe('absent')
        file.close()
      })
    })

    describe('S2-23: what a directory hands down', () => {
      const group = 4_321

      /** Whether the directory has the group now: not every user may give it away. */
      function giveAway(name: string): boolean {
        const code = codeOf(() => top.setGroup(name, group))
        return code !== 'not-permitted'
      }

      test('a plain one hands down nothing: the group is that of the process', () => {
        top.makeDirectory('plain', 0o700)
        const own = statOf('plain').gid
        giveAway('plain')
        const plain = top.openDirectory(relPath('plain'))
        expect(plain.handsDown()).toEqual({ gid: own, acl: undefined })
        put('file', '', plain)
        expect(plain.statAt('file')?.gid).toBe(own)
        plain.close()
      })

      test('one that is setgid its group, to files, links and directories, and these hand it on', (context) => {
        top.makeDirectory('shared', 0o700)
        if (!giveAway('shared')) return context.skip('only root gives a file to any group')
        top.setMode('shared', 0o2770)
        const shared = top.openDirectory(relPath('shared'))
        expect(shared.handsDown()).toEqual({ gid: group, acl: undefined })
        put('file', '', shared)
        shared.makeSymlink('link', 'file')
        shared.makeDirectory('below', 0o700)
        for (const name of ['file', 'link', 'below']) expect(shared.statAt(name)?.gid, name).toBe(group)
        expect(shared.statAt('below')?.mode).toBe(0o2700)
        shared.close()
      })

      test('a file takes from another directory what it would have had there, and a link its group', (context) => {
        top.makeDirectory('shared', 0o700)
        if (!giveAway('shared')) return context.skip('only root gives a file to any group')
        const file = top.createFile('file', 0o640)
        top.makeSymlink('link', 'file')
        const own = file.stat()
        expect(file.inherit({ gid: group, acl: undefined })).toBeUndefined()
        expect(file.stat()).toMatchObject({ gid: group, uid: own.uid, mode: 0o640 })
        expect(file.inherit({ gid: own.gid, acl: undefined })).toBeUndefined()
        expect(file.stat().gid).toBe(own.gid)
        file.close()
        top.setGroup('link', group)
        expect(statOf('link').gid).toBe(group)
        expect(statOf('file').gid).toBe(own.gid)
        expect(codeOf(() => top.setGroup('nothing', group))).toBe('absent')
      })
    })

    describe('the probe for writers', () => {
      test('free, busy while somebody could write, free again', () => {
        if (fixture.openWriter === null) return
        put('file', 'text')
        const file = top.openFile('file')
        expect(file.probe()).toBe('free')
        expect(file.probe()).toBe('free')
        const closeWriter = fixture.openWriter(inRoot('file'))
        expect(file.probe()).toBe('busy')
        closeWriter()
        expect(file.probe()).toBe('free')
        file.close()
      })

      test('an open writer is found after the file was exchanged for another', () => {
        if (fixture.openWriter === null) return
        put('file', 'text')
        put('new', 'new')
        const closeWriter = fixture.openWriter(inRoot('file'))
        top.rename('new', top, 'file', 'exchange')
        const [displaced, fresh] = [top.openFile('new'), top.openFile('file')]
        expect(displaced.probe()).toBe('busy')
        expect(fresh.probe()).toBe('free')
        closeWriter()
        expect(displaced.probe()).toBe('free')
        displaced.close()
        fresh.close()
      })

      test('a handle of ours that can write counts as a writer', () => {
        if (fixture.openWriter === null) return
        const file = top.createFile('file', 0o600)
        const reader = top.openFile('file')
        expect(reader.probe()).toBe('busy')
        file.close()
        expect(reader.probe()).toBe('free')
        reader.close()
      })

      test('a reader does not', () => {
        if (fixture.openWriter === null) return
        put('file')
        const [one, two] = [top.openFile('file'), top.openFile('file')]
        expect(one.probe()).toBe('free')
        expect(two.probe()).toBe('free')
        one.close()
        two.close()
      })
    })

    describe('locks', () => {
      test('one holder at a time', () => {
        const lock = top.lock('lock')
        expect(lock).toBeDefined()
        expect(top.lock('lock')).toBeUndefined()
        const again = files.openDirectory(root)
        expect(again.lock('lock')).toBeUndefined()
        again.close()
        lock?.release()
        const next = top.lock('lock')
        expect(next).toBeDefined()
        next?.release()
        next?.release()
      })

      test('the holder can say who it is, and a shorter word leaves nothing of a longer one', () => {
        const lock = top.lock('lock')
        lock?.write('12345678')
        expect(textOf('lock')).toBe('12345678')
        lock?.write('42')
        expect(textOf('lock')).toBe('42')
        lock?.release()
        expect(textOf('lock')).toBe('42')
      })

      test('a lock file that was removed meanwhile is made anew', () => {
        const first = top.lock('lock')
        top.removeFile('lock')
        const second = top.lock('lock')
        expect(second).toBeDefined()
        expect(top.names()).toEqual(['lock'])
        first?.release()
        second?.release()
      })
    })

    describe('places', () => {
      test('space is told with the type of the file system', () => {
        const { freeBytes, totalBytes, filesystem } = top.space()
        expect(freeBytes).toBeGreaterThan(0)
        expect(totalBytes).toBeGreaterThanOrEqual(freeBytes)
        expect(filesystem).toMatch(/^[a-z0-9]+$/)
      })

      test('a root is created below what is there', () => {
        files.makeDirectory(inRoot('new'), 0o700)
        expect(statOf('new')).toMatchObject({ kind: 'directory', mode: 0o700 })
        expect(codeOf(() => files.makeDirectory(inRoot('new'), 0o700))).toBe('exists')
        expect(codeOf(() => files.makeDirectory(inRoot('no/such'), 0o700))).toBe('absent')
      })

      test('a real path has no links and no dots', () => {
        const real = files.realPath(root)
        folder('a').close()
        const a = top.openDirectory(relPath('a'))
        a.makeSymlink('up', '..')
        a.close()
        top.makeSymlink('link', 'a')
        top.makeSymlink('absolute', inRoot('link'))
        put('file')
        const rows: readonly (readonly [string, string])[] = [
          ['', ''],
          ['a', '/a'],
          ['link', '/a'],
          ['absolute', '/a'],
          ['absolute/up/a', '/a'],
          ['a/../link/.//', '/a'],
          ['file', '/file'],
          ['link/absent/deeper', '/a/absent/deeper'],
        ]
        for (const [path, expected] of rows) expect(files.realPath(inRoot(path))).toBe(`${real}${expected}`)
        expect(files.realPath(absPath('/'))).toBe('/')
        expect(files.realPath(absPath('/../..'))).toBe('/')
      })

      test('a dangling link leads to where it points', () => {
        top.makeSymlink('link', 'absent')
        expect(files.realPath(inRoot('link'))).toBe(`${files.realPath(root)}/absent`)
      })
    })

    describe('failures', () => {
      const long = 'n'.repeat(256)
      const rows: readonly (readonly [string, () => unknown, string])[] = [
        ['open: nothing there', () => top.openFile('nothing'), 'absent'],
        ['open: a link', () => top.openFile('link'), 'loop'],
        ['open: a dangling link', () => top.openFile('dangling'), 'loop'],
        ['open: a name too long', () => top.openFile(long), 'name-too-long'],
        ['reading a directory', () => readAll('d'), 'is-directory'],
        ['create: a file there', () => top.createFile('file', 0o600), 'exists'],
        ['create: a directory there', () => top.createFile('d', 0o600), 'exists'],
        ['create: a dangling link there', () => top.createFile('dangling', 0o600), 'exists'],
        ['create: a name too long', () => top.createFile(long, 0o600), 'name-too-long'],
        ['reopen: nothing there', () => top.reopenFile('nothing'), 'absent'],
        ['reopen: a link', () => top.reopenFile('link'), 'loop'],
        ['reopen: a directory', () => top.reopenFile('d'), 'is-directory'],
        ['stat: a name too long', () => top.statAt(long), 'name-too-long'],
        ['directory: nothing there', () => top.openDirectory(relPath('nothing')), 'absent'],
        ['directory: nothing on the way', () => top.openDirectory(relPath('nothing/d')), 'absent'],
        ['directory: a file', () => top.openDirectory(relPath('file')), 'not-directory'],
        ['directory: a file on the way', () => top.openDirectory(relPath('file/d')), 'not-directory'],
        ['directory: a link to a directory', () => top.openDirectory(relPath('to d')), 'loop'],
        ['directory: a link on the way', () => top.openDirectory(relPath('to d/inner')), 'loop'],
        ['directory: a link out of the root', () => top.openDirectory(relPath('out')), 'loop'],
        ['directory: on the way, a link out', () => top.openDirectory(relPath('out/x')), 'loop'],
        ['directory: a dangling link', () => top.openDirectory(relPath('dangling')), 'loop'],
        ['root: nothing there', () => files.openDirectory(inRoot('nothing')), 'absent'],
        ['root: a file', () => files.openDirectory(inRoot('file')), 'not-directory'],
        ['root: a link to itself', () => files.openDirectory(inRoot('circle')), 'loop'],
        ['real path: a link to itself', () => files.realPath(inRoot('circle')), 'loop'],
        ['real path: below a file', () => files.realPath(inRoot('file/x')), 'not-directory'],
        ['mkdir: a file there', () => top.makeDirectory('file', 0o700), 'exists'],
        ['mkdir: a directory there', () => top.makeDirectory('d', 0o700), 'exists'],
        ['mkdir: a dangling link there', () => top.makeDirectory('dangling', 0o700), 'exists'],
        ['symlink: a file there', () => top.makeSymlink('file', 'x'), 'exists'],
        ['readlink: nothing there', () => top.readSymlink('nothing'), 'absent'],
        ['readlink: a file', () => top.readSymlink('file'), 'unsupported'],
        ['rename: nothing there', () => top.rename('nothing', top, 'x', 'no-replace'), 'absent'],
        ['rename: a name too long', () => top.rename('file', top, long, 'no-replace'), 'name-too-long'],
        ['rename: into its own subtree', () => intoItself('no-replace'), 'unsupported'],
        ['exchange: with its own subtree', () => intoItself('exchange'), 'unsupported'],
        ['replace: nothing there', () => top.replace('nothing', 'file'), 'absent'],
        ['replace: a directory by a file', () => top.replace('file', 'd'), 'is-directory'],
        ['unlink: nothing there', () => top.removeFile('nothing'), 'absent'],
        ['unlink: a directory', () => top.removeFile('d'), 'is-directory'],
        ['rmdir: nothing there', () => top.removeDirectory('nothing'), 'absent'],
        ['rmdir: a file', () => top.removeDirectory('file'), 'not-directory'],
        ['rmdir: a link to a directory', () => top.removeDirectory('to d'), 'not-directory'],
        ['rmdir: not empty', () => top.removeDirectory('d'), 'not-empty'],
        ['chmod: nothing there', () => top.setMode('nothing', 0o600), 'absent'],
        ['time: nothing there', () => top.setTime('nothing', 0n), 'absent'],
        ['lock: a link', () => top.lock('link'), 'loop'],
        ['lock: a directory', () => top.lock('d'), 'is-directory'],
      ]

      const readAll = (name: string): void => {
        const file = top.openFile(name)
        try {
          file.read(new Uint8Array(8), 0)
        } finally {
          file.close()
        }
      }
      const intoItself = (how: 'no-replace' | 'exchange'): void => {
        const d = top.openDirectory(relPath('d'))
        try {
          top.rename('d', d, how === 'exchange' ? 'inner' : 'x', how)
        } finally {
          d.close()
        }
      }

      test.each(rows)('%s', (_, act, code) => {
        put('file', 'text')
        const d = folder('d')
        d.makeDirectory('inner', 0o700)
        d.close()
        top.makeSymlink('link', 'file')
        top.makeSymlink('to d', 'd')
        top.makeSymlink('dangling', 'nowhere')
        top.makeSymlink('circle', 'circle')
        top.makeSymlink('out', inRoot('..'))
        const before = top.names().sort()
        // macOS does not tell a directory from a file that may not be unlinked.
        const codes = code === 'is-directory' && process.platform === 'darwin' ? [code, 'not-permitted'] : [code]
        expect(codes).toContain(codeOf(act))
        expect(top.names().sort()).toEqual(before)
        expect(textOf('file')).toBe('text')
      })

      test('a failure names the call, the path and the errno', () => {
        const failure = failureOf(() => top.openFile('nothing'))
        expect(failure).toMatchObject({ code: 'absent', errno: 'ENOENT', transient: true })
        expect(failure?.path.endsWith('nothing')).toBe(true)
        expect(failure?.call).not.toBe('')
        expect(failure?.message).toContain('ENOENT')
      })
    })
  })
}

/** The failure that `act` ends in, or undefined. Another error is thrown on. */
export function failureOf(act: () => unknown): FileFailure | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof FileFailure) return error
    throw error
  }
}

/** Its code, or 'done' when there was none. */
export function codeOf(act: () => unknown): string {
  return failureOf(act)?.code ?? 'done'
}
