import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Hour, isTooMany, type MaxDelete, noted, removedIn } from '../../src/core/budget.js'

const hourMs = 3_600_000
const share: MaxDelete = { kind: 'share', share: 0.9 }

/** What happened: [hour, removed, created], in order. */
type Happened = [hour: number, removed: number, created: number]

function after(...happened: Happened[]): { hours: Hour[]; nowMs: number } {
  let hours: Hour[] = []
  let nowMs = 0
  for (const [hour, removed, created] of happened) {
    nowMs = hour * hourMs
    hours = noted(hours, nowMs, removed, created)
  }
  return { hours, nowMs }
}

const rows: [what: string, happened: Happened[], removed: number][] = [
  ['nothing', [], 0],
  ['some were removed', [[1, 300, 0]], 300],
  [
    'many came, and some of them went',
    [
      [1, 0, 2_500],
      [1, 2_400, 0],
    ],
    2_400,
  ],
  [
    'slowly, over the day',
    [
      [1, 500, 0],
      [5, 500, 0],
      [20, 500, 0],
    ],
    1_500,
  ],
  [
    'what was removed yesterday does not count',
    [
      [1, 500, 0],
      [25, 10, 0],
    ],
    10,
  ],
  [
    'all went and came again, many times',
    [
      [1, 900, 0],
      [1, 0, 900],
      [2, 900, 0],
      [2, 0, 900],
    ],
    0,
  ],
  [
    'what came and went does not count',
    [
      [1, 0, 1],
      [1, 1, 0],
      [2, 0, 1],
      [2, 1, 0],
    ],
    1,
  ],
  [
    'a part came back',
    [
      [1, 900, 0],
      [3, 0, 300],
    ],
    600,
  ],
  [
    'more came than had gone',
    [
      [1, 900, 0],
      [3, 0, 2_000],
      [4, 100, 0],
    ],
    100,
  ],
]

test.each(rows)('%s', (_, happened, removed) => {
  const { hours, nowMs } = after(...happened)
  expect(removedIn(hours, nowMs)).toBe(removed)
  expect(hours.length).toBeLessThanOrEqual(24)
})

const limits: [what: string, limit: MaxDelete, removed: number, more: number, present: number, isHeld: boolean][] = [
  ['all of a small root is not for the budget', share, 0, 1_999, 1_999, false],
  ['nine tenths may go', share, 0, 2_250, 2_500, false],
  ['more than nine tenths may not', share, 0, 2_251, 2_500, true],
  ['nor the last of them, slowly', share, 2_250, 1, 250, true],
  ['half of very many may', share, 0, 50_000, 100_000, false],
  ['a number holds whatever the share', { kind: 'count', count: 100 }, 60, 41, 100_000, true],
  ['up to the number it may', { kind: 'count', count: 100 }, 60, 40, 100_000, false],
  ['nothing is never too much', { kind: 'count', count: 0 }, 10, 0, 0, false],
]

test.each(limits)('%s', (_, limit, removed, more, present, isHeld) => {
  expect(isTooMany(limit, removed, more, (most) => Math.min(most, present))).toBe(isHeld)
})

test('it is the distance from the largest number of paths in the window, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: -50, max: 50 }))), (steps) => {
      const sorted = steps.toSorted(([one], [other]) => one - other)
      const { hours } = after(
        ...sorted.map(([hour, change]): Happened => [hour, Math.max(0, change), Math.max(0, -change)]),
      )
      let count = 0
      let largest = 0
      for (const [, change] of sorted) {
        count -= change
        largest = Math.max(largest, count)
      }
      expect(removedIn(hours, 23 * hourMs)).toBe(largest - count)
    }),
  )
})
