import { expect, test } from 'vitest'
import { Watermark } from '../../src/replica/watermark.js'

const rows: readonly [what: string, spans: readonly (readonly [number, number])[], mark: number][] = [
  ['nothing was given', [], 10],
  ['a span that joins moves it', [[11, 13]], 13],
  ['a span ahead waits', [[12, 13]], 10],
  [
    'and goes along when the gap is closed',
    [
      [12, 13],
      [11, 11],
    ],
    13,
  ],
  [
    'jobs end in any order',
    [
      [14, 14],
      [12, 13],
      [11, 11],
    ],
    14,
  ],
  ['an empty span is none', [[11, 10]], 10],
  // Two transactions of one job with another job's between them.
  [
    'S1-5 what lies between two spans of one job is not passed over',
    [
      [11, 20],
      [26, 30],
    ],
    20,
  ],
]

test.each(rows)('%s', (_, spans, mark) => {
  const watermark = new Watermark(10)
  for (const [first, last] of spans) watermark.pass(first, last)
  expect(watermark.sequence).toBe(mark)
})
