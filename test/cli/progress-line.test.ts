import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { canvasOf, ProgressLine } from '../../src/cli/progress-line.js'
import { Progress } from '../../src/status/progress.js'

let nowMs = 0
let written: string[] = []
let width: number | undefined = 80
beforeEach(() => {
  vi.useFakeTimers()
  nowMs = 0
  written = []
  width = 80
})
afterEach(() => {
  vi.useRealTimers()
})

function line(): ProgressLine {
  return new ProgressLine({ write: (text) => written.push(text), width: () => width }, new Progress(), () => nowMs)
}

/** Time goes by, ten milliseconds a step. */
function pass(durationMs: number): void {
  for (let at = 0; at < durationMs; at += 10) {
    nowMs += 10
    vi.advanceTimersByTime(10)
  }
}

const started = { event: 'cycle-started', pair: 'p', cycle: 1, operations: 5, bytes: 1_000_000 } as const
const sent = (bytes: number) => ({ event: 'transfer-progressed', pair: 'p', to: 'beta', bytes }) as const
const committed = {
  event: 'cycle-committed',
  pair: 'p',
  cycle: 1,
  applied: 0,
  conflicts: 0,
  problems: 0,
  bytes: 0,
  durationMs: 1,
} as const

test('nothing is drawn for what is over within a second', () => {
  const shown = line()
  shown.note(started)
  pass(900)
  shown.note(committed)
  pass(3_000)
  expect(written).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('it is drawn over itself at most ten times a second, and is gone at the end', () => {
  const shown = line()
  shown.note(started)
  pass(1_000)
  written = []
  for (let at = 0; at < 100; at++) {
    shown.note(sent(at * 1_000))
    pass(10)
  }
  expect(written.length).toBeGreaterThan(3)
  expect(written.length).toBeLessThanOrEqual(10)
  for (const text of written) expect(text).toMatch(/^\r\x1b\[K[\x20-\x7e]+$/)
  shown.note(committed)
  pass(100)
  expect(written.at(-1)).toBe('\r\x1b[K')
  // Nothing wakes an idle agent.
  expect(vi.getTimerCount()).toBe(0)
})

test('it makes room for what is printed, and comes back', () => {
  const shown = line()
  shown.note(started)
  pass(2_000)
  written = []
  shown.clear()
  expect(written).toEqual(['\r\x1b[K'])
  pass(100)
  expect(written.at(-1)).toContain('0 of 5 files')
  shown.pause(true)
  written = []
  pass(500)
  expect(written).toEqual([])
  shown.pause(false)
  pass(100)
  expect(written.at(-1)).toContain('0 of 5 files')
  shown.end()
  expect(written.at(-1)).toBe('\r\x1b[K')
  pass(500)
  expect(written.at(-1)).toBe('\r\x1b[K')
})

test.each([
  ['a narrow terminal', 20, '/aaaa', 'looking at /aaaa, 2'],
  ['letters that may take two columns', 20, '/日本語日本', 'looking at /日本語'],
  ['a terminal without a size', 0, '/a', 'looking at /a, 2 s'],
  ['a terminal that does not tell', undefined, '/a', 'looking at /a, 2 s'],
])('it fits on one line: %s', (_, columns, root, text) => {
  width = columns
  const shown = line()
  shown.note({ event: 'scan-started', root })
  pass(2_000)
  expect(written.at(-1)).toBe(`\r\x1b[K${text}`)
})

test.each([
  ['no terminal', false, 'xterm', false],
  ['a terminal', true, 'xterm', true],
  ['a terminal that cannot erase', true, 'dumb', false],
])('where it is drawn: %s', (_, isTTY, term, drawn) => {
  const stream = Object.assign(Object.create(process.stdout), { isTTY })
  expect(canvasOf(stream, { TERM: term }) !== undefined).toBe(drawn)
})
