import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasNamespaces, type ToldBatch, WatchProcess } from './watch-process.js'
import { missedOf } from './watcher.suite.js'

// What needs another process: one that can be stopped, or has limits and mounts of its own.
describe.skipIf(process.platform !== 'linux')('watcher: limits, mounts and ends', () => {
  let folder: string
  let watching: WatchProcess | undefined

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tandem-watch-'))
  })
  afterEach(() => {
    watching?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  function directory(...path: string[]): string {
    const made = join(folder, ...path)
    mkdirSync(made, { recursive: true })
    return made
  }

  test('an overflow is told as a loss, the other root knows nothing of it, and afterwards nothing is missed', async () => {
    const roots = [directory('alpha'), directory('beta')]
    directory('alpha', 'd', 'e')
    directory('beta', 'd')
    watching = await WatchProcess.start(roots)
    watching.child.kill('SIGSTOP')
    try {
      // Two files in turn, for the kernel drops an event that is the same as the last.
      const files = ['x', 'y'].map((name) => openSync(join(folder, 'alpha', name), 'w'))
      for (let at = 0; at < 20_000; at++) writeSync(files[at % 2] ?? -1, 'x')
      files.forEach(closeSync)
      directory('alpha', 'new', 'deep')
      writeFileSync(join(folder, 'beta', 'd', 'f'), '')
    } finally {
      watching.child.kill('SIGCONT')
    }
    const alpha = await watching.drained(0)
    expect(alpha.some((batch) => batch.lost)).toBe(true)
    expect(alpha.some((batch) => batch.gone)).toBe(false)
    const beta = await watching.drained(1)
    expect(beta.some((batch) => batch.lost)).toBe(false)
    expect(missed(beta, ['d/f'])).toEqual([])

    const later = ['new/deep/f', 'd/e/f', 'x']
    for (const path of later) appendFileSync(join(folder, 'alpha', path), 'later')
    const after = await watching.drained(0)
    expect(after.some((batch) => batch.lost)).toBe(false)
    expect(missed(after, later)).toEqual([])
  })

  test.each(['exit', 'end'] as const)('a process that watches ends at once: %s', async (word) => {
    watching = await WatchProcess.start([directory('root', 'd')])
    expect(await watching.leave(word)).toBe(0)
  })

  test.skipIf(!hasNamespaces)(
    'what is past the limit of watches is told as unwatched, and watched once there is room',
    async () => {
      const root = directory('root')
      for (const name of ['a', 'b', 'c']) directory('root', name, 'deep', 'er')
      watching = await WatchProcess.start([root], 'echo 6 > /proc/sys/user/max_inotify_watches')
      const told = await watching.drained()
      const unwatched = told.at(-1)?.unwatched ?? []
      expect(unwatched.length).toBeGreaterThan(0)
      // Four of ten directories are left over: each lies at or below a path that is told.
      const all = ['a', 'b', 'c'].flatMap((name) => [name, `${name}/deep`, `${name}/deep/er`])
      const blind = all.filter((path) => unwatched.some((top) => path === top || path.startsWith(`${top}/`)))
      expect(blind.length).toBe(4)

      // What is watched is told, and a new directory makes room from what was removed.
      const seen = all.filter((path) => !blind.includes(path))
      for (const path of seen) writeFileSync(join(root, path, 'f'), '')
      expect(
        missed(
          await watching.drained(),
          seen.map((path) => `${path}/f`),
        ),
      ).toEqual([])

      await watching.run('echo 100 > /proc/sys/user/max_inotify_watches')
      directory('root', 'new')
      const after = await watching.drained()
      expect(after.at(-1)?.unwatched).toEqual([])
      expect(
        missed(
          after,
          all.filter((path) => blind.includes(path)),
        ),
      ).toEqual([])
      for (const path of all) writeFileSync(join(root, path, 'g'), '')
      expect(
        missed(
          await watching.drained(),
          all.map((path) => `${path}/g`),
        ),
      ).toEqual([])
    },
  )

  test.skipIf(!hasNamespaces)('directories that come when the limit is reached are told, and unwatched', async () => {
    const root = directory('root')
    directory('root', 'a')
    watching = await WatchProcess.start([root], 'echo 3 > /proc/sys/user/max_inotify_watches')
    expect((await watching.drained()).at(-1)?.unwatched ?? []).toEqual([])
    directory('root', 'b')
    directory('root', 'c', 'deep')
    writeFileSync(join(root, 'c', 'deep', 'f'), '')
    const told = await watching.drained()
    expect(missed(told, ['b', 'c', 'c/deep', 'c/deep/f'])).toEqual([])
    const unwatched = told.at(-1)?.unwatched ?? []
    expect(unwatched.length).toBeGreaterThan(0)
    expect(unwatched.every((path) => path === 'b' || path.startsWith('c'))).toBe(true)
  })

  test.skipIf(!hasNamespaces)('a root past the limit is itself unwatched', async () => {
    const root = directory('root')
    watching = await WatchProcess.start([root], 'echo 0 > /proc/sys/user/max_inotify_watches')
    expect((await watching.drained()).at(-1)?.unwatched).toEqual([''])
  })

  test.skipIf(!hasNamespaces)(
    'E9: both views of a bind mount are told, and one goes on when the other is gone',
    async () => {
      const root = directory('root')
      directory('root', 'one', 'd')
      directory('root', 'two')
      watching = await WatchProcess.start([root], `mount --bind "${root}/one" "${root}/two"`)
      writeFileSync(join(root, 'one', 'd', 'f'), '')
      expect(missed(await watching.drained(), ['one/d/f', 'two/d/f'])).toEqual([])
      await watching.run(`umount "${root}/two"; rmdir "${root}/two"`)
      expect(missed(await watching.drained(), ['two'])).toEqual([])
      writeFileSync(join(root, 'one', 'd', 'f'), 'later')
      expect(missed(await watching.drained(), ['one/d/f'])).toEqual([])
    },
  )

  test.skipIf(!hasNamespaces)(
    'a mount inside the root that goes is told, and what was below it is watched',
    async () => {
      const root = directory('root')
      directory('root', 'mount', 'below')
      watching = await WatchProcess.start([root], `mount -t tmpfs none "${root}/mount"`)
      await watching.run(`mkdir "${root}/mount/d"; echo > "${root}/mount/d/f"`)
      expect(missed(await watching.drained(), ['mount/d/f'])).toEqual([])
      await watching.run(`umount "${root}/mount"`)
      const told = await watching.drained()
      expect(told.some((batch) => batch.gone)).toBe(false)
      expect(missed(told, ['mount', 'mount/below'])).toEqual([])
      writeFileSync(join(root, 'mount', 'below', 'f'), '')
      expect(missed(await watching.drained(), ['mount/below/f'])).toEqual([])
    },
  )

  test.skipIf(!hasNamespaces)('a root that is unmounted is gone, and never counts as emptied', async () => {
    const root = directory('root')
    watching = await WatchProcess.start([root], `mount -t tmpfs none "${root}"; mkdir -p "${root}/d/e"`)
    await watching.run(`umount "${root}"`)
    const told = await watching.drained()
    expect(told.at(-1)?.gone).toBe(true)
    expect(told.flatMap((batch) => batch.dirty)).toEqual([])
  })

  test.skipIf(!hasNamespaces || process.getuid?.() !== 0)(
    'a directory that becomes readable is told with all in it',
    async () => {
      const root = directory('root')
      directory('root', 'd', 'e')
      // Without the capability to read everything.
      const setup = `chmod 777 "${folder}"; chmod 000 "${root}/d"; exec setpriv --bounding-set -all --inh-caps -all "$@"`
      watching = await WatchProcess.start([root], setup)
      expect((await watching.drained()).at(-1)?.unwatched ?? []).toEqual([])
      await watching.run(`chmod 755 "${root}/d"`)
      expect(missed(await watching.drained(), ['d', 'd/e'])).toEqual([])
      writeFileSync(join(root, 'd', 'e', 'f'), '')
      expect(missed(await watching.drained(), ['d/e/f'])).toEqual([])
    },
  )
})

function missed(batches: readonly ToldBatch[], paths: readonly string[]): string[] {
  return missedOf(
    batches.flatMap((batch) => batch.dirty),
    paths,
  )
}
