import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { program, type Running, type Sandbox, sandbox, serve } from './harness.js'

const objects = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

describe('--json', () => {
  test('sync: one object per event on standard output, and nothing else', async () => {
    const box = sandbox()
    for (const name of ['both', 'gone']) box.write(`a/${name}`, 'old')
    box.write('a/d/new\n\u202e', 'new')
    linkSync(box.at('a/both'), box.at('a/other name'))
    const first = await box.tandem(['sync', 'a', 'b', '--json'])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/^[\x20-\x7e\n]*$/)
    const events = objects(first.stdout)
    for (const one of events) expect(one).toMatchObject({ version: 1, time: expect.stringMatching(/^\d{4}-.*Z$/) })
    expect(
      events
        .filter(({ event }) => event === 'path-applied')
        .map(({ path }) => path)
        .toSorted(),
    ).toEqual(['both', 'd', 'd/new\n\u202e', 'gone', 'other name'].toSorted())
    expect(events.filter(({ event }) => event === 'hard-links-found')).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({
      event: 'pass-finished',
      pair: 'a b',
      copied: 5,
      deleted: 0,
      conflicts: 0,
      problems: 0,
      bytes: 12,
      exitCode: 0,
    })

    box.write('a/both', 'from a')
    box.write('b/both', 'from b, longer')
    rmSync(box.at('a/gone'))
    const plan = objects((await box.tandem(['sync', 'a', 'b', '--json', '--dry-run'])).stdout)
    expect(plan).toContainEqual(
      expect.objectContaining({ event: 'change-planned', path: 'gone', to: 'beta', alpha: 'deleted', beta: '' }),
    )
    // A conflict is told by every run that leaves it, with what both sides hold.
    for (const run of [1, 2]) {
      const end = await box.tandem(['sync', 'a', 'b', '--json'])
      expect(end.code, `run ${run}`).toBe(1)
      const told = objects(end.stdout)
      const conflicts = told.filter(({ event, path }) => event === 'conflict-found' && path === 'both')
      expect(conflicts).toMatchObject([
        {
          alphaVersion: { change: 'changed', kind: 'file', sizeBytes: 6, mtimeNs: expect.stringMatching(/^\d{19}$/) },
          betaVersion: { change: 'changed', kind: 'file', sizeBytes: 14 },
        },
      ])
      expect(told.at(-1)).toMatchObject({ event: 'pass-finished', deleted: run === 1 ? 1 : 0, exitCode: 1 })
    }
    expect(box.exists('b/gone')).toBe(false)
  })

  test('watch: events as they come, over the link, with the summary last', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    mkdirSync(box.at('b'))
    const { url, keyFile } = await serve(box, { r: 'b' })
    const agent = box.start(['watch', 'a', url('r'), '--secret-file', keyFile, '--json'])
    await agent.said('"event":"pair-current"')
    box.write('b/g', 'from there')
    await agent.said(/"event":"path-applied"[^\n]*"path":"g","to":"alpha"/)
    agent.signal('SIGUSR2')
    const end = await agent.ended
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect(objects(end.stdout).at(-1)).toMatchObject({ event: 'pass-finished', copied: 2, exitCode: 0 })
  })
})

test('run --json: the events of every pair on standard output, and nothing elsewhere', async () => {
  const box = sandbox()
  box.write('a1/f', 'x')
  box.write('a2/g', 'y')
  const pair = (at: number) => `[[pair]]\nname = "p${at}"\nalpha = "a${at}"\nbeta = "b${at}"\n`
  box.write('tandem.toml', `${pair(1)}\n${pair(2)}`, { mode: 0o600 })
  const agent = box.start(['run', '--config', 'tandem.toml', '--json'])
  for (const name of ['p1', 'p2']) await agent.said(new RegExp(`"event":"pair-current","pair":"${name}"`))
  box.write('b2/h', 'from there')
  await agent.said(/"event":"path-applied","pair":"p2","path":"h","to":"alpha"/)
  agent.signal('SIGTERM')
  const end = await agent.ended
  expect(end).toMatchObject({ code: 0, stderr: '' })
  for (const one of objects(end.stdout)) expect(one).toMatchObject({ version: 1, event: expect.any(String) })
})

test('without a terminal nothing is drawn; the summary says what was done', async () => {
  const box = sandbox()
  box.write('a/f', 'x')
  box.write('a/d/g', 'yy')
  const end = await box.tandem(['sync', 'a', 'b'])
  expect(end.stdout).not.toMatch(/[\r\x1b]/)
  expect(end.stdout).toMatch(
    /\nSynchronization complete {2}\(3 items transferred, 0 skipped, 0 failed\)\n {2}3 copied, 0 deleted, .*0 conflicts, 0 problems; 3 bytes in [\d.]+ m?s\n$/,
  )
})

// util-linux's script gives its child a terminal. Elsewhere than on Linux it has other options.
const terminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** Takes connections and never says a word. */
async function silentPort(): Promise<number> {
  const server = createServer(() => {})
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function atTerminal(box: Sandbox, env: Readonly<Record<string, string>>, ...args: string[]): Running {
  const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ')
  return box.startProcess('script', ['-qec', words, '/dev/null'], { env })
}

describe.skipIf(!terminal)('at a terminal (needs the program script of util-linux)', () => {
  test('what takes longer than a second shows that it goes on, without colours, and leaves no trace', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    expect((await box.tandem(['keygen', 'k', '--out', box.at('key')])).code).toBe(0)
    const url = `wss://127.0.0.1:${await silentPort()}/r`
    const shown = atTerminal(box, { NO_COLOR: '1', TERM: 'xterm' }, 'sync', 'a', url, '--secret-file', 'key')
    const at = await shown.said(/looking for changes, \d+ s/)
    shown.type('\x03')
    const end = await shown.ended
    expect(end.stdout.slice(at)).toContain('\r\x1b[K')
    const shownLast = end.stdout.slice(end.stdout.lastIndexOf('\r\x1b[K'))
    expect(shownLast).not.toMatch(/looking/)
    // The line is erased and nothing is coloured.
    expect(end.stdout.replaceAll('\r\x1b[K', '')).not.toContain('\x1b')
  })

  test('run sums up when it is stopped', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    box.write('tandem.toml', `[[pair]]\nname = "one"\nalpha = "a"\nbeta = "b"\n`, { mode: 0o600 })
    const shown = atTerminal(box, { TERM: 'dumb' }, 'run', '--config', 'tandem.toml')
    await shown.said(/created +f/)
    shown.type('\x03')
    expect((await shown.ended).stdout).toMatch(
      / 1 copied, 0 deleted, 0 conflicts, 0 problems; 1 byte in [\d.]+ m?s\r?\n$/,
    )
  })

  test('what was moved is asked about once, and renamed', async () => {
    const box = sandbox()
    box.write('a/d/f', 'x')
    await box.tandem(['sync', 'a', 'b'])
    const inode = statSync(box.at('b/d/f')).ino
    renameSync(box.at('a/d'), box.at('a/e'))
    const shown = atTerminal(box, { TERM: 'dumb' }, 'sync', 'a', 'b')
    await shown.said(/moved +---> +d -> e {2}\[f\] /)
    shown.type('f')
    await shown.said(/Proceed with propagating updates\?/)
    shown.type('y')
    const end = await shown.ended
    expect(end.code).toBe(0)
    expect(end.stdout).toMatch(/0 copied, 0 deleted, 1 moved, 0 conflicts, 0 problems; 0 bytes/)
    expect(statSync(box.at('b/e/f')).ino).toBe(inode)
    expect(box.exists('b/d')).toBe(false)
  })

  test('where the terminal cannot erase, nothing is drawn', async () => {
    const box = sandbox()
    box.write('a/f', 'x')
    const end = await atTerminal(box, { TERM: 'dumb' }, 'sync', 'a', 'b', '--batch').ended
    expect(end.code).toBe(0)
    expect(end.stdout).not.toContain('\x1b')
    expect(end.stdout).toMatch(/ 1 copied/)
  })
})
