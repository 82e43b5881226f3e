import { expect, test } from 'vitest'
import { relPath } from '../../src/core/path.js'
import type { AgentEvent } from '../../src/status/event.js'
import { Progress } from '../../src/status/progress.js'

const pair = 'p'
const started = (operations: number, bytes: number): AgentEvent => ({
  event: 'cycle-started',
  pair,
  cycle: 1,
  operations,
  bytes,
})
const applied = (bytes: number): AgentEvent => ({
  event: 'path-applied',
  pair,
  path: relPath('f'),
  to: 'beta',
  what: 'created',
  bytes,
})
const sent = (to: 'alpha' | 'beta', bytes: number): AgentEvent => ({ event: 'transfer-progressed', pair, to, bytes })
const committed: AgentEvent = {
  event: 'cycle-committed',
  pair,
  cycle: 1,
  applied: 0,
  conflicts: 0,
  problems: 0,
  bytes: 0,
  durationMs: 0,
}
const scan: AgentEvent = { event: 'scan-started', root: '/a\x1b' }
const MiB = 1024 * 1024

type Step = readonly [atMs: number, event: AgentEvent]
const rows: [string, readonly Step[], number, string | undefined][] = [
  // what happens                        events                                                at ms   line
  ['nothing', [], 5_000, undefined],
  ['less than a second', [[0, started(10, 0)]], 999, undefined],
  ['removals only', [[0, started(1_200, 0)]], 1_000, '0 of 1,200 files'],
  [
    'a large file, of which nothing is visible yet',
    [
      [0, started(2, 8 * MiB)],
      [1_000, sent('beta', 2 * MiB)],
    ],
    2_000,
    '0 of 2 files, 2.0 MiB of 8.0 MiB, 1.0 MiB/s, 6 s left',
  ],
  [
    'the time left only when it can be guessed',
    [
      [0, started(2, 8 * MiB)],
      [1_000, sent('beta', 2 * MiB)],
    ],
    1_500,
    '0 of 2 files, 2.0 MiB of 8.0 MiB, 1.3 MiB/s',
  ],
  [
    'both directions together',
    [
      [0, started(4, 8 * MiB)],
      [900, sent('beta', 2 * MiB)],
      [1_000, sent('alpha', MiB)],
      [1_000, applied(MiB)],
    ],
    1_000,
    '1 of 4 files, 3.0 MiB of 8.0 MiB, 3.0 MiB/s',
  ],
  [
    'never more than all: packs are larger than what is in them',
    [
      [0, started(1, MiB)],
      [500, sent('beta', 2 * MiB)],
      [600, applied(MiB)],
      [700, applied(MiB)],
    ],
    1_000,
    '1 of 1 files, 1.0 MiB of 1.0 MiB, 1.0 MiB/s',
  ],
  [
    'the rate is that of the last ten seconds',
    [
      [0, started(2, 100 * MiB)],
      [1_000, sent('beta', 50 * MiB)],
      [20_000, sent('beta', 50 * MiB)],
      [30_000, sent('beta', 60 * MiB)],
    ],
    30_000,
    '0 of 2 files, 60.0 MiB of 100.0 MiB, 1.0 MiB/s, 40 s left',
  ],
  [
    'the end of the cycle',
    [
      [0, started(9, 0)],
      [5_000, committed],
    ],
    9_000,
    undefined,
  ],
  ['a scan', [[0, scan]], 3_400, 'looking at /a\\x1b, 3 s'],
  [
    'the end of a scan',
    [
      [0, scan],
      [2_000, { event: 'scan-finished', root: '/a\x1b', paths: 3, durationMs: 1 }],
    ],
    9_000,
    undefined,
  ],
  [
    'a cycle that a failure ended',
    [
      [0, started(9, 0)],
      [1, scan],
      [2_000, { event: 'link-lost', peer: 'x', code: 'gone', detail: '', retryInMs: 1 }],
    ],
    9_000,
    undefined,
  ],
]
test.each(rows)('progress: %s', (_, steps, atMs, line) => {
  const progress = new Progress()
  for (const [at, event] of steps) progress.note(event, at)
  expect(progress.line(atMs)).toBe(line)
})

test('whoever waits for the other side sees that time goes by, until the first cycle', () => {
  const progress = new Progress()
  progress.wait(0)
  expect(progress.line(500)).toBeUndefined()
  expect(progress.line(12_000)).toBe('looking for changes, 12 s')
  progress.note(started(5, 0), 13_000)
  progress.note(committed, 14_000)
  expect(progress.line(20_000)).toBeUndefined()
  expect(progress.isBusy).toBe(false)
})

test('a hundred thousand files are counted with little memory', () => {
  const progress = new Progress()
  progress.note(started(100_000, 100_000), 0)
  for (let at = 0; at < 50_000; at++) progress.note(applied(1), at)
  expect(progress.line(50_000)).toBe('50,000 of 100,000 files, 48.8 KiB of 97.7 KiB, 1000 bytes/s, 50 s left')
})
