import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AbsPath } from '../../src/core/path.js'
import { FileFailure } from '../../src/host/files.js'
import type { DirtyPath, Watch, WatchBatch, Watcher } from '../../src/host/watcher.js'
import { random } from './random.js'
import { modelFed, treeOf } from './watched-tree.js'

export interface WatcherFixture {
  readonly watcher: Watcher
  /** Two empty directories of one file system, neither in the other. */
  readonly root: AbsPath
  readonly outside: AbsPath
  /** renameat2 with EXCHANGE. */
  exchange(one: string, other: string): void
  /** Sets the extended attribute `user.tandem`, or removes it. */
  attribute(path: string, value: string | undefined): void
  release(): void
}

/** A watcher that has no barrier, tells more than happened, and after a directory appeared says that anything may have changed. */
export interface Looseness {
  /** The tests that it does not pass, by name, and why not. A full scan finds what it misses. */
  readonly exceptions: Readonly<Record<string, string>>
}

/**
 * What a watcher that misses nothing reports, on real files. Changes that no kernel event tells are not here, see
 * watcher-silence.test.ts. With `loose`, the part of it that such a watcher keeps.
 */
export function describeWatcher(name: string, make: () => WatcherFixture, loose?: Looseness): void {
  const exceptionTo = (what: string): string | undefined => loose?.exceptions[what]
  const testOf = (what: string) => (exceptionTo(what) === undefined ? test : test.skip)

  describe(`watcher: ${name}`, () => {
    if (loose !== undefined)
      test('each exception is one to a test that there is', () => {
        const known = [...rows.map(({ what }) => what), ...exactTests, modelTest]
        expect(Object.keys(loose.exceptions).filter((what) => !known.includes(what))).toEqual([])
      })
    const exactTests: string[] = []
    /** A test that a watcher may be excepted from. */
    const exact = (what: string, body: () => Promise<void>, timeoutMs?: number): void => {
      exactTests.push(what)
      testOf(what)(what, body, timeoutMs)
    }
    let fixture: WatcherFixture
    let batches: WatchBatch[]
    let watch: Watch

    beforeEach(() => {
      fixture = make()
      batches = []
    })
    afterEach(async () => {
      await fixture.watcher.close()
      fixture.release()
    })

    async function start(): Promise<void> {
      watch = await fixture.watcher.watch(fixture.root, (batch) => batches.push(batch))
    }

    /** Those of the paths that are not reported. Who has no barrier is given time. */
    async function missing(paths: readonly string[]): Promise<string[]> {
      if (loose === undefined) return missedOf(await reported(), paths)
      const missed = () =>
        batches.some((batch) => batch.lost)
          ? []
          : missedOf(
              batches.flatMap((batch) => batch.dirty),
              paths,
            )
      const end = Date.now() + patienceMs
      while (missed().length > 0 && Date.now() < end) await pause(5)
      return missed()
    }

    /** What is reported later is of what happens later. */
    async function quiet(): Promise<void> {
      if (loose === undefined) return
      let seen = -1
      while (seen !== batches.length) {
        seen = batches.length
        await pause(quietMs)
      }
      batches.length = 0
    }

    /** What was reported until now. */
    async function reported(): Promise<DirtyPath[]> {
      await watch.drain()
      expect(batches.some((batch) => batch.lost || batch.gone)).toBe(false)
      return batches.splice(0).flatMap((batch) => batch.dirty)
    }

    type Place = (name: string) => string
    /** What only some systems have calls for. */
    interface Calls {
      exchange(one: string, other: string): void
      attribute(path: string, value: string | undefined): void
    }
    interface Row {
      readonly what: string
      /** Paths that must be covered. */
      readonly covers: readonly string[]
      /** Done before the root is watched. */
      prepare?(at: Place, outside: Place): void
      change(at: Place, outside: Place, calls: Calls): void
      /** Done after the first change was reported, and reported itself. */
      later?: { change(at: Place, outside: Place): void; readonly covers: readonly string[] }
    }

    const file = (at: Place): void => writeFileSync(at('f'), 'before')
    const populated = (at: Place): void => {
      mkdirSync(at('pop/s1/s2'), { recursive: true })
      writeFileSync(at('pop/s1/s2/file'), 'before')
    }
    const writeAll = (at: Place, paths: readonly string[]): void => {
      for (const path of paths) writeFileSync(at(path), 'later')
    }
    let held = -1

    const rows: Row[] = [
      { what: 'a new file', covers: ['f'], change: (at) => file(at) },
      { what: 'a fifo', covers: ['p'], change: (at) => void execFileSync('mkfifo', [at('p')]) },
      {
        what: 'a socket',
        covers: ['s'],
        change: (at) => {
          const program = "require('node:net').createServer().listen('s', () => process.exit())"
          execFileSync(process.execPath, ['-e', program], { cwd: at('') })
        },
      },
      { what: 'a symlink', covers: ['l'], prepare: file, change: (at) => symlinkSync('f', at('l')) },
      { what: 'a dangling symlink', covers: ['l'], change: (at) => symlinkSync('nowhere', at('l')) },
      { what: 'a hard link', covers: ['g'], prepare: file, change: (at) => linkSync(at('f'), at('g')) },
      {
        what: 'a file moved in',
        covers: ['f'],
        prepare: (_, outside) => file(outside),
        change: (at, outside) => renameSync(outside('f'), at('f')),
      },
      { what: 'a file rewritten', covers: ['f'], prepare: file, change: (at) => writeFileSync(at('f'), 'after') },
      { what: 'the same bytes written again', covers: ['f'], prepare: file, change: file },
      { what: 'an append', covers: ['f'], prepare: file, change: (at) => appendFileSync(at('f'), 'more') },
      { what: 'a truncation', covers: ['f'], prepare: file, change: (at) => truncateSync(at('f'), 2) },
      {
        what: 'a write through a descriptor that was open before',
        covers: ['f'],
        prepare: (at) => {
          file(at)
          held = openSync(at('f'), 'r+')
        },
        change: () => void writeSync(held, 'x'),
        later: { covers: ['f'], change: () => closeSync(held) },
      },
      {
        what: 'the same size with the same time',
        covers: ['f'],
        prepare: (at) => {
          file(at)
          utimesSync(at('f'), 1, 2)
        },
        change: (at) => {
          writeFileSync(at('f'), 'beFORE')
          utimesSync(at('f'), 1, 2)
        },
      },
      {
        what: 'space allocated',
        covers: ['f'],
        prepare: file,
        change: (at) => void execFileSync('fallocate', ['-l', '8192', at('f')]),
      },
      {
        what: 'an extended attribute',
        covers: ['f', 'd'],
        prepare: (at) => {
          file(at)
          mkdirSync(at('d'))
        },
        change: (at, _, { attribute }) => {
          attribute(at('f'), 'x')
          attribute(at('d'), 'x')
        },
      },
      {
        what: 'an extended attribute removed',
        covers: ['f'],
        prepare: (at) => {
          file(at)
          fixture.attribute(at('f'), 'x')
        },
        change: (at, _, { attribute }) => attribute(at('f'), undefined),
      },
      { what: 'a chmod', covers: ['f'], prepare: file, change: (at) => chmodSync(at('f'), 0o600) },
      {
        what: 'a chown',
        covers: ['f'],
        prepare: file,
        change: (at) => chownSync(at('f'), process.getuid?.() ?? 0, process.getgid?.() ?? 0),
      },
      { what: 'new times', covers: ['f'], prepare: file, change: (at) => utimesSync(at('f'), 1, 2) },
      {
        what: 'a chmod of a directory',
        covers: ['d'],
        prepare: (at) => mkdirSync(at('d')),
        change: (at) => chmodSync(at('d'), 0o700),
      },
      { what: 'a chmod of the root', covers: [''], change: (at) => chmodSync(at(''), 0o700) },
      {
        what: 'new times of a directory',
        covers: ['d'],
        prepare: (at) => mkdirSync(at('d')),
        change: (at) => utimesSync(at('d'), 1, 2),
      },
      { what: 'new times of the root', covers: [''], change: (at) => utimesSync(at(''), 1, 2) },
      {
        what: 'a new owner of a dangling symlink',
        covers: ['l'],
        prepare: (at) => symlinkSync('nowhere', at('l')),
        change: (at) => lchownSync(at('l'), process.getuid?.() ?? 0, process.getgid?.() ?? 0),
      },
      {
        what: 'new times of a dangling symlink',
        covers: ['l'],
        prepare: (at) => symlinkSync('nowhere', at('l')),
        change: (at) => lutimesSync(at('l'), 1, 2),
      },
      {
        what: 'a symlink replaced by another',
        covers: ['l'],
        prepare: (at) => {
          symlinkSync('one', at('l'))
          symlinkSync('two', at('m'))
        },
        change: (at) => renameSync(at('m'), at('l')),
      },
      { what: 'a file removed', covers: ['f'], prepare: file, change: (at) => unlinkSync(at('f')) },
      { what: 'a file renamed', covers: ['f', 'g'], prepare: file, change: (at) => renameSync(at('f'), at('g')) },
      {
        what: 'a file made and removed at once',
        covers: ['f'],
        change: (at) => {
          file(at)
          unlinkSync(at('f'))
        },
      },
      {
        what: 'an atomic save',
        covers: ['f'],
        prepare: file,
        change: (at) => {
          writeFileSync(at('f~'), 'after')
          renameSync(at('f~'), at('f'))
        },
      },
      {
        what: 'an atomic save and then a removal',
        covers: ['f'],
        prepare: file,
        change: (at) => {
          writeFileSync(at('f~'), 'after')
          renameSync(at('f~'), at('f'))
          unlinkSync(at('f'))
        },
      },
      {
        what: 'a file that becomes a directory, and a file in it',
        covers: ['f', 'f/x'],
        prepare: file,
        change: (at) => {
          unlinkSync(at('f'))
          mkdirSync(at('f'))
          writeFileSync(at('f/x'), '')
        },
        later: { covers: ['f/x'], change: (at) => writeFileSync(at('f/x'), 'later') },
      },
      {
        what: 'a directory that becomes a file',
        covers: ['pop'],
        prepare: populated,
        change: (at) => {
          rmSync(at('pop'), { recursive: true })
          writeFileSync(at('pop'), '')
        },
      },
      {
        what: 'mkdir -p and a file at the bottom',
        covers: ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/c/d/f'],
        change: (at) => {
          mkdirSync(at('a/b/c/d'), { recursive: true })
          writeFileSync(at('a/b/c/d/f'), '')
        },
        later: {
          covers: ['a/b/c/d/f', 'a/b/g'],
          change: (at) => writeAll(at, ['a/b/c/d/f', 'a/b/g']),
        },
      },
      {
        what: 'a populated directory moved in',
        covers: ['pop', 'pop/s1', 'pop/s1/s2', 'pop/s1/s2/file'],
        prepare: (_, outside) => populated(outside),
        change: (at, outside) => renameSync(outside('pop'), at('pop')),
        later: {
          covers: ['pop/s1/s2/file', 'pop/s1/new'],
          change: (at) => writeAll(at, ['pop/s1/s2/file', 'pop/s1/new']),
        },
      },
      {
        what: 'a tree removed',
        covers: ['pop', 'pop/s1', 'pop/s1/s2', 'pop/s1/s2/file'],
        prepare: populated,
        change: (at) => rmSync(at('pop'), { recursive: true }),
      },
      {
        what: 'a directory renamed, and later a write in it',
        covers: ['pop', 'new', 'new/s1'],
        prepare: populated,
        change: (at) => renameSync(at('pop'), at('new')),
        later: { covers: ['new/f'], change: (at) => writeFileSync(at('new/f'), 'after') },
      },
      {
        what: 'a directory renamed, and later a write deep in it',
        covers: ['pop', 'new', 'new/s1/s2/file'],
        prepare: populated,
        change: (at) => renameSync(at('pop'), at('new')),
        later: { covers: ['new/s1/s2/file'], change: (at) => writeFileSync(at('new/s1/s2/file'), 'after') },
      },
      {
        what: 'a directory moved into another, and back, and away again',
        covers: ['pop', 'd/pop', 'd/pop/s1/s2/file'],
        prepare: (at) => {
          populated(at)
          mkdirSync(at('d'))
        },
        change: (at) => {
          renameSync(at('pop'), at('d/pop'))
          renameSync(at('d/pop'), at('pop'))
          renameSync(at('pop'), at('d/pop'))
        },
        later: { covers: ['d/pop/s1/s2/file'], change: (at) => appendFileSync(at('d/pop/s1/s2/file'), 'x') },
      },
      {
        what: 'a directory copied',
        covers: ['copy', 'copy/s1/s2/file'],
        prepare: populated,
        change: (at) => cpSync(at('pop'), at('copy'), { recursive: true }),
        later: { covers: ['copy/s1/s2/file'], change: (at) => unlinkSync(at('copy/s1/s2/file')) },
      },
      {
        what: 'cp -a of a directory',
        covers: ['copy', 'copy/s1/s2/file'],
        prepare: populated,
        change: (at) => void execFileSync('cp', ['-a', at('pop'), at('copy')]),
        later: { covers: ['copy/s1/s2/file'], change: (at) => appendFileSync(at('copy/s1/s2/file'), 'x') },
      },
      {
        what: 'cp -r of 1,000 files in 300 folders',
        covers: spread(1_000, 300).map((path) => `copy/${path}`),
        prepare: (_, outside) => fill(outside('from'), spread(1_000, 300)),
        change: (at, outside) => void execFileSync('cp', ['-r', outside('from'), at('copy')]),
        later: { covers: ['copy/d7/e/f7'], change: (at) => appendFileSync(at('copy/d7/e/f7'), 'x') },
      },
      {
        what: 'tar x of 2,000 files in 400 folders',
        covers: spread(2_000, 400),
        prepare: (_, outside) => {
          fill(outside('from'), spread(2_000, 400))
          execFileSync('tar', ['cf', outside('tar'), '-C', outside('from'), '.'])
        },
        change: (at, outside) => void execFileSync('tar', ['xf', outside('tar'), '-C', at('')]),
        later: { covers: ['d399/e/f399'], change: (at) => appendFileSync(at('d399/e/f399'), 'x') },
      },
      {
        what: '60,000 files in one folder',
        covers: Array.from({ length: 60_000 }, (_, at) => `d/${at}`),
        prepare: (at) => mkdirSync(at('d')),
        change: (at) => {
          for (let file = 0; file < 60_000; file++) closeSync(openSync(at(`d/${file}`), 'w'))
        },
      },
      {
        what: 'rm -rf and the same names again',
        covers: ['pop', 'pop/s1/s2/file'],
        prepare: populated,
        change: (at) => {
          rmSync(at('pop'), { recursive: true })
          populated(at)
        },
        later: { covers: ['pop/s1/s2/file'], change: (at) => writeFileSync(at('pop/s1/s2/file'), 'after') },
      },
      {
        what: 'two files exchanged',
        covers: ['f', 'g'],
        prepare: (at) => {
          file(at)
          writeFileSync(at('g'), 'other')
        },
        change: (at, _, { exchange }) => exchange(at('f'), at('g')),
      },
      {
        what: 'two directories exchanged, and later writes in both',
        covers: ['pop', 'other', 'pop/t/file', 'other/s1/s2/file'],
        prepare: (at) => {
          populated(at)
          mkdirSync(at('other/t'), { recursive: true })
          writeFileSync(at('other/t/file'), '')
        },
        change: (at, _, { exchange }) => exchange(at('pop'), at('other')),
        later: {
          covers: ['pop/t/file', 'other/s1/s2/file'],
          change: (at) => writeAll(at, ['pop/t/file', 'other/s1/s2/file']),
        },
      },
      {
        what: 'a directory exchanged with a file, and later a write in it',
        covers: ['pop', 'f', 'f/s1/s2/file'],
        prepare: (at) => {
          populated(at)
          file(at)
        },
        change: (at, _, { exchange }) => exchange(at('pop'), at('f')),
        later: {
          covers: ['f/s1/s2/file', 'pop'],
          change: (at) => writeAll(at, ['f/s1/s2/file', 'pop']),
        },
      },
      {
        what: 'a write through a symlinked directory, under its own path',
        covers: ['d/f'],
        prepare: (at) => {
          mkdirSync(at('d'))
          symlinkSync('d', at('link'))
        },
        change: (at) => writeFileSync(at('link/f'), ''),
      },
      {
        what: 'names with blanks, newlines and signs',
        covers: ['a b', 'a\nb', '*', '\\', 'größe/漢😀'],
        change: (at) => {
          mkdirSync(at('größe'))
          for (const one of ['a b', 'a\nb', '*', '\\', 'größe/漢😀']) writeFileSync(at(one), '')
        },
      },
    ]

    for (const { what, covers, prepare, change, later } of rows) {
      testOf(what)(
        `it reports ${what}`,
        async () => {
          const at: Place = (path) => (path === '' ? fixture.root : `${fixture.root}/${path}`)
          const outside: Place = (path) => `${fixture.outside}/${path}`
          prepare?.(at, outside)
          await start()
          change(at, outside, fixture)
          expect(await missing(covers)).toEqual([])
          if (later === undefined) return
          await quiet()
          later.change(at, outside)
          expect(await missing(later.covers)).toEqual([])
        },
        60_000,
      )
    }

    exact('a name that is not UTF-8 is told byte for byte, as directory and as file', async () => {
      await start()
      const directory = Buffer.concat([Buffer.from(`${fixture.root}/d`), Buffer.from([0xff])])
      mkdirSync(directory)
      writeFileSync(Buffer.concat([directory, Buffer.from('/'), Buffer.from([0xe4, 0x2e])]), '')
      expect(await missing(['d\udcff', 'd\udcff/\udce4.'])).toEqual([])
      writeFileSync(Buffer.concat([directory, Buffer.from('/'), Buffer.from([0xe4, 0x2e])]), 'again')
      expect(await missing(['d\udcff/\udce4.'])).toEqual([])
    })

    exact('a directory that appears is a subtree, all else is an entry', async () => {
      await start()
      writeFileSync(`${fixture.root}/f`, '')
      mkdirSync(`${fixture.root}/d`)
      const found = await reported()
      expect(found.find((one) => one.path === 'f')?.depth).toBe('entry')
      // Heard of at once, and told as a subtree when it is watched to the bottom.
      expect(found.filter((one) => one.path === 'd').at(-1)?.depth).toBe('subtree')
      chmodSync(`${fixture.root}/d`, 0o700)
      expect(new Set((await reported()).map((one) => `${one.path} ${one.depth}`))).toEqual(new Set(['d entry']))
    })

    exact('the last close of a written file is told, and a file that is still open is not closed', async () => {
      await start()
      const fd = openSync(`${fixture.root}/f`, 'w')
      writeSync(fd, 'one')
      expect((await reported()).map((one) => one.closed)).not.toContain(true)
      closeSync(fd)
      expect((await reported()).map((one) => `${one.path} ${one.closed}`)).toEqual(['f true'])
    })

    exact('the private folder is neither watched nor told, one elsewhere of that name is', async () => {
      mkdirSync(`${fixture.root}/.tandem/stage`, { recursive: true })
      await start()
      writeFileSync(`${fixture.root}/.tandem/stage/x`, '')
      chmodSync(`${fixture.root}/.tandem`, 0o700)
      rmSync(`${fixture.root}/.tandem`, { recursive: true })
      mkdirSync(`${fixture.root}/.tandem/stage`, { recursive: true })
      writeFileSync(`${fixture.root}/.tandem/stage/x`, '')
      expect(await reported()).toEqual([])
      mkdirSync(`${fixture.root}/d/.tandem`, { recursive: true })
      expect(await missing(['d/.tandem'])).toEqual([])
    })

    exact('what happens outside after a directory was moved out is not told', async () => {
      populated((path) => `${fixture.root}/${path}`)
      await start()
      renameSync(`${fixture.root}/pop`, `${fixture.outside}/pop`)
      expect(await missing(['pop'])).toEqual([])
      writeFileSync(`${fixture.outside}/pop/s1/s2/file`, 'after')
      expect(await reported()).toEqual([])
    })

    exact('2,000 files unpacked into 400 folders are all told, and so are later writes to each', async () => {
      await start()
      const paths: string[] = []
      for (let at = 0; at < 2_000; at++) {
        const folder = `t${at % 20}/u${Math.floor(at / 20) % 20}`
        if (at < 400) mkdirSync(`${fixture.root}/${folder}`, { recursive: true })
        writeFileSync(`${fixture.root}/${folder}/f${at}`, 'unpacked')
        paths.push(`${folder}/f${at}`)
      }
      expect(await missing(paths)).toEqual([])
      for (const path of paths) appendFileSync(`${fixture.root}/${path}`, '2')
      expect(await missing(paths)).toEqual([])
    })

    exact('a file that is written without a pause is told once a batch', async () => {
      writeFileSync(`${fixture.root}/log`, '')
      await start()
      for (let at = 0; at < 5_000; at++) appendFileSync(`${fixture.root}/log`, 'line\n')
      await watch.drain()
      for (const batch of batches) expect(batch.dirty.length).toBeLessThanOrEqual(1)
      expect(batches.length).toBeGreaterThan(0)
    })

    exact('a change is told without asking', async () => {
      const told = new Promise<void>((resolve) => {
        void fixture.watcher.watch(fixture.root, () => resolve()).then(() => writeFileSync(`${fixture.root}/f`, ''))
      })
      await told
    })

    exact('a change at any moment after watch has resolved is told', async () => {
      for (let at = 0; at < 50; at++) mkdirSync(`${fixture.root}/d${at}/e/f`, { recursive: true })
      await start()
      const paths = Array.from({ length: 50 }, (_, at) => `d${at}/e/f/x`)
      for (const path of paths) writeFileSync(`${fixture.root}/${path}`, '')
      expect(await missing(paths)).toEqual([])
    })

    exact('several roots are told apart', async () => {
      const others: WatchBatch[] = []
      await start()
      const other = await fixture.watcher.watch(fixture.outside, (batch) => others.push(batch))
      writeFileSync(`${fixture.root}/f`, '')
      writeFileSync(`${fixture.outside}/g`, '')
      await other.drain()
      expect(pathsOf(await reported())).toEqual(['f'])
      expect(pathsOf(others.flatMap((batch) => batch.dirty))).toEqual(['g'])
    })

    exact('after close nothing is told, and draining and closing again are harmless', async () => {
      await start()
      await watch.close()
      writeFileSync(`${fixture.root}/f`, '')
      await watch.drain()
      await watch.close()
      expect(batches).toEqual([])
    })

    const refusals: [what: string, path: string, code: string][] = [
      ['that is absent', 'absent', 'absent'],
      ['that is a file', 'file', 'not-directory'],
    ]
    test.each(refusals)('a root %s is a FileFailure', async (_, path, code) => {
      writeFileSync(`${fixture.root}/file`, '')
      const failure = await fixture.watcher
        .watch(`${fixture.root}/${path}` as AbsPath, () => {})
        .catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(FileFailure)
      expect(failure).toMatchObject({ code })
    })

    exact('a root that is a symlink is watched where it leads', async () => {
      const link = `${fixture.outside}/link` as AbsPath
      symlinkSync(fixture.root, link)
      mkdirSync(`${fixture.root}/d`)
      watch = await fixture.watcher.watch(link, (batch) => batches.push(batch))
      writeFileSync(`${fixture.root}/d/f`, '')
      expect(await missing(['d/f'])).toEqual([])
    })

    const ends: [what: string, end: (root: string, outside: string) => void][] = [
      ['moved away', (root, outside) => renameSync(root, `${outside}/away`)],
      ['removed', (root) => rmSync(root, { recursive: true })],
      [
        'removed and made again',
        (root) => {
          rmSync(root, { recursive: true })
          mkdirSync(root)
        },
      ],
    ]
    test.each(ends)('a root that is %s is gone, after which nothing is told', async (_, end) => {
      populated((path) => `${fixture.root}/${path}`)
      await start()
      end(fixture.root, fixture.outside)
      await watch.drain()
      const deadline = Date.now() + (loose === undefined ? 0 : patienceMs)
      while (batches.at(-1)?.gone !== true && Date.now() < deadline) await pause(5)
      expect(batches.at(-1)?.gone).toBe(true)
      expect(batches.filter((batch) => batch.gone).length).toBe(1)
      batches.length = 0
      mkdirSync(`${fixture.root}/new`, { recursive: true })
      await watch.drain()
      expect(batches).toEqual([])
    })

    const histories = (Object.keys(mixes) as (keyof typeof mixes)[]).flatMap((mix) =>
      [1, 2, 3, 4].map((seed) => ({ mix, seed })),
    )
    testOf(modelTest).each(histories)(`${modelTest} ($mix, seed $seed)`, async ({ mix, seed }) => {
      const model = modelFed(fixture.root)
      const dice = random(seed)
      watch = await fixture.watcher.watch(fixture.root, model.take)
      for (let burst = 0; burst < 25; burst++) {
        for (let at = 0; at < 40; at++) change(mix, fixture.root, fixture.outside, fixture.exchange, dice)
        // Lets batches in between some bursts, so that the model looks at a tree that goes on changing.
        if (burst % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
        if (burst % 8 === 7) {
          await watch.drain()
          expect(model.tree()).toEqual(treeOf(fixture.root))
        }
      }
      await watch.drain()
      expect(model.tree()).toEqual(treeOf(fixture.root))
      expect(model.losses).toBe(0)
    })
  })
}

/** Each path once: what happens to one may come in several batches. */
function pathsOf(dirty: readonly DirtyPath[]): string[] {
  return [...new Set(dirty.map((one) => one.path))]
}

/** Those of `paths` that no report covers. */
export function missedOf(dirty: readonly DirtyPath[], paths: readonly string[]): string[] {
  const entries = new Set<string>(dirty.map((one) => one.path))
  const listed = new Set<string>(dirty.filter((one) => one.depth === 'members').map((one) => one.path))
  const subtrees = new Set<string>(dirty.filter((one) => one.depth === 'subtree').map((one) => one.path))
  return paths.filter((path) => {
    if (entries.has(path) || listed.has(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) return false
    for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
      if (subtrees.has(path.slice(0, cut))) return false
    }
    return !subtrees.has('')
  })
}

const modelTest = 'a model fed by reports alone equals the tree'

/** Steps of a user, as many times as each is to be likely. */
const mixes = {
  'files alone': 'write append remove save rename-file chmod times link truncate',
  'new directories': 'mkdir-and-write mkdir-and-write mkdir write append remove save',
  everything:
    'write append remove mkdir mkdir-and-write rename rename exchange chmod times link save remove-tree move-out move-in truncate',
}

/** One random step of a user, in a tree of few names, so that they meet. What cannot be done is not done. */
function change(
  mix: keyof typeof mixes,
  root: string,
  outside: string,
  exchange: WatcherFixture['exchange'],
  dice: () => number,
): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(dice() * list.length)] as T
  const path = (): string =>
    Array.from({ length: 1 + Math.floor(dice() * 4) }, () => pick(['a', 'b', 'c', 'd'])).join('/')
  const [one, other] = [`${root}/${path()}`, `${root}/${path()}`]
  const steps: Record<string, () => void> = {
    write: () => writeFileSync(one, `${dice()}`),
    append: () => appendFileSync(one, 'x'),
    remove: () => unlinkSync(one),
    mkdir: () => mkdirSync(one, { recursive: true }),
    'mkdir-and-write': () => {
      mkdirSync(one, { recursive: true })
      writeFileSync(`${one}/${pick(['a', 'b', 'e'])}`, `${dice()}`)
    },
    rename: () => renameSync(one, other),
    'rename-file': () => renameSync(one, other),
    exchange: () => exchange(one, other),
    chmod: () => chmodSync(one, pick([0o700, 0o755, 0o777])),
    times: () => utimesSync(one, 1 + Math.floor(dice() * 1e6), Math.floor(dice() * 1e6)),
    link: () => symlinkSync(pick(['a', 'nowhere', '..']), one),
    save: () => {
      writeFileSync(`${one}~`, `${dice()}`)
      renameSync(`${one}~`, one)
    },
    'remove-tree': () => rmSync(one, { recursive: true, force: true }),
    'move-out': () => renameSync(one, `${outside}/${pick(['x', 'y', 'z'])}`),
    'move-in': () => renameSync(`${outside}/${pick(['x', 'y', 'z'])}`, one),
    truncate: () => truncateSync(one, 1),
  }
  try {
    steps[pick(mixes[mix].split(' '))]?.()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}

/** How long who has no barrier may take; how long he must be silent to be quiet. */
const patienceMs = 5_000
const quietMs = 400

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

/** Paths of `files` files in `folders` folders, two levels deep. */
function spread(files: number, folders: number): string[] {
  return Array.from({ length: files }, (_, at) => `d${at % folders}/e/f${at}`)
}

function fill(root: string, paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(`${root}/${path}`), { recursive: true })
    writeFileSync(`${root}/${path}`, path)
  }
}
