import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Agent, PassOptions, PassResult } from '../../src/agent/agent-types.js'
import { exitCodeOf } from '../../src/cli/exit-codes.js'
import type { OpenHouse } from '../../src/cli/house.js'
import { runPair } from '../../src/cli/pair.js'
import { parseCommandLine } from '../../src/cli/program.js'
import type { Config } from '../../src/config/config.js'
import { absent } from '../../src/core/content.js'
import { relPath } from '../../src/core/path.js'

const equal: PassResult = { applied: 0, skipped: 0, failed: 0, bytes: 0, items: [], halted: undefined }
const change = {
  path: relPath('c'),
  kind: 'change',
  alpha: '',
  beta: 'new file',
  direction: 'to-alpha',
  detail: '',
  bytes: 3,
  alphaContent: absent,
  betaContent: absent,
} as const

let directory = ''
let printed = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-pair-'))
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true, force: true })
})

/** A house that answers every pass with `result` and remembers what it was asked. */
function houseOf(result: PassResult, seen: { config?: Config; asked: string[] }): OpenHouse {
  return async (config) => {
    seen.config = config
    let stopped = (_: PassResult) => {}
    const agent: Agent = {
      pass: async (options: PassOptions) => {
        seen.asked.push(options.dryRun ? 'dry run' : options.decide === undefined ? 'pass' : 'ask')
        return result
      },
      run: () => {
        seen.asked.push('run')
        return new Promise((resolve) => {
          stopped = resolve
        })
      },
      offer: async () => {},
      join: async () => {},
      stop: (how) => {
        seen.asked.push(`stop ${how}`)
        stopped(result)
      },
      close: async () => {},
      addresses: [],
      notListening: [],
      pairs: [],
      served: [],
      letGoServed: async () => false,
      reread: async () => ({ started: [], stopped: [], restarted: [] }),
    }
    return { agent, close: async () => void seen.asked.push('close') }
  }
}

async function typed(line: string, result: PassResult) {
  const seen: { config?: Config; asked: string[] } = { asked: [] }
  const command = parseCommandLine([...line.split(' '), '--state-dir', join(directory, 'state')])
  if (command.command !== 'sync' && command.command !== 'watch') throw new Error('no pair')
  const ended = runPair(command, houseOf(result, seen))
  return { ended, seen }
}

const codes: [string, Partial<PassResult>, number][] = [
  ['in sync', {}, 0],
  ['changes were made', { applied: 3 }, 0],
  ['something was skipped', { applied: 3, skipped: 1 }, 1],
  ['something failed', { skipped: 1, failed: 1 }, 2],
  ['a root is in doubt', { halted: 'gone', failed: 1 }, 3],
]
test.each(codes)('the exit code of sync when %s', async (_, part, code) => {
  const { ended, seen } = await typed('sync /a /b', { ...equal, ...part })
  expect(await ended).toBe(code)
  // Without a terminal nobody is asked.
  expect(seen.asked).toEqual(['pass', 'close'])
})

test('a dry run prints the plan', async () => {
  const { ended, seen } = await typed('sync /a /b --dry-run', { ...equal, items: [change] })
  expect(await ended).toBe(0)
  expect(seen.asked).toEqual(['dry run', 'close'])
  expect(printed).toBe(
    '          <--- new file   c\nDry run of /a and /b: 1 to propagate, 0 to be skipped; nothing was changed.\n',
  )
})

test.each([
  ['SIGUSR2', 'stop finish', 1],
  ['SIGINT', 'stop now', 3],
  ['SIGTERM', 'stop now', 3],
] as const)('watch ends on %s', async (signal, asked, code) => {
  const { ended, seen } = await typed('watch /a /b --logfile /dev/null', { ...equal, skipped: 1 })
  await vi.waitFor(() => expect(seen.asked).toEqual(['run']), { timeout: 20_000 })
  process.emit(signal, signal)
  expect(await ended).toBe(code)
  expect(seen.asked).toEqual(['run', asked, 'close'])
  expect(process.listenerCount(signal)).toBe(0)
})

test('the profile comes first, the command line over it', async () => {
  const profile = join(directory, 'p')
  writeFileSync(profile, 'root = /r1\nroot = /r2\ntimes = false\nignore = Name x\nperms = 0\n')
  const { ended, seen } = await typed(`sync --profile ${profile} -perms=0o700 --prefer newer`, equal)
  expect(await ended).toBe(0)
  expect(seen.config?.pairs[0]).toMatchObject({
    alpha: { kind: 'local', path: '/r1' },
    beta: { kind: 'local', path: '/r2' },
    preferences: { times: false, perms: 0o700, ignore: ['Name x'], prefer: 'newer', repeat: { kind: 'once' } },
  })
})

test('a mirror is the first root, forced, and may be said twice', async () => {
  for (const more of ['', ' -force /a']) {
    const { ended, seen } = await typed(`sync /a /b --mirror${more}`, equal)
    expect(await ended).toBe(0)
    expect(seen.config?.pairs[0]?.preferences).toMatchObject({ force: 'alpha', prefer: 'nobody' })
  }
})

test('repeat makes a watch of a sync, and asks nobody', async () => {
  const { ended, seen } = await typed('sync /a /b --repeat watch+7 --logfile /dev/null', equal)
  await vi.waitFor(() => expect(seen.asked).toEqual(['run']), { timeout: 20_000 })
  expect(seen.config?.pairs[0]?.preferences).toMatchObject({
    batch: true,
    repeat: { kind: 'watch', fullScanSeconds: 7 },
  })
  process.emit('SIGUSR2', 'SIGUSR2')
  expect(await ended).toBe(0)
})

const refused: [string, string, number, RegExp][] = [
  ['two remote roots', 'wss://a/b wss://c/d', 3, /must be on this machine/],
  ['a remote root without a key', '/a wss://c/d', 64, /--secret-file/],
  ['a profile that is not there', '--profile /nowhere/p', 3, /\/nowhere\/p/],
  ['a root of another kind', '/a http://h/b', 3, /http/],
  ['an unencrypted root that nobody allowed', '/a ws://127.0.0.1/b', 3, /--insecure/],
  ['an unencrypted root elsewhere', '/a ws://h/b --insecure', 3, /never leaves this machine/],
  ['two roots over ssh', 'ssh://h/a ssh://h/b', 3, /one of the roots/],
  ['repeat in a dry run', '/a /b --dry-run --repeat 5', 64, /one pass/],
  ['a mirror of both roots', '/a /b --mirror --force /b', 64, /leave one of them out/],
  ['a mount point that is ignored', '/a /b -mountpoint d/e -ignore Path\td', 3, /neither ignored nor/],
  ['a mount point that path leaves out', '/a /b -mountpoint d -path e', 3, /neither ignored nor/],
]
test.each(refused)('refused before anything is opened: %s', async (_, line, code, message) => {
  const { ended, seen } = await typed(`sync ${line}`, equal)
  const error: unknown = await ended.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(exitCodeOf(error)).toBe(code)
  expect(error).toMatchObject({ message: expect.stringMatching(message) })
  expect(seen.config).toBeUndefined()
})

test('a state directory inside a root is refused before it is made', async () => {
  const { ended } = await typed(`sync ${directory} /b`, equal)
  await expect(ended).rejects.toMatchObject({ code: 'bad-root', message: expect.stringMatching(/state directory/) })
  expect(existsSync(join(directory, 'state'))).toBe(false)
})

test('with --json events are printed one object a line, what still stands included, and nobody is asked', async () => {
  const conflict = { ...change, kind: 'conflict', direction: 'none', path: relPath('x\u202e') } as const
  const { ended } = await typed('sync /a /b --json', { ...equal, skipped: 1, items: [change, conflict] })
  expect(await ended).toBe(1)
  expect(printed).toMatch(/^[\x20-\x7e\n]*$/)
  const events: unknown[] = printed
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events).toMatchObject([
    { version: 1, event: 'conflict-found', path: 'x\u202e', alphaVersion: { kind: 'absent' } },
    { version: 1, event: 'pass-finished', copied: 0, conflicts: 1, problems: 0, exitCode: 1 },
  ])
})

test('a dry run with --json tells what is planned', async () => {
  const { ended } = await typed('sync /a /b --json --dry-run', { ...equal, items: [change] })
  expect(await ended).toBe(0)
  expect(JSON.parse(printed.split('\n')[0] ?? '')).toMatchObject({
    event: 'change-planned',
    path: 'c',
    to: 'alpha',
    beta: 'new file',
    bytes: 3,
  })
})
