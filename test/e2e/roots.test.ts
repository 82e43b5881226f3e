import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually, eventuallyEqual, type Running, type Sandbox, sandbox, serve, tree } from './harness.js'

/** A pair of a and b, in sync, kept by one agent or over the link; `a` is on the lead's machine. */
interface Kept {
  readonly box: Sandbox
  readonly lead: Running
}

async function local(box: Sandbox = filled(), ...options: string[]): Promise<Kept> {
  const lead = box.start(['watch', 'a', 'b', ...options])
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/four'))
  return { box, lead }
}

async function linked(box: Sandbox = filled()): Promise<Kept> {
  const serving = await serve(box, { photos: 'b' })
  const lead = box.start(['watch', 'a', serving.url('photos'), '--secret-file', serving.keyFile])
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/four'))
  return { box, lead }
}

function filled(): Sandbox {
  const box = sandbox()
  for (const name of ['one', 'two', 'd/three']) box.write(`a/${name}`, name)
  box.write('b/four', 'four')
  return box
}

/** The root `away` is not where it should be; the other one is edited meanwhile; then `back` is called. */
async function outlasts({ box, lead }: Kept, away: string, code: string, back: () => void): Promise<void> {
  // Two renames are two moments: between them the root is missing, and may be told so before what stands there is seen.
  const halted = () => lead.events().find((one) => one.event === 'pair-halted' && one.code === code)
  await lead.until(() => halted() !== undefined, `pair-halted with ${code}`)
  // What is agreed on may not be written down yet.
  expect(halted()?.detail).toMatch(
    /Nothing is deleted anywhere meanwhile( \(\d paths? (is|are) agreed on\))?\. Move or mount .* back/,
  )
  const other = away === 'a' ? 'b' : 'a'
  const before = tree(box.at(other))
  expect(Object.keys(before)).toEqual(['.', 'd', 'd/three', 'four', 'one', 'two'])
  box.write(`${other}/one`, 'edited meanwhile')
  box.write(`${other}/new/five`, 'five')
  const meanwhile = tree(box.at(other))
  back()
  expect(tree(box.at(other))).toEqual(meanwhile)
  await lead.event('pair-resumed')
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`${away}/new/five`))
  expect(box.read(`${away}/one`)).toBe('edited meanwhile')
  box.write(`${away}/d/six`, 'six')
  await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists(`${other}/d/six`))
}

const setups: [what: string, make: () => Promise<Kept>, away: string][] = [
  ['a root of this machine', local, 'a'],
  ['the other root of this machine', local, 'b'],
  ['the root of the lead, over the link', linked, 'a'],
  ['a served root', linked, 'b'],
]

test.each(setups)('%s is moved away and back', async (_, make, away) => {
  const kept = await make()
  renameSync(kept.box.at(away), kept.box.at('elsewhere'))
  await outlasts(kept, away, 'missing', () => renameSync(kept.box.at('elsewhere'), kept.box.at(away)))
})

const ends = setups.filter(([, make, away]) => (make === linked) === (away === 'b'))
test.each(ends)('%s is replaced by a directory that is no root: nothing is written there', async (_, make, away) => {
  const kept = await make()
  const { box } = kept
  box.write('plain/stranger', 'of nobody')
  renameSync(box.at(away), box.at('elsewhere'))
  renameSync(box.at('plain'), box.at(away))
  await outlasts(kept, away, 'in-doubt', () => {
    expect(Object.keys(tree(box.at(away)))).toEqual(['.', 'stranger'])
    expect(box.exists(`${away}/.tandem`)).toBe(false)
    renameSync(box.at(away), box.at('plain'))
    renameSync(box.at('elsewhere'), box.at(away))
  })
  expect(box.exists('a/stranger') || box.exists('b/stranger')).toBe(false)
})

test.each(ends)('%s is replaced by another root: the two stay apart', async (_, make, away) => {
  const kept = await make()
  const { box } = kept
  box.write('c/stranger', 'of another pair')
  expect((await box.tandem(['sync', 'c', 'd'], { state: box.at('other-state') })).code).toBe(0)
  renameSync(box.at(away), box.at('elsewhere'))
  renameSync(box.at('c'), box.at(away))
  await outlasts(kept, away, 'in-doubt', () => {
    expect(Object.keys(tree(box.at(away)))).toEqual(['.', 'stranger'])
    renameSync(box.at(away), box.at('c'))
    renameSync(box.at('elsewhere'), box.at(away))
  })
  expect(box.exists('a/stranger') || box.exists('b/stranger')).toBe(false)
})

test('a directory above a root is renamed, of which no event tells', async () => {
  const box = sandbox()
  box.write('above/a/one', 'one')
  mkdirSync(box.at('b'))
  const lead = box.start(['watch', 'above/a', 'b'])
  await lead.event('pair-current')
  renameSync(box.at('above'), box.at('below'))
  expect((await lead.event('pair-halted')).code).toBe('missing')
  box.write('b/two', 'two')
  renameSync(box.at('below'), box.at('above'))
  await lead.event('pair-resumed')
  await eventuallyEqual(box.at('above/a'), box.at('b'), () => box.exists('above/a/two'))
})

describe.skipIf(!mayMount())('a root on a file system that is unmounted (only where this user may mount)', () => {
  const rows: [what: string, make: (box: Sandbox) => Promise<Kept>, away: string][] = [
    ['of this machine', local, 'a'],
    ['of the lead, over the link', linked, 'a'],
    ['that is served', linked, 'b'],
  ]
  test.each(rows)(
    'one %s: the user may unmount it at rest, and the bare mount point is not touched',
    async (_, make, away) => {
      const box = filled()
      renameSync(box.at(away), box.at('disk'))
      mkdirSync(box.at(away))
      mount(box, '--bind', box.at('disk'), box.at(away))
      try {
        const kept = await make(box)
        await unmounted(box, away)
        await outlasts(kept, away, 'in-doubt', () => {
          expect(Object.keys(tree(box.at(away)))).toEqual(['.'])
          expect(box.exists(`${away}/.tandem`)).toBe(false)
          mount(box, '--bind', box.at('disk'), box.at(away))
        })
        // What the agent could not clear away when the disk was gone is cleared away now.
        expect(readdirSync(box.at(away, '.tandem/stage'))).toHaveLength(1)
        await unmounted(box, away)
      } finally {
        pull(box, box.at(away))
      }
    },
  )

  test('one that is pulled with a file open in it', async () => {
    const box = filled()
    renameSync(box.at('a'), box.at('disk'))
    mkdirSync(box.at('a'))
    mount(box, '--bind', box.at('disk'), box.at('a'))
    const held = openSync(box.at('a/one'), 'r')
    try {
      const kept = await local(box)
      expect(unmount(box, box.at('a'))).toContain('busy')
      pull(box, box.at('a'))
      await outlasts(kept, 'a', 'in-doubt', () => mount(box, '--bind', box.at('disk'), box.at('a')))
    } finally {
      closeSync(held)
      pull(box, box.at('a'))
    }
  })

  test.skipIf(!mayLoop())('one on a disk of its own: gone from the machine, and back as another device', async () => {
    const box = filled()
    const image = box.at('image')
    run(box, 'truncate', ['-s', '16M', image])
    run(box, 'mkfs.ext4', ['-q', image])
    renameSync(box.at('a'), box.at('first'))
    mkdirSync(box.at('a'))
    mount(box, '-o', 'loop', image, box.at('a'))
    try {
      run(box, 'cp', ['-a', `${box.at('first')}/.`, box.at('a')])
      rmdirSync(box.at('a/lost+found'))
      const kept = await local(box)
      await unmounted(box, 'a')
      await outlasts(kept, 'a', 'in-doubt', () => mount(box, '-o', 'loop', image, box.at('a')))
      await unmounted(box, 'a')
    } finally {
      pull(box, box.at('a'))
    }
  })
})

describe('what no event tells', () => {
  test('is found by the full scan of watch+SECONDS', async () => {
    const { box } = await local(filled(), '--repeat', 'watch+1')
    linkSync(box.at('a/one'), box.at('outside'))
    writeFileSync(box.at('outside'), 'through another name')
    await eventually(
      () => box.read('b/one') === 'through another name',
      () => 'the write through a hard link',
    )
  })
})

describe('another watcher than that of the platform', () => {
  test('parcel: changes travel, also those deep in a tree that was moved in', async () => {
    const { box } = await local(filled(), '--watcher', 'parcel')
    box.write('a/one', 'edited')
    box.write('tree/x/y/z', 'deep')
    renameSync(box.at('tree'), box.at('a/tree'))
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('b/tree/x/y/z'))
    box.write('a/tree/x/y/z', 'edited deep in it')
    box.write('b/p/q/r/s', 'new and deep')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/p/q/r/s'))
    expect(box.read('b/tree/x/y/z')).toBe('edited deep in it')
  })

  test('poll: changes travel with the next scan', async () => {
    const { box } = await local(filled(), '--watcher', 'poll', '--repeat', 'watch+1')
    box.write('a/one', 'edited')
    box.write('b/new/deep', 'new')
    await eventuallyEqual(box.at('a'), box.at('b'), () => box.exists('a/new/deep') && box.read('b/one') === 'edited')
  })

  test('one that there is not is refused', async () => {
    const box = filled()
    const done = await box.tandem(['watch', 'a', 'b', '--watcher', 'magic'])
    expect(done.code).toBe(3)
    expect(done.stderr).toContain('watcher is one of: auto, inotify, parcel, poll')
  })
})

function mount(box: Sandbox, ...words: string[]): void {
  run(box, 'mount', words)
}

function run(box: Sandbox, command: string, words: readonly string[]): void {
  const done = spawnSync(command, words, { cwd: box.path })
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`)
}

/** As a user does it. Answers what umount says against it. */
function unmount(box: Sandbox, path: string): string {
  const done = spawnSync('umount', [path], { cwd: box.path, encoding: 'utf8' })
  return done.status === 0 ? '' : done.stderr || 'refused'
}

/** When what was done last has been looked at once more, nothing is open in the root. */
async function unmounted(box: Sandbox, away: string): Promise<void> {
  let refusal = ''
  await eventually(
    () => {
      refusal = unmount(box, box.at(away))
      return refusal === ''
    },
    () => `umount ${away}: ${refusal}`,
  )
}

/** As when a disk is pulled: at once, whoever has something open in it. */
function pull(box: Sandbox, path: string): void {
  spawnSync('umount', ['-l', path], { cwd: box.path })
}

function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const place = mkdtempSync(join(tmpdir(), 'tandem-mount-'))
  const done = spawnSync('mount', ['--bind', place, place])
  if (done.status === 0) spawnSync('umount', [place])
  if (existsSync(place)) rmdirSync(place)
  return done.status === 0
}

/** Containers may mount directories and have no loop devices. */
function mayLoop(): boolean {
  if (!mayMount()) return false
  const done = spawnSync('losetup', ['-f'])
  return done.status === 0 && spawnSync('mkfs.ext4', ['-V']).status === 0
}
