import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import type { AgentEvent } from '../../src/status/event.js'
import { levelOf, openLog } from '../../src/status/log.js'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-log-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const odd = 'a\n\x1b\u202e"\udcff'
const conflict: AgentEvent = { event: 'conflict-found', pair: 'p', path: relPath(odd), detail: '' }

test('one line of JSON per event, which holds the name exactly and shows nothing unsafe', async () => {
  const file = join(directory, 'log')
  const log = await openLog(file)
  log.write(conflict)
  log.write({ event: 'pair-current', pair: 'p' })
  await log.close()
  const lines = readFileSync(file, 'latin1').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), pid: process.pid, ...conflict },
    { level: 'info', time: expect.any(String), pid: process.pid, event: 'pair-current', pair: 'p' },
  ])
  expect(lines[0]).toMatch(/^[ -~]*$/)
  expect(statSync(file).mode & 0o077).toBe(0)
})

test('a log that was moved away is opened again by its name', async () => {
  const file = join(directory, 'log')
  const log = await openLog(file)
  log.write(conflict)
  await expect.poll(() => readIfThere(file)).toContain('conflict-found')
  renameSync(file, `${file}.1`)
  log.reopen()
  log.write({ event: 'pair-current', pair: 'p' })
  // Opening takes its time, and no event tells when it is done; a line that is written meanwhile waits for it.
  await expect.poll(() => readIfThere(file)).toContain('pair-current')
  expect(readFileSync(`${file}.1`, 'utf8')).not.toContain('pair-current')
  await log.close()
})

test('a log that cannot be opened ends the run before anything begins', async () => {
  await expect(openLog(join(directory, 'missing', 'log'))).rejects.toMatchObject({
    name: 'ConfigFailure',
    code: 'bad-preference',
  })
})

test('T20: a log that is a link leads nowhere: it is refused, and what it points to stays as it was', async () => {
  const target = join(directory, 'target')
  writeFileSync(target, 'precious')
  const file = join(directory, 'log')
  symlinkSync(target, file)
  await expect(openLog(file)).rejects.toMatchObject({
    name: 'ConfigFailure',
    code: 'unsafe-file',
    message: expect.stringMatching(/log: a symbolic link; name the file itself/),
  })
  symlinkSync(join(directory, 'new'), join(directory, 'dangling'))
  await expect(openLog(join(directory, 'dangling'))).rejects.toMatchObject({ code: 'unsafe-file' })
  expect(readFileSync(target, 'utf8')).toBe('precious')
  expect(existsSync(join(directory, 'new'))).toBe(false)
})

test.skipIf(process.getuid?.() !== 0)('T20: a log that another user made is refused (needs root)', async () => {
  const file = join(directory, 'log')
  writeFileSync(file, 'of another')
  chownSync(file, 65_534, 65_534)
  await expect(openLog(file)).rejects.toMatchObject({
    code: 'unsafe-file',
    message: expect.stringMatching(/belongs to user 65534/),
  })
  expect(readFileSync(file, 'utf8')).toBe('of another')
})

test('T20: a link that took the place of the log is not followed when it is opened again; the old one goes on', async () => {
  const file = join(directory, 'log')
  const target = join(directory, 'target')
  writeFileSync(target, 'precious')
  const log = await openLog(file)
  log.write(conflict)
  renameSync(file, `${file}.1`)
  symlinkSync(target, file)
  expect(log.reopen()).toMatchObject({ code: 'unsafe-file' })
  log.write({ event: 'pair-current', pair: 'p' })
  await log.close()
  expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/conflict-found[\s\S]*pair-current/)
  expect(readFileSync(target, 'utf8')).toBe('precious')
})

test('a pipe that nobody reads holds nothing up', async () => {
  const file = join(directory, 'pipe')
  if (spawnSync('mkfifo', [file]).status !== 0) return
  await expect(openLog(file)).rejects.toMatchObject({ code: 'bad-preference' })
})

test('what needs a repair is an error, what needs a look a warning', () => {
  expect(levelOf({ event: 'pair-halted', pair: 'p', code: 'missing', detail: '' })).toBe('error')
  expect(levelOf(conflict)).toBe('warn')
  expect(levelOf({ event: 'scan-started', root: 'r' })).toBe('debug')
  expect(levelOf({ event: 'pair-current', pair: 'p' })).toBe('info')
})

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
