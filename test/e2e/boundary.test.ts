import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually, type Sandbox, sandbox } from './harness.js'

/** Why no file system can be mounted here; undefined: one can. */
function noMount(): string | undefined {
  if (process.platform !== 'linux') return 'tmpfs is of Linux'
  const tried = mkdtempSync(join(tmpdir(), 'tandem-mount-'))
  try {
    const done = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', tried])
    if (done.status !== 0) return `mount says: ${done.error?.message ?? done.stderr.toString().trim()}`
    spawnSync('umount', [tried])
    return undefined
  } finally {
    rmdirSync(tried)
  }
}

const mounted: string[] = []
// Before the sandbox goes: what it removes must not be under a mount.
afterEach(() => {
  for (const path of mounted.splice(0)) spawnSync('umount', [path])
})

function mount(path: string, mode = '1777'): () => void {
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', `mode=${mode}`, 'tmpfs', path])
  if (done.status !== 0) throw new Error(`mount: ${done.stderr.toString()}`)
  mounted.push(path)
  return () => {
    mounted.splice(mounted.indexOf(path), 1)
    const gone = spawnSync('umount', [path])
    if (gone.status !== 0) throw new Error(`umount: ${gone.stderr.toString()}`)
  }
}

function withDisk(): Sandbox {
  const box = sandbox()
  box.write('a/kept', 'kept')
  box.write('a/usb disk/one', 'one')
  box.write('a/usb disk/sub/two', 'two')
  return box
}

const why = noMount()

describe.skipIf(why !== undefined)(
  `S1-14 a file system mounted in a root${why === undefined ? '' : `: ${why}`}`,
  () => {
    const accept = "tandem rescan --accept 'usb disk'"

    test('sync tells of it, leaves all as it is, and takes it as it is once it is told to', async () => {
      const box = withDisk()
      const sync = (...more: string[]) => box.tandem(['sync', 'a', 'b', '-batch', ...more])
      expect(await sync()).toMatchObject({ code: 0 })
      // Without archives nothing says which of two modes is the new one.
      chmodSync(box.at('a/usb disk'), 0o755)
      const unmount = mount(box.at('a/usb disk'), '755')
      box.write('a/usb disk/new', 'new')
      for (const more of [[], ['-ignorearchives']]) {
        const told = await sync(...more)
        expect(told.code).toBe(1)
        expect(told.stdout).toContain(accept)
      }
      expect([box.read('b/usb disk/one'), box.exists('b/usb disk/new')]).toEqual(['one', false])

      expect(await sync('--accept', 'usb disk')).toMatchObject({ code: 0 })
      expect([box.read('b/usb disk/one'), box.read('a/usb disk/sub/two'), box.read('b/usb disk/new')]).toEqual([
        'one',
        'two',
        'new',
      ])
      expect(await sync('--accept', 'usb disk')).toMatchObject({ code: 3 })

      // The disk goes for good: what is below is on the other side, and comes back from there.
      unmount()
      expect(await sync()).toMatchObject({ code: 1, stdout: expect.stringContaining('is gone') })
      expect(await sync('--accept', 'usb disk')).toMatchObject({ code: 0 })
      expect([box.read('a/usb disk/new'), box.read('b/usb disk/new')]).toEqual(['new', 'new'])
      expect(await sync()).toMatchObject({ code: 0 })
    })

    test('the agent at work takes it for all pairs of the root at once: none of them removes anything', async () => {
      const box = withDisk()
      const pair = (name: string) => `[[pair]]\nname = "${name}"\nalpha = "a"\nbeta = "${name}"\n`
      box.write('tandem.toml', `${pair('b')}\n${pair('c')}`, { mode: 0o600 })
      const agent = box.start(['run', '--config', 'tandem.toml'])
      await agent.event('pair-current', 1)
      mount(box.at('a/usb disk'))
      writeFileSync(box.at('a/usb disk/new'), 'new')
      await box.tandem(['rescan'])
      const told = () => agent.events().filter(({ event, code }) => event === 'problem-found' && code === 'boundary')
      await eventually(
        () => told().length === 2,
        () => 'both problems',
      )
      expect((await box.tandem(['conflicts'])).stdout.split(accept)).toHaveLength(3)

      // One of them alone would leave the other to take what is missing for removed.
      expect(await box.tandem(['rescan', 'b', '--accept', 'usb disk'])).toMatchObject({
        stderr: expect.stringContaining('--confirm'),
      })
      expect(await box.tandem(['rescan', '--accept', 'usb disk'])).toMatchObject({
        code: 0,
        stdout: 'b: usb disk is taken as it is now\nc: usb disk is taken as it is now\n',
      })
      expect(await box.tandem(['flush'])).toMatchObject({ code: 0 })
      expect(await box.tandem(['flush'])).toMatchObject({ code: 0 })
      for (const root of ['a', 'b', 'c'])
        expect([root, box.read(`${root}/usb disk/one`), box.read(`${root}/usb disk/new`)]).toEqual([root, 'one', 'new'])
      expect(await box.tandem(['conflicts'])).toMatchObject({ code: 0 })
      agent.signal('SIGTERM')
      expect((await agent.ended).code).toBe(0)
    })
  },
)
