import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { program, type Sandbox, sandbox } from './harness.js'

const hasBindfs = spawnSync('bindfs', ['--version']).status === 0 && existsSync('/dev/fuse')
/** A wait of 30 seconds is part of it, and another at the end. */
const testMs = 120_000

let server: ChildProcess | undefined
afterEach(async () => {
  if (server === undefined) return
  const ended = once(server, 'exit')
  server.kill('SIGCONT')
  server.kill('SIGTERM')
  server = undefined
  await ended
})

/** Longer than the harness waits. */
async function soon(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 70_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A directory behind FUSE: its server is a process that can be held up. */
async function mount(box: Sandbox): Promise<ChildProcess> {
  for (const name of ['behind', 'mnt']) mkdirSync(box.at(name))
  server = spawn('bindfs', ['-f', box.at('behind'), box.at('mnt')], { stdio: 'ignore' })
  await soon(() => readFileSync('/proc/self/mountinfo', 'utf8').includes(box.at('mnt')), 'the mount')
  return server
}

// Skipped where there is no bindfs (Debian's package of that name) or no /dev/fuse.
test.skipIf(!hasBindfs)(
  'a root whose file system hangs is not answering, the other pair goes on, and so does this one when it is back; the end does not wait for it',
  async () => {
    const box = sandbox()
    const fuse = await mount(box)
    box.write('a2/f', 'two')
    box.write('behind/a1/f', 'one')
    const pair = (at: number, alpha: string) => `[[pair]]\nname = "p${at}"\nalpha = "${alpha}"\nbeta = "b${at}"\n`
    box.write('tandem.toml', `${pair(1, 'mnt/a1')}\n${pair(2, 'a2')}`, { mode: 0o600 })
    const log = box.at('log')
    // Not by the harness: it gives no process this much time.
    const agent = spawn(process.execPath, [program, 'run', '--config', 'tandem.toml', '--logfile', log], {
      cwd: box.path,
      env: { ...process.env, TANDEM_STATE_DIR: box.at('state') },
      stdio: 'ignore',
    })
    const ended = once(agent, 'exit')
    const said = (text: string) => box.exists('log') && box.read('log').includes(text)
    await soon(() => said('"event":"pair-current","pair":"p1"'), 'in sync')
    fuse.kill('SIGSTOP')
    await soon(() => said('"code":"not-answering"'), 'not answering')
    expect((await box.tandem(['status', '--state-dir', box.at('state')])).stdout).toMatch(
      /p1 +halted .*\(not-answering\)/,
    )
    box.write('a2/g', 'goes on')
    await soon(() => box.exists('b2/g') && box.read('b2/g') === 'goes on', 'the other pair')
    expect(box.read('b1/f')).toBe('one')
    fuse.kill('SIGCONT')
    await soon(() => said('"event":"pair-resumed"'), 'resumed')
    box.write('behind/a1/new', 'new')
    await soon(() => box.exists('b1/new') && box.read('b1/new') === 'new', 'an edit behind it')
    fuse.kill('SIGSTOP')
    agent.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  },
  testMs,
)
