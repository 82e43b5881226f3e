import { spawnSync } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { describeDepths } from './depth.suite.js'
import { eventuallyEqual, expectEqual, type Sandbox, sandbox, serve } from './harness.js'

/** Names that a careless program takes for something else. */
const oddNames = [
  Buffer.from([0x6b, 0xe4, 0x73, 0x65]), // latin1
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xed, 0xb2, 0x80]), // a surrogate in UTF-8, which is none
  Buffer.from([0xf0, 0x9f, 0x8e]), // the beginning of four bytes
  Buffer.from('käse'),
  Buffer.from('ka\u0308se'),
  Buffer.from(`${'ü'.repeat(127)}x`), // 255 bytes
  Buffer.from('n'.repeat(255)),
  Buffer.concat([Buffer.from([0xff]), Buffer.from('n'.repeat(254))]),
  Buffer.from('two\nlines'),
  Buffer.from('\n'),
  Buffer.from('-rf'),
  Buffer.from('--'),
  Buffer.from('*'),
  Buffer.from('?[a]{b,c}*.txt'),
  Buffer.from('['),
  Buffer.from('$(reboot)`reboot`'),
  Buffer.from('back\\slash'),
  Buffer.from('"quoted\' '),
  Buffer.from(' '),
  Buffer.from('...'),
  Buffer.from('con'),
  Buffer.from('\x1b[31mred\x07'),
  Buffer.from('photo\u202egpj.exe'),
  Buffer.from('\ufeff'),
  Buffer.from('.git'),
  Buffer.from('.tandem~'),
]

const inside = (path: string, name: Buffer) => Buffer.concat([Buffer.from(`${path}/`), name])

describe('names', () => {
  test.each(['two local roots', 'the link'])(
    'odd names of files, directories and links arrive as they are: %s',
    async (over) => {
      const box = sandbox()
      for (const kind of ['files', 'directories', 'links']) mkdirSync(box.at('a', kind), { recursive: true })
      mkdirSync(box.at('b'))
      for (const name of oddNames) {
        writeFileSync(inside(box.at('a/files'), name), name)
        mkdirSync(inside(box.at('a/directories'), name))
        writeFileSync(inside(box.at('a/directories'), Buffer.concat([name, Buffer.from('/'), name])), '')
        symlinkSync(name, inside(box.at('a/links'), name))
      }
      const roots =
        over === 'the link'
          ? await serve(box, { r: 'b' }).then(({ url, keyFile }) => ['a', url('r'), '--secret-file', keyFile])
          : ['a', 'b']
      const end = await box.tandem(['sync', ...roots])
      expect(end).toMatchObject({ code: 0, stderr: '' })
      expectEqual(box.at('a'), box.at('b'))
      expect(readdirSync(box.at('b/files'))).toHaveLength(oddNames.length)
      // What was printed of them cannot hurt a terminal.
      expect(end.stdout).toMatch(/^[\x20-\x7e\n\u00a1-\u200a\u2010-\u2027\u3000-\ud7ff]*$/)

      // They are edited, renamed and removed like any other.
      for (const name of oddNames) writeFileSync(inside(box.at('b/files'), name), 'edited, longer than before')
      renameSync(box.at('b/directories'), box.at('b/renamed'))
      rmSync(box.at('b/links'), { recursive: true })
      expect(await box.tandem(['sync', ...roots])).toMatchObject({ code: 0, stderr: '' })
      expectEqual(box.at('a'), box.at('b'))
      expect(readFileSync(inside(box.at('a/files'), Buffer.from('*')), 'utf8')).toBe('edited, longer than before')
      expect(readdirSync(box.at('a')).toSorted()).toEqual(['.tandem', 'files', 'renamed'])
    },
  )
})

describeDepths([['paths of more than 4,096 bytes', 'd'.repeat(250), 24]])

describe('sizes', () => {
  test('files of 0 bytes, made, filled and emptied', async () => {
    const box = sandbox()
    for (const name of ['a/empty', 'a/filled later', 'b/other']) box.write(name, '')
    box.write('a/emptied later', 'full')
    await box.tandem(['sync', 'a', 'b'])
    expectEqual(box.at('a'), box.at('b'))
    box.write('a/filled later', 'full')
    truncateSync(box.at('b/emptied later'), 0)
    expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
    expectEqual(box.at('a'), box.at('b'))
    expect([box.read('b/filled later'), box.read('a/emptied later')]).toEqual(['full', ''])
  })

  test.each(['two local roots', 'the link'])('a sparse file stays sparse: %s', async (over) => {
    const box = sandbox()
    mkdirSync(box.at('b'))
    sparse(box, 'a/image', 64 * MiB)
    // Ends within a block, with a hole.
    sparse(box, 'a/odd', 10 * MiB + 1_234)
    box.write('a/zeros only', Buffer.alloc(3 * MiB + 7))
    const roots =
      over === 'the link'
        ? await serve(box, { r: 'b' }).then(({ url, keyFile }) => ['a', url('r'), '--secret-file', keyFile])
        : ['a', 'b']
    expect(await box.tandem(['sync', ...roots])).toMatchObject({ code: 0, stderr: '' })
    expectEqual(box.at('a'), box.at('b'))
    for (const name of ['image', 'odd']) {
      const [from, to] = [lstatSync(box.at('a', name)), lstatSync(box.at('b', name))]
      expect(to.size).toBe(from.size)
      expect(to.blocks).toBeLessThanOrEqual(from.blocks + 64)
    }
    // The edit of a sparse file too, back again.
    const file = openSync(box.at('b/image'), 'r+')
    writeSync(file, 'edited', 50 * MiB)
    closeSync(file)
    expect(await box.tandem(['sync', ...roots])).toMatchObject({ code: 0, stderr: '' })
    expect(at(box.at('a/image'), 50 * MiB, 6)).toBe('edited')
    expect(lstatSync(box.at('a/image')).blocks).toBeLessThan(1024)
  })
})

const MiB = 1024 * 1024

/** A file with a few bytes at its beginning, around its middle and, in a block of its own, near its end. */
function sparse(box: Sandbox, path: string, sizeBytes: number): void {
  box.write(path, 'begin')
  const file = openSync(box.at(path), 'r+')
  ftruncateSync(file, sizeBytes)
  writeSync(file, 'middle', Math.floor(sizeBytes / 2) + 1)
  writeSync(file, 'near the end', sizeBytes - 65_536)
  closeSync(file)
}

function at(path: string, position: number, length: number): string {
  const bytes = Buffer.alloc(length)
  const file = openSync(path, 'r')
  readSync(file, bytes, 0, length, position)
  closeSync(file)
  return bytes.toString()
}

describe('hard links', () => {
  test('they become separate files, which the summary says once, and stay as they are where they are', async () => {
    const box = sandbox()
    box.write('a/one', 'shared')
    mkdirSync(box.at('a/d'))
    linkSync(box.at('a/one'), box.at('a/d/two'))
    linkSync(box.at('a/one'), box.at('a/three'))
    const end = await box.tandem(['sync', 'a', 'b'])
    expect(end.code).toBe(0)
    expect(end.stdout.match(/hard links/g)).toHaveLength(1)
    expectEqual(box.at('a'), box.at('b'))
    expect(lstatSync(box.at('b/one')).nlink).toBe(1)
    expect(lstatSync(box.at('a/one')).nlink).toBe(3)
    // An edit of one name is an edit of all of them, on the side that has them as one.
    box.write('a/one', 'edited in place')
    expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
    expect([box.read('b/one'), box.read('b/d/two'), box.read('b/three')]).toEqual(Array(3).fill('edited in place'))
    expect(lstatSync(box.at('a/one')).nlink).toBe(3)
  })

  test('those below a served root are told by the lead too, once a run', async () => {
    const box = sandbox()
    box.write('b/one', 'shared')
    linkSync(box.at('b/one'), box.at('b/two'))
    mkdirSync(box.at('a'))
    const { url, keyFile } = await serve(box, { r: 'b' })
    const end = await box.tandem(['sync', 'a', url('r'), '--secret-file', keyFile])
    expect(end.stdout.match(/files in wss:.*hard links/g)).toHaveLength(1)
    expectEqual(box.at('a'), box.at('b'))
  })

  test('without any, nothing is said', async () => {
    const plain = sandbox()
    plain.write('a/f', 'x')
    expect((await plain.tandem(['sync', 'a', 'b'])).stdout).not.toMatch(/hard links/)
  })
})

describe('roots', () => {
  test('a root that is a link to a directory', async () => {
    const box = sandbox()
    box.write('real/f', 'x')
    mkdirSync(box.at('b'))
    symlinkSync('real', box.at('a'))
    expect(await box.tandem(['sync', 'a', 'b'])).toMatchObject({ code: 0, stderr: '' })
    expect(box.read('b/f')).toBe('x')
    const agent = box.start(['watch', 'a', 'b'])
    await agent.event('pair-current')
    box.write('real/g', 'through the directory')
    box.write('b/h', 'to the link')
    await eventuallyEqual(box.at('real'), box.at('b'), () => box.exists('b/g') && box.exists('real/h'))
    expect(lstatSync(box.at('a')).isSymbolicLink()).toBe(true)
    // However it is named, it is the same root.
    agent.signal('SIGUSR2')
    expect((await agent.ended).code).toBe(0)
    const direct = await box.tandem(['sync', 'real', 'b'])
    expect(direct).toMatchObject({ code: 0, stdout: expect.stringMatching(/all files are equal/) })
  })

  test.each([
    ['a file', 'f', 'b'],
    ['a file, as the second', 'b', 'f'],
    ['a link to a file', 'link', 'b'],
  ])('%s beside a directory is refused, and nothing is changed', async (_, one, other) => {
    const box = sandbox()
    box.write('f', 'x')
    box.write('b/g', 'y')
    symlinkSync('f', box.at('link'))
    for (const command of ['sync', 'watch']) {
      const end = await box.tandem([command, one, other])
      expect(end.code, command).toBe(3)
      expect(end.stderr).toMatch(/(\/f|\/link) is a file, and the other root, \S*\/b, is a directory/)
    }
    expect([box.read('f'), box.read('b/g')]).toEqual(['x', 'y'])
    expect(readdirSync(box.at('b'))).not.toContain('f')
  })
})

const isRoot = process.getuid?.() === 0
const canMount = isRoot && mounts()

function mounts(): boolean {
  const place = mkdtempSync(`${tmpdir()}/tandem-mount-`)
  const done = spawnSync('mount', ['-t', 'tmpfs', 'none', place])
  if (done.status === 0) spawnSync('umount', [place])
  rmSync(place, { recursive: true })
  return done.status === 0
}

describe.skipIf(!canMount)('file system boundaries inside a root (needs root, to mount)', () => {
  test('one that is there from the beginning is entered; what comes or goes is a problem that keeps all below', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    box.write('a/d/kept', 'below the mount point')
    mkdirSync(box.at('a/usb'))
    mkdirSync(box.at('b'))
    const mounted = new Set<string>()
    const mount = (path: string) => {
      expect(spawnSync('mount', ['-t', 'tmpfs', 'none', box.at(path)]).status).toBe(0)
      mounted.add(path)
    }
    const unmount = (path: string) => {
      expect(spawnSync('umount', [box.at(path)]).status).toBe(0)
      mounted.delete(path)
    }
    try {
      mount('a/usb')
      box.write('a/usb/photo', 'on the stick')
      expect(await box.tandem(['sync', 'a', 'b'])).toMatchObject({ code: 0, stderr: '' })
      expect(box.read('b/usb/photo')).toBe('on the stick')

      // Into a mounted file system changes travel too, though nothing can be renamed into it.
      box.write('b/usb/photo', 'edited on the other side')
      box.write('b/usb/new/deep', 'new')
      expect((await box.tandem(['sync', 'a', 'b'])).code).toBe(0)
      expect([box.read('a/usb/photo'), box.read('a/usb/new/deep')]).toEqual(['edited on the other side', 'new'])

      unmount('a/usb')
      box.write('a/f', 'its neighbours travel')
      const gone = await box.tandem(['sync', 'a', 'b'])
      expect(gone.code).toBe(1)
      expect(gone.stdout).toMatch(/usb.*mounted here is gone/s)
      expect([box.read('b/usb/photo'), box.read('b/f')]).toEqual(['edited on the other side', 'its neighbours travel'])

      mount('a/d')
      const appeared = await box.tandem(['sync', 'a', 'b'])
      expect(appeared.code).toBe(1)
      expect(appeared.stdout).toMatch(/another file system was mounted here/)
      expect(box.read('b/d/kept')).toBe('below the mount point')
      unmount('a/d')
      expect((await box.tandem(['sync', 'a', 'b'])).stdout).not.toMatch(/another file system/)
      expect(box.read('b/d/kept')).toBe('below the mount point')
    } finally {
      for (const path of mounted) spawnSync('umount', [box.at(path)])
    }
  })

  test.each([
    ['comes over', false],
    ['goes from', true],
  ])(
    'while tandem watches, one that %s a directory takes nothing in that was meant for what was there',
    async (_, goes) => {
      const box = sandbox()
      box.write('a/d/f', 'in a')
      mkdirSync(box.at('b'))
      const mount = () => expect(spawnSync('mount', ['-t', 'tmpfs', 'none', box.at('a/d')]).status).toBe(0)
      const unmount = () => spawnSync('umount', [box.at('a/d')])
      if (goes) {
        mount()
        box.write('a/d/f', 'on the stick')
      }
      const agent = box.start(['watch', 'a', 'b'])
      try {
        await agent.event('pair-current')
        expect(box.read('b/d/f')).toBe(goes ? 'on the stick' : 'in a')
        if (goes) unmount()
        else mount()
        box.write('b/d/new', 'for what was there')
        box.write('b/e', 'beside it')
        await agent.until(() => box.exists('a/e'), 'what lies beside it')
        await agent.until(
          () => agent.events().some(({ code, path }) => code === 'boundary' && path === 'd'),
          'the problem',
        )
        expect(box.exists('a/d/new')).toBe(false)
        if (goes) mount()
        else unmount()
        expect([box.read('b/d/new'), box.read('b/d/f')]).toEqual(['for what was there', goes ? 'on the stick' : 'in a'])
      } finally {
        await agent.kill()
        unmount()
      }
    },
  )
})
